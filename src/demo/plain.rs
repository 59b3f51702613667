//! The show for a terminal that can only print: one paragraph a step, as the steps end.

use std::io::{self, Write};
use std::time::Duration;

use super::scene;
use super::tape::Tape;
use crate::plot::steps::StepBand;
use crate::units;

/// How often a run is looked at.
const LOOK: Duration = Duration::from_millis(200);

/// Writes the story and each step, and waits for a run that still goes on.
pub fn tell(tape: &mut Tape, note: &str, out: &mut dyn Write) -> io::Result<()> {
    let name = &tape.recording.header.scenario;
    let replay = if tape.is_live() { "" } else { "replay: " };
    writeln!(out, "{name} ({replay}{})", tape.label)?;
    if !note.is_empty() {
        writeln!(out, "{note}")?;
    }
    if let Some(scenario) = &tape.scenario {
        writeln!(out, "{}\n\n{}", scenario.title, scenario.story.trim())?;
    }
    let (mut told, mut events) = (Vec::new(), 0);
    loop {
        let growing = tape.is_growing();
        let ready: Vec<StepBand> = tape
            .bands
            .iter()
            .filter(|b| (b.result.is_some() || !growing) && !told.contains(&b.id))
            .cloned()
            .collect();
        for band in ready {
            step(tape, &band, &mut events, out)?;
            told.push(band.id);
        }
        if !growing {
            break;
        }
        std::thread::sleep(LOOK);
        tape.refresh();
    }
    happened(tape, f64::INFINITY, &mut events, out)?;
    match &tape.recording.footer {
        Some(footer) => writeln!(out, "\nThe end: {}.", footer.reason.trim_end_matches('.')),
        None => writeln!(out, "\nThe recording was cut here."),
    }
}

fn step(tape: &Tape, band: &StepBand, events: &mut usize, out: &mut dyn Write) -> io::Result<()> {
    let (place, of) = scene::place(tape, band);
    writeln!(
        out,
        "\n[{place}/{of}] {} (until {:.2} s): {}",
        band.id.step, band.end, band.say
    )?;
    happened(tape, band.end, events, out)?;
    let group = tape.recording.group(&band.id.container);
    let group = group.unwrap_or_else(|| tape.recording.main_group());
    if let Some(view) = scene::view(tape, group, band.end) {
        if let Some(text) = scene::working_set(&view) {
            writeln!(out, "  {text}")?;
        }
        let far: Vec<String> = scene::furthest(&view, 4)
            .iter()
            .map(|(name, value)| format!("{name} {}", units::signed_bytes(*value)))
            .collect();
        writeln!(out, "  \"memory used\" is {}", far.join(", or "))?;
    }
    for (words, value) in scene::truth(tape, group, band.end) {
        writeln!(out, "  the program knows: {} {words}", units::bytes(value))?;
    }
    Ok(())
}

/// Prints what happened until a recorded second and was not printed yet.
fn happened(tape: &Tape, t: f64, told: &mut usize, out: &mut dyn Write) -> io::Result<()> {
    let bad: Vec<_> = scene::happened(tape, t)
        .into_iter()
        .filter(|h| h.bad)
        .collect();
    for line in bad.iter().skip(*told) {
        writeln!(out, "  {:.2} s: {}", line.t, line.text)?;
    }
    *told = bad.len().max(*told);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::testing;

    #[test]
    fn steps_are_printed_in_order() {
        let mut tape = Tape::finished(testing::recording(), "6.1-v2".into());
        let mut out = Vec::new();
        tell(&mut tape, "", &mut out).unwrap();
        insta::assert_snapshot!(String::from_utf8(out).unwrap());
    }
}
