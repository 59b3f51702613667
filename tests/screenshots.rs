//! Makes the pictures in docs/images from the shipped recordings:
//! `cargo test --test screenshots -- --ignored`.

mod browser;
mod common;
mod terminal;

use std::path::{Path, PathBuf};
use std::process::Command;

use browser::Browser;
use serde_json::json;
use terminal::Terminal;

const BIN: &str = env!("CARGO_BIN_EXE_memtide");

fn image(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("docs/images")
        .join(name)
}

#[test]
#[ignore = "writes docs/images"]
fn demo() {
    let shows = [
        (
            "demo.png",
            "free-then-reuse --setup 6.18-v1",
            "OOM KILL of",
            false,
        ),
        (
            "article.png",
            "log-write --setup 3.10-v1 --versus 6.12-v2-mglru",
            "4/6 delete",
            true,
        ),
        (
            "versus.png",
            "log-read-twice --setup 6.1-v2 --versus 6.12-v2-mglru",
            "4/5 write on",
            true,
        ),
    ];
    for (name, args, until, back) in shows {
        let command = format!("COLORTERM=truecolor {BIN} demo {args} --speed 4");
        let Some(terminal) = Terminal::run(&command, 100, 30) else {
            return;
        };
        terminal.until(until, |s| s.contains(until));
        if back {
            // At the end of the step before, where the numbers differ most.
            terminal.keys(&["Space"]);
        }
        terminal.until("a still picture", |s| {
            back == s.contains("paused") && !s.contains("1x")
        });
        let out = terminal.tmux(&["capture-pane", "-p", "-e", "-N"]);
        let screen = String::from_utf8(out.stdout).unwrap();
        picture_of(&screen, &image(name));
    }
}

#[test]
#[ignore = "writes docs/images"]
fn report() {
    let dir = tempfile::tempdir().unwrap();
    let page = dir.path().join("report.html");
    let args = ["report", "--scenario", "log-read-twice", "-o"];
    assert!(
        Command::new(BIN)
            .args(args)
            .arg(&page)
            .status()
            .unwrap()
            .success()
    );
    let mut browser = Browser::start(browser::program().unwrap(), 1200, 900);
    browser.call(
        "Page.navigate",
        json!({"url": format!("file://{}", page.display())}),
    );
    browser.until("document.readyState === 'complete' && window.memtide");
    browser.eval("document.querySelector('.viewer').parentNode.scrollIntoView()");
    browser.until("memtide.viewers.length > 0");
    browser.scheme("light");
    // The end of the third step: what is read for the second time.
    for scheme in ["light", "dark"] {
        browser.scheme(scheme);
        let ink = if scheme == "light" {
            "rgb(27, 31, 36)"
        } else {
            "rgb(232, 235, 239)"
        };
        browser.until(&format!(
            "[...document.querySelectorAll('.chart .js-line')].some((l) => getComputedStyle(l).stroke === '{ink}')"
        ));
        browser.eval(
            "(() => { const v = memtide.viewers[0]; v.pointAt(v.nearest(v.chart.bands[2].end)); })()",
        );
        browser.screenshot(&image(&format!("report-{scheme}.png")));
    }
}

/// Draws a terminal's screen, given with its colour codes.
fn picture_of(screen: &str, path: &Path) {
    let dir = tempfile::tempdir().unwrap();
    let page = dir.path().join("screen.html");
    let text: String = screen
        .lines()
        .map(|l| format!("<div style='height:18px'>{}</div>", html_of(l)))
        .collect();
    let html = format!(
        "<meta charset=utf-8><body style='margin:0;background:#14171b;overflow:hidden'>\
         <pre style='margin:10px;font:15px/18px \"DejaVu Sans Mono\",monospace;color:#e6e6e6'>{text}</pre>"
    );
    std::fs::write(&page, html).unwrap();
    let mut browser = Browser::start(browser::program().unwrap(), 926, 560);
    browser.call(
        "Page.navigate",
        json!({"url": format!("file://{}", page.display())}),
    );
    browser.until("document.readyState === 'complete' && document.querySelector('pre')");
    browser.screenshot(path);
}

/// One line of a screen as HTML.
fn html_of(line: &str) -> String {
    let mut style = Look::default();
    let mut out = String::new();
    for (i, part) in line.split("\x1b[").enumerate() {
        let text = match part.split_once('m') {
            Some((codes, text)) if i > 0 => {
                style.apply(codes);
                text
            }
            _ => part,
        };
        let text = text.replace('&', "&amp;").replace('<', "&lt;");
        out += &format!("<span style='{}'>{text}</span>", style.css());
    }
    out
}

#[derive(Default)]
struct Look {
    fg: Option<String>,
    bg: Option<String>,
    bold: bool,
    dim: bool,
    reverse: bool,
}

impl Look {
    fn apply(&mut self, codes: &str) {
        let codes: Vec<u32> = codes
            .split([';', ':'])
            .map(|c| c.parse().unwrap_or(0))
            .collect();
        let mut rest = &codes[..];
        while let [code, tail @ ..] = rest {
            rest = tail;
            match *code {
                0 => *self = Look::default(),
                1 => self.bold = true,
                2 => self.dim = true,
                7 => self.reverse = true,
                22 => (self.bold, self.dim) = (false, false),
                27 => self.reverse = false,
                39 => self.fg = None,
                49 => self.bg = None,
                38 | 48 => {
                    let colour = match rest {
                        [2, r, g, b, tail @ ..] => {
                            rest = tail;
                            Some(format!("rgb({r},{g},{b})"))
                        }
                        [5, n, tail @ ..] => {
                            rest = tail;
                            NAMED
                                .iter()
                                .chain(&BRIGHT)
                                .nth(*n as usize)
                                .map(|c| c.to_string())
                        }
                        _ => None,
                    };
                    match *code {
                        38 => self.fg = colour,
                        _ => self.bg = colour,
                    }
                }
                30..=37 => self.fg = Some(NAMED[*code as usize - 30].into()),
                40..=47 => self.bg = Some(NAMED[*code as usize - 40].into()),
                90..=97 => self.fg = Some(BRIGHT[*code as usize - 90].into()),
                _ => {}
            }
        }
    }

    fn css(&self) -> String {
        let fg = self.fg.as_deref().unwrap_or("#e6e6e6");
        let bg = self.bg.as_deref().unwrap_or("#14171b");
        let (fg, bg) = if self.reverse { (bg, fg) } else { (fg, bg) };
        let bold = if self.bold { ";font-weight:700" } else { "" };
        let dim = if self.dim { ";opacity:.65" } else { "" };
        // The line's whole height, or there would be gaps between the rows of an area.
        let box_ = "display:inline-block;vertical-align:top;height:18px";
        format!("color:{fg};background:{bg};{box_}{bold}{dim}")
    }
}

const NAMED: [&str; 8] = [
    "#000", "#c4281c", "#2a2", "#b80", "#48d", "#a4a", "#2aa", "#e6e6e6",
];
const BRIGHT: [&str; 8] = [
    "#8a8f98", "#f55", "#5f5", "#ff5", "#6af", "#f6f", "#5ff", "#fff",
];
