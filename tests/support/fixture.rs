//! The format of tests/fixtures: raw rows from public reports and measurements, and what was right.
//!
//! `# source` comments, `@version`, then either `@file NAME` parts with one `@expect` block for all
//! of them, or `@phase NAME` parts with rows by name and an `@expect` line each.

/// One reading and what is expected of it.
#[derive(Debug, Default)]
pub struct Case {
    /// `file` or `file: phase`.
    pub label: String,
    /// The fixture's comment lines, for facts stated only there.
    pub comments: String,
    /// (kernel file's name, text); a phase has one part named "".
    pub parts: Vec<(String, String)>,
    /// (key, rest of the line).
    pub expects: Vec<(String, String)>,
}

impl Case {
    /// The text of the part of that name.
    pub fn part(&self, name: &str) -> Option<&str> {
        let found = self.parts.iter().find(|(n, _)| n == name);
        found.map(|(_, text)| text.as_str())
    }
}

/// All fixtures in the text format: (file name, cases).
pub fn all() -> Vec<(String, Vec<Case>)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures");
    let mut names: Vec<_> = std::fs::read_dir(folder)
        .expect("tests/fixtures is in the repository")
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let read = |name: &String| std::fs::read_to_string(format!("{folder}/{name}")).unwrap();
    names
        .iter()
        .map(|name| (name.clone(), parse(name, &read(name))))
        .collect()
}

fn parse(name: &str, text: &str) -> Vec<Case> {
    let mut comments = String::new();
    let mut cases: Vec<Case> = Vec::new();
    let mut expecting = false;
    for line in text.lines() {
        let mut words = line.splitn(2, ' ');
        let (first, rest) = (words.next().unwrap(), words.next().unwrap_or(""));
        match first {
            "#" => comments += &format!("{line}\n"),
            "@version" => {}
            "@phase" => cases.push(Case {
                label: format!("{name}: {rest}"),
                parts: vec![(String::new(), String::new())],
                ..Case::default()
            }),
            "@file" => {
                expecting = false;
                open_case(&mut cases, name)
                    .parts
                    .push((rest.into(), String::new()));
            }
            "@expect" if rest.is_empty() => expecting = true,
            "@expect" => open_case(&mut cases, name).expects.push(pair(rest)),
            _ if expecting => open_case(&mut cases, name).expects.push(pair(line)),
            _ => {
                let case = open_case(&mut cases, name);
                if case.parts.is_empty() {
                    case.parts.push((String::new(), String::new()));
                }
                let (_, text) = case.parts.last_mut().unwrap();
                *text += &format!("{line}\n");
            }
        }
    }
    for case in &mut cases {
        case.comments = comments.clone();
    }
    cases
}

fn open_case<'a>(cases: &'a mut Vec<Case>, name: &str) -> &'a mut Case {
    if cases.is_empty() {
        cases.push(Case {
            label: name.into(),
            ..Case::default()
        });
    }
    cases.last_mut().unwrap()
}

fn pair(line: &str) -> (String, String) {
    let (key, value) = line.split_once(' ').unwrap_or((line, ""));
    (key.into(), value.into())
}
