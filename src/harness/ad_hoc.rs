//! Scenarios without a file: one command to record, or a cgroup to look at.

use std::path::Path;
use std::time::Duration;

use crate::scenario::{Actor, Class, Condition, Container, Scenario, Step, Truth};
use crate::workload::{Exec, Workload};

/// One command under a limit, however long it takes.
pub fn command(command: &[String], limit: u64, interval: Duration) -> Scenario {
    let step = Step {
        name: "run".into(),
        say: command.join(" "),
        after: Vec::new(),
        workload: Workload::Exec(Exec {
            files: Vec::new(),
            command: command.to_vec(),
            env: Vec::new(),
            duration_ms: None,
        }),
        when: Condition::default(),
    };
    let actor = Actor {
        name: "command".into(),
        steps: vec![step],
    };
    bare(&command.join(" "), "app", limit, interval, vec![actor])
}

/// A cgroup in which others work.
pub fn watch(path: &Path, interval: Duration) -> Scenario {
    let name = path
        .file_name()
        .map_or("/".into(), |name| name.to_string_lossy());
    bare(
        &path.display().to_string(),
        &name,
        u64::MAX,
        interval,
        Vec::new(),
    )
}

fn bare(
    name: &str,
    container: &str,
    limit: u64,
    interval: Duration,
    actors: Vec<Actor>,
) -> Scenario {
    Scenario {
        name: name.into(),
        title: String::new(),
        story: String::new(),
        tags: Vec::new(),
        seed: 0,
        interval,
        time_scale: 1.0,
        deadline: Duration::MAX,
        pod_limit: None,
        containers: vec![Container {
            name: container.into(),
            limit,
            high: None,
            restart: None,
            actors,
        }],
        truth: Truth {
            class: Class::Healthy,
            fire: false,
            onset: None,
            why: String::new(),
        },
        expectations: Vec::new(),
        outcomes: Vec::new(),
        requires: Vec::new(),
        text: String::new(),
    }
}
