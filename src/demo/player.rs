//! Where in the story the show is, and what the keys do to it.

use super::tape::Tape;
use super::timeline::Timeline;

/// The speeds that `+` and `-` go through.
const SPEEDS: [f64; 7] = [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0];

/// One or two recordings being shown.
pub struct Player {
    /// The recording the show is about.
    pub main: Tape,
    /// Another set-up beside it.
    pub other: Option<Tape>,
    /// The story second shown.
    pub story: f64,
    /// Story seconds a second.
    pub speed: f64,
    /// Whether it is paused.
    pub paused: bool,
    /// Which group of the recordings is shown.
    pub group: String,
    timeline: Timeline,
    beside: Option<Timeline>,
}

impl Player {
    /// Begins at the start of `main`.
    pub fn new(main: Tape, other: Option<Tape>, speed: f64) -> Self {
        let group = main
            .recording
            .header
            .groups
            .get(main.recording.main_group());
        let group = group.map(|g| g.name.clone());
        let mut player = Player {
            timeline: Timeline::new(&main.bands, main.end),
            main,
            other,
            story: 0.0,
            speed,
            paused: false,
            group: group.unwrap_or_default(),
            beside: None,
        };
        player.retime();
        player
    }

    /// Takes in what a run has written since, and moves on by `seconds`; gives whether anything
    /// changed on the screen.
    pub fn tick(&mut self, seconds: f64) -> bool {
        let fresh = self.main.refresh();
        if fresh {
            self.retime();
        }
        let before = self.story;
        if !self.paused {
            self.story = (self.story + seconds * self.speed).min(self.timeline.end());
        }
        fresh || self.story != before
    }

    /// Shows `other` beside the main recording, or nothing.
    pub fn set_other(&mut self, other: Option<Tape>) {
        self.other = other;
        self.retime();
    }

    fn retime(&mut self) {
        self.timeline = Timeline::new(&self.main.bands, self.main.end);
        self.beside = self
            .other
            .as_ref()
            .map(|o| self.timeline.in_step(&self.main.bands, &o.bands, o.end));
    }

    /// The tapes with their timelines: one, or two side by side.
    pub fn shown(&self) -> Vec<(&Tape, &Timeline)> {
        let other = self.other.as_ref().zip(self.beside.as_ref());
        std::iter::once((&self.main, &self.timeline))
            .chain(other)
            .collect()
    }

    /// The recorded second of the main recording.
    pub fn recorded(&self) -> f64 {
        self.timeline.recorded(self.story)
    }

    /// Story seconds there are so far.
    pub fn end(&self) -> f64 {
        self.timeline.end()
    }

    /// Whether everything there will be was shown.
    pub fn is_over(&self) -> bool {
        !self.main.is_growing() && self.story >= self.end()
    }

    /// Goes to the start of the next step, or to the end.
    pub fn next_step(&mut self) {
        let now = self.recorded();
        let starts = self.main.bands.iter().map(|b| b.start);
        let next = starts.filter(|t| *t > now).min_by(f64::total_cmp);
        // Past the boundary, not on it: the step that begins there is the one shown.
        self.story = next.map_or(self.end(), |t| {
            (self.timeline.story(t) + 0.02).min(self.end())
        });
    }

    /// Goes to the start of this step, or of the one before if it has just begun.
    pub fn previous_step(&mut self) {
        let story = self.story;
        let starts = self
            .main
            .bands
            .iter()
            .map(|b| self.timeline.story(b.start) + 0.02);
        let before = starts.filter(|s| *s < story - 1.0).max_by(f64::total_cmp);
        self.story = before.unwrap_or(0.0);
    }

    /// The next faster or slower speed.
    pub fn change_speed(&mut self, faster: bool) {
        self.speed = match faster {
            true => SPEEDS.into_iter().find(|s| *s > self.speed),
            false => SPEEDS.into_iter().rev().find(|s| *s < self.speed),
        }
        .unwrap_or(self.speed);
    }

    /// Shows the next group of the recording.
    pub fn next_group(&mut self) {
        let groups = &self.main.recording.header.groups;
        let now = self.main.recording.group(&self.group).unwrap_or(0);
        if let Some(next) = groups.get((now + 1) % groups.len().max(1)) {
            self.group = next.name.clone();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::testing;

    fn player() -> Player {
        Player::new(
            Tape::finished(testing::recording(), "test".into()),
            None,
            1.0,
        )
    }

    #[test]
    fn steps_are_walked_forth_and_back() {
        let mut player = player();
        let step = |p: &Player| {
            let t = p.recorded();
            p.main
                .bands
                .iter()
                .rev()
                .find(|b| b.start <= t)
                .map(|b| b.id.step.clone())
        };
        assert_eq!(step(&player).as_deref(), Some("write"));
        player.next_step();
        assert_eq!(step(&player).as_deref(), Some("read-twice"));
        player.previous_step();
        assert_eq!(step(&player).as_deref(), Some("write"));
        for _ in 0..3 {
            player.next_step();
        }
        assert!(player.is_over());
    }

    #[test]
    fn time_goes_on_until_the_end_and_not_on_pause() {
        let mut player = player();
        player.paused = true;
        assert!(!player.tick(1.0));
        player.paused = false;
        player.change_speed(true);
        assert!(player.tick(1.0));
        assert_eq!(player.story, 2.0);
        player.tick(1e6);
        assert_eq!(player.story, player.end());
        assert!(!player.tick(1.0));
    }
}
