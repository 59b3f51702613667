//! A Job's own word: which indexes it has completed, which it has given up.

use serde_json::Value;

use super::object::{ObjectError, filled, number, parse, picks, scenario_of, scenarios, text};
use super::pods::conditions;

/// A Job's own word.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Job {
    /// Its name.
    pub name: String,
    /// Which of all Jobs that ever had this name it is.
    pub identity: Identity,
    /// How many completion indexes it has.
    pub completions: usize,
    /// Its pods have no indexes, and there may be several of them.
    pub unindexed: bool,
    /// The scenarios of its template.
    pub scenarios: Vec<String>,
    /// Each of its pods runs one of them, by its index.
    pub picks: bool,
    /// The indexes that have succeeded.
    pub completed: Indexes,
    /// The indexes that are not tried again.
    pub failed: Indexes,
    /// `Complete`, or `Failed (why)`, once it has come to its end: no more pods will be made.
    pub over: Option<String>,
    /// It waits for somebody to resume it.
    pub suspended: bool,
    /// It is being deleted, with its pods.
    pub deleting: bool,
    /// The cluster has it no more: what is here is what it was when it was last seen.
    pub gone: bool,
    /// Why no pod of it could be made.
    pub refused: Option<String>,
}

/// What tells a Job from another one of the same name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    /// The API's own identity.
    pub uid: Option<String>,
    /// Its namespace.
    pub namespace: Option<String>,
    /// When it was made.
    pub created: Option<String>,
}

impl Identity {
    /// Whether it is the same Job. The UID decides; where an answer lacks it, all the rest does.
    pub fn is(&self, other: &Identity) -> bool {
        match (&self.uid, &other.uid) {
            (Some(one), Some(two)) => one == two,
            _ => self == other,
        }
    }
}

/// Completion indexes as the API writes them: `1,3-5,7`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Indexes(Vec<(usize, usize)>);

impl Indexes {
    /// Reads them; what is no number is no index.
    pub fn parse(text: &str) -> Self {
        let range = |part: &str| {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            Some((first.trim().parse().ok()?, last.trim().parse().ok()?))
        };
        Indexes(text.split(',').filter_map(range).collect())
    }

    /// Whether this one is among them.
    pub fn contains(&self, index: usize) -> bool {
        self.0.iter().any(|(a, b)| (*a..=*b).contains(&index))
    }
}

/// Reads a Job.
///
/// # Errors
/// When it is not one.
pub fn parse_job(json: &[u8]) -> Result<Job, ObjectError> {
    let job = parse(json)?;
    let (metadata, spec, status) = (&job["metadata"], &job["spec"], &job["status"]);
    if !spec.is_object() || job["kind"].as_str().is_some_and(|kind| kind != "Job") {
        return Err(ObjectError::Other("Job"));
    }
    let over = conditions(status)
        .into_iter()
        .find(|(kind, is, _, _)| is == "True" && matches!(kind.as_str(), "Complete" | "Failed"));
    // Without indexes all pods of a Job are one run.
    let indexed = spec["completionMode"] != "NonIndexed";
    Ok(Job {
        name: text(&metadata["name"]),
        identity: Identity {
            uid: filled(&metadata["uid"]),
            namespace: filled(&metadata["namespace"]),
            created: filled(&metadata["creationTimestamp"]),
        },
        completions: match indexed {
            true => number(&spec["completions"]).unwrap_or(1),
            false => 1,
        },
        unindexed: !indexed
            && ["completions", "parallelism"]
                .iter()
                .any(|key| number(&spec[*key]).is_some_and(|pods| pods > 1)),
        scenarios: scenarios(&spec["template"]["spec"]),
        picks: indexed && picks(&spec["template"]["spec"]),
        completed: Indexes::parse(&text(&status["completedIndexes"])),
        failed: Indexes::parse(&text(&status["failedIndexes"])),
        over: over.map(|(kind, _, reason, message)| match kind.as_str() {
            "Failed" => format!("Failed ({reason}: {message})"),
            _ => kind,
        }),
        suspended: spec["suspend"] == Value::Bool(true),
        deleting: filled(&metadata["deletionTimestamp"]).is_some(),
        gone: false,
        refused: None,
    })
}

impl Job {
    /// The scenario of an index, from the template.
    pub fn scenario(&self, index: usize) -> Option<&str> {
        scenario_of(&self.scenarios, index)
    }

    /// Why an index has no pod, or none that came to an end, in words; none where one may still come.
    pub fn hindrance(&self) -> Option<String> {
        if self.gone {
            return Some("the Job was deleted before this index came to its end".into());
        }
        if let Some(over) = &self.over {
            return Some(format!("no pod was made before the Job ended: {over}"));
        }
        if self.deleting {
            return Some("the Job is being deleted".into());
        }
        if self.suspended {
            return Some(format!(
                "the Job is suspended; `kubectl patch job {} -p '{{\"spec\":{{\"suspend\":false}}}}'` \
                 resumes it",
                self.name
            ));
        }
        let refused = self.refused.as_ref()?;
        Some(format!("no pod could be made: {refused}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indexes_are_read_as_the_api_writes_them() {
        let some = Indexes::parse("1,3-5,7");
        let have: Vec<usize> = (0..9).filter(|n| some.contains(*n)).collect();
        assert_eq!(have, [1, 3, 4, 5, 7]);
        assert!(!Indexes::parse("").contains(0));
        // A Job of very many indexes costs nothing.
        assert!(Indexes::parse("0-4294967294").contains(77));
    }

    #[test]
    fn a_job_made_again_is_another_one() {
        let of = |uid: Option<&str>, created: &str| Identity {
            uid: uid.map(String::from),
            namespace: Some("n".into()),
            created: Some(created.into()),
        };
        assert!(of(Some("a"), "1").is(&of(Some("a"), "1")));
        assert!(!of(Some("a"), "1").is(&of(Some("b"), "1")));
        assert!(!of(None, "1").is(&of(None, "2")));
        assert!(!of(Some("a"), "1").is(&of(None, "1")));
    }
}
