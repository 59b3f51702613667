//! The model on the recorded progress of the workers: the time axis drops out, and what is left to be
//! predicted is the kernel.

use memtide::detector::BUILT_IN;
use memtide::judge::feed::{Feed, Scraping};
use memtide::judge::verdict::{Judgement, Window, judge};
use memtide::judge::{builtin, truth};
use memtide::model::{self, card};
use memtide::recording::{EventKind, Recording};
use memtide::shipped::Shipped;
use memtide::workload::Workload;

use super::{Case, EXCEPTIONS, VALUES, cases, naive, page, share};

/// How many values at samples are within 1 % of the limit, of how many.
#[derive(Debug, Default, Clone, Copy)]
struct Samples {
    near: usize,
    all: usize,
}

impl Samples {
    fn add(&mut self, other: Samples) {
        self.near += other.near;
        self.all += other.all;
    }

    fn share(&self) -> f64 {
        share(self.all - self.near, self.all)
    }
}

/// Whether a step is one call, or many of which no truth tells how far they were.
fn is_one_call(work: &Workload) -> bool {
    matches!(
        work,
        Workload::Release(_)
            | Workload::ThpRelease(_)
            | Workload::Unlink(_)
            | Workload::Fadvise(_)
            | Workload::TmpfsRemove(_)
            | Workload::Reclaim(_)
            | Workload::RestartContainer(_)
            | Workload::CgroupChurn(_)
    )
}

/// While such steps ran, nanoseconds, and around OOM kills, while a process is torn down: nothing says how
/// far the kernel was, so that no sample of these times is compared.
fn one_calls(case: &Case) -> Vec<(u64, u64)> {
    let mut spans = Vec::new();
    let mut begun = Vec::new();
    let mut kill = None;
    let interval = case.real.header.interval_ns;
    for event in &case.real.events {
        match &event.kind {
            EventKind::Kernel { what, .. } if what.ends_with("oom_kill") => kill = Some(event.t),
            EventKind::ActorExit {
                oom_killed: true, ..
            } => {
                let from = kill.unwrap_or(event.t).min(event.t);
                spans.push((
                    from.saturating_sub(2 * interval),
                    event.t.max(kill.unwrap_or(0)) + interval,
                ));
            }
            EventKind::StepStart(id) => begun.push((id, event.t)),
            EventKind::StepEnd(end) => {
                let container = case
                    .scenario
                    .containers
                    .iter()
                    .find(|c| c.name == end.id.container);
                let actor =
                    container.and_then(|c| c.actors.iter().find(|a| a.name == end.id.actor));
                let step = actor.and_then(|actor| actor.steps.get(end.id.index));
                let start = begun.iter().rfind(|(id, _)| **id == end.id);
                if let (Some(step), Some((_, start))) = (step, start)
                    && is_one_call(&step.workload)
                {
                    spans.push((*start, end.work_done));
                }
            }
            _ => {}
        }
    }
    spans
}

fn compare(case: &Case, model: &Recording) -> Samples {
    let real = &case.real;
    let spans = one_calls(case);
    let mut samples = Samples::default();
    let default = real.header.groups[real.main_group()].limit;
    for (group, table) in real.tables.iter().enumerate() {
        let limit = real.header.groups[group]
            .limit
            .or(default)
            .unwrap_or(256 << 20) as f64;
        let (of_real, of_model) = (real.view_index(group), model.view_index(group));
        for sample in 0..model.tables[group].len().min(table.len()) {
            let t = table.t[sample];
            // Groups are sampled one after the other, a few milliseconds apart under emulation.
            let near = real.header.interval_ns / 4;
            if spans
                .iter()
                .any(|(start, end)| t + near >= *start && t <= end + near)
            {
                continue;
            }
            let real = real.view(group, &of_real, sample);
            let model = model.view(group, &of_model, sample);
            for (_, value) in VALUES {
                let Some(want) = value(&real) else {
                    continue;
                };
                samples.all += 1;
                let got = value(&model).map_or(f64::INFINITY, |got| (got - want) as f64);
                samples.near += usize::from(got.abs() <= limit / 100.0);
            }
        }
    }
    samples
}

/// The model of a case along its recording; none if it can't do it.
fn along(case: &Case) -> Option<Recording> {
    let card = card::find(case.shipped.setup).expect("each set-up has a card");
    model::follow(&case.scenario, &card, &case.real).ok()
}

#[test]
fn samples_on_recorded_progress_are_the_kernels() {
    let (mut all, mut simple, mut excepted) = <(Samples, Samples, Samples)>::default();
    let mut used = vec![false; EXCEPTIONS.samples.len()];
    let mut unexplained = Vec::new();
    for case in cases() {
        let Some(model) = along(case) else {
            continue;
        };
        let samples = compare(case, &model);
        all.add(samples);
        simple.add(compare(case, &naive::of(&case.real, &model)));
        let known = EXCEPTIONS.samples.iter();
        let known = known.clone().position(|e| e.is_of(case.shipped, ""));
        if known.is_some() {
            excepted.add(samples);
        }
        if samples.share() >= 98.5 {
            continue;
        }
        match known {
            Some(known) => used[known] = true,
            None => unexplained.push(format!(
                "{}/{}: {:.2} % of {} values",
                case.shipped.setup,
                case.shipped.scenario,
                samples.share(),
                samples.all
            )),
        }
    }
    let rest = Samples {
        near: all.near - excepted.near,
        all: all.all - excepted.all,
    };
    let line = format!(
        "{} values at samples on recorded progress: {:.2} % within 1 % of the limit, {:.2} % of the {} without a listed reason; the naive twin {:.2} %",
        all.all,
        all.share(),
        rest.share(),
        rest.all,
        simple.share()
    );
    println!("{line}");
    unexplained.iter().for_each(|text| println!("{text}"));
    assert_eq!(unexplained, Vec::<String>::new(), "recordings below 98.5 %");
    for (exception, used) in EXCEPTIONS.samples.iter().zip(used) {
        assert!(used, "this exception no longer occurs: {exception:?}");
        assert!(exception.why.len() > 20, "{exception:?}");
    }
    assert!(rest.share() >= 99.5, "{line}");
    page::hold("samples", &format!("> {line}"));
}

/// What each detector that can be judged makes of a recording, by name.
fn verdicts(
    shipped: &Shipped,
    real: &Recording,
    shown: &Recording,
    case: &Case,
) -> Vec<(&'static str, Judgement)> {
    let Ok(truth) = truth::from_scenario(&case.scenario, real) else {
        return Vec::new();
    };
    let feed = Feed::new(shown, &Scraping::default(), shipped.scenario);
    let window = Window::new(&truth, feed.pages.time_scale(), feed.pages.end());
    BUILT_IN
        .iter()
        .map(|detector| {
            (
                detector.name,
                judge(&window, &builtin::answer(detector, &feed)),
            )
        })
        .collect()
}

/// How many verdicts differ on a prediction, and of how many that can be judged on it.
pub fn verdicts_that_differ(case: &Case, shown: &Recording) -> (usize, usize) {
    let real = verdicts(case.shipped, &case.real, &case.real, case);
    let shown = verdicts(case.shipped, &case.real, shown, case);
    let judged = real.into_iter().zip(shown);
    let judged: Vec<_> = judged
        .filter(|(_, shown)| shown.1 != Judgement::NotJudged)
        .collect();
    let off = judged
        .iter()
        .filter(|(real, shown)| real.1 != shown.1)
        .count();
    (off, judged.len())
}

#[test]
fn verdicts_on_recorded_progress_are_those_on_the_kernel() {
    let (mut all, mut same, mut simple) = (0, 0, 0);
    let mut used = vec![false; EXCEPTIONS.verdict.len()];
    let mut unexplained = Vec::new();
    for case in cases() {
        let Some(model) = along(case) else {
            continue;
        };
        let shipped = case.shipped;
        let real = verdicts(shipped, &case.real, &case.real, case);
        let of_model = verdicts(shipped, &case.real, &model, case);
        let of_naive = verdicts(shipped, &case.real, &naive::of(&case.real, &model), case);
        for ((real, model), naive) in real.into_iter().zip(of_model).zip(of_naive) {
            // The model has none of its metrics.
            if model.1 == Judgement::NotJudged {
                continue;
            }
            all += 1;
            simple += usize::from(real.1 == naive.1);
            if real.1 == model.1 {
                same += 1;
                continue;
            }
            let mut known = EXCEPTIONS.verdict.iter();
            match known.position(|e| e.is_of(shipped, real.0)) {
                Some(known) => used[known] = true,
                None => unexplained.push(format!(
                    "{}/{} {}: {} on the kernel, {} in the model",
                    shipped.setup,
                    shipped.scenario,
                    real.0,
                    real.1.words(),
                    model.1.words()
                )),
            }
        }
    }
    let line = format!(
        "{all} verdicts on recorded progress: {:.2} % the same; with the naive twin {:.2} %",
        share(all - same, all),
        share(all - simple, all)
    );
    println!("{line}");
    unexplained.iter().for_each(|text| println!("{text}"));
    assert_eq!(
        unexplained,
        Vec::<String>::new(),
        "verdicts that differ without a reason"
    );
    for (exception, used) in EXCEPTIONS.verdict.iter().zip(used) {
        assert!(used, "this exception no longer occurs: {exception:?}");
        assert!(exception.why.len() > 20, "{exception:?}");
    }
    assert!(share(all - same, all) >= 99.0, "{line}");
    page::hold("verdicts", &format!("> {line}"));
}
