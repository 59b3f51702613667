//! Scenarios without a file: one command to record, or a cgroup to look at.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::scenario::{
    Actor, Class, Condition, Container, Says, Scenario, Serving, Step, StepRef, Truth,
};
use crate::workload::{Exec, Serve, Workload};

/// One command under a limit, however long it takes.
pub fn command(command: &[String], limit: u64, interval: Duration) -> Scenario {
    let step = Step {
        name: "run".into(),
        say: command.join(" "),
        after: Vec::new(),
        workload: Workload::Exec(Exec {
            command: command.to_vec(),
            ..Exec::default()
        }),
        when: Condition::default(),
        serving: None,
    };
    let actor = Actor {
        name: "command".into(),
        outside: false,
        cpu: None,
        steps: vec![step],
    };
    bare(&command.join(" "), "app", limit, interval, vec![actor])
}

/// A service under a limit, and the load that it serves.
#[derive(Debug, Clone)]
pub struct Service {
    /// The service's program and arguments.
    pub command: Vec<String>,
    /// Where both run, and where what is asked is looked for.
    pub folder: PathBuf,
    /// The load's, run outside of the service's cgroup; with its end the service ends.
    pub load: Vec<String>,
    /// Variables of both.
    pub env: Vec<(String, String)>,
    /// Whose rights the service has; memtide's own if there is none.
    pub user: Option<String>,
    /// The text of its output after which it is ready.
    pub line: Option<String>,
    /// The port on which it listens when it is ready.
    pub port: Option<String>,
    /// The command that succeeds when it is ready.
    pub ready: Vec<String>,
    /// The longest it may take to be ready.
    pub within: Duration,
    /// What it says of its own memory.
    pub says: Vec<Says>,
    /// The number of the signal that stops it.
    pub stop_signal: i32,
    /// The longest it may take to stop.
    pub stop_within: Duration,
    /// A file that is there already and takes what the service prints, as an absolute path.
    pub output: Option<PathBuf>,
}

/// The step of a service's load.
pub const LOAD: &str = "load";

/// A service in a container of its own, however long its load takes.
pub fn service(service: Service, limit: u64, interval: Duration) -> Scenario {
    let exec = |command: Vec<String>, user| Exec {
        command,
        folder: Some(service.folder.clone()),
        env: service.env.clone(),
        user,
        ..Exec::default()
    };
    let name = service.command.join(" ");
    let load = Step {
        name: LOAD.into(),
        say: service.load.join(" "),
        after: vec![StepRef {
            container: 0,
            actor: 0,
            step: 0,
        }],
        workload: Workload::Exec(exec(service.load.clone(), None)),
        when: Condition::default(),
        serving: None,
    };
    let serve = Step {
        name: "serve".into(),
        say: name.clone(),
        after: Vec::new(),
        workload: Workload::Serve(Serve {
            run: exec(service.command.clone(), service.user.clone()),
            line: service.line,
            stop_signal: service.stop_signal,
            stop_ms: u64::try_from(service.stop_within.as_millis()).unwrap_or(u64::MAX),
            output: service.output,
        }),
        when: Condition::default(),
        serving: Some(Serving {
            until: Vec::new(),
            alone: true,
            port: service.port,
            command: service.ready,
            within: service.within,
            says: service.says,
        }),
    };
    let actor = |name: &str, outside, step| Actor {
        name: name.into(),
        outside,
        cpu: None,
        steps: vec![step],
    };
    let actors = vec![actor("service", false, serve), actor(LOAD, true, load)];
    bare(&name, "app", limit, interval, actors)
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
            need: None,
            why: String::new(),
        },
        expectations: Vec::new(),
        outcomes: Vec::new(),
        requires: Vec::new(),
        text: String::new(),
    }
}
