//! `for: 5m`: a condition that must have held for a time before anyone is woken.

/// Remembers since when a condition has held.
#[derive(Debug, Clone)]
pub struct Held {
    hold_s: f64,
    since: Option<f64>,
}

impl Held {
    /// A condition that counts once it has held for `hold_s` seconds.
    pub fn new(hold_s: f64) -> Self {
        Held {
            hold_s,
            since: None,
        }
    }

    /// Whether the condition has now held long enough, as Prometheus counts it: from the first
    /// evaluation that found it true. No value (`None`) ends the wait, as a vanished series does.
    pub fn observe(&mut self, t: f64, condition: Option<bool>) -> bool {
        if condition != Some(true) {
            self.since = None;
            return false;
        }
        t - *self.since.get_or_insert(t) >= self.hold_s
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_starts_the_wait_anew() {
        let mut held = Held::new(60.0);
        assert!(!held.observe(0.0, Some(true)));
        assert!(!held.observe(45.0, Some(true)));
        assert!(!held.observe(50.0, None));
        assert!(!held.observe(60.0, Some(true)));
        assert!(held.observe(120.0, Some(true)));
    }
}
