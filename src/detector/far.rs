//! A rise far from the limit, looked at from three distances.
//!
//! A leak and a start-up both rise, and at the same pace it is the same line until one of them stops. So the
//! faster a rise is, the more it must come to before it is called a leak: a start-up and a cache that fills are
//! fast and over before that, and what is slow has shown its kind when little has come of it. One window can't
//! ask for that, since what rises faster fills it more. Several do, of which the shorter asks for more: a rise
//! of a quarter of the limit in twenty minutes is none yet, unless it goes on for an hour.

use super::trend::{Keep, Rise, Trend};

/// How long a bucket is at each distance, seconds: a minute, three, nine.
const BUCKETS_S: [f64; DISTANCES] = [60.0, 180.0, 540.0];
const DISTANCES: usize = 3;
/// How many buckets a window of a trend has room for.
const ROOM: f64 = super::trend::BUCKETS as f64;

/// How much a rise must come to over how many buckets, at the distance of that index, as a share of the limit. A
/// number of buckets is a multiple of three and one, so that the thirds between them are equally long.
const ENOUGH: [Enough; 4] = [
    // 21 minutes.
    Enough::new(0, 22, 0.28),
    // 54 minutes, and 72.
    Enough::new(1, 19, 0.25),
    Enough::new(1, 25, 0.15),
    // Three and a half hours.
    Enough::new(2, 25, 0.12),
];
/// What each third must have of a rise: nine tenths of an even share. What warms up has less in its last third,
/// what starts within the window less in its first, and what is neither is straight within its noise.
const STRAIGHT: f64 = 0.3;
/// The share of neighbouring buckets that must rise; a collection of garbage may hold up one in twelve.
const STEADY: f64 = 0.92;
/// The deepest fall on the way up, as a share of the rise: more is giving back.
const FALLEN: f64 = 0.1;

#[derive(Debug, Clone, Copy)]
struct Enough {
    distance: usize,
    buckets: usize,
    adds_up: f64,
}

impl Enough {
    const fn new(distance: usize, buckets: usize, adds_up: f64) -> Self {
        Enough {
            distance,
            buckets,
            adds_up,
        }
    }
}

/// The lowest points of what is held, from three distances.
#[derive(Debug, Clone)]
pub struct Far {
    trends: [Trend; DISTANCES],
    /// How many of them, from the nearest, completed a bucket at the newest scrape.
    looked: usize,
}

impl Far {
    /// Nothing seen yet.
    pub fn new() -> Self {
        Far {
            trends: BUCKETS_S.map(|bucket_s| Trend::new(ROOM * bucket_s, Keep::Lowest)),
            looked: 0,
        }
    }

    /// Adds a value; true when there is something new to see. A bucket that is full goes on as one value to the
    /// next distance, so that a scrape costs the same however many there are.
    pub fn push(&mut self, t: f64, value: f64) -> bool {
        let mut next = Some((t, value));
        self.looked = 0;
        for trend in &mut self.trends {
            next = match next {
                Some((t, value)) if trend.push(t, value) => trend.buckets().next_back(),
                _ => break,
            };
            self.looked += 1;
        }
        self.looked > 0
    }

    /// Whether what is new shows a rise that is straight, and comes to enough for how fast it is.
    pub fn rises(&self, limit: f64) -> bool {
        let mut new = ENOUGH.iter().filter(|enough| enough.distance < self.looked);
        new.any(|enough| {
            let trend = &self.trends[enough.distance];
            let rise = even_rise(trend, enough.buckets, enough.adds_up * limit, STRAIGHT);
            rise.is_some_and(|rise| rise.share >= STEADY)
        })
    }

    /// Whether the newest `minutes` show a rise of more than `least` bytes each third of which has `third` of it.
    pub fn rises_evenly(&self, minutes: usize, least: f64, third: f64) -> bool {
        even_rise(&self.trends[0], minutes, least, third).is_some()
    }
}

/// The rise of the newest `buckets`, where it comes to more than `least` bytes, gives nothing back, and has at
/// least `third` of it in each third.
fn even_rise(trend: &Trend, buckets: usize, least: f64, third: f64) -> Option<Rise> {
    // What is not enough at its ends needs no look at what is between them, and without a look at the slopes
    // none at them.
    if trend.risen(buckets)? <= least {
        return None;
    }
    let outline = trend.outline(buckets)?;
    if outline.bytes <= least || outline.fallen >= FALLEN * outline.bytes {
        return None;
    }
    trend.rise(buckets).filter(|rise| {
        rise.bytes > least
            && rise.fallen < FALLEN * rise.bytes
            && rise.least_third > third * rise.bytes
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: f64 = 1e9;

    /// When it is first called a leak, minutes, within so many hours of scrapes.
    fn seen(hours: f64, share: impl Fn(f64) -> f64) -> Option<f64> {
        let mut far = Far::new();
        let mut minutes = (0..(hours * 240.0) as usize).map(|i| i as f64 / 4.0);
        minutes.find(|minute| {
            let looked = far.push(minute * 60.0, share(*minute) * LIMIT);
            looked && far.rises(LIMIT)
        })
    }

    #[test]
    fn the_faster_a_rise_is_the_more_it_must_come_to() {
        let come_to = |share_an_hour: f64| {
            let line = |minute: f64| 0.05 + share_an_hour * minute / 60.0;
            seen(20.0, line).map(|at| share_an_hour * at / 60.0)
        };
        // The limit in an hour, in three, in six and in a day.
        let all = [0.95, 0.3, 0.15, 0.04].map(|pace| come_to(pace).unwrap());
        assert!(all.windows(2).all(|pair| pair[0] > pair[1]), "{all:?}");
        assert!(all[0] < 0.4 && all[3] < 0.17, "{all:?}");
        // Two weeks are not seen from here.
        assert_eq!(come_to(0.003), None);
    }

    #[test]
    fn what_is_over_before_is_no_leak() {
        for (top, minutes) in [(0.85, 15.0), (0.25, 40.0), (0.14, 70.0), (0.11, 300.0)] {
            let fill = |minute: f64| 0.02 + top * (minute / minutes).min(1.0);
            assert_eq!(seen(12.0, fill), None, "{top} in {minutes} min");
        }
    }

    #[test]
    fn what_becomes_slower_gives_back_or_comes_in_jumps_is_no_leak() {
        for warm in [5.0, 15.0, 40.0, 90.0] {
            let warm_up = |minute: f64| 0.7 * (1.0 - (-minute / warm).exp());
            assert_eq!(seen(12.0, warm_up), None, "warms up in {warm} min");
        }
        for tooth in [10.0, 45.0, 120.0] {
            let saw = |minute: f64| 0.1 + 0.25 * (minute % tooth) / tooth;
            assert_eq!(seen(24.0, saw), None, "a tooth of {tooth} min");
        }
        let jumps = |minute: f64| 0.1 + 0.2 * (minute / 40.0).floor();
        assert_eq!(seen(2.0, jumps), None);
    }

    #[test]
    fn the_lowest_of_a_far_bucket_is_the_lowest_of_all_in_it() {
        let mut far = Far::new();
        let dips = |minute: f64| if minute % 7.0 < 0.25 { 1.0 } else { 2.0 };
        for i in 0..4000 {
            far.push(f64::from(i) * 15.0, dips(f64::from(i) / 4.0));
        }
        assert!(far.trends[2].buckets().all(|(_, lowest)| lowest == 1.0));
        let (t, _) = far.trends[2].buckets().next_back().unwrap();
        assert!((t - 4000.0 * 15.0).abs() < 1200.0, "{t}");
    }
}
