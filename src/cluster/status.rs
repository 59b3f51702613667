//! What a Job says of itself (`kubectl get job NAME -o json`), and why it has no pods (`kubectl get
//! events -o json`).

use serde::Deserialize;

use super::pods::{PodsError, WireCondition};

/// A Job's own word.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobStatus {
    /// How many completion indices it has.
    pub completions: usize,
    /// `Complete`, or `Failed (why)`, once it has come to its end: no more pods will be made.
    pub over: Option<String>,
    /// It waits for somebody to resume it.
    pub suspended: bool,
    /// Why no pod of it could be made.
    pub refused: Option<String>,
}

impl JobStatus {
    /// Why an index has no pod, in words.
    pub fn without_pod(&self) -> Option<String> {
        if let Some(why) = &self.refused {
            return Some(format!("no pod could be made: {why}"));
        }
        if self.suspended {
            return Some(
                "the Job is suspended; `kubectl patch job NAME -p '{\"spec\":{\"suspend\":false}}'` \
                 resumes it"
                    .into(),
            );
        }
        let over = self.over.as_ref()?;
        Some(format!("no pod was made before the Job ended: {over}"))
    }
}

#[derive(Deserialize)]
struct WireJob {
    spec: WireSpec,
    #[serde(default)]
    status: WireStatus,
}

#[derive(Deserialize)]
struct WireSpec {
    #[serde(default)]
    completions: usize,
    #[serde(default)]
    suspend: bool,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct WireStatus {
    conditions: Vec<WireCondition>,
}

/// Reads a Job.
///
/// # Errors
/// When it is not one.
pub fn parse_job(json: &[u8]) -> Result<JobStatus, PodsError> {
    let job: WireJob = serde_json::from_slice(json)?;
    let mut conditions = job.status.conditions.into_iter();
    let over =
        conditions.find(|c| c.status == "True" && matches!(&*c.r#type, "Complete" | "Failed"));
    Ok(JobStatus {
        completions: job.spec.completions,
        suspended: job.spec.suspend,
        over: over.map(|c| match &*c.r#type {
            "Failed" => format!("Failed ({}: {})", c.reason, c.message),
            kind => kind.to_string(),
        }),
        refused: None,
    })
}

#[derive(Deserialize)]
struct WireEvents {
    items: Vec<WireEvent>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct WireEvent {
    reason: String,
    message: String,
}

/// Why a Job's pods can't be made: the newest `FailedCreate` of its events, if there is one.
///
/// # Errors
/// When this is no list of events.
pub fn parse_refusal(json: &[u8]) -> Result<Option<String>, PodsError> {
    let events: WireEvents = serde_json::from_slice(json)?;
    let mut events = events.items.into_iter().rev();
    Ok(events
        .find(|e| e.reason == "FailedCreate")
        .map(|e| e.message))
}
