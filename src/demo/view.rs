//! One screen of the show.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Modifier, Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Clear, Paragraph, Wrap};

use super::chart::{self, Chart};
use super::paint::{self, Paint};
use super::player::Player;
use super::scene;
use super::tape::Tape;
use super::timeline::Timeline;
use crate::formula::cadvisor;
use crate::plot::layers::{self, Line as DrawnLine};
use crate::units;

/// Below this there is no room for a chart and its words.
const SMALLEST: (u16, u16) = (60, 16);

/// What the screen shows beside the story itself.
pub struct Ui<'a> {
    /// How it is coloured.
    pub paint: Paint,
    /// Whether the keys are explained.
    pub help: bool,
    /// Something the viewer should know: why this is a replay, why a key did nothing.
    pub note: &'a str,
    /// Whether there is a menu to go back to.
    pub menu: bool,
}

/// Draws the show.
pub fn draw(frame: &mut Frame, player: &Player, ui: &Ui) {
    let area = frame.area();
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        let text = format!(
            "{} by {} is too small: {} by {} at least. q quits.",
            area.width, area.height, SMALLEST.0, SMALLEST.1
        );
        frame.render_widget(Paragraph::new(text).wrap(Wrap { trim: true }), area);
        return;
    }
    let below = match player.other {
        None => (area.height / 4).clamp(6, 10),
        Some(_) => (area.height / 6).clamp(5, 10),
    };
    let [head, body, foot, keys] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Fill(1),
        Constraint::Length(below),
        Constraint::Length(1),
    ])
    .areas(area);
    frame.render_widget(title(player, ui, head.width), head);
    match player.other {
        None => alone(frame, player, ui, body),
        Some(_) => beside(frame, player, ui, body),
    }
    frame.render_widget(numbers(player, ui, foot), foot);
    frame.render_widget(keys_line(player, ui), keys);
    if ui.help {
        help(frame, area, ui);
    }
}

fn title<'a>(player: &Player, ui: &Ui, width: u16) -> Line<'a> {
    let state = match (player.is_over(), player.paused) {
        (true, _) => "the end".to_string(),
        (_, true) => "paused".to_string(),
        _ => format!("{}x", player.speed),
    };
    let right = format!(
        " {state}  {:.2} s of {:.2} s ",
        player.recorded(),
        player.main.end
    );
    let what = if player.main.is_live() {
        ""
    } else {
        "replay: "
    };
    let left = format!(
        " {}  {what}{}",
        player.main.recording.header.scenario, player.main.label
    );
    let left = match ui.note {
        "" => left,
        note => format!("{left} ({note})"),
    };
    let room = usize::from(width).saturating_sub(right.chars().count() + 1);
    let left: String = left.chars().take(room).collect();
    let gap = " ".repeat(room.saturating_sub(left.chars().count()) + 1);
    Line::from(vec![
        Span::from(left).bold(),
        Span::from(gap),
        Span::from(right),
    ])
    .style(Style::new().add_modifier(Modifier::REVERSED))
}

/// One recording: words at the left, the chart at the right.
fn alone(frame: &mut Frame, player: &Player, ui: &Ui, area: Rect) {
    let left = (area.width * 36 / 100).clamp(24, 48);
    let [words, picture] =
        Layout::horizontal([Constraint::Length(left), Constraint::Fill(1)]).areas(area);
    frame.render_widget(
        Paragraph::new(story(player)).wrap(Wrap { trim: false }),
        Rect {
            width: words.width.saturating_sub(2),
            x: words.x + 1,
            ..words
        },
    );
    let (tape, timeline) = player.shown()[0];
    panel(frame, player, (tape, timeline), ui, picture);
}

/// Two recordings in step: the words above, both charts below.
fn beside(frame: &mut Frame, player: &Player, ui: &Ui, area: Rect) {
    let words = if area.width < 100 { 3 } else { 2 };
    let [words, pictures] =
        Layout::vertical([Constraint::Length(words), Constraint::Fill(1)]).areas(area);
    let steps = steps(player);
    frame.render_widget(Paragraph::new(steps).wrap(Wrap { trim: true }), words);
    let halves = Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1)]).split(pictures);
    for ((tape, timeline), half) in player.shown().into_iter().zip(halves.iter()) {
        let [name, formula, picture] = Layout::vertical([
            Constraint::Length(1),
            Constraint::Length(1),
            Constraint::Fill(1),
        ])
        .areas(*half);
        frame.render_widget(Line::from(format!(" {}", tape.label)).bold(), name);
        let view = moment(player, (tape, timeline));
        let short = view.and_then(|v| {
            let ws = cadvisor::working_set(&v)?;
            Some(format!(" working_set {}", units::signed_bytes(ws)))
        });
        frame.render_widget(Line::from(short.unwrap_or_default()).bold(), formula);
        panel(frame, player, (tape, timeline), ui, picture);
    }
}

/// The group shown: the one chosen, or this recording's first container.
fn group(player: &Player, tape: &Tape) -> usize {
    tape.recording
        .group(&player.group)
        .unwrap_or_else(|| tape.recording.main_group())
}

fn moment(player: &Player, (tape, timeline): (&Tape, &Timeline)) -> Option<crate::rows::View> {
    scene::view(tape, group(player, tape), timeline.recorded(player.story))
}

/// A chart and its legend.
fn panel(frame: &mut Frame, player: &Player, shown: (&Tape, &Timeline), ui: &Ui, area: Rect) {
    let (tape, timeline) = shown;
    let group = group(player, tape);
    let view = moment(player, shown);
    let limit = layers::limit(&tape.recording, group);
    let entry = 23;
    let per_row = (area.width / entry).max(1);
    let legend_of = |view| {
        let mut entries = chart::legend(view, limit);
        if entries.len() as u16 > area.height / 3 * per_row {
            // What is 0 can be told least from the others, and the limit is at the axis.
            entries.retain(|(s, v)| v.is_some_and(|v| v >= 1 << 20) && *s != Err(DrawnLine::Limit));
        }
        entries
    };
    let entries = view.as_ref().map_or_else(Vec::new, legend_of);
    let rows = (entries.len() as u16)
        .div_ceil(per_row)
        .min(area.height / 3);
    let [picture, legend] =
        Layout::vertical([Constraint::Fill(1), Constraint::Length(rows)]).areas(area);
    let tops = player
        .shown()
        .into_iter()
        .map(|(t, _)| t.top(self::group(player, t)));
    let chart = Chart {
        tape,
        timeline,
        group,
        story: player.story,
        width: axis_end(player),
        // One scale for both sides.
        limit: tops.max().unwrap_or(1),
        paint: ui.paint,
    };
    frame.render_widget(chart, picture);
    for (i, (series, value)) in entries.into_iter().enumerate() {
        let i = i as u16;
        let spot = Rect {
            x: legend.x + (i % per_row) * entry,
            y: legend.y + i / per_row,
            width: entry,
            height: 1,
        };
        if spot.y >= legend.bottom() {
            break;
        }
        let (mark, name) = match series {
            Ok(area) => match ui.paint.area(area) {
                Some(colour) => (Span::from("██").fg(colour), area.name()),
                None => (
                    Span::from(paint::letter(area).to_string().repeat(2)),
                    area.name(),
                ),
            },
            Err(line) => {
                let stroke = paint::stroke(line).to_string().repeat(2);
                (Span::from(stroke).style(ui.paint.line(line)), line.name())
            }
        };
        let value = value.map_or("–".into(), units::mib);
        let line = Line::from(vec![mark, Span::from(format!(" {name} {value}"))]);
        frame.render_widget(line, spot.intersection(legend));
    }
}

/// The story second at the right edge: a run that goes on gets room in steps, so that the chart
/// does not shrink at every sample.
fn axis_end(player: &Player) -> f64 {
    if !player.main.is_growing() {
        return player.end();
    }
    let mut end = 12.0;
    while end < player.end() {
        end *= 1.5;
    }
    end
}

/// The steps going on, with their story.
fn steps<'a>(player: &Player) -> Vec<Line<'a>> {
    let tape = &player.main;
    let mut lines = Vec::new();
    for band in scene::steps_at(tape, player.recorded()) {
        let (place, of) = scene::place(tape, band);
        let name = format!("{place}/{of} {}: ", band.id.step);
        lines.push(Line::from(vec![
            Span::from(name).bold(),
            Span::from(band.say.clone()),
        ]));
    }
    lines
}

/// The left side: step, truth, and the story a paragraph at a time.
fn story<'a>(player: &Player) -> Vec<Line<'a>> {
    let tape = &player.main;
    let t = player.recorded();
    let mut lines = Vec::new();
    if let Some(scenario) = &tape.scenario {
        lines.push(Line::from(scenario.title.clone()).bold());
        lines.push(Line::default());
    }
    lines.extend(steps(player));
    lines.push(Line::default());
    let group = group(player, tape);
    lines.push(Line::from("what the program itself knows:").dim());
    for (words, value) in scene::truth(tape, group, t) {
        lines.push(Line::from(format!("{:>11}  {words}", units::bytes(value))));
    }
    if let Some(scenario) = &tape.scenario {
        let paragraphs: Vec<&str> = scenario
            .story
            .split("\n\n")
            .filter(|p| !p.trim().is_empty())
            .collect();
        let share = player.story / player.end().max(1e-9);
        let at = (share * paragraphs.len() as f64) as usize;
        if let Some(paragraph) = paragraphs.get(at.min(paragraphs.len().saturating_sub(1))) {
            lines.push(Line::default());
            let text = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
            lines.push(Line::from(text).dim());
        }
    }
    lines
}

/// The formula with its numbers, the formulas that disagree, and what the kernel did.
fn numbers<'a>(player: &Player, ui: &Ui, area: Rect) -> Paragraph<'a> {
    let mut lines = Vec::new();
    let many = player.other.is_some();
    for shown in player.shown() {
        let Some(view) = moment(player, shown) else {
            continue;
        };
        let prefix = if many {
            format!("{}: ", shown.0.label)
        } else {
            String::new()
        };
        if let Some(text) = scene::working_set(&view) {
            lines.push(Line::from(format!("{prefix}{text}")).bold());
        }
        if many {
            continue;
        }
        let far = scene::furthest(&view, if area.width >= 100 { 4 } else { 3 });
        let far: Vec<String> = far
            .iter()
            .map(|(n, v)| format!("{n} {}", units::signed_bytes(*v)))
            .collect();
        lines.push(Line::from(format!(
            "\"memory used\" is {}",
            far.join(", or ")
        )));
    }
    let mut events = Vec::new();
    for (tape, timeline) in player.shown() {
        let prefix = if many {
            format!("{}: ", tape.label)
        } else {
            String::new()
        };
        for happened in scene::happened(tape, timeline.recorded(player.story)) {
            let text = format!("{:>7.2} s  {prefix}{}", happened.t, happened.text);
            events.push((timeline.story(happened.t), happened.bad, text));
        }
    }
    events.sort_by(|a, b| a.0.total_cmp(&b.0));
    let room = usize::from(area.height).saturating_sub(lines.len() + 1);
    // What is bad stays in sight; of the rest the newest.
    let lines_of = |text: &str| {
        text.chars()
            .count()
            .div_ceil(usize::from(area.width).max(1))
    };
    let mut kept: Vec<(f64, bool, String)> = Vec::new();
    let mut free = room;
    events.sort_by_key(|(_, bad, _)| *bad);
    for event in events.into_iter().rev() {
        if let Some(left) = free.checked_sub(lines_of(&event.2)) {
            free = left;
            kept.push(event);
        }
    }
    kept.sort_by(|a, b| a.0.total_cmp(&b.0));
    for (_, bad, text) in kept {
        let style = if bad { ui.paint.bad() } else { Style::new() };
        lines.push(Line::from(text).style(style));
    }
    Paragraph::new(lines)
        .wrap(Wrap { trim: false })
        .block(Block::new().borders(Borders::TOP))
}

fn keys_line<'a>(player: &Player, ui: &Ui) -> Line<'a> {
    let pause = if player.paused { "go on" } else { "pause" };
    let menu = if ui.menu { "  m menu" } else { "" };
    Line::from(format!(
        " space {pause}  → next step  ← back  +/- speed  v other set-up  ? help{menu}  q quit"
    ))
    .dim()
}

fn help(frame: &mut Frame, area: Rect, ui: &Ui) {
    let key = |key: &str, text: &str| Line::from(format!("{key:>7}  {text}"));
    let mut lines = vec![
        key(
            "space",
            "pause (a live run goes on and can be caught up with)",
        ),
        key("→ n", "next step"),
        key("← p", "this step again, or the one before"),
        key("+ -", "faster, slower"),
        key("r", "from the start"),
        key("c", "another cgroup: pod, containers"),
        key("v", "another set-up beside it: the next one, then none"),
        key(
            "m",
            if ui.menu {
                "menu"
            } else {
                "menu (start `memtide demo` without a name)"
            },
        ),
        key("q", "quit (also Esc and Ctrl-C)"),
        Line::default(),
    ];
    for area in layers::AREAS.into_iter().rev() {
        let mark = match ui.paint.area(area) {
            Some(colour) => Span::from("     ██").fg(colour),
            None => Span::from(format!("{:>7}", paint::letter(area))),
        };
        let text = format!("  {}: {}", area.name(), area.words());
        lines.push(Line::from(vec![mark, Span::from(text)]));
    }
    for line in layers::LINES {
        let stroke = format!("     {}", paint::stroke(line).to_string().repeat(2));
        let text = format!("  {}: {}", line.name(), line.words());
        lines.push(Line::from(vec![
            Span::from(stroke).style(ui.paint.line(line)),
            Span::from(text),
        ]));
    }
    let (width, height) = (
        68.min(area.width),
        (lines.len() as u16 + 2).min(area.height),
    );
    let spot = Rect {
        x: area.x + (area.width - width) / 2,
        y: area.y + (area.height - height) / 2,
        width,
        height,
    };
    frame.render_widget(Clear, spot);
    let block = Block::bordered().title(" help ");
    frame.render_widget(Paragraph::new(lines).block(block), spot);
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;
    use crate::plot::testing;

    fn screen(width: u16, height: u16, versus: bool, story: f64) -> String {
        let tape = |label: &str| Tape::finished(testing::recording(), label.into());
        let mut player = Player::new(tape("6.1-v2"), versus.then(|| tape("6.12-v2")), 1.0);
        player.story = story;
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        let ui = Ui {
            paint: Paint::Letters,
            help: false,
            note: "",
            menu: false,
        };
        terminal.draw(|frame| draw(frame, &player, &ui)).unwrap();
        terminal.backend().to_string()
    }

    #[test]
    fn one_screen_tells_it() {
        insta::assert_snapshot!(screen(100, 30, false, 8.0));
    }

    #[test]
    fn two_set_ups_side_by_side() {
        insta::assert_snapshot!(screen(100, 30, true, 99.0));
    }

    #[test]
    fn every_size_is_drawn() {
        for (w, h) in [(1, 1), (20, 5), (60, 16), (80, 24), (200, 60), (61, 100)] {
            for versus in [false, true] {
                screen(w, h, versus, 8.0);
            }
        }
    }
}
