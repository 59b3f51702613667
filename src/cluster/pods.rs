//! Pods as `kubectl get pods -o json` prints them, cut down to what decides their fate.

use serde::Deserialize;

/// An answer of kubectl that can't be understood.
#[derive(Debug, thiserror::Error)]
#[error("kubectl's answer is not what was asked for: {0}; `kubectl get pods -o json` shows it")]
pub struct PodsError(#[from] serde_json::Error);

/// One pod of a Job.
#[derive(Debug, Clone, Default)]
pub struct Pod {
    /// Its name.
    pub name: String,
    /// The Job it belongs to.
    pub job: String,
    /// Its completion index.
    pub index: Option<usize>,
    /// When it was made (RFC 3339, which sorts as text).
    pub created: String,
    /// The scenarios in its command line.
    pub scenarios: Vec<String>,
    /// The node it was placed on.
    pub node: Option<String>,
    pub(super) phase: String,
    pub(super) reason: String,
    pub(super) message: String,
    /// (type, status, reason, message)
    pub(super) conditions: Vec<(String, String, String, String)>,
    pub(super) waiting: Option<(String, String)>,
    /// (exit code, reason)
    pub(super) terminated: Option<(i32, String)>,
}

#[derive(Deserialize)]
struct WireList {
    items: Vec<WirePod>,
}

#[derive(Deserialize)]
struct WirePod {
    metadata: WireMetadata,
    spec: WireSpec,
    #[serde(default)]
    status: WireStatus,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireMetadata {
    name: String,
    #[serde(default)]
    creation_timestamp: String,
    #[serde(default)]
    labels: std::collections::BTreeMap<String, String>,
    #[serde(default)]
    annotations: std::collections::BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireSpec {
    node_name: Option<String>,
    containers: Vec<WireContainer>,
}

#[derive(Deserialize)]
struct WireContainer {
    #[serde(default)]
    args: Vec<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct WireStatus {
    phase: String,
    reason: String,
    message: String,
    conditions: Vec<WireCondition>,
    container_statuses: Vec<WireContainerStatus>,
}

/// What Kubernetes says of a pod or a Job, one thing each.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct WireCondition {
    pub(super) r#type: String,
    pub(super) status: String,
    pub(super) reason: String,
    pub(super) message: String,
}

#[derive(Deserialize)]
struct WireContainerStatus {
    #[serde(default)]
    state: WireState,
}

#[derive(Deserialize, Default)]
struct WireState {
    waiting: Option<WireReason>,
    terminated: Option<WireTerminated>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct WireReason {
    reason: String,
    message: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct WireTerminated {
    exit_code: i32,
    reason: String,
}

/// Reads a list of pods.
///
/// # Errors
/// When it is not one.
pub fn parse_pods(json: &[u8]) -> Result<Vec<Pod>, PodsError> {
    let list: WireList = serde_json::from_slice(json)?;
    Ok(list.items.into_iter().map(Pod::from).collect())
}

impl From<WirePod> for Pod {
    fn from(pod: WirePod) -> Self {
        let labels = pod.metadata.labels;
        let label = |names: [&str; 2]| names.iter().find_map(|name| labels.get(*name)).cloned();
        let key = "batch.kubernetes.io/job-completion-index";
        let index = pod.metadata.annotations.get(key).or(labels.get(key));
        let args = pod.spec.containers.into_iter().next().map(|c| c.args);
        let named = |arg: &String| !arg.starts_with('-') && arg != "run";
        let state = pod.status.container_statuses.into_iter().next();
        let state = state.map(|status| status.state).unwrap_or_default();
        Pod {
            name: pod.metadata.name,
            job: label(["batch.kubernetes.io/job-name", "job-name"]).unwrap_or_default(),
            index: index.and_then(|text| text.parse().ok()),
            created: pod.metadata.creation_timestamp,
            scenarios: args.unwrap_or_default().into_iter().filter(named).collect(),
            node: pod.spec.node_name,
            phase: pod.status.phase,
            reason: pod.status.reason,
            message: pod.status.message,
            conditions: pod
                .status
                .conditions
                .into_iter()
                .map(|c| (c.r#type, c.status, c.reason, c.message))
                .collect(),
            waiting: state.waiting.map(|w| (w.reason, w.message)),
            terminated: state.terminated.map(|t| (t.exit_code, t.reason)),
        }
    }
}

impl Pod {
    /// The scenario it runs, if its command line tells.
    pub fn scenario(&self) -> Option<&str> {
        let count = self.scenarios.len();
        let number = self.index.unwrap_or(0).checked_rem(count)?;
        self.scenarios.get(number).map(String::as_str)
    }

    pub(super) fn condition(&self, kind: &str, status: &str) -> Option<(&str, &str)> {
        let mut conditions = self.conditions.iter();
        conditions
            .find(|c| c.0 == kind && c.1 == status)
            .map(|c| (c.2.as_str(), c.3.as_str()))
    }
}
