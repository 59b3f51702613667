//! One line on stderr that says where a run is; nothing where stderr is not a terminal but a line
//! a step, so that a CI log shows progress, too.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use crate::harness::Observer;
use crate::recording::{Event, EventKind, Group, GroupKind, MISSING};
use crate::rows::ViewIndex;
use crate::scenario::Scenario;
use crate::units;

/// Between redraws: fast enough to look alive, slow enough to cost nothing.
const REDRAW: Duration = Duration::from_millis(200);

/// The progress of one run.
pub struct Progress {
    scenario: String,
    place: (usize, usize),
    terminal: bool,
    started: Instant,
    drawn: Option<Instant>,
    steps_done: usize,
    steps: usize,
    step: String,
    main: usize,
    view: ViewIndex,
    limit: Option<u64>,
    shown: String,
}

impl Progress {
    /// Begins to tell about `scenario`, number `place.0` of `place.1`.
    pub fn start(scenario: &Scenario, place: (usize, usize)) -> Self {
        Progress {
            scenario: scenario.name.clone(),
            place,
            terminal: std::io::stderr().is_terminal(),
            started: Instant::now(),
            drawn: None,
            steps_done: 0,
            steps: scenario.steps().count(),
            step: "starting".into(),
            main: 0,
            view: ViewIndex::default(),
            limit: None,
            shown: String::new(),
        }
    }

    /// Clears the line.
    pub fn end(&mut self) {
        if self.terminal && !self.shown.is_empty() {
            self.write("\r\x1b[K");
        }
    }

    fn draw(&mut self, usage: Option<u64>) {
        if !self.terminal || self.drawn.is_some_and(|at| at.elapsed() < REDRAW) {
            return;
        }
        self.drawn = Some(Instant::now());
        let usage = match (usage, self.limit) {
            (Some(usage), Some(limit)) => {
                format!("  usage {} of {}", units::bytes(usage), units::bytes(limit))
            }
            (Some(usage), None) => format!("  usage {}", units::bytes(usage)),
            _ => String::new(),
        };
        self.shown = format!(
            "[{}/{}] {}  step {} of {}: {}{usage}  {:.0} s",
            self.place.0,
            self.place.1,
            self.scenario,
            (self.steps_done + 1).min(self.steps),
            self.steps,
            self.step,
            self.started.elapsed().as_secs_f64()
        );
        let line = format!("\r\x1b[K{}", self.shown);
        self.write(&line);
    }

    fn write(&self, text: &str) {
        // Progress is a courtesy: a closed stderr must not end the run.
        let mut stderr = std::io::stderr();
        let _ = stderr
            .write_all(text.as_bytes())
            .and_then(|()| stderr.flush());
    }
}

impl Observer for Progress {
    fn groups(&mut self, groups: &[Group]) {
        self.main = groups
            .iter()
            .position(|g| g.kind == GroupKind::Container)
            .unwrap_or(0);
        if let Some(group) = groups.get(self.main) {
            let v1 = group.columns.iter().any(|c| c == "memory.usage_in_bytes");
            let version = if v1 {
                crate::rows::CgroupVersion::V1
            } else {
                crate::rows::CgroupVersion::V2
            };
            self.view = ViewIndex::new(version, &group.columns);
            self.limit = group.finite_limit();
        }
    }

    fn sample(&mut self, group: usize, _t: u64, values: &[u64]) {
        if group == self.main {
            let view = self
                .view
                .view(|c| values.get(c).copied().filter(|v| *v != MISSING));
            self.draw(view.usage);
        }
    }

    fn event(&mut self, event: &Event) {
        match &event.kind {
            EventKind::StepStart(id) => {
                self.step = id.step.clone();
                if !self.terminal {
                    let line = format!(
                        "[{}/{}] {}: {}\n",
                        self.place.0, self.place.1, self.scenario, id.step
                    );
                    self.write(&line);
                }
            }
            EventKind::StepEnd(_) => self.steps_done += 1,
            _ => {}
        }
    }
}
