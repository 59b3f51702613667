//! The one mapping from raw rows to what cAdvisor's `/metrics` page would show for them.
//!
//! Names, types and values are those of cAdvisor 0.5x and the kubelet's `/metrics/cadvisor`
//! (libcontainer's handler): on cgroup v1 the hierarchical `total_` rows, on v2 the plain ones;
//! `container_memory_kernel_usage` and `container_memory_failcnt` are 0 on v2, as there, and so are on
//! v1 the rows that only v2 has. All exports, the detectors' feed and the live endpoint use this
//! table and nothing else.

use crate::formula::cadvisor;
use crate::named::named;
use crate::rows::{CgroupVersion, Row, Unit, is_unlimited};

named! {
    /// How Prometheus treats a series.
    Kind, as_str {
        /// May rise and fall.
        Gauge = "gauge",
        /// Only rises, but for restarts.
        Counter = "counter",
    }
}

/// How a metric's value comes from rows.
#[derive(Debug, Clone, Copy)]
enum Source {
    /// A row; microseconds are shown in seconds.
    Row(&'static Row),
    /// A row by this very name: that of the cgroup without those below it.
    Local(&'static str),
    /// The row of this very name; 0 where the kernel has none, as cAdvisor shows it then.
    RowOrZero(&'static str),
    /// A limit's row: 0 where it is unlimited, or where memtide made the cgroup without one.
    Spec(&'static Row),
    /// cAdvisor shows 0 whatever the kernel counts.
    Zero,
    /// usage less inactive_file, not below 0.
    WorkingSet,
    /// The limit; 0 where there is none.
    Limit,
    /// When the container started, seconds since 1970.
    StartTime,
    /// No kernel gives it to a container on this cgroup version, and cAdvisor leaves it out.
    None,
}

/// One series of a container on cAdvisor's page.
#[derive(Debug)]
pub struct Description {
    /// The metric's name, byte for byte.
    pub name: &'static str,
    /// Labels of this series beyond the container's own.
    pub labels: &'static [(&'static str, &'static str)],
    /// Gauge or counter.
    pub kind: Kind,
    /// The `# HELP` text.
    pub help: &'static str,
    /// On v1, and on v2.
    sources: [Source; 2],
}

impl Description {
    fn source(&self, version: CgroupVersion) -> Source {
        self.sources[version as usize]
    }

    /// Whether its values are amounts of memory, so that they grow with the size of a container:
    /// bytes, or pages counted one by one.
    pub fn is_amount(&self) -> bool {
        const PAGES: [&str; 2] = ["container_memory_pg", "container_memory_workingset_"];
        self.is_bytes() || PAGES.iter().any(|start| self.name.starts_with(start))
    }

    /// Whether its values are bytes.
    pub fn is_bytes(&self) -> bool {
        const BYTES: [&str; 5] = ["cache", "kernel_usage", "mapped_file", "rss", "swap"];
        let own = self.name.strip_prefix("container_memory_");
        self.name.ends_with("_bytes") || own.is_some_and(|own| BYTES.contains(&own))
    }
}

const fn gauge(name: &'static str, help: &'static str, sources: [Source; 2]) -> Description {
    Description {
        name,
        labels: &[],
        kind: Kind::Gauge,
        help,
        sources,
    }
}

const fn counter(name: &'static str, help: &'static str, sources: [Source; 2]) -> Description {
    Description {
        kind: Kind::Counter,
        ..gauge(name, help, sources)
    }
}

const fn failures(
    labels: &'static [(&'static str, &'static str)],
    sources: [Source; 2],
) -> Description {
    Description {
        labels,
        ..counter(
            "container_memory_failures_total",
            "Cumulative count of memory allocation failures.",
            sources,
        )
    }
}

const fn row(name: &str) -> Source {
    Source::Row(Row::named(name))
}

/// The same row on both versions.
const fn both(name: &str) -> [Source; 2] {
    [row(name), row(name)]
}

/// A row of v1; cAdvisor shows 0 on v2.
const fn on_v1(name: &str) -> [Source; 2] {
    [row(name), Source::Zero]
}

/// A row of v2; cAdvisor shows 0 on v1.
const fn on_v2(name: &str) -> [Source; 2] {
    [Source::Zero, row(name)]
}

macro_rules! metrics {
    ($($metric:ident = $description:expr;)+) => {
        /// The series, by what they mean; the number is the index into [`METRICS`] and in a [`Reading`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[allow(missing_docs)] // Each is described by its line of METRICS.
        pub enum Metric {
            $($metric,)+
        }

        /// How many series a container has.
        pub const COUNT: usize = [$(Metric::$metric),+].len();

        /// All series of a container, sorted by name as on cAdvisor's page.
        pub static METRICS: [Description; COUNT] = [$($description),+];
    };
}

metrics! {
    Cache = gauge(
        "container_memory_cache",
        "Number of bytes of page cache memory.",
        both("cache"),
    );
    EventsHigh = counter(
        "container_memory_events_high_total",
        "Cumulative count of memory.high throttle events for the container",
        on_v2("events_high"),
    );
    EventsMax = counter(
        "container_memory_events_max_total",
        "Cumulative count of memory.max limit hit events for the container",
        on_v2("events_max"),
    );
    Failcnt = counter(
        "container_memory_failcnt",
        "Number of memory usage hits limits",
        on_v1("failcnt"),
    );
    PgfaultContainer = failures(
        &[("failure_type", "pgfault"), ("scope", "container")],
        [Source::Local("pgfault"), row("pgfault")],
    );
    PgfaultHierarchy = failures(
        &[("failure_type", "pgfault"), ("scope", "hierarchy")],
        both("pgfault"),
    );
    PgmajfaultContainer = failures(
        &[("failure_type", "pgmajfault"), ("scope", "container")],
        [Source::Local("pgmajfault"), row("pgmajfault")],
    );
    PgmajfaultHierarchy = failures(
        &[("failure_type", "pgmajfault"), ("scope", "hierarchy")],
        both("pgmajfault"),
    );
    FileDirty = gauge(
        "container_memory_file_dirty_bytes",
        "Number of bytes of file cache that has been modified but not yet written back to disk.",
        on_v2("dirty"),
    );
    FileWriteback = gauge(
        "container_memory_file_writeback_bytes",
        "Number of bytes of file cache that is currently being written back to disk.",
        on_v2("writeback"),
    );
    KernelUsage = gauge(
        "container_memory_kernel_usage",
        "Size of kernel memory allocated in bytes.",
        on_v1("kernel"),
    );
    MappedFile = gauge(
        "container_memory_mapped_file",
        "Size of memory mapped files in bytes.",
        both("mapped_file"),
    );
    MaxUsage = gauge(
        "container_memory_max_usage_bytes",
        "Maximum memory usage recorded in bytes",
        both("peak"),
    );
    Pgscan = counter(
        "container_memory_pgscan_total",
        "Cumulative number of pages scanned by the page reclaim algorithm.",
        on_v2("pgscan"),
    );
    Pgsteal = counter(
        "container_memory_pgsteal_total",
        "Cumulative number of pages reclaimed by the page reclaim algorithm.",
        on_v2("pgsteal"),
    );
    Rss = gauge(
        "container_memory_rss",
        "Size of RSS in bytes.",
        both("rss"),
    );
    Swap = gauge(
        "container_memory_swap",
        "Container swap usage in bytes.",
        both("swap"),
    );
    ActiveFile = gauge(
        "container_memory_total_active_file_bytes",
        "Current total active file in bytes.",
        both("active_file"),
    );
    InactiveFile = gauge(
        "container_memory_total_inactive_file_bytes",
        "Current total inactive file in bytes.",
        both("inactive_file"),
    );
    Usage = gauge(
        "container_memory_usage_bytes",
        "Current memory usage in bytes, including all memory regardless of when it was accessed",
        both("usage"),
    );
    WorkingSet = gauge(
        "container_memory_working_set_bytes",
        "Current working set in bytes.",
        [Source::WorkingSet; 2],
    );
    RefaultAnon = counter(
        "container_memory_workingset_refault_anon_total",
        "Cumulative number of refaults of previously evicted anonymous pages.",
        [Source::RowOrZero("workingset_refault_anon"), row("workingset_refault_anon")],
    );
    RefaultFile = counter(
        "container_memory_workingset_refault_file_total",
        "Cumulative number of refaults of previously evicted file pages.",
        [Source::RowOrZero("workingset_refault_file"), row("workingset_refault_file")],
    );
    OomEvents = counter(
        "container_oom_events_total",
        "Count of out of memory events observed for the container",
        both("oom_kills"),
    );
    PressureStalled = counter(
        "container_pressure_memory_stalled_seconds_total",
        "Total time duration no tasks in the container could make progress due to memory congestion.",
        [Source::None, row("pressure_full")],
    );
    PressureWaiting = counter(
        "container_pressure_memory_waiting_seconds_total",
        "Total time duration tasks in the container have waited due to memory congestion.",
        [Source::None, row("pressure_some")],
    );
    SpecLimit = gauge(
        "container_spec_memory_limit_bytes",
        "Memory limit for the container.",
        [Source::Limit; 2],
    );
    SpecReservation = gauge(
        "container_spec_memory_reservation_limit_bytes",
        "Memory reservation limit for the container.",
        [Source::Spec(Row::named("soft_limit")), Source::Spec(Row::named("min"))],
    );
    SpecSwap = gauge(
        "container_spec_memory_swap_limit_bytes",
        "Memory swap limit for the container.",
        [Source::Spec(Row::named("memsw_limit")), Source::Spec(Row::named("swap_limit"))],
    );
    StartTime = gauge(
        "container_start_time_seconds",
        "Start time of the container since unix epoch in seconds.",
        [Source::StartTime; 2],
    );
}

/// What one scrape shows of one container. What the kernel did not give is absent, never 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    values: [Option<f64>; COUNT],
}

impl Default for Reading {
    fn default() -> Self {
        Reading {
            values: [None; COUNT],
        }
    }
}

impl Reading {
    /// The value of one series; bytes are exact below 2^53.
    pub fn get(&self, metric: Metric) -> Option<f64> {
        self.values[metric as usize]
    }

    /// Sets or clears one series.
    pub fn set(&mut self, metric: Metric, value: Option<f64>) {
        self.values[metric as usize] = value;
    }

    /// The series that are there, in the order of the page.
    pub fn iter(&self) -> impl Iterator<Item = (&'static Description, f64)> + '_ {
        METRICS
            .iter()
            .zip(self.values)
            .filter_map(|(d, v)| Some((d, v?)))
    }

    /// The series at an index of [`METRICS`], if it is there.
    pub fn nth(&self, index: usize) -> Option<(&'static Description, f64)> {
        Some((METRICS.get(index)?, (*self.values.get(index)?)?))
    }

    /// Multiplies every amount of memory, as whole bytes and pages.
    pub fn scale_amounts(&mut self, factor: f64) {
        for (value, metric) in self.values.iter_mut().zip(&METRICS) {
            if metric.is_amount() {
                *value = value.map(|v| (v * factor).round());
            }
        }
    }

    /// The limit in bytes, where there is one (cAdvisor writes 0 for none).
    pub fn limit(&self) -> Option<f64> {
        self.get(Metric::SpecLimit).filter(|limit| *limit > 0.0)
    }
}

/// How one series is read from a sample.
#[derive(Debug, Clone, Copy)]
enum Read {
    Column(usize),
    Scaled(usize),
    Spec(usize),
    Fixed(f64),
    Absent,
}

/// Where the rows of one cgroup's samples stand: resolved once, then read without a search.
#[derive(Debug, Clone)]
pub struct Mapper {
    reads: [Read; COUNT],
    limit: Option<u64>,
    limit_column: Option<usize>,
}

impl Mapper {
    /// Finds the rows of `version` among `columns`. `limit` (bytes) is used where no limit row
    /// is sampled.
    pub fn new<S: AsRef<str>>(version: CgroupVersion, columns: &[S], limit: Option<u64>) -> Self {
        let find = |name: &str| columns.iter().position(|c| c.as_ref() == name);
        let mut reads = [Read::Absent; COUNT];
        for (read, metric) in reads.iter_mut().zip(&METRICS) {
            *read = match metric.source(version) {
                Source::Row(row) => match (row.column(version, columns), row.unit) {
                    (None, _) => Read::Absent,
                    (Some(column), Unit::Microseconds) => Read::Scaled(column),
                    (Some(column), _) => Read::Column(column),
                },
                Source::Local(name) => find(name).map_or(Read::Absent, Read::Column),
                Source::RowOrZero(name) => find(name).map_or(Read::Fixed(0.0), Read::Column),
                Source::Spec(row) => row
                    .column(version, columns)
                    .map_or(Read::Absent, Read::Spec),
                Source::Zero => Read::Fixed(0.0),
                // Worked out in `read`.
                Source::WorkingSet | Source::Limit | Source::StartTime | Source::None => {
                    Read::Absent
                }
            };
        }
        // Its own limit only, not the smallest of its ancestors.
        const LIMIT: &Row = Row::named("limit");
        let own = LIMIT.names(version).first();
        Mapper {
            reads,
            limit,
            limit_column: own.and_then(|name| find(name)),
        }
    }

    /// What cAdvisor would show for a sample whose values `get` gives by column. `started` is the
    /// container's start, seconds since 1970.
    pub fn read(&self, get: impl Fn(usize) -> Option<u64>, started: Option<f64>) -> Reading {
        let mut reading = Reading::default();
        for (value, read) in reading.values.iter_mut().zip(self.reads) {
            *value = match read {
                Read::Column(column) => get(column).map(|v| v as f64),
                Read::Scaled(column) => get(column).map(|v| v as f64 / 1e6),
                Read::Spec(column) => get(column).map(shown_limit),
                Read::Fixed(fixed) => Some(fixed),
                Read::Absent => None,
            };
        }
        let working_set = reading
            .get(Metric::Usage)
            .zip(reading.get(Metric::InactiveFile))
            .map(|(usage, inactive)| {
                cadvisor::less_inactive_file(usage as u64, inactive as u64) as f64
            });
        reading.set(Metric::WorkingSet, working_set);
        let limit = self.limit_column.and_then(&get).or(self.limit);
        let shown = limit.map_or(0.0, shown_limit);
        reading.set(Metric::SpecLimit, Some(shown));
        reading.set(Metric::StartTime, started);
        reading
    }
}

/// A limit as cAdvisor shows it: 0 for none.
fn shown_limit(limit: u64) -> f64 {
    if is_unlimited(limit) {
        0.0
    } else {
        limit as f64
    }
}

/// The limit of a pod's own cgroup, which the kubelet sets to the sum of its containers' limits
/// when each of them has one (`ResourceConfigForPod`); none otherwise. Bytes.
pub fn pod_limit(containers: impl IntoIterator<Item = Option<f64>>) -> Option<f64> {
    let limits: Option<Vec<f64>> = containers.into_iter().collect();
    limits
        .filter(|all| !all.is_empty())
        .map(|all| all.iter().sum())
}

/// Whether cAdvisor shows 0 for this metric on this cgroup version, whatever happens.
pub fn always_zero(name: &str, version: CgroupVersion) -> bool {
    let mut named = METRICS.iter().filter(|metric| metric.name == name);
    named.any(|metric| matches!(metric.source(version), Source::Zero))
}

/// A value as Prometheus' text formats take it: whole numbers without exponent or point.
pub fn number(value: f64) -> String {
    if value.fract() == 0.0 && value.abs() < 9.0e15 {
        format!("{}", value as i64)
    } else {
        format!("{value}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(version: CgroupVersion, rows: &[(&str, u64)]) -> Reading {
        let columns: Vec<&str> = rows.iter().map(|(n, _)| *n).collect();
        Mapper::new(version, &columns, None).read(|c| Some(rows[c].1), None)
    }

    #[test]
    fn the_enum_and_the_table_are_in_the_same_order() {
        let name = |m: Metric| METRICS[m as usize].name;
        assert_eq!(name(Metric::Cache), "container_memory_cache");
        assert_eq!(name(Metric::KernelUsage), "container_memory_kernel_usage");
        assert_eq!(name(Metric::Rss), "container_memory_rss");
        assert_eq!(
            name(Metric::WorkingSet),
            "container_memory_working_set_bytes"
        );
        assert_eq!(name(Metric::StartTime), "container_start_time_seconds");
        assert!(METRICS.is_sorted_by(|a, b| a.name <= b.name));
    }

    #[test]
    fn working_set_is_clamped_and_needs_both_rows() {
        let v1 = CgroupVersion::V1;
        let clamped = read(
            v1,
            &[("memory.usage_in_bytes", 10), ("total_inactive_file", 20)],
        );
        assert_eq!(clamped.get(Metric::WorkingSet), Some(0.0));
        let without = read(v1, &[("memory.usage_in_bytes", 10)]);
        assert_eq!(without.get(Metric::WorkingSet), None);
    }

    #[test]
    fn all_spellings_of_unlimited_are_shown_as_0() {
        for limit in [crate::rows::UNLIMITED, 9_223_372_036_854_771_712, 1 << 62] {
            let reading = read(CgroupVersion::V1, &[("memory.limit_in_bytes", limit)]);
            assert_eq!(reading.get(Metric::SpecLimit), Some(0.0));
            assert_eq!(reading.limit(), None);
        }
    }

    #[test]
    fn on_v2_kernel_usage_is_0_as_cadvisor_has_it() {
        let reading = read(CgroupVersion::V2, &[("kernel", 5 << 20), ("anon", 7)]);
        assert_eq!(reading.get(Metric::KernelUsage), Some(0.0));
        assert_eq!(reading.get(Metric::Rss), Some(7.0));
        assert_eq!(reading.get(Metric::Cache), None);
    }

    #[test]
    fn whole_numbers_are_written_whole() {
        assert_eq!(number(268_435_456.0), "268435456");
        assert_eq!(number(0.5), "0.5");
    }
}
