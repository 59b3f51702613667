//! JUnit XML as CI systems read it: a report of suites of cases.

use std::fmt::Write;

/// One suite.
#[derive(Debug, Default)]
pub struct Suite {
    /// Its name.
    pub name: String,
    /// What is said of all of it.
    pub properties: Vec<(&'static str, String)>,
    /// Its cases, in order.
    pub cases: Vec<Case>,
}

/// One case.
#[derive(Debug, Default)]
pub struct Case {
    /// Its name.
    pub name: String,
    /// What it belongs to.
    pub class: Option<String>,
    /// The element that says how it went, `skipped`, `failure` or `error`; none where it went as it should.
    pub element: Option<&'static str>,
    /// One line about that.
    pub message: Option<String>,
    /// Its kind, in a word or two.
    pub kind: Option<String>,
    /// More, for whoever opens it.
    pub text: Option<String>,
    /// What it said.
    pub output: Option<String>,
}

/// The XML of a program's suites.
pub fn render(program: &str, suites: &[Suite]) -> String {
    let count = |element| {
        suites
            .iter()
            .map(|s| s.count(element))
            .sum::<usize>()
            .to_string()
    };
    let tests: usize = suites.iter().map(|s| s.cases.len()).sum();
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    open(
        &mut out,
        "testsuites",
        &[
            ("name", program),
            ("tests", &tests.to_string()),
            ("failures", &count("failure")),
            ("errors", &count("error")),
        ],
    );
    out.push_str(">\n");
    for suite in suites {
        suite.write(&mut out);
    }
    out.push_str("</testsuites>\n");
    out
}

impl Suite {
    fn count(&self, element: &str) -> usize {
        let is = |case: &&Case| case.element == Some(element);
        self.cases.iter().filter(is).count()
    }

    fn write(&self, out: &mut String) {
        out.push_str("    ");
        let count = |element| self.count(element).to_string();
        open(
            out,
            "testsuite",
            &[
                ("name", &self.name),
                ("tests", &self.cases.len().to_string()),
                ("disabled", &count("skipped")),
                ("errors", &count("error")),
                ("failures", &count("failure")),
            ],
        );
        out.push_str(">\n");
        if !self.properties.is_empty() {
            out.push_str("        <properties>\n");
            for (name, value) in &self.properties {
                out.push_str("            ");
                open(out, "property", &[("name", name), ("value", value)]);
                out.push_str("/>\n");
            }
            out.push_str("        </properties>\n");
        }
        for case in &self.cases {
            case.write(out);
        }
        out.push_str("    </testsuite>\n");
    }
}

impl Case {
    fn write(&self, out: &mut String) {
        fn given<'a>(name: &'a str, value: &'a Option<String>) -> Option<(&'a str, &'a str)> {
            Some((name, value.as_deref()?))
        }
        out.push_str("        ");
        let name = [
            Some(("name", self.name.as_str())),
            given("classname", &self.class),
        ];
        open(
            out,
            "testcase",
            &name.into_iter().flatten().collect::<Vec<_>>(),
        );
        out.push_str(">\n");
        if let Some(element) = self.element {
            out.push_str("            ");
            let about = [given("message", &self.message), given("type", &self.kind)];
            open(
                out,
                element,
                &about.into_iter().flatten().collect::<Vec<_>>(),
            );
            let _ = match &self.text {
                None => writeln!(out, "/>"),
                Some(text) => writeln!(out, ">{}</{element}>", escape(text)),
            };
        }
        if let Some(output) = &self.output {
            let output = escape(output);
            let _ = writeln!(out, "            <system-out>{output}</system-out>");
        }
        out.push_str("        </testcase>\n");
    }
}

/// A start tag without its end.
fn open(out: &mut String, element: &str, attributes: &[(&str, &str)]) {
    let _ = write!(out, "<{element}");
    for (name, value) in attributes {
        let _ = write!(out, " {name}=\"{}\"", escape(value));
    }
}

/// For text and for values in double quotes. What XML can't hold at all (most control characters)
/// is left out; in a value line ends and tabs would be read as blanks, so they are references.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in crate::markup::escape(text).chars() {
        match c {
            '\t' | '\n' | '\r' => {
                let _ = write!(out, "&#{};", u32::from(c));
            }
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => {}
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_name_or_a_message_becomes_markup() {
        let failed = Case {
            name: "c".into(),
            element: Some("failure"),
            kind: Some("late".into()),
            message: Some("a < b & \"c\"\u{1}".into()),
            text: Some("<x>\n".into()),
            ..Case::default()
        };
        let skipped = Case {
            name: "d".into(),
            element: Some("skipped"),
            ..Case::default()
        };
        let suite = Suite {
            name: "s\"><".into(),
            properties: vec![("kernel", "6.1".into())],
            cases: vec![failed, skipped],
        };
        let xml = render("memtide", &[suite]);
        for part in [
            "<testsuites name=\"memtide\" tests=\"2\" failures=\"1\" errors=\"0\">",
            "<testsuite name=\"s&quot;&gt;&lt;\" tests=\"2\" disabled=\"1\" errors=\"0\" failures=\"1\">",
            "<property name=\"kernel\" value=\"6.1\"/>",
            "<failure message=\"a &lt; b &amp; &quot;c&quot;\" type=\"late\">&lt;x&gt;&#10;</failure>",
            "<skipped/>",
        ] {
            assert!(xml.contains(part), "{part} in {xml}");
        }
    }
}
