//! Pods as the API has them, cut down to what decides their fate.

use serde_json::Value;

use super::object::{ObjectError, filled, items, ours, scenario_of, scenarios, text};

/// One pod of a Job.
#[derive(Debug, Clone, Default)]
pub struct Pod {
    /// Its name.
    pub name: String,
    /// Its own UID.
    pub uid: Option<String>,
    /// The Job it belongs to.
    pub job: String,
    /// That Job's UID: of the Jobs that had this name, the one that made the pod.
    pub owner: Option<String>,
    /// Its completion index.
    pub index: Option<usize>,
    /// When it was made (RFC 3339, which sorts as text).
    pub created: String,
    /// The scenarios in its command line.
    pub scenarios: Vec<String>,
    /// The node it was placed on.
    pub node: Option<String>,
    /// Why it does not start, from its events.
    pub hindrance: Option<String>,
    /// It was deleted while it had not come to its end: no later answer has it.
    pub gone: bool,
    pub(super) phase: String,
    pub(super) reason: String,
    pub(super) message: String,
    /// Somebody asked for its deletion.
    pub(super) deleting: bool,
    /// (type, status, reason, message)
    pub(super) conditions: Vec<(String, String, String, String)>,
    pub(super) waiting: Option<(String, String)>,
    pub(super) terminated: Option<Terminated>,
    /// How its container ended before it was started again.
    pub(super) before: Option<Terminated>,
    /// The init container that keeps it from beginning, or has ended it.
    pub(super) init: Option<Init>,
}

/// An init container that does not let the others begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Init {
    pub(super) name: String,
    pub(super) waiting: Option<(String, String)>,
    pub(super) terminated: Option<Terminated>,
}

/// How a container ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Terminated {
    pub(super) code: i32,
    pub(super) reason: String,
    pub(super) message: String,
}

/// The mark on a kept pod that was deleted before its end.
pub(super) const GONE: &str = "memtideGone";

/// Reads a list of pods.
///
/// # Errors
/// When it is not one.
pub fn parse_pods(json: &[u8]) -> Result<Vec<Pod>, ObjectError> {
    let items = items(json, "list of pods")?;
    items.iter().map(Pod::read).collect()
}

impl Pod {
    fn read(pod: &Value) -> Result<Pod, ObjectError> {
        let metadata = &pod["metadata"];
        let name = filled(&metadata["name"]).ok_or(ObjectError::Other("list of pods"))?;
        let labels = &metadata["labels"];
        let label = |names: [&str; 2]| names.iter().find_map(|n| filled(&labels[n]));
        let owners = metadata["ownerReferences"].as_array().into_iter().flatten();
        let owner = owners
            .filter(|o| o["kind"] == "Job")
            .find_map(|o| filled(&o["uid"]));
        let owner =
            owner.or_else(|| label(["batch.kubernetes.io/controller-uid", "controller-uid"]));
        let key = "batch.kubernetes.io/job-completion-index";
        let index = filled(&metadata["annotations"][key]).or_else(|| filled(&labels[key]));
        let status = &pod["status"];
        let containers = status["containerStatuses"].as_array();
        let container = ours(containers.map(Vec::as_slice).unwrap_or_default());
        let state = container.map_or(&Value::Null, |c| &c["state"]);
        Ok(Pod {
            name,
            uid: filled(&metadata["uid"]),
            job: label(["batch.kubernetes.io/job-name", "job-name"]).unwrap_or_default(),
            owner,
            index: index.and_then(|text| text.parse().ok()),
            created: text(&metadata["creationTimestamp"]),
            scenarios: scenarios(&pod["spec"]),
            node: filled(&pod["spec"]["nodeName"]),
            hindrance: None,
            gone: pod[GONE] == true,
            phase: text(&status["phase"]),
            reason: text(&status["reason"]),
            message: text(&status["message"]),
            deleting: filled(&metadata["deletionTimestamp"]).is_some(),
            conditions: conditions(status),
            waiting: waiting(state),
            terminated: Terminated::read(&state["terminated"]),
            before: container.and_then(|c| Terminated::read(&c["lastState"]["terminated"])),
            init: init(status),
        })
    }

    /// The scenario it runs, if its command line tells.
    pub fn scenario(&self) -> Option<&str> {
        scenario_of(&self.scenarios, self.index.unwrap_or(0))
    }

    pub(super) fn condition(&self, kind: &str, status: &str) -> Option<(&str, &str)> {
        let mut conditions = self.conditions.iter();
        conditions
            .find(|c| c.0 == kind && c.1 == status)
            .map(|c| (c.2.as_str(), c.3.as_str()))
    }

    /// Whether it was made by a Job with this UID, as far as it tells.
    pub(super) fn is_of(&self, job_uid: Option<&str>) -> bool {
        match (self.owner.as_deref(), job_uid) {
            (Some(owner), Some(uid)) => owner == uid,
            _ => true,
        }
    }
}

/// (type, status, reason, message) of a pod or a Job.
pub(super) fn conditions(status: &Value) -> Vec<(String, String, String, String)> {
    let all = status["conditions"].as_array().into_iter().flatten();
    all.map(|c| {
        let [kind, status, reason, message] =
            ["type", "status", "reason", "message"].map(|key| text(&c[key]));
        (kind, status, reason, message)
    })
    .collect()
}

/// (reason, message) of a container that waits.
fn waiting(state: &Value) -> Option<(String, String)> {
    let waiting = &state["waiting"];
    let told = || (text(&waiting["reason"]), text(&waiting["message"]));
    waiting.is_object().then(told)
}

/// The first init container that has not ended well and does not run.
fn init(status: &Value) -> Option<Init> {
    let all = status["initContainerStatuses"].as_array()?;
    all.iter().find_map(|container| {
        let state = &container["state"];
        let waiting = waiting(state).filter(|(reason, _)| reason != "PodInitializing");
        let terminated = Terminated::read(&state["terminated"]).filter(|ended| ended.code != 0);
        (waiting.is_some() || terminated.is_some()).then(|| Init {
            name: text(&container["name"]),
            waiting,
            terminated,
        })
    })
}

impl Terminated {
    fn read(state: &Value) -> Option<Terminated> {
        let code = state["exitCode"].as_i64()?;
        Some(Terminated {
            // Exit codes have eight bits.
            code: i32::try_from(code).unwrap_or(i32::MAX),
            reason: text(&state["reason"]),
            message: text(&state["message"]),
        })
    }
}
