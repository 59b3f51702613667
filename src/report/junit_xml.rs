//! JUnit XML as CI systems read it: a report of suites of cases.

use std::fmt::Write;

/// All suites of one program.
#[derive(Debug)]
pub struct Report {
    name: String,
    suites: Vec<TestSuite>,
}

/// One suite.
#[derive(Debug)]
pub struct TestSuite {
    name: String,
    properties: Vec<(String, String)>,
    cases: Vec<TestCase>,
}

/// One case.
#[derive(Debug)]
pub struct TestCase {
    name: String,
    class: Option<String>,
    output: Option<String>,
    status: TestCaseStatus,
}

/// How a case went: the element that says so, if any, and what is in it.
#[derive(Debug)]
pub struct TestCaseStatus {
    element: Option<&'static str>,
    kind: Option<String>,
    message: Option<String>,
    text: Option<String>,
}

/// How a case can go wrong.
#[derive(Debug, Clone, Copy)]
pub enum NonSuccessKind {
    /// It fell short.
    Failure,
    /// It could not be judged.
    Error,
}

impl Report {
    /// A report without suites.
    pub fn new(name: impl Into<String>) -> Self {
        Report {
            name: name.into(),
            suites: Vec::new(),
        }
    }

    /// Adds a suite.
    pub fn add_test_suite(&mut self, suite: TestSuite) {
        self.suites.push(suite);
    }

    /// Adds several.
    pub fn add_test_suites(&mut self, suites: impl IntoIterator<Item = TestSuite>) {
        self.suites.extend(suites);
    }

    /// The XML.
    pub fn to_xml(&self) -> String {
        let count = |element| -> usize { self.suites.iter().map(|s| s.count(element)).sum() };
        let tests: usize = self.suites.iter().map(|s| s.cases.len()).sum();
        let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        open(
            &mut out,
            "testsuites",
            &[
                ("name", &self.name),
                ("tests", &tests.to_string()),
                ("failures", &count("failure").to_string()),
                ("errors", &count("error").to_string()),
            ],
        );
        out.push_str(">\n");
        for suite in &self.suites {
            suite.write(&mut out);
        }
        out.push_str("</testsuites>\n");
        out
    }
}

impl TestSuite {
    /// A suite without cases.
    pub fn new(name: impl Into<String>) -> Self {
        TestSuite {
            name: name.into(),
            properties: Vec::new(),
            cases: Vec::new(),
        }
    }

    /// Says something of the whole suite.
    pub fn add_property(&mut self, (name, value): (&str, &str)) {
        self.properties.push((name.into(), value.into()));
    }

    /// Adds a case.
    pub fn add_test_case(&mut self, case: TestCase) {
        self.cases.push(case);
    }

    /// Adds several.
    pub fn add_test_cases(&mut self, cases: impl IntoIterator<Item = TestCase>) {
        self.cases.extend(cases);
    }

    fn count(&self, element: &str) -> usize {
        let is = |case: &&TestCase| case.status.element == Some(element);
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

impl TestCase {
    /// A case that went so.
    pub fn new(name: impl Into<String>, status: TestCaseStatus) -> Self {
        TestCase {
            name: name.into(),
            class: None,
            output: None,
            status,
        }
    }

    /// What it belongs to.
    pub fn set_classname(&mut self, class: impl Into<String>) {
        self.class = Some(class.into());
    }

    /// What it said.
    pub fn set_system_out(&mut self, output: impl Into<String>) {
        self.output = Some(output.into());
    }

    fn write(&self, out: &mut String) {
        out.push_str("        ");
        let class = self.class.as_deref().map(|class| ("classname", class));
        let name = std::iter::once(("name", self.name.as_str()));
        open(out, "testcase", &name.chain(class).collect::<Vec<_>>());
        out.push_str(">\n");
        self.status.write(out);
        if let Some(output) = &self.output {
            let output = escape(output);
            let _ = writeln!(out, "            <system-out>{output}</system-out>");
        }
        out.push_str("        </testcase>\n");
    }
}

impl TestCaseStatus {
    const SUCCESS: TestCaseStatus = TestCaseStatus {
        element: None,
        kind: None,
        message: None,
        text: None,
    };

    /// As it should.
    pub fn success() -> Self {
        Self::SUCCESS
    }

    /// Not looked at.
    pub fn skipped() -> Self {
        TestCaseStatus {
            element: Some("skipped"),
            ..Self::SUCCESS
        }
    }

    /// Gone wrong.
    pub fn non_success(kind: NonSuccessKind) -> Self {
        let element = match kind {
            NonSuccessKind::Failure => "failure",
            NonSuccessKind::Error => "error",
        };
        TestCaseStatus {
            element: Some(element),
            ..Self::SUCCESS
        }
    }

    /// Its kind, in a word or two.
    pub fn set_type(&mut self, kind: impl Into<String>) {
        self.kind = Some(kind.into());
    }

    /// One line.
    pub fn set_message(&mut self, message: impl Into<String>) {
        self.message = Some(message.into());
    }

    /// More, for whoever opens it.
    pub fn set_description(&mut self, text: impl Into<String>) {
        self.text = Some(text.into());
    }

    fn write(&self, out: &mut String) {
        let Some(element) = self.element else { return };
        out.push_str("            ");
        let message = self.message.as_deref().map(|m| ("message", m));
        let kind = self.kind.as_deref().map(|k| ("type", k));
        let given: Vec<_> = message.into_iter().chain(kind).collect();
        open(out, element, &given);
        let _ = match &self.text {
            None => writeln!(out, "/>"),
            Some(text) => writeln!(out, ">{}</{element}>", escape(text)),
        };
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
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
        status.set_type("late");
        status.set_message("a < b & \"c\"\u{1}");
        status.set_description("<x>\n");
        let mut suite = TestSuite::new("s\"><");
        suite.add_property(("kernel", "6.1"));
        suite.add_test_case(TestCase::new("c", status));
        suite.add_test_case(TestCase::new("d", TestCaseStatus::skipped()));
        let mut report = Report::new("memtide");
        report.add_test_suite(suite);
        let xml = report.to_xml();
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
