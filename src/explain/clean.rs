//! Takes the dress off pasted text: code fences, quotes, colours, HTML, carriage returns.

use std::borrow::Cow;

use super::{names, number};

/// The lines of a paste that hold something, without what the place it was pasted to put around
/// them.
pub fn lines(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    // A lone carriage return is a line's end of old terminals and editors.
    let raw_lines = text.trim_start_matches('\u{feff}').split(['\n', '\r']);
    for raw in raw_lines {
        // A block's tag ends a line as a break does.
        if raw.contains(['<', '&']) {
            lines.extend(without_html(raw).lines().map(line));
        } else {
            lines.push(line(raw));
        }
    }
    lines.retain(|line| !line.is_empty());
    lines
}

/// The words of a line.
pub fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

/// The sizes in the last row of the table whose heading has `mark`, by column; in KiB where they have no unit.
pub fn last_row<'a>(
    lines: impl Iterator<Item = &'a str>,
    mark: &str,
) -> Option<impl Fn(&str) -> Option<u64>> {
    let mut lines = lines.skip_while(|line| !line.contains(mark));
    let head = words(lines.next()?);
    let row = lines
        .map(words)
        .filter(|row| row.len() == head.len())
        .last()?;
    Some(move |column: &str| {
        let at = head.iter().position(|name| *name == column)?;
        number::scale(row[at], 1024.0)
    })
}

/// Whether all words of one of the groups are in a text.
pub fn has_one_of(text: &str, groups: &[&[&str]]) -> bool {
    let mut groups = groups.iter();
    groups.any(|group| group.iter().all(|word| text.contains(word)))
}

/// A fence with at most a language beside it. Some paste the first line right behind it.
fn is_fence(line: &str) -> bool {
    let line = line.trim();
    let rest = line
        .strip_prefix("```")
        .or_else(|| line.strip_prefix("~~~"));
    rest.is_some_and(|language| language.len() <= 12 && !language.contains([' ', '.', '_']))
}

fn line(raw: &str) -> String {
    let plain = raw.bytes().all(|b| (0x20..0x7f).contains(&b));
    let bare = if plain {
        Cow::Borrowed(raw)
    } else {
        without_escapes(raw).into()
    };
    let mut rest = bare.as_ref();
    loop {
        let trimmed = rest.trim();
        let stripped = ["> ", ">", "|", "- ", "* ", "• ", "│", "├", "└", "──"]
            .iter()
            .find_map(|mark| trimmed.strip_prefix(mark));
        match stripped {
            Some(inner) if !inner.is_empty() => rest = inner,
            _ => break,
        }
    }
    if is_fence(rest) {
        return String::new();
    }
    rest.trim().trim_matches('`').trim().to_string()
}

/// Without ANSI colours and control characters; tabs and odd spaces become spaces.
fn without_escapes(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut chars = raw.chars();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => {
                // CSI: up to its final letter.
                if chars.next() == Some('[') {
                    for end in chars.by_ref() {
                        if end.is_ascii_alphabetic() {
                            break;
                        }
                    }
                }
            }
            // Bytes that are no UTF-8 are Windows' no-break spaces as a rule.
            '\t' | '\u{a0}' | '\u{202f}' | '\u{2007}' | '\u{fffd}' => out.push(' '),
            '\u{200b}' | '\u{feff}' => {}
            // Full-width forms, as East Asian input methods type them.
            '\u{3000}' => out.push(' '),
            '\u{ff01}'..='\u{ff5e}' => out.extend(char::from_u32(u32::from(c) - 0xfee0)),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

/// Without the tags issue trackers use and with their entities as characters.
fn without_html(line: &str) -> String {
    const BLOCKS: [&str; 8] = ["pre", "br", "br/", "br /", "p", "details", "summary", "div"];
    let mut text = line.to_string();
    for (tags, plain) in [(&BLOCKS[..], "\n"), (&["code", "tt", "b", "kbd"], " ")] {
        for tag in tags {
            text = text.replace(&format!("<{tag}>"), plain);
            text = text.replace(&format!("</{tag}>"), plain);
        }
    }
    for (entity, plain) in [
        ("&gt;", ">"),
        ("&lt;", "<"),
        ("&quot;", "\""),
        ("&nbsp;", " "),
        ("&amp;", "&"),
    ] {
        text = text.replace(entity, plain);
    }
    text
}

/// A kernel log line without time stamps and host names, and whether it had any.
pub fn without_log_prefix(line: &str) -> (&str, bool) {
    let mut rest = line.trim_start();
    let mut had = false;
    if let Some(after) = after_kmsg(rest) {
        (rest, had) = (after, true);
    }
    // syslog and journald: `Nov 25 08:32:11 node-a kernel: `, at most so far into the line.
    let head = rest
        .char_indices()
        .nth(120)
        .map_or(rest.len(), |(at, _)| at);
    if let Some(at) = rest[..head].find("kernel: ") {
        rest = rest[at + "kernel: ".len()..].trim_start();
        had = true;
    } else if rest[..head].ends_with("kernel:") {
        return ("", true);
    } else if let Some(after) = after_uptime(&rest[..head]) {
        // Consoles and hypervisors put words of their own before the kernel's stamp.
        rest = rest[after..].trim_start();
        had = true;
    }
    if rest.starts_with('<')
        && let Some((level, after)) = rest[1..].split_once('>')
        && level.len() <= 3
        && level.bytes().all(|b| b.is_ascii_digit())
    {
        (rest, had) = (after.trim_start(), true);
    }
    // Talos: `10.0.0.91: kern:    info: [2025-06-04T04:51:57Z]: text`.
    if let Some(at) = rest.find("kern:").filter(|at| *at < 40)
        && let Some(stamp) = rest[at..].find('[').filter(|stamp| *stamp < 24)
    {
        (rest, had) = (&rest[at + stamp..], true);
    }
    while let Some((inside, after)) = rest.strip_prefix('[').and_then(|r| r.split_once(']')) {
        // `[12345]` is a process in the task table; `[  95.12]`, `[Thu Aug 6 ...]`, `[ T123]` are stamps.
        let inside = inside.trim();
        let stamp = inside.contains(['.', ':']) || inside.starts_with(['T', 'C']);
        if !stamp || !inside.contains(|c: char| c.is_ascii_digit()) {
            break;
        }
        (rest, had) = (after.trim_start_matches(':').trim_start(), true);
    }
    (rest, had)
}

/// A row without what `cat -n`, `grep`, `diff`, `kubectl logs` and log collectors put before it:
/// only where a known row is left, and only before words that look like a prefix.
pub fn without_row_prefix(line: &str) -> &str {
    let begins = |rest: &str| {
        let key = rest.split([' ', ':', '=']).next().unwrap_or("");
        let value = rest[key.len()..].trim_start_matches([' ', ':', '=']);
        let valued = value.starts_with(|c: char| c.is_ascii_digit()) || value.starts_with("max");
        valued
            && (names::is_stat(key) || names::number_file(key).is_some() || names::is_meminfo(key))
    };
    let mut rest = inside_json(line).unwrap_or(line);
    let mut plain = false;
    // Longer prefixes than this no collector writes.
    for _ in 0..12 {
        if begins(rest) {
            return if plain { line } else { rest };
        }
        let word = rest.split(' ').next().unwrap_or("");
        let glued = word
            .find([':', '+', '-'])
            .filter(|at| begins(&rest[at + 1..]));
        if let Some(at) = glued {
            let before = &word[..at];
            // `12:anon 5`, `+anon 5`, `a/memory.stat:anon 5`.
            let fits = before.is_empty()
                || before.contains(|c: char| c.is_ascii_digit() || matches!(c, '.' | '/'));
            return if fits { &rest[at + 1..] } else { line };
        }
        let stamp = word.contains(|c: char| c.is_ascii_digit() || matches!(c, '[' | ']' | '|'))
            || (word.starts_with('{') && word.ends_with('}'))
            || word.ends_with([':', '|', '>'])
            || matches!(
                word,
                "F" | "P" | "stdout" | "stderr" | "+" | "-" | "INFO" | "info" | "DEBUG" | ""
            );
        let month = word.len() == 3 && word.starts_with(|c: char| c.is_ascii_uppercase());
        // `Nov 28 03:50:00 host app[12]: anon 5`: the colon makes up for the host's plain name.
        plain = (plain || !(stamp || month)) && !word.ends_with([':', '|']);
        match rest.split_once(' ') {
            Some((_, after)) => rest = after.trim_start(),
            None => break,
        }
    }
    line
}

/// The message of a log record: `{"log":"anon 5\n","stream":"stdout"}`.
fn inside_json(line: &str) -> Option<&str> {
    let line = line.trim();
    if !line.starts_with('{') || !line.contains('}') {
        return None;
    }
    ["log", "message", "msg", "MESSAGE", "textPayload"]
        .iter()
        .find_map(|key| {
            let rest = line
                .split_once(&format!("\"{key}\":"))?
                .1
                .trim_start()
                .strip_prefix('"')?;
            let message = &rest[..rest.find(['"', '\\'])?];
            (!message.is_empty()).then_some(message)
        })
}

/// Lines that a terminal broke inside a number, put together: a line of digits alone goes on where
/// a line as long as any other ended in a digit. None where there were none.
pub fn unbroken(lines: &[String]) -> Option<Vec<String>> {
    let digits = |line: &str| line.bytes().all(|b| b.is_ascii_digit());
    if !lines.iter().any(|line| digits(line)) {
        return None;
    }
    let longest = lines.iter().map(String::len).max().unwrap_or(0);
    let mut out: Vec<(String, usize)> = Vec::new();
    let mut broken = false;
    for line in lines {
        let width = line.len();
        match out.last_mut() {
            Some((last, last_width))
                if digits(line)
                    && *last_width + 2 >= longest
                    && last.contains(' ')
                    && last.ends_with(|c: char| c.is_ascii_digit())
                    && !last.ends_with(" 0") =>
            {
                last.push_str(line);
                // One number may take three lines.
                *last_width = width;
                broken = true;
            }
            _ => out.push((line.clone(), width)),
        }
    }
    broken.then(|| out.into_iter().map(|(line, _)| line).collect())
}

/// What follows the `6,30574067,3816544225424,-;` of a record of /dev/kmsg.
fn after_kmsg(line: &str) -> Option<&str> {
    let (head, text) = line.split_once(';')?;
    let fields: Vec<&str> = head.split(',').collect();
    let number = |field: &&str| !field.is_empty() && field.bytes().all(|b| b.is_ascii_digit());
    (fields.len() >= 4 && fields[..3].iter().all(number)).then_some(text)
}

/// Where the first `[ 1234.567890]` of a line ends.
fn after_uptime(head: &str) -> Option<usize> {
    head.match_indices('[').find_map(|(at, _)| {
        let end = at + head[at..].find(']')?;
        let (seconds, fraction) = head[at + 1..end].trim().split_once('.')?;
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        (digits(seconds) && digits(fraction)).then_some(end + 1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_paste_loses_its_dress() {
        let text = "\u{feff}```text\r\n> > anon\t123\r\n&gt; file 5\n<pre>slab 1</pre>\n\u{1b}[1;31mrss 7\u{1b}[0m\n- cache: 9\n```\n";
        assert_eq!(
            lines(text),
            ["anon 123", "file 5", "slab 1", "rss 7", "cache: 9"]
        );
    }

    #[test]
    fn log_prefixes_go_but_processes_stay() {
        for (line, want) in [
            ("[ 1234.567890] memory: usage 1kB", "memory: usage 1kB"),
            ("[Thu Aug  6 12:00:00 2022] anon 5", "anon 5"),
            ("<6>[   95.1][ T1234] anon 5", "anon 5"),
            ("Nov 25 08:32:11 node-a kernel: [12.5] anon 5", "anon 5"),
            ("2023-09-05T12:00:00+0000 h kernel: anon 5", "anon 5"),
            (
                "2023-12-04T10:49:30Z In(05) vcpu-5 - Guest: <6>[39291577.009360] anon 5",
                "anon 5",
            ),
            ("6,30574068,3816544225428,-;anon 5", "anon 5"),
            ("[  12345]     0 12345", "[  12345]     0 12345"),
            ("anon 5", "anon 5"),
        ] {
            assert_eq!(without_log_prefix(line).0, want, "{line}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "(?s).{0,200}") {
            for line in lines(&text) {
                without_log_prefix(&line);
            }
        }
    }
}
