//! KRR's default strategy, `simple`: the highest working set and 15 %, at least 100 MB.
//!
//! robusta-dev/krr at 6cef9fa0 (robusta_krr/strategies/simple.py) and 0278b1ca
//! (robusta_krr/core/models/config.py). That it says nothing of less than 100 points is left out: a
//! recording is taken for a whole history.

use super::sample::Sample;

const BUFFER: f64 = 1.15;
const LEAST: f64 = 100e6;

/// Request and limit, bytes.
pub fn limit(samples: &[Sample]) -> Option<f64> {
    let most = samples.iter().map(|s| s.working_set).reduce(f64::max)?;
    Some((most * BUFFER).max(LEAST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_working_set_counts() {
        let sample = |working_set| Sample {
            working_set,
            ..Sample::default()
        };
        assert_eq!(limit(&[]), None);
        assert_eq!(limit(&[sample(1e6)]), Some(LEAST));
        let most = limit(&[sample(1e9), sample(2e9), sample(5e8)]).unwrap();
        assert!((most - 2.3e9).abs() < 1.0, "{most}");
    }
}
