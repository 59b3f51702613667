//! PromQL's words.

/// One word and its offset.
#[derive(Debug, Clone, PartialEq)]
pub struct Token {
    /// What it is.
    pub kind: Kind,
    /// The first byte.
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
}

/// The kinds of words.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// A metric, function, label or keyword.
    Word(String),
    /// A number, in any of its spellings.
    Number(f64),
    /// A duration like `5m`, in seconds.
    Duration(f64),
    /// A string, without its quotes and escapes.
    Text(String),
    /// Anything else: an operator or a bracket.
    Sign(&'static str),
}

/// Longest first, so that `==` is not read as `=`.
const SIGNS: [&str; 23] = [
    "=~", "!~", "==", "!=", ">=", "<=", "(", ")", "{", "}", "[", "]", ",", ":", "+", "-", "*", "/",
    "%", "^", ">", "<", "=",
];

/// Splits an expression; none where something is no word of PromQL.
pub fn tokens(text: &str) -> Option<Vec<Token>> {
    let bytes = text.as_bytes();
    let mut all: Vec<Token> = Vec::new();
    let mut depth = 0usize;
    let mut at = 0;
    while at < bytes.len() {
        let start = at;
        let kind = match bytes[at] {
            b if b.is_ascii_whitespace() => {
                at += 1;
                continue;
            }
            b'#' => {
                at = text[at..].find('\n').map_or(bytes.len(), |n| at + n);
                continue;
            }
            quote @ (b'"' | b'\'' | b'`') => {
                let (value, end) = string(text, at, quote)?;
                at = end;
                Kind::Text(value)
            }
            b'@' => {
                at += 1;
                Kind::Sign("@")
            }
            b if b.is_ascii_digit()
                || (b == b'.' && bytes.get(at + 1).is_some_and(u8::is_ascii_digit)) =>
            {
                let (kind, end) = number(text, at)?;
                at = end;
                kind
            }
            b if b.is_ascii_alphabetic() || b == b'_' || (b == b':' && depth == 0) => {
                let word = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_' || *b == b':';
                at += bytes[at..].iter().take_while(|b| word(b)).count();
                Kind::Word(text[start..at].to_owned())
            }
            _ => {
                let sign = SIGNS
                    .into_iter()
                    .find(|sign| text[at..].starts_with(sign))?;
                at += sign.len();
                match sign {
                    "[" => depth += 1,
                    "]" => depth = depth.saturating_sub(1),
                    _ => {}
                }
                Kind::Sign(sign)
            }
        };
        all.push(Token {
            kind,
            start,
            end: at,
        });
    }
    Some(all)
}

/// A string from its first quote on: its value, and the byte after its last quote.
fn string(text: &str, start: usize, quote: u8) -> Option<(String, usize)> {
    let mut value = String::new();
    let mut chars = text[start + 1..].char_indices();
    while let Some((offset, c)) = chars.next() {
        match c {
            c if c == char::from(quote) => return Some((value, start + 1 + offset + 1)),
            '\\' if quote != b'`' => match chars.next()?.1 {
                'n' => value.push('\n'),
                't' => value.push('\t'),
                'r' => value.push('\r'),
                other => value.push(other),
            },
            c => value.push(c),
        }
    }
    None
}

/// A number or a duration, and the byte after it.
fn number(text: &str, start: usize) -> Option<(Kind, usize)> {
    let rest = &text[start..];
    if rest.starts_with("0x") || rest.starts_with("0X") {
        let digits = rest[2..].bytes().take_while(u8::is_ascii_hexdigit).count();
        let value = u64::from_str_radix(&rest[2..2 + digits], 16).ok()?;
        return Some((Kind::Number(value as f64), start + 2 + digits));
    }
    let plain = rest
        .bytes()
        .take_while(|b| b.is_ascii_digit() || *b == b'.')
        .count();
    let mut end = plain;
    let more = &rest.as_bytes()[plain..];
    if matches!(more.first(), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(more.get(1), Some(b'+' | b'-')));
        let digits = more[1 + sign..]
            .iter()
            .take_while(|b| b.is_ascii_digit())
            .count();
        if digits > 0 {
            end += 1 + sign + digits;
        }
    } else if more.first().is_some_and(u8::is_ascii_alphabetic) {
        return duration(rest).map(|(seconds, len)| (Kind::Duration(seconds), start + len));
    }
    Some((Kind::Number(rest[..end].parse().ok()?), start + end))
}

/// A whole text that is a duration (`1h30m`, `0`), seconds.
pub fn seconds(text: &str) -> Option<f64> {
    let text = text.trim();
    if text == "0" {
        return Some(0.0);
    }
    duration(text)
        .filter(|(_, len)| *len == text.len())
        .map(|(seconds, _)| seconds)
}

/// `1h30m`, `5m`, `500ms`: seconds, and how many bytes it takes.
fn duration(text: &str) -> Option<(f64, usize)> {
    const UNITS: [(&str, f64); 7] = [
        ("ms", 1e-3),
        ("s", 1.0),
        ("m", 60.0),
        ("h", 3600.0),
        ("d", 86_400.0),
        ("w", 604_800.0),
        ("y", 31_536_000.0),
    ];
    let (mut seconds, mut at) = (0.0, 0);
    while text[at..].starts_with(|c: char| c.is_ascii_digit()) {
        let digits = text[at..].bytes().take_while(u8::is_ascii_digit).count();
        let count: f64 = text[at..at + digits].parse().ok()?;
        at += digits;
        let (unit, each) = UNITS
            .into_iter()
            .find(|(unit, _)| text[at..].starts_with(unit))?;
        seconds += count * each;
        at += unit.len();
    }
    (at > 0).then_some((seconds, at))
}
