//! The loop of the full-screen show: keys, time, frames.

use std::io;
use std::time::{Duration, Instant};

use ratatui::crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::menu::{self, Lesson};
use super::paint::Paint;
use super::player::Player;
use super::tape::Tape;
use super::terminal::Screen;
use super::view::{self, Ui};
use crate::shipped;

/// Between two frames: a chart of some sixty columns does not move more often, and drawing stays
/// below 5 % of a core.
const FRAME: Duration = Duration::from_millis(120);

/// How the viewer left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// For good.
    Quit,
    /// For the menu.
    Menu,
}

/// Shows `player` until the viewer leaves.
pub fn show(screen: &mut Screen, player: &mut Player, note: &str, menu: bool) -> io::Result<Left> {
    let paint = Paint::detect(|name| std::env::var(name).ok());
    let mut note = note.to_string();
    let (mut help, mut changed) = (false, true);
    let mut last = Instant::now();
    loop {
        if screen.ended() {
            return Ok(Left::Quit);
        }
        if changed {
            let ui = Ui {
                paint,
                help,
                note: &note,
                menu,
            };
            screen
                .terminal
                .draw(|frame| view::draw(frame, player, &ui))?;
        }
        let frame = last + FRAME;
        changed = false;
        while let Some(event) = screen.event(frame.saturating_duration_since(Instant::now()))? {
            changed = true;
            let Event::Key(key) = event else { continue };
            if let Some(left) = act(key, player, &mut help, &mut note, menu) {
                return Ok(left);
            }
        }
        let now = Instant::now();
        changed |= player.tick((now - last).as_secs_f64());
        last = now;
    }
}

/// What a key does; gives how the viewer leaves, if it makes him leave.
fn act(
    key: KeyEvent,
    player: &mut Player,
    help: &mut bool,
    note: &mut String,
    menu: bool,
) -> Option<Left> {
    if key.kind == KeyEventKind::Release {
        return None;
    }
    if *help {
        *help = false;
        return None;
    }
    match key.code {
        KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => {
            return Some(Left::Quit);
        }
        KeyCode::Char('q') | KeyCode::Esc => return Some(Left::Quit),
        KeyCode::Char('m') if menu => return Some(Left::Menu),
        KeyCode::Char('?' | 'h') => *help = true,
        KeyCode::Char(' ') => player.paused = !player.paused,
        KeyCode::Right | KeyCode::Char('n') => player.next_step(),
        KeyCode::Left | KeyCode::Char('p') => player.previous_step(),
        KeyCode::Char('+' | '=') => player.change_speed(true),
        KeyCode::Char('-') => player.change_speed(false),
        KeyCode::Char('r') => player.story = 0.0,
        KeyCode::Char('c') => player.next_group(),
        KeyCode::Char('v') => *note = next_setup(player),
        _ => {}
    }
    None
}

/// Puts the next shipped set-up beside the recording; after the last one none. Gives a note for the
/// viewer where that can't be done.
fn next_setup(player: &mut Player) -> String {
    let scenario = player.main.recording.header.scenario.clone();
    let setups: Vec<_> = shipped::of_scenario(&scenario)
        .filter(|s| s.setup != player.main.label)
        .collect();
    let now = player.other.as_ref().map(|o| o.label.as_str());
    let next = match now {
        None => 0,
        Some(label) => setups
            .iter()
            .position(|s| s.setup == label)
            .map_or(0, |i| i + 1),
    };
    if setups.is_empty() {
        return format!("no recording of {scenario} on another set-up is shipped");
    }
    let Some(shipped) = setups.get(next) else {
        player.set_other(None);
        return String::new();
    };
    match shipped.read() {
        Ok(recording) => {
            player.set_other(Some(Tape::finished(recording, shipped.setup.into())));
            String::new()
        }
        Err(error) => error.to_string(),
    }
}

/// Lets the viewer choose a lesson, beginning at `chosen`; none if he leaves.
pub fn choose(
    screen: &mut Screen,
    lessons: &[Lesson],
    chosen: &mut usize,
    note: &str,
) -> io::Result<Option<&'static str>> {
    loop {
        screen
            .terminal
            .draw(|frame| menu::draw(frame, lessons, *chosen, note))?;
        if screen.ended() {
            return Ok(None);
        }
        let Some(Event::Key(key)) = screen.event(FRAME)? else {
            continue;
        };
        let last = lessons.len().saturating_sub(1);
        match key.code {
            _ if key.kind == KeyEventKind::Release => {}
            KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => return Ok(None),
            KeyCode::Char('q') | KeyCode::Esc => return Ok(None),
            KeyCode::Down | KeyCode::Char('j') => *chosen = (*chosen + 1).min(last),
            KeyCode::Up | KeyCode::Char('k') => *chosen = chosen.saturating_sub(1),
            KeyCode::Home => *chosen = 0,
            KeyCode::End => *chosen = last,
            KeyCode::Enter | KeyCode::Right | KeyCode::Char(' ') => {
                return Ok(lessons.get(*chosen).map(|l| l.name));
            }
            _ => {}
        }
    }
}

/// Says what is being waited for.
pub fn waiting(screen: &mut Screen, text: &str) -> io::Result<()> {
    screen
        .terminal
        .draw(|frame| {
            frame.render_widget(ratatui::text::Line::from(format!(" {text}")), frame.area())
        })
        .map(drop)
}
