//! `memtide record --load`: a service, the load it serves, and what it says of itself.

use std::io;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::harness::Service;
use crate::scenario::{self, Says, Source};
use crate::units;

/// What makes a recorded command a service.
#[derive(Debug, clap::Args)]
pub struct ServiceArgs {
    /// Makes the command a service: this shell command runs outside of its cgroup once it is ready,
    /// and when it has ended the service is stopped. `{port}` in all texts is a free port.
    #[arg(long, value_name = "COMMAND")]
    load: Option<String>,
    /// When the service is ready: `port:N` or a number, `line:TEXT` of its output, or `cmd:COMMAND`
    /// that succeeds (a command line is one without the word, too). May be given several times: all must hold.
    #[arg(long, value_name = "WHAT", requires = "load", value_parser = parse_ready)]
    ready: Vec<ReadyArg>,
    /// The longest it may take to become ready.
    #[arg(long, value_name = "TIME", requires = "load", default_value = "30s", value_parser = units::parse_duration)]
    ready_within: Duration,
    /// What the service says of its memory, recorded as `truth:NAME`:
    /// `NAME=cmd:COMMAND`, `NAME=file:PATH`, `NAME=http:HOST:PORT/PATH` or `NAME=proc:status` (a file of
    /// /proc/PID, summed over its processes), then `,match=TEXT` (the
    /// number follows it), `,unit=SIZE`, `,every=TIME`. May be given several times.
    #[arg(long, value_name = "NAME=FROM", requires = "load", value_parser = parse_says)]
    truth: Vec<Says>,
    /// The signal that stops the service when its load has ended, or at Ctrl-C.
    #[arg(long, value_name = "SIGNAL", requires = "load", default_value = "SIGTERM", value_parser = parse_signal)]
    stop_signal: Signal,
    /// The longest that the service may take to stop; then, or at a second Ctrl-C, it is killed.
    #[arg(long, value_name = "TIME", requires = "load", default_value = "10s", value_parser = units::parse_duration)]
    stop_within: Duration,
    /// Put a free port into this variable of the service's and the load's environment.
    #[arg(long, value_name = "VARIABLE", requires = "load", value_parser = parse_variable)]
    env_port: Option<String>,
}

/// One thing that must hold.
#[derive(Debug, Clone)]
enum ReadyArg {
    Port(String),
    Line(String),
    Command(String),
}

impl ServiceArgs {
    /// Whether the command is a service.
    pub fn is_service(&self) -> bool {
        self.load.is_some()
    }

    /// What the parts of a command line can't be wrong in alone.
    pub fn check(&self) -> anyhow::Result<()> {
        for (i, says) in self.truth.iter().enumerate() {
            if self.truth[..i].iter().any(|other| other.name == says.name) {
                anyhow::bail!(
                    "two --truth are called `{}`: each is a column of its own",
                    says.name
                );
            }
        }
        Ok(())
    }

    /// The service as the harness takes it.
    ///
    /// # Errors
    /// Where the working directory is gone.
    pub fn service(&self, command: &[String], user: Option<&str>) -> io::Result<Service> {
        let shell = |text: &str| vec!["sh".to_string(), "-c".into(), text.into()];
        let mut service = Service {
            command: command.to_vec(),
            folder: std::env::current_dir()?,
            load: shell(self.load.as_deref().unwrap_or("true")),
            env: Vec::new(),
            user: user.map(String::from),
            line: None,
            port: None,
            ready: Vec::new(),
            within: self.ready_within,
            says: self.truth.clone(),
            stop_signal: self.stop_signal as i32,
            stop_within: self.stop_within,
            output: None,
        };
        service
            .env
            .extend(self.env_port.clone().map(|name| (name, "{port}".into())));
        for ready in &self.ready {
            match ready {
                ReadyArg::Port(port) => service.port = Some(port.clone()),
                ReadyArg::Line(text) => service.line = Some(text.clone()),
                ReadyArg::Command(text) => service.ready = shell(text),
            }
        }
        Ok(service)
    }
}

fn parse_ready(text: &str) -> Result<ReadyArg, String> {
    let wrong = || {
        format!(
            "{text:?} is none of `port:6379` (or the number alone), `line:TEXT` and `cmd:COMMAND`"
        )
    };
    if text.parse::<u16>().is_ok() {
        return Ok(ReadyArg::Port(text.into()));
    }
    let (kind, rest) = match text.split_once(':') {
        Some((kind, rest)) if kind.bytes().all(|b| b.is_ascii_lowercase()) => (kind, rest),
        // `pg_isready -q`, `./is-ready`: a command, as it is.
        _ if text.contains([' ', '/', '_', '-']) => ("cmd", text),
        _ => return Err(wrong()),
    };
    match kind {
        "port" if rest.parse::<u16>().is_ok() || rest == "{port}" => {
            Ok(ReadyArg::Port(rest.into()))
        }
        "line" if !rest.is_empty() => Ok(ReadyArg::Line(rest.into())),
        "cmd" if !rest.is_empty() => Ok(ReadyArg::Command(rest.into())),
        _ => Err(wrong()),
    }
}

fn parse_variable(text: &str) -> Result<String, String> {
    let letter = |c: char| c.is_ascii_alphanumeric() || c == '_';
    match text.chars().all(letter) && !text.is_empty() {
        true => Ok(text.into()),
        false => Err(format!("{text:?} is not a variable's name, as PORT is one")),
    }
}

fn parse_signal(text: &str) -> Result<Signal, String> {
    // Docker and systemd take numbers, too.
    if let Some(signal) = text
        .parse()
        .ok()
        .and_then(|n: i32| Signal::try_from(n).ok())
    {
        return Ok(signal);
    }
    let name = text.to_ascii_uppercase();
    let full = if name.starts_with("SIG") {
        name
    } else {
        format!("SIG{name}")
    };
    full.parse()
        .map_err(|_| format!("{text:?} is not a signal: as SIGTERM, SIGINT, SIGQUIT"))
}

fn parse_says(text: &str) -> Result<Says, String> {
    let wrong = || {
        format!(
            "{text:?} is not `NAME=cmd:COMMAND`, `NAME=file:PATH`, `NAME=http:URL` or `NAME=proc:FILE` (of /proc/PID)"
        )
    };
    let (name, rest) = text.split_once('=').ok_or_else(wrong)?;
    let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if name.is_empty() || !name.chars().all(letter) || crate::truth::COUNTERS.contains(&name) {
        return Err(format!(
            "{name:?} cannot be its name: lower-case letters, digits and `_`, and no counter of memtide's own"
        ));
    }
    let (kind, mut rest) = rest.split_once(':').ok_or_else(wrong)?;
    let mut says = Says {
        name: name.into(),
        source: Source::File(String::new()),
        after: String::new(),
        unit: 1,
        every: Duration::from_secs(1),
    };
    // From the end: a command may have commas of its own.
    while let Some((head, option)) = rest.rsplit_once(',') {
        match option.split_once('=') {
            Some(("match", text)) => says.after = text.into(),
            Some(("unit", text)) => {
                says.unit = units::parse_bytes(text).map_err(|e| e.to_string())?
            }
            Some(("every", text)) => {
                says.every = units::parse_duration(text).map_err(|e| e.to_string())?;
            }
            _ => break,
        }
        rest = head;
    }
    says.source = match kind {
        "cmd" => Source::Command(vec!["sh".into(), "-c".into(), rest.into()]),
        "file" => Source::File(rest.into()),
        "http" => Source::Http(rest.into()),
        "proc" if scenario::is_of_proc(rest) => Source::Process(rest.into()),
        _ => return Err(wrong()),
    };
    Ok(says)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_service_says_is_read_with_its_options() {
        let says =
            parse_says("used=cmd:redis-cli info, memory,match=used_memory:,unit=1KiB,every=2s");
        let says = says.unwrap();
        let command = ["sh", "-c", "redis-cli info, memory"].map(String::from);
        assert_eq!(says.source, Source::Command(command.to_vec()));
        assert_eq!((says.after.as_str(), says.unit), ("used_memory:", 1024));
        assert_eq!(says.every, Duration::from_secs(2));
        let page = parse_says("heap=http:127.0.0.1:{port}/metrics").unwrap();
        assert_eq!(page.source, Source::Http("127.0.0.1:{port}/metrics".into()));
        let status = parse_says("rss=proc:status,match=VmRSS:,unit=1KiB").unwrap();
        assert_eq!(status.source, Source::Process("status".into()));
        for wrong in [
            "x",
            "x=y",
            "x=ftp:y",
            "live=file:a",
            "A=file:a",
            "x=file:a,unit=z",
            "x=proc:",
            "x=proc:../1/environ",
        ] {
            assert!(parse_says(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn readiness_and_signals_are_read_or_explained() {
        for good in ["port:1", "port:{port}", "line:is ready", "cmd:true"] {
            assert!(parse_ready(good).is_ok(), "{good}");
        }
        assert!(matches!(parse_ready("6379"), Ok(ReadyArg::Port(port)) if port == "6379"));
        for command in ["pg_isready", "curl -f http://127.0.0.1:80/ok", "./ready"] {
            assert!(matches!(parse_ready(command), Ok(ReadyArg::Command(c)) if c == command));
        }
        for wrong in ["", "port", "port:x", "port:70000", "line:", "pid:3"] {
            assert!(parse_ready(wrong).is_err(), "{wrong}");
        }
        assert_eq!(parse_signal("int"), Ok(Signal::SIGINT));
        assert_eq!(parse_signal("SIGQUIT"), Ok(Signal::SIGQUIT));
        assert_eq!(parse_signal("3"), Ok(Signal::SIGQUIT));
        assert!(parse_signal("0").is_err() && parse_signal("99").is_err());
        assert_eq!(parse_variable("PORT_1"), Ok("PORT_1".into()));
        assert!(parse_variable("").is_err() && parse_variable("A=B").is_err());
    }
}
