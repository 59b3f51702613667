//! One look at the Jobs and their pods: what is decided, and what still keeps the rest.

use std::time::Duration;

use super::fate::Fate;
use super::job::Job;
use super::kept::Snapshot;
use super::pods::Pod;

/// Characters of a line.
const LINE: usize = 200;
/// The Job controller waits this long before it tries a failed index again, and twice as long each
/// further time.
const BACKOFF: Duration = Duration::from_secs(10);
/// But no longer than this.
const BACKOFF_MAX: Duration = Duration::from_secs(600);

/// What one look has shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Look {
    /// A line about it.
    pub line: String,
    /// What has changed when it differs: kinds of trouble and numbers, never words.
    pub key: Vec<(String, usize, String, usize)>,
    /// Nothing more will come.
    pub done: bool,
    /// Nothing will change without somebody's help.
    pub stuck: bool,
    /// How long it may take until a failed index is tried again.
    pub backoff: Duration,
}

/// Whether an index has come to its end. The Job's own lists decide; a pod that succeeded is in them
/// a moment later, whatever becomes of the pod.
pub(super) fn is_decided(job: &Job, index: usize, pods: &[&Pod]) -> bool {
    job.completed.contains(index)
        || job.failed.contains(index)
        || pods.iter().any(|pod| Fate::of(pod) == Fate::Succeeded)
}

/// A Job's pods of one index, the oldest first.
pub(super) fn pods_of<'a>(pods: &'a [Pod], job: &str, index: usize) -> Vec<&'a Pod> {
    let mut of: Vec<&Pod> = pods
        .iter()
        .filter(|pod| pod.job == job && pod.index.unwrap_or(0) == index)
        .collect();
    of.sort_by_key(|pod| (&pod.created, &pod.name));
    of
}

impl Look {
    /// Takes a look.
    pub fn at(snapshot: &Snapshot) -> Look {
        let mut look = Look::default();
        let (mut decided, mut all) = (0, 0);
        let mut seen = Seen::default();
        let mut over = true;
        for job in &snapshot.jobs {
            let ended = job.over.is_some() || job.gone;
            let mut open = 0;
            let mut undecided = 0;
            for index in 0..job.completions {
                let pods = pods_of(&snapshot.pods, &job.name, index);
                if is_decided(job, index, &pods) {
                    decided += 1;
                    continue;
                }
                undecided += 1;
                let Some(newest) = pods.last() else { continue };
                let fate = Fate::of(newest);
                open += usize::from(!fate.is_over());
                seen.pod(job, index, &fate, pods.len(), ended);
            }
            all += job.completions;
            over &= undecided == 0 || (ended && open == 0);
            if open == 0 && undecided > 0 {
                seen.without_pods(job, ended);
            }
        }
        look.key = seen.key;
        look.key.push((String::new(), decided, String::new(), all));
        look.line = line(decided, all, &seen.told);
        look.done = over;
        look.stuck = !over && !seen.active && seen.waits;
        look.backoff = backoff(seen.tries);
        look
    }
}

/// What was seen of all Jobs.
#[derive(Default)]
struct Seen {
    key: Vec<(String, usize, String, usize)>,
    told: Vec<String>,
    /// Something runs, or is about to.
    active: bool,
    /// Something waits for somebody.
    waits: bool,
    tries: usize,
}

impl Seen {
    fn pod(&mut self, job: &Job, index: usize, fate: &Fate, tries: usize, ended: bool) {
        self.key
            .push((job.name.clone(), index, fate.kind().into(), tries));
        let active = matches!(fate, Fate::Running | Fate::Pending);
        self.active |= active && !ended;
        self.waits |= !fate.is_over();
        let name = job.scenario(index).unwrap_or("index");
        if !fate.is_over() {
            self.told.push(format!("{name} {fate}"));
        } else if !ended {
            self.tries = self.tries.max(tries);
            self.told
                .push(format!("{name} is to be tried again ({fate})"));
        }
    }

    fn without_pods(&mut self, job: &Job, ended: bool) {
        // None is there, and none comes: not even the Job's own word may come any more.
        self.waits = true;
        let Some(why) = job.hindrance().filter(|_| !ended) else {
            return;
        };
        let kind = match (job.deleting, job.suspended) {
            (true, _) => "deleting",
            (_, true) => "suspended",
            _ => "refused",
        };
        self.key.push((job.name.clone(), 0, kind.into(), 0));
        self.told.push(format!("{}: {why}", job.name));
    }
}

fn backoff(tries: usize) -> Duration {
    let Some(doublings) = tries.checked_sub(1) else {
        return Duration::ZERO;
    };
    let doublings = u32::try_from(doublings.min(16)).unwrap_or(16);
    BACKOFF.saturating_mul(1 << doublings).min(BACKOFF_MAX)
}

fn line(decided: usize, all: usize, told: &[String]) -> String {
    let mut line = format!("{decided} of {all} done");
    for (number, what) in told.iter().enumerate() {
        line.push_str(if number == 0 { "; " } else { ", " });
        line.push_str(what);
    }
    line
}

/// A line of progress as it is printed: one line, and no longer than a terminal can bear.
pub fn progress_line(line: &str) -> String {
    let line = format!("collect: {line}").replace(['\n', '\r'], " ");
    if line.chars().count() <= LINE {
        return line;
    }
    let cut: String = line.chars().take(LINE - 1).collect();
    cut + "…"
}

#[cfg(test)]
mod tests {
    use super::super::job::{Identity, Indexes};
    use super::*;

    fn job(completions: usize) -> Job {
        Job {
            name: "memtide".into(),
            identity: Identity::default(),
            completions,
            scenarios: vec!["log-write".into()],
            ..Job::default()
        }
    }

    fn pod(name: &str, phase: &str, change: impl Fn(&mut Pod)) -> Pod {
        let mut pod = Pod {
            name: name.into(),
            job: "memtide".into(),
            index: Some(0),
            phase: phase.into(),
            ..Pod::default()
        };
        change(&mut pod);
        pod
    }

    fn look(job: Job, pods: Vec<Pod>) -> Look {
        Look::at(&Snapshot {
            jobs: vec![job],
            pods,
        })
    }

    #[test]
    fn the_jobs_own_lists_decide_and_not_a_pods_end() {
        let failed = pod("a", "Failed", |p| p.deleting = true);
        let seen = look(job(1), vec![failed.clone()]);
        assert!(!seen.done, "{seen:?}");
        assert!(seen.line.contains("tried again"), "{}", seen.line);
        assert_eq!(seen.backoff, BACKOFF);
        let mut given_up = job(1);
        given_up.failed = Indexes::parse("0");
        assert!(look(given_up, vec![failed.clone()]).done);
        // A pod that is gone without having been seen at its end.
        let mut completed = job(1);
        completed.completed = Indexes::parse("0");
        assert!(look(completed, vec![pod("a", "Running", |p| p.gone = true)]).done);
        assert!(look(job(1), vec![failed, pod("b", "Succeeded", |_| ())]).done);
    }

    #[test]
    fn the_same_trouble_in_other_words_is_no_change() {
        let waiting = |reason: &str| {
            pod("a", "Pending", |p| {
                p.waiting = Some((reason.into(), "a long story ".repeat(40)))
            })
        };
        let one = look(job(1), vec![waiting("ErrImagePull")]);
        let two = look(job(1), vec![waiting("ImagePullBackOff")]);
        assert_eq!(one.key, two.key);
        assert_ne!(one.line, two.line);
        let printed = progress_line(&one.line);
        assert!(one.stuck && printed.chars().count() == LINE, "{printed}");
        assert!(!progress_line("a\nb").contains('\n'));
        let refused = |name: &str| {
            let mut job = job(1);
            job.refused = Some(format!("Error creating: pods \"{name}\" is forbidden"));
            look(job, Vec::new())
        };
        assert_eq!(refused("memtide-0-a").key, refused("memtide-0-b").key);
        assert!(refused("memtide-0-a").stuck);
    }

    #[test]
    fn who_runs_is_waited_for_and_who_has_ended_is_not() {
        let running = || pod("a", "Running", |_| ());
        assert!(!look(job(2), vec![running()]).stuck);
        let mut ended = job(2);
        ended.over = Some("Failed".into());
        // Its pods are taken down: what stays for ever is not waited for for ever.
        let seen = look(ended.clone(), vec![running()]);
        assert!(!seen.done && seen.stuck);
        assert!(look(ended, Vec::new()).done);
        let mut gone = job(2);
        gone.gone = true;
        assert!(look(gone, vec![pod("a", "Running", |p| p.gone = true)]).done);
        // Nothing there, and nothing comes.
        assert!(look(job(2), Vec::new()).stuck);
    }

    #[test]
    fn each_further_try_comes_later() {
        let waits: Vec<u64> = (0..9).map(|n| backoff(n).as_secs()).collect();
        assert_eq!(waits, [0, 10, 20, 40, 80, 160, 320, 600, 600]);
    }
}
