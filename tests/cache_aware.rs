//! `cache-aware` beats every other built-in detector on the shipped recordings, uses only what a
//! scrape of cAdvisor has, and is as good on containers of other sizes, rates and limits: modelled
//! ones drawn from a seed, and real ones run here.

mod common;
#[path = "support/synthetic.rs"]
mod synthetic;

use memtide::detector::{self, BUILT_IN};
use memtide::judge::corpus::{Case, Corpus};
use memtide::judge::feed::Scraping;
use memtide::judge::kind::Kind;
use memtide::judge::panel::{Candidate, judge};
use memtide::judge::realism::Realism;
use memtide::judge::scorecard::{DetectorCard, Scorecard};
use memtide::judge::truth::{Truth, oom_kill};
use memtide::recording::Recording;
use memtide::rows::CgroupVersion;
use memtide::scenario::Class;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use synthetic::{MIB, Model};

fn scored(corpus: &Corpus, scraping: &Scraping) -> Scorecard {
    let all: Vec<Candidate> = BUILT_IN.iter().map(Candidate::BuiltIn).collect();
    judge(&all, corpus, scraping, 2, &|_| {}).unwrap()
}

/// F1 of `cache-aware`, and the best of all others with its name.
fn f1(card: &Scorecard) -> (f64, f64, &str) {
    let of = |name: &str| card.detectors.iter().find(|d| d.detector == name).unwrap();
    let others = card
        .detectors
        .iter()
        .filter(|d| d.detector != "cache-aware");
    let best = others
        .max_by(|a, b| a.totals.f1.total_cmp(&b.totals.f1))
        .unwrap();
    (of("cache-aware").totals.f1, best.totals.f1, &best.detector)
}

fn beats_all(card: &Scorecard, what: &str) {
    let (own, best, name) = f1(card);
    println!("{what}: cache-aware {own:.2}, next best {name} {best:.2}");
    assert!(own > best, "{what}: cache-aware {own:.2}, {name} {best:.2}");
}

#[test]
fn it_beats_all_others_on_the_shipped_recordings() {
    let mut corpus = Corpus::default();
    corpus.add_shipped(&|_, _| true);
    assert!(corpus.skipped.is_empty(), "{:?}", corpus.skipped);
    beats_all(&scored(&corpus, &Scraping::default()), "shipped");
    let scraping = Scraping {
        realism: Some(Realism::usual(1)),
        ..Scraping::default()
    };
    beats_all(&scored(&corpus, &scraping), "shipped, realism seed 1");
}

#[test]
fn it_reads_only_what_a_scrape_has_and_says_what() {
    let metrics: Vec<_> = detector::by_name("cache-aware").unwrap().reads.to_vec();
    let mut corpus = Corpus::default();
    corpus.add_shipped(&|setup, _| setup == "6.1-v2");
    // With all other metrics taken away its answers are the same.
    let feeds = |strip: bool| -> Vec<_> {
        corpus
            .cases
            .iter()
            .map(|case| {
                let mut feed = memtide::judge::feed::Feed::new(
                    &case.recording,
                    &Scraping::default(),
                    &case.name,
                );
                for reading in feed.rounds.iter_mut().flat_map(|r| &mut r.got).flatten() {
                    let mut kept = memtide::export::Reading::default();
                    for metric in &metrics {
                        kept.set(*metric, reading.1.get(*metric));
                    }
                    if strip {
                        reading.1 = kept;
                    }
                }
                memtide::judge::builtin::run(&detector::by_name("cache-aware").unwrap().new, &feed)
            })
            .collect()
    };
    assert_eq!(feeds(true), feeds(false));
}

/// Draws containers of all kinds: sizes, rates, limits and cgroup versions vary.
fn drawn(seed: u64) -> Corpus {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut corpus = Corpus::default();
    for i in 0..40 {
        let version = if rng.random_bool(0.5) {
            CgroupVersion::V1
        } else {
            CgroupVersion::V2
        };
        let limit = rng.random_range(96.0..4096.0) * MIB;
        let mut model = Model::new(version, limit, 50);
        let heap = rng.random_range(0.1..0.3) * limit;
        model.pass(rng.random_range(0.1..1.0), |m, _| {
            m.anon = m.anon.max(heap / 2.0) + heap / 40.0
        });
        model.memory.anon = heap;
        model.pass(rng.random_range(0.5..3.0), |_, _| {});
        let onset = model.now_ns();
        let class = kind(i % 10, &mut model, &mut rng);
        let fire = matches!(class, Class::Leak | Class::OomAhead);
        let recording = model.finish(300.0);
        corpus.cases.push(case(
            format!("drawn-{seed}-{i}"),
            recording,
            class,
            fire,
            onset,
        ));
    }
    corpus
}

fn case(name: String, recording: Recording, class: Class, fire: bool, onset_ns: u64) -> Case {
    Case {
        setup: "drawn".into(),
        scenario: format!("{class}"),
        kind: Kind::Own,
        truth: Truth {
            class,
            fire,
            onset_ns,
            oom_ns: oom_kill(&recording),
            why: String::new(),
            time_scale: None,
        },
        name,
        recording,
        need: None,
    }
}

/// Lets the memory of one kind come; gives its class.
fn kind(which: usize, model: &mut Model, rng: &mut Xoshiro256PlusPlus) -> Class {
    let limit = model.limit();
    let rate = rng.random_range(0.04..0.25) * limit;
    match which {
        0 => {
            model.pass(60.0, |m, dt| m.anon += rate * dt);
            Class::Leak
        }
        1 => {
            // Below log traffic that fills what is left, on the active list or not.
            let active = rng.random_bool(0.5);
            model.pass(60.0, |m, dt| {
                let cache = if active {
                    &mut m.active_file
                } else {
                    &mut m.inactive_file
                };
                *cache += 2.0 * rate * dt;
                m.anon += rate * dt;
            });
            Class::Leak
        }
        2 => {
            // Slow: the limit in two hours or more, at 300 s a recorded second; seen long before.
            let slow = rng.random_range(0.015..0.04) * limit;
            model.pass(14.0, |m, dt| m.anon += slow * dt);
            Class::Leak
        }
        3 => {
            let active = rng.random_bool(0.7);
            model.pass(12.0, |m, dt| {
                let cache = if active {
                    &mut m.active_file
                } else {
                    &mut m.inactive_file
                };
                *cache += rate * dt;
            });
            Class::PageCache
        }
        4 => {
            let freed = rng.random_range(0.4..0.6) * limit;
            model.pass(1.0, |m, dt| m.anon += freed * dt);
            model.pass(0.1, |m, _| {
                m.lazy += m.anon / 2.0;
                m.anon /= 2.0;
            });
            model.pass(2.0, |_, _| {});
            let left = 0.75 * limit - model.memory.anon;
            model.pass(3.0, |m, dt| m.anon += left / 3.0 * dt);
            model.pass(2.0, |_, _| {});
            Class::LazyFree
        }
        5 => {
            let filled = rng.random_range(0.3..0.45) * limit;
            model.pass(2.0, |m, dt| m.shmem += filled / 2.0 * dt);
            model.pass(4.0, |_, _| {});
            Class::Tmpfs
        }
        6 => {
            let filled = rng.random_range(0.3..0.6) * limit;
            model.pass(2.0, |m, dt| m.kernel += filled / 2.0 * dt);
            model.pass(4.0, |_, _| {});
            Class::KernelSlab
        }
        7 => {
            let huge = rng.random_range(0.3..0.5) * limit;
            model.pass(1.0, |m, dt| m.anon += huge * dt);
            model.pass(0.05, |m, _| {
                m.hidden += 0.95 * huge;
                m.anon -= 0.95 * huge;
            });
            model.pass(3.0, |_, _| {});
            Class::Thp
        }
        8 => {
            let top = rng.random_range(0.45..0.7) * limit - model.memory.anon;
            model.pass(3.0, |m, dt| m.anon += top / 3.0 * dt);
            model.pass(6.0, |_, _| {});
            Class::Healthy
        }
        _ => {
            let (base, tooth) = (model.memory.anon, rng.random_range(0.2..0.4) * limit);
            let period = rng.random_range(0.7..2.0);
            let mut t = 0.0;
            model.pass(10.0, |m, dt| {
                t += dt;
                m.anon = base + tooth * (t % period) / period;
            });
            Class::Healthy
        }
    }
}

#[test]
fn it_is_as_good_on_other_sizes_rates_and_limits() {
    for seed in 11..=12 {
        let corpus = drawn(seed);
        let card = scored(&corpus, &Scraping::default());
        beats_all(&card, &format!("drawn with seed {seed}"));
        let own = card
            .detectors
            .iter()
            .find(|d| d.detector == "cache-aware")
            .unwrap();
        for row in own.rows.iter().filter(|r| !r.verdict.is_right()) {
            println!(
                "{} {}: {:?} at {:?} {:?}",
                row.recording, row.class, row.verdict, row.fired_at_s, row.expected
            );
        }
        // Nine in ten: the drawn leaks may be over before three minutes of rise were seen.
        assert!(own.totals.f1 >= 0.9, "seed {seed}: {:?}", own.totals);
        let named = own.rows.iter().filter(|r| r.said == Some(r.class)).count();
        assert!(
            named * 10 >= own.rows.len() * 9,
            "seed {seed}: {:?}",
            own.confusion
        );
    }
}

/// Other limits and seeds than those that were shipped, on the kernel that runs this test. Others may have one right verdict
/// more: whether a scrape lies between the reuse and the kill of `free-then-reuse` is chance, and nobody else sees it
/// at all. `startup-ramp` is a leak here to whoever fires within half an hour, and `leak-slow` is over within three quarters of one.
#[test]
fn it_is_as_good_on_fresh_runs_of_this_kernel() {
    if !common::can_manage("cache-aware on fresh runs") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut corpus = Corpus::default();
    let small = [
        "leak",
        "leak-slow",
        "log-read-twice",
        "steady",
        "free-then-reuse",
        "arena-ratchet",
    ];
    let large = [
        "leak",
        "leak-slow",
        "leak-under-cache",
        "startup-ramp",
        "arena-ratchet",
        "gc-sawtooth",
        "release-free",
        "tmpfs-fill",
    ];
    for (limit, seed, scenarios) in [("192MiB", "7", &small[..]), ("352MiB", "8", &large)] {
        let out = dir.path().join(limit);
        let run = common::memtide()
            .arg("run")
            .args(scenarios)
            .args(["--limit", limit, "--seed", seed, "--out"])
            .arg(&out)
            .output()
            .unwrap();
        // Expectations are the other tests' matter; the recordings are there either way.
        let said = String::from_utf8_lossy(&run.stderr).into_owned();
        corpus
            .add_path(&out)
            .unwrap_or_else(|e| panic!("{e}: {said}"));
    }
    assert!(
        corpus.cases.len() >= 12,
        "{} runs, skipped {:?}",
        corpus.cases.len(),
        corpus.skipped
    );
    let card = scored(&corpus, &Scraping::default());
    let own = card
        .detectors
        .iter()
        .find(|d| d.detector == "cache-aware")
        .unwrap();
    for row in &own.rows {
        println!(
            "{}: {:?} at {:?}, {:?}",
            row.recording, row.verdict, row.fired_at_s, row.expected
        );
    }
    let right = |d: &DetectorCard| d.rows.iter().filter(|row| row.verdict.is_right()).count();
    let best = card.detectors.iter().max_by_key(|d| right(d)).unwrap();
    let (own, most) = (right(own), right(best));
    println!("right on fresh runs: {own}, {} {most}", best.detector);
    assert!(own + 1 >= most, "{own} right, {} {most}", best.detector);
}
