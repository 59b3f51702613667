//! What is wrong with a scenario file: where, what, and what would be right.

use std::fmt;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

/// Where something is in the file, in bytes.
pub type Span = Range<usize>;

/// At most this many are shown: a file that is no scenario at all has an error in every line.
const SHOWN: usize = 20;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// What is wrong, as a fragment without a full stop.
    pub message: String,
    /// Where; none where it is wrong as a whole (unreadable, empty, too large).
    pub span: Option<Span>,
    /// The words under the caret.
    pub label: String,
    /// What to write instead.
    pub help: Option<String>,
}

impl Diagnostic {
    /// At a span of the text.
    pub fn at(span: Span, message: impl Into<String>) -> Self {
        Diagnostic {
            message: message.into(),
            span: Some(span),
            label: String::new(),
            help: None,
        }
    }

    /// What the reader of TOML says.
    pub fn from_toml(error: &toml::de::Error) -> Self {
        let message = error.message().trim().replace('\n', ", ");
        match error.span() {
            Some(span) => Diagnostic::at(span, message),
            None => Diagnostic::whole(message),
        }
    }

    /// About the file as a whole.
    pub fn whole(message: impl Into<String>) -> Self {
        Diagnostic {
            span: None,
            ..Diagnostic::at(0..0, message)
        }
    }

    /// With a word under the caret.
    pub fn label(self, label: impl Into<String>) -> Self {
        Diagnostic {
            label: label.into(),
            ..self
        }
    }

    /// With what would be right.
    pub fn help(self, help: impl Into<String>) -> Self {
        Diagnostic {
            help: Some(help.into()),
            ..self
        }
    }
}

/// All that is wrong with one file, in the order of the text. `Display` shows each with its line.
#[derive(Clone)]
pub struct Diagnostics {
    path: String,
    text: String,
    list: Vec<Diagnostic>,
}

impl Diagnostics {
    /// `path` is only shown; `text` is what the spans point into.
    pub fn new(path: &str, text: &str, mut list: Vec<Diagnostic>) -> Self {
        list.sort_by_key(|d| d.span.clone().map(|s| (s.start, s.end)));
        list.dedup();
        Diagnostics {
            path: path.into(),
            text: text.into(),
            list,
        }
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.list.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Line and column, from 1, of one of them.
    pub fn position(&self, diagnostic: &Diagnostic) -> Option<(usize, usize)> {
        let start = clamp(&self.text, diagnostic.span.clone()?).start;
        let before = &self.text[..start];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        Some((line, column))
    }

    /// The text as a terminal with colours shows it, or without them.
    pub fn render(&self, colour: bool) -> String {
        let renderer = if colour {
            Renderer::styled()
        } else {
            Renderer::plain()
        };
        let mut out: Vec<String> = self
            .list
            .iter()
            .take(SHOWN)
            .map(|d| renderer.render(&[self.group(d)]).to_string())
            .collect();
        if self.list.len() > SHOWN {
            out.push(format!("... and {} more", self.list.len() - SHOWN));
        }
        out.join("\n\n")
    }

    fn group<'a>(&'a self, d: &'a Diagnostic) -> Group<'a> {
        let title = Level::ERROR.primary_title(d.message.as_str());
        let mut group = match &d.span {
            Some(span) => title.element(
                Snippet::source(self.text.as_str())
                    .path(self.path.as_str())
                    .annotation(
                        AnnotationKind::Primary
                            .span(clamp(&self.text, span.clone()))
                            .label(d.label.as_str()),
                    ),
            ),
            None => title.element(annotate_snippets::Origin::path(self.path.as_str())),
        };
        if let Some(help) = &d.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        group
    }
}

/// The span cut to the text, to whole characters and to its first line: a table's span runs over
/// many lines, and its first one says enough.
fn clamp(text: &str, span: Span) -> Span {
    let start = floor_boundary(text, span.start);
    let end = floor_boundary(text, span.end.max(start));
    let line_end = text[start..]
        .find(['\n', '\r'])
        .map_or(text.len(), |n| start + n);
    start..end.min(line_end).max(start)
}

fn floor_boundary(text: &str, at: usize) -> usize {
    let at = at.min(text.len());
    (0..=at)
        .rev()
        .find(|i| text.is_char_boundary(*i))
        .unwrap_or(0)
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

/// As `Display`: whoever unwraps one wants to read it.
impl fmt::Debug for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Diagnostics {}
