//! The catalogue as a course to choose from.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout};
use ratatui::style::{Modifier, Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::{List, ListItem, ListState, Paragraph, Wrap};

use crate::scenario::{self, Overrides};

/// One lesson.
pub struct Lesson {
    /// The scenario's name.
    pub name: &'static str,
    /// What the viewer will learn.
    pub title: String,
    /// The first paragraph of its story.
    pub story: String,
}

/// All lessons, in the order of the course.
pub fn lessons() -> Vec<Lesson> {
    scenario::catalogue()
        .iter()
        .map(|entry| {
            // A test keeps every entry readable; one that is not is still listed by its name.
            let scenario = entry.parse(Overrides::default()).ok();
            let story = scenario.as_ref().map_or("", |s| s.story.trim());
            let first = story.split("\n\n").next().unwrap_or_default();
            Lesson {
                name: entry.name,
                story: first.split_whitespace().collect::<Vec<_>>().join(" "),
                title: scenario.map_or(String::new(), |s| s.title),
            }
        })
        .collect()
}

/// Draws the menu with the lesson at `chosen` marked; `note` is shown at the bottom.
pub fn draw(frame: &mut Frame, lessons: &[Lesson], chosen: usize, note: &str) {
    let [head, list, story, keys] = Layout::vertical([
        Constraint::Length(2),
        Constraint::Fill(1),
        Constraint::Length(5),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    let title = Line::from(" memtide: what container memory is made of").bold();
    frame.render_widget(title, head);
    let width = lessons.iter().map(|l| l.name.len()).max().unwrap_or(0);
    let items = lessons.iter().enumerate().map(|(i, lesson)| {
        let name = format!("{:>3}  {:<width$}  ", i + 1, lesson.name);
        ListItem::new(Line::from(vec![
            Span::from(name).bold(),
            Span::from(lesson.title.clone()),
        ]))
    });
    let list_widget = List::new(items)
        .highlight_symbol("▸")
        .highlight_style(Style::new().add_modifier(Modifier::REVERSED));
    let mut state = ListState::default().with_selected(Some(chosen));
    frame.render_stateful_widget(list_widget, list, &mut state);
    let text = lessons.get(chosen).map_or("", |l| l.story.as_str());
    frame.render_widget(
        Paragraph::new(text.to_string())
            .wrap(Wrap { trim: true })
            .dim(),
        story,
    );
    let keys_text = match note {
        "" => " ↑ ↓ choose  Enter show  q quit".to_string(),
        note => format!(" {note}"),
    };
    frame.render_widget(Line::from(keys_text).dim(), keys);
}
