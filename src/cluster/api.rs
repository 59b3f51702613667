//! What a collection asks of a cluster, whoever answers.

use std::fmt;
use std::fs::File;

use serde::{Deserialize, Serialize};

/// A cluster's API, as far as a collection needs it. Answers are the API's own objects as JSON.
pub trait Api {
    /// Which cluster and namespace this is, as far as it can be told.
    fn source(&self) -> Source;

    /// One Job.
    ///
    /// # Errors
    /// What the cluster, or the way to it, refused.
    fn job(&self, name: &str) -> Result<Vec<u8>, Refusal>;

    /// The list of a Job's pods.
    ///
    /// # Errors
    /// As [`Api::job`].
    fn pods(&self, job: &str) -> Result<Vec<u8>, Refusal>;

    /// The list of events that speak of one object.
    ///
    /// # Errors
    /// As [`Api::job`].
    fn events(&self, kind: &str, name: &str) -> Result<Vec<u8>, Refusal>;

    /// What a pod's container has said so far, and why that may not be all of it.
    fn log(&self, pod: &str) -> (Vec<u8>, Option<Refusal>);

    /// Begins to write what a pod says to a file, from the first line on, as long as it lives.
    ///
    /// # Errors
    /// When that can't be begun.
    fn follow(&self, pod: &str, to: File) -> Result<Box<dyn Following>, Refusal>;
}

/// A log that is being written; dropped, it ends.
pub trait Following {
    /// Whether nothing more comes.
    fn ended(&mut self) -> bool;
}

/// Where a Job was found. What could not be found out is none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Source {
    /// The context's name.
    pub context: Option<String>,
    /// The API server's address.
    pub server: Option<String>,
    /// The namespace.
    pub namespace: Option<String>,
    /// Its UID: another one if the namespace, or the cluster, was made anew.
    pub namespace_uid: Option<String>,
}

impl Source {
    /// Whether both are the same place: nothing that is known of both differs, and enough is known,
    /// the namespace's UID, or its name with the cluster's.
    pub fn is(&self, other: &Source) -> bool {
        let pairs = [
            (&self.context, &other.context),
            (&self.server, &other.server),
            (&self.namespace, &other.namespace),
            (&self.namespace_uid, &other.namespace_uid),
        ];
        let known = pairs.map(|(a, b)| a.is_some() && b.is_some());
        let same =
            |(a, b): &(&Option<String>, &Option<String>)| a.is_none() || b.is_none() || a == b;
        let [context, server, namespace, uid] = known;
        pairs.iter().all(same) && (uid || (namespace && (context || server)))
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |text: &Option<String>| text.as_deref().unwrap_or("(the default)").to_string();
        write!(
            f,
            "context {}, namespace {}",
            name(&self.context),
            name(&self.namespace)
        )
    }
}

/// Why an answer was not given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// What kind of refusal it is.
    pub kind: RefusalKind,
    /// What was said, and what to do.
    pub message: String,
}

/// Kinds of refusals, by what a collection does about them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalKind {
    /// There is no such object.
    NotFound,
    /// Not allowed.
    Forbidden,
    /// Not known to the cluster: no credentials, or expired ones.
    Unauthorized,
    /// The configuration names no such cluster.
    NoContext,
    /// No answer: the cluster, or the way to it, is away.
    Unreachable,
    /// There is nothing to ask with.
    NoProgram,
    /// Anything else.
    Other,
}

impl RefusalKind {
    /// Whether the same question may be answered a moment later.
    pub fn may_pass(self) -> bool {
        matches!(self, RefusalKind::Unreachable | RefusalKind::Other)
    }
}

#[cfg(test)]
mod tests {
    use super::Source;

    #[test]
    fn a_place_is_the_same_only_where_enough_is_known() {
        let of = |context: &str, server: &str, namespace: &str, uid: &str| {
            let some = |text: &str| (!text.is_empty()).then(|| text.to_string());
            Source {
                context: some(context),
                server: some(server),
                namespace: some(namespace),
                namespace_uid: some(uid),
            }
        };
        let here = of("c", "s", "n", "u");
        for same in [
            of("c", "s", "n", "u"),
            of("", "", "", "u"),
            of("c", "", "n", ""),
            of("", "s", "n", ""),
        ] {
            assert!(here.is(&same) && same.is(&here), "{same:?}");
        }
        for other in [
            of("d", "s", "n", "u"),
            of("c", "t", "n", "u"),
            of("c", "s", "m", "u"),
            // A cluster made anew, at the same address.
            of("c", "s", "n", "v"),
            // What an older memtide kept does not tell where it was.
            of("", "", "n", ""),
            of("c", "s", "", ""),
            of("", "", "", ""),
        ] {
            assert!(!here.is(&other) && !other.is(&here), "{other:?}");
        }
    }
}
