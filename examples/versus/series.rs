//! Series of measurements taken in turns, and the table of them.

use std::fmt;
use std::process::Command;

/// A measurement of one side, or why there is none.
pub type Measured = Result<f64, String>;

/// One side of a comparison: its name, and how one turn of it is measured.
pub struct Side<'a> {
    pub name: &'a str,
    pub turn: Box<dyn FnMut() -> Measured + 'a>,
}

impl<'a> Side<'a> {
    pub fn new(name: &'a str, turn: impl FnMut() -> Measured + 'a) -> Side<'a> {
        Side {
            name,
            turn: Box::new(turn),
        }
    }
}

/// What is compared: memtide with each of its peers.
pub struct Comparison<'a> {
    pub what: &'a str,
    pub unit: &'a str,
    /// The ratio memtide/peer that is aimed at, in words, by peer.
    pub goals: &'a [(&'a str, &'a str)],
    pub memtide: Side<'a>,
    pub peers: Vec<Side<'a>>,
}

/// A Markdown table.
pub struct Table {
    title: String,
    rows: Vec<String>,
}

impl Table {
    pub fn new(title: &str) -> Table {
        Table {
            title: title.into(),
            rows: Vec::new(),
        }
    }

    /// Takes `runs` turns of every side, one after the other, and adds a row for each peer.
    pub fn add(&mut self, mut comparison: Comparison, runs: u32) {
        let mut ours = Vec::new();
        let mut theirs: Vec<Vec<Measured>> = comparison.peers.iter().map(|_| Vec::new()).collect();
        for _ in 0..runs {
            ours.push((comparison.memtide.turn)());
            for (peer, measured) in comparison.peers.iter_mut().zip(&mut theirs) {
                // What is missing once stays so.
                if measured.last().is_none_or(Result::is_ok) {
                    measured.push((peer.turn)());
                }
            }
        }
        let ours: Result<Vec<f64>, String> = ours.into_iter().collect();
        for (peer, theirs) in comparison.peers.iter().zip(theirs) {
            let theirs: Result<Vec<f64>, String> = theirs.into_iter().collect();
            if let Err(why) = &theirs {
                eprintln!("versus: {}: {}: {why}", comparison.what, peer.name);
            }
            let goal = comparison.goals.iter().find(|(name, _)| *name == peer.name);
            self.rows
                .push(row(&comparison, peer.name, &ours, &theirs, goal));
        }
    }

    /// Adds a row of two absolute figures, where a ratio would say nothing.
    pub fn note(&mut self, text: &str) {
        self.rows.push(text.into());
    }
}

fn row(
    comparison: &Comparison,
    peer: &str,
    ours: &Result<Vec<f64>, String>,
    theirs: &Result<Vec<f64>, String>,
    goal: Option<&(&str, &str)>,
) -> String {
    let figures = match (ours, theirs) {
        (Ok(ours), Ok(theirs)) => {
            // Where both are 0 there is no ratio.
            let ratios = ours.iter().zip(theirs).map(|(a, b)| a / b);
            let ratios: Vec<f64> = ratios.filter(|ratio| ratio.is_finite()).collect();
            let (low, middle, high) = spread(&ratios);
            let ratio = match middle.is_finite() {
                true => format!("{middle:.2} ({low:.2} to {high:.2})"),
                false => "-".into(),
            };
            format!("{} | {} | {ratio}", shown(ours), shown(theirs))
        }
        (Ok(ours), Err(why)) => format!("{} | {why} | -", shown(ours)),
        (Err(why), _) => format!("{why} | - | -"),
    };
    format!(
        "| {} | {} | {peer} | {figures} | {} |",
        comparison.what,
        comparison.unit,
        goal.map_or("", |(_, goal)| goal)
    )
}

/// Median with its spread.
fn shown(values: &[f64]) -> String {
    let (low, middle, high) = spread(values);
    format!("{} ({} to {})", number(middle), number(low), number(high))
}

fn number(value: f64) -> String {
    match value.abs() {
        0.0 => "0".into(),
        v if v >= 100.0 => format!("{value:.0}"),
        v if v >= 1.0 => format!("{value:.1}"),
        _ => format!("{value:.3}"),
    }
}

/// Least, median, most.
pub fn spread(values: &[f64]) -> (f64, f64, f64) {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.as_slice() {
        [] => (f64::NAN, f64::NAN, f64::NAN),
        [low, .., high] => (*low, sorted[sorted.len() / 2], *high),
        [only] => (*only, *only, *only),
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        writeln!(f, "## {}\n", self.title)?;
        writeln!(
            f,
            "| what | unit | peer | memtide | the peer | memtide / peer | goal |"
        )?;
        writeln!(f, "|---|---|---|---|---|---|---|")?;
        self.rows.iter().try_for_each(|row| writeln!(f, "{row}"))
    }
}

/// What a program prints, or that it is missing and where it comes from.
pub fn output(command: &mut Command, package: &str) -> Result<String, String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => format!("{program} is missing (Debian package {package})"),
        _ => format!("{program}: {error}"),
    })?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        Ok(text(&output.stdout) + &text(&output.stderr))
    } else {
        let said = text(&output.stderr);
        Err(format!("{program}: {}: {}", output.status, said.trim()))
    }
}
