//! How the tools write a number of bytes. One function a format, all of `fn(value, view)`.

use crate::rows::{View, is_unlimited};

/// The limit tools print beside usage: the cgroup's own, or the node's RAM where it has none.
fn shown_limit(view: &View) -> Option<u64> {
    let own = view.limit.filter(|limit| !is_unlimited(*limit));
    match (own, view.node_capacity) {
        (Some(limit), Some(capacity)) => Some(limit.min(capacity)),
        (limit, capacity) => limit.or(capacity),
    }
}

/// A plain integer.
pub fn plain(value: i64, _: &View) -> String {
    value.to_string()
}

/// The Prometheus text format as Go writes it: `1.9181568e+08`, below a million `380928`.
pub fn metric(value: i64, _: &View) -> String {
    if value.unsigned_abs() < 1_000_000 {
        return value.to_string();
    }
    let shortest = format!("{:e}", value as f64);
    match shortest.split_once('e') {
        Some((digits, exponent)) => format!("{digits}e+{exponent:0>2}"),
        None => shortest,
    }
}

/// kubectl top: whole Mi, truncated.
pub fn mi_truncated(value: i64, _: &View) -> String {
    format!("{}Mi", value / (1 << 20))
}

/// A Kubernetes quantity: the largest binary unit that divides the value.
pub fn quantity(value: i64, _: &View) -> String {
    let (mut number, mut unit) = (value, "");
    for next in ["Ki", "Mi", "Gi", "Ti", "Pi"] {
        if number == 0 || number % 1024 != 0 {
            break;
        }
        (number, unit) = (number / 1024, next);
    }
    format!("{number}{unit}")
}

const IEC: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
const SI: [&str; 7] = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];

/// docker's go-units: four significant digits, no trailing zeros (`329.6MiB`).
fn go_units(value: i64, base: f64, units: [&'static str; 7]) -> String {
    let (number, unit) = scaled(value, base, units);
    format!("{}{unit}", four_digits(number))
}

fn scaled(value: i64, base: f64, units: [&'static str; 7]) -> (f64, &'static str) {
    let (mut number, mut at) = (value as f64, 0);
    while number.abs() >= base && at + 1 < units.len() {
        number /= base;
        at += 1;
    }
    (number, units[at])
}

/// C's `%.4g` for numbers below 10,000.
fn four_digits(number: f64) -> String {
    let whole = format!("{:.0}", number.abs()).len();
    let text = format!("{number:.*}", 4usize.saturating_sub(whole));
    if !text.contains('.') {
        return text;
    }
    text.trim_end_matches('0').trim_end_matches('.').into()
}

/// `crictl stats`: SI units (`192.9MB`).
pub fn human_si(value: i64, _: &View) -> String {
    go_units(value, 1000.0, SI)
}

/// `podman stats`: SI units, the limit and percent (`2.87GB / 3.843GB 74.68%`).
pub fn human_si_of_limit(value: i64, view: &View) -> String {
    of_limit(value, view, 1000.0, SI)
}

/// `docker stats`: binary units, the limit and percent (`329.6MiB / 2.868GiB 11.22%`).
pub fn human_iec_of_limit(value: i64, view: &View) -> String {
    of_limit(value, view, 1024.0, IEC)
}

fn of_limit(value: i64, view: &View, base: f64, units: [&'static str; 7]) -> String {
    let used = go_units(value, base, units);
    let Some(limit) = shown_limit(view).and_then(|limit| i64::try_from(limit).ok()) else {
        return used;
    };
    if limit == 0 {
        return used;
    }
    let percent = value as f64 / limit as f64 * 100.0;
    format!("{used} / {} {percent:.2}%", go_units(limit, base, units))
}

/// nomad's humanize: binary units, one decimal below 10 (`2.9 GiB`, `330 MiB`).
pub fn humanize_iec(value: i64, _: &View) -> String {
    let (number, unit) = scaled(value, 1024.0, IEC);
    let decimals = usize::from(number.abs() < 9.95 && unit != "B");
    format!("{number:.decimals$} {unit}")
}

/// ClickHouse: binary units, two decimals (`27.44 GiB`).
pub fn readable_iec(value: i64, _: &View) -> String {
    let (number, unit) = scaled(value, 1024.0, IEC);
    format!("{number:.2} {unit}")
}

/// Ray: GiB with two decimals, called GB.
pub fn gib_called_gb(value: i64, _: &View) -> String {
    format!("{:.2}GB", value as f64 / (1u64 << 30) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: View = View::NONE;

    #[test]
    fn as_the_tools_printed_in_public_reports() {
        let of = |limit| View {
            limit: Some(limit),
            ..NONE
        };
        assert_eq!(human_iec_of_limit(345_579_520, &NONE), "329.6MiB");
        assert_eq!(
            human_si_of_limit(2_869_575_680, &of(3_842_500_000)),
            "2.87GB / 3.842GB 74.68%"
        );
        assert_eq!(mi_truncated(257_769_472, &NONE), "245Mi");
        assert_eq!(metric(191_815_680, &NONE), "1.9181568e+08");
        assert_eq!(metric(380_928, &NONE), "380928");
        assert_eq!(metric(1_040_384, &NONE), "1.040384e+06");
        assert_eq!(quantity(-37_414_240_256, &NONE), "-35681Mi");
        assert_eq!(quantity(-4096, &NONE), "-4Ki");
        assert_eq!(quantity(100 << 20, &NONE), "100Mi");
        assert_eq!(quantity(0, &NONE), "0");
        assert_eq!(readable_iec(29_466_480_640, &NONE), "27.44 GiB");
        assert_eq!(humanize_iec(3_113_851_290, &NONE), "2.9 GiB");
        assert_eq!(humanize_iec(345_579_520, &NONE), "330 MiB");
    }

    #[test]
    fn the_node_stands_in_for_a_missing_limit() {
        let node = View {
            limit: Some(9_223_372_036_854_771_712),
            node_capacity: Some(1 << 32),
            ..NONE
        };
        assert_eq!(human_iec_of_limit(1 << 30, &node), "1GiB / 4GiB 25.00%");
    }

    #[test]
    fn four_significant_digits() {
        for (value, want) in [
            (0, "0B"),
            (1, "1B"),
            (1023, "1023B"),
            (1024, "1KiB"),
            (1536, "1.5KiB"),
            ((1 << 20) - 1, "1024KiB"),
            (i64::MAX, "8EiB"),
        ] {
            assert_eq!(go_units(value, 1024.0, IEC), want);
        }
    }
}
