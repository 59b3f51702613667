//! kubectl, as a program on PATH: the way to a cluster that everybody has.

use std::fs::File;
use std::io::{Read, Seek};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::api::{Api, Following, Refusal, RefusalKind, Source};
use super::object::{CONTAINER, filled, parse};
use crate::sys::process;

/// An answer that takes longer is none: kubectl itself waits for ever.
const ANSWER: Duration = Duration::from_secs(60);
/// Between tries of what a cluster is told.
const AGAIN: Duration = Duration::from_secs(2);

/// kubectl, for one namespace of one cluster.
#[derive(Debug, Clone, Default)]
pub struct Kubectl {
    /// The namespace; the context's without.
    pub namespace: Option<String>,
    /// The cluster; the current one without.
    pub context: Option<String>,
}

impl Kubectl {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("kubectl");
        if let Some(context) = &self.context {
            command.arg(format!("--context={context}"));
        }
        if let Some(namespace) = &self.namespace {
            command.arg(format!("--namespace={namespace}"));
        }
        command.args(arguments).stdin(Stdio::null());
        process::Child::OUTSIDE.prepare(&mut command);
        command
    }

    fn ask(&self, arguments: &[&str]) -> Result<Vec<u8>, Refusal> {
        match self.say(arguments, None) {
            (answer, None) => Ok(answer),
            (_, Some(refusal)) => Err(refusal),
        }
    }

    /// Makes objects that are not there yet, or brings those that are up to date (`verb` is
    /// `create` or `apply`). A cluster that is away is waited for so long.
    ///
    /// # Errors
    /// What the cluster, or the way to it, refused.
    pub fn put(&self, verb: &str, manifest: &[u8], patience: Duration) -> Result<(), Refusal> {
        self.tell(&[verb, "--filename=-"], Some(manifest), patience)
    }

    /// Puts a label on a node, or another value on the label that it has.
    ///
    /// # Errors
    /// As [`Kubectl::put`].
    pub fn label_node(&self, node: &str, label: &str, patience: Duration) -> Result<(), Refusal> {
        self.tell(
            &["label", "node", node, label, "--overwrite"],
            None,
            patience,
        )
    }

    fn tell(
        &self,
        arguments: &[&str],
        input: Option<&[u8]>,
        patience: Duration,
    ) -> Result<(), Refusal> {
        let start = Instant::now();
        loop {
            match self.say(arguments, input) {
                (_, None) => return Ok(()),
                (_, Some(refusal))
                    if refusal.kind == RefusalKind::Unreachable && start.elapsed() < patience =>
                {
                    log::info!("{refusal}; trying again");
                }
                (_, Some(refusal)) => return Err(refusal),
            }
            std::thread::sleep(AGAIN.min(patience / 4));
        }
    }

    /// What was answered, and what was refused: half a log may come before a refusal.
    fn say(&self, arguments: &[&str], input: Option<&[u8]>) -> (Vec<u8>, Option<Refusal>) {
        match self.run(arguments, input) {
            Ok((answer, said, true)) => {
                if !said.is_empty() {
                    log::debug!("kubectl {}: {said}", arguments.join(" "));
                }
                (answer, None)
            }
            Ok((answer, said, false)) => (answer, Some(self.refusal(arguments, &said))),
            Err(error) => {
                let message = format!("can't run kubectl: {error}; is it on PATH?");
                let kind = RefusalKind::NoProgram;
                (Vec::new(), Some(Refusal { kind, message }))
            }
        }
    }

    /// (stdout, stderr, whether it succeeded). Through files, so that neither a full pipe nor a
    /// cluster that never answers holds it up.
    fn run(
        &self,
        arguments: &[&str],
        input: Option<&[u8]>,
    ) -> std::io::Result<(Vec<u8>, String, bool)> {
        let (mut out, mut err) = (tempfile::tempfile()?, tempfile::tempfile()?);
        let mut command = self.command(arguments);
        if let Some(input) = input {
            let mut file = tempfile::tempfile()?;
            std::io::Write::write_all(&mut file, input)?;
            file.rewind()?;
            command.stdin(file);
        }
        let mut child = command
            .stdout(out.try_clone()?)
            .stderr(err.try_clone()?)
            .spawn()?;
        let ended = process::end_within(&mut child, ANSWER)?;
        let (mut answer, mut said) = (Vec::new(), Vec::new());
        out.rewind()?;
        out.read_to_end(&mut answer)?;
        err.rewind()?;
        err.read_to_end(&mut said)?;
        let mut said = String::from_utf8_lossy(&said).trim().to_string();
        if ended.is_none() {
            said = format!("no answer within {} s", ANSWER.as_secs());
        }
        Ok((answer, said, ended.is_some_and(|status| status.success())))
    }

    /// What kubectl refused, with what to do about it.
    fn refusal(&self, arguments: &[&str], said: &str) -> Refusal {
        let namespace = self.namespace.as_deref().unwrap_or("default");
        // Before the last line stand its tries.
        let last = said.lines().last().unwrap_or("it said nothing");
        let kind = kind_of(last);
        let hint = match kind {
            RefusalKind::NotFound => format!(
                "apply the manifests first, or name another --namespace (this was {namespace}); \
                 `kubectl get jobs --all-namespaces` lists what there is"
            ),
            RefusalKind::NoContext => "`kubectl config get-contexts` lists them".into(),
            RefusalKind::Forbidden
                if arguments
                    .first()
                    .is_some_and(|verb| *verb != "get" && *verb != "logs") =>
            {
                format!("--publish needs more rights in namespace {namespace}; see its help")
            }
            RefusalKind::Forbidden => format!(
                "collect needs `get` and `list` of jobs, pods and events and `get` of pods/log in \
                 namespace {namespace}"
            ),
            RefusalKind::Unauthorized => {
                "log in to the cluster again; `kubectl auth whoami` tells who you are to it".into()
            }
            RefusalKind::Unreachable => {
                "is the cluster up, and is this its context (`kubectl config current-context`)?"
                    .into()
            }
            RefusalKind::NoProgram | RefusalKind::Other => {
                "the same command by hand may tell more".into()
            }
        };
        let message = match (arguments.first(), kind) {
            // What a log's absence means is in the words themselves.
            (Some(&"logs"), RefusalKind::NotFound | RefusalKind::Other) => {
                format!("kubectl {}: {last}", arguments.join(" "))
            }
            _ => format!("kubectl {}: {last}; {hint}", arguments.join(" ")),
        };
        Refusal { kind, message }
    }
}

/// The kind of a refusal. What the API server refuses carries its reason in brackets (`Error from
/// server (NotFound): ...`); what never came so far has kubectl's own words.
fn kind_of(said: &str) -> RefusalKind {
    let reason = said.strip_prefix("Error from server (");
    if let Some((reason, _)) = reason.and_then(|rest| rest.split_once(')')) {
        return match reason {
            "NotFound" => RefusalKind::NotFound,
            "Forbidden" => RefusalKind::Forbidden,
            "Unauthorized" => RefusalKind::Unauthorized,
            "ServiceUnavailable" | "Timeout" | "ServerTimeout" | "TooManyRequests"
            | "InternalError" => RefusalKind::Unreachable,
            _ => RefusalKind::Other,
        };
    }
    let has = |words: &[&str]| words.iter().any(|word| said.contains(word));
    // Before the words for no connection: a plugin that has no credentials says both.
    if has(&[
        "(Unauthorized)",
        "must be logged in",
        "provide credentials",
        "getting credentials",
        "token has expired",
        "token is expired",
        "refresh token",
    ]) {
        RefusalKind::Unauthorized
    } else if said.contains("context") && has(&["does not exist", "not found for", "no context"]) {
        RefusalKind::NoContext
    } else if has(&[
        "onnect",
        "refused",
        "EOF",
        "timeout",
        "timed out",
        "deadline exceeded",
        "no answer within",
        "no route to host",
        "no such host",
        "x509",
        "tls:",
        "dial tcp",
        "etcdserver",
        "reset by peer",
        "unavailable",
        "not ready",
    ]) {
        RefusalKind::Unreachable
    } else {
        RefusalKind::Other
    }
}

impl Api for Kubectl {
    fn source(&self) -> Source {
        let view = self.ask(&["config", "view", "--minify", "--output=json"]);
        let view = view.ok().and_then(|answer| parse(&answer).ok());
        let view = view.unwrap_or_default();
        let context = &view["contexts"][0]["context"];
        let namespace = self.namespace.clone();
        let namespace = namespace
            .or_else(|| filled(&context["namespace"]))
            .or_else(|| {
                // A context without one means this.
                context.is_object().then(|| "default".to_string())
            });
        let uid = namespace.as_deref().and_then(|name| {
            let answer = self.ask(&["get", "namespace", name, "-o", "json"]).ok()?;
            let object = parse(&answer).ok()?;
            (object["kind"] == "Namespace").then(|| filled(&object["metadata"]["uid"]))?
        });
        Source {
            context: self
                .context
                .clone()
                .or_else(|| filled(&view["current-context"])),
            server: filled(&view["clusters"][0]["cluster"]["server"]),
            namespace,
            namespace_uid: uid,
        }
    }

    fn job(&self, name: &str) -> Result<Vec<u8>, Refusal> {
        self.ask(&["get", "job", name, "-o", "json"])
    }

    fn pods(&self, job: &str) -> Result<Vec<u8>, Refusal> {
        let selector = format!("--selector=job-name={job}");
        self.ask(&["get", "pods", &selector, "-o", "json"])
    }

    fn events(&self, kind: &str, name: &str) -> Result<Vec<u8>, Refusal> {
        let selector =
            format!("--field-selector=involvedObject.kind={kind},involvedObject.name={name}");
        self.ask(&["get", "events", &selector, "-o", "json"])
    }

    fn log(&self, pod: &str) -> (Vec<u8>, Option<Refusal>) {
        self.say(&["logs", pod, &format!("--container={CONTAINER}")], None)
    }

    fn follow(&self, pod: &str, to: File) -> Result<Box<dyn Following>, Refusal> {
        let container = format!("--container={CONTAINER}");
        let child = self
            .command(&["logs", pod, &container, "--follow=true"])
            .stdout(to)
            .stderr(Stdio::null())
            .spawn();
        match child {
            Ok(child) => Ok(Box::new(Stream(child))),
            Err(error) => Err(Refusal {
                kind: RefusalKind::NoProgram,
                message: format!("can't run kubectl: {error}; is it on PATH?"),
            }),
        }
    }
}

/// A `kubectl logs --follow`.
struct Stream(Child);

impl Following for Stream {
    fn ended(&mut self) -> bool {
        // One that can't be waited for is not there.
        !matches!(self.0.try_wait(), Ok(None))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_told_apart() {
        use RefusalKind::*;
        for (said, kind) in [
            (
                "Error from server (NotFound): jobs.batch \"memtide\" not found",
                NotFound,
            ),
            (
                "Error from server (Forbidden): pods is forbidden: User \"u\" cannot list",
                Forbidden,
            ),
            (
                "Error from server (BadRequest): container \"memtide\" in pod \"memtide-5-x\" is not \
                 available",
                Other,
            ),
            (
                "error: You must be logged in to the server (Unauthorized)",
                Unauthorized,
            ),
            (
                "error: You must be logged in to the server (the server has asked for the client to \
                 provide credentials)",
                Unauthorized,
            ),
            (
                "Unable to connect to the server: getting credentials: exec: executable aws failed \
                 with exit code 255",
                Unauthorized,
            ),
            ("error: context \"c\" does not exist", NoContext),
            (
                "Error in configuration: context was not found for specified context: c",
                NoContext,
            ),
            (
                "The connection to the server 10.0.0.1:6443 was refused - did you specify the right \
                 host or port?",
                Unreachable,
            ),
            (
                "Unable to connect to the server: net/http: TLS handshake timeout",
                Unreachable,
            ),
            ("Unable to connect to the server: EOF", Unreachable),
            (
                "Error from server (ServiceUnavailable): the server is currently unable to handle \
                 the request",
                Unreachable,
            ),
            (
                "Error from server: etcdserver: request timed out",
                Unreachable,
            ),
            (
                "Error from server: Get \"https://10.0.0.2:10250/containerLogs/n/p/memtide\": dial \
                 tcp 10.0.0.2:10250: i/o timeout",
                Unreachable,
            ),
            ("error: unexpected EOF", Unreachable),
            ("no answer within 60 s", Unreachable),
        ] {
            assert_eq!(kind_of(said), kind, "{said}");
        }
    }
}
