//! What a right-sizer sees.

/// One scrape of the container, as a right-sizer's database has it. Bytes; `t` in seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Sample {
    /// When, in the sizer's time.
    pub t: f64,
    /// container_memory_working_set_bytes.
    pub working_set: f64,
    /// container_memory_rss.
    pub rss: f64,
    /// Whether the OOM killer came since the scrape before.
    pub oom: bool,
}
