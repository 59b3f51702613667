//! What was tried where no cgroup could be made, and the remedy.

/// One thing that was tried, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Attempt {
    /// What was tried, in words.
    pub what: String,
    /// What came of it.
    pub result: String,
}

impl std::fmt::Display for Attempt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.what, self.result)
    }
}

/// Why no pod can be made anywhere.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no cgroup can be made here: {}; {remedy}", list(tried))]
pub struct CannotManage {
    /// Every place that was tried.
    pub tried: Vec<Attempt>,
    /// What to type or change.
    pub remedy: String,
}

fn list(tried: &[Attempt]) -> String {
    let texts: Vec<String> = tried.iter().map(Attempt::to_string).collect();
    texts.join("; ")
}
