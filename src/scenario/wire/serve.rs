//! A step that serves, as it is written.

use std::collections::BTreeMap;

use super::{At, Names, WireBytes, WireTime};

wire! {
    /// Runs a service in the work directory, from `ready` on used by the steps that name it in `after`,
    /// until the steps of `until` have ended. `{port}`, `{port2}` and `{workdir}` in its texts stand for
    /// two free ports and the work directory.
    WireServe as "Serve" {
        /// Program and arguments. One that forks away is followed: what is left in the container is
        /// the service.
        pub command: At<Vec<String>>,
        /// Files put into the work directory first, by name. `@NAME` is a program that comes with
        /// memtide.
        #[serde(default)]
        pub files: BTreeMap<String, At<String>>,
        /// Variables added to its environment.
        #[serde(default)]
        pub env: BTreeMap<String, String>,
        /// Whose rights it has (needs root); the work directory becomes theirs.
        pub user: Option<String>,
        /// When it is ready. Default as soon as it runs.
        pub ready: Option<WireReady>,
        /// Steps with whose end it ends. Default: all steps of all other actors.
        #[serde(default)]
        pub until: Names,
        /// The signal that asks it to stop. Default `SIGTERM`.
        pub stop_signal: Option<At<String>>,
        /// How long it may take to stop before it is killed. Default 10s.
        pub stop_within: Option<At<WireTime>>,
        /// What it says of its own memory, by name: columns `truth:NAME`.
        #[serde(default)]
        pub truth: BTreeMap<String, At<WireSays>>,
    }

    /// When a service is ready: all that is given must hold.
    WireReady as "Ready" {
        /// Something listens on this port of 127.0.0.1: a number or `{port}`.
        pub port: Option<At<String>>,
        /// This command, run outside of the container, ends with 0.
        #[serde(default)]
        pub command: Vec<String>,
        /// This text was in its output.
        pub line: Option<String>,
        /// The longest it may take. Default 30s; longer on slow machines.
        pub within: Option<At<WireTime>>,
    }

    /// A number that a service says of its memory, asked outside of its container: exactly one of
    /// `command`, `file`, `http` and `proc`.
    WireSays as "Says" {
        /// In this command's output.
        #[serde(default)]
        pub command: Vec<String>,
        /// In this file.
        pub file: Option<String>,
        /// On this page: `127.0.0.1:{port}/metrics`.
        pub http: Option<String>,
        /// In this file of `/proc/PID` (`status`, `smaps_rollup`, `io`), summed over all processes of the
        /// service.
        pub proc: Option<String>,
        /// The number follows this text. Default: the first number.
        #[serde(default, rename = "match")]
        pub after: String,
        /// Bytes of one of its units. Default 1.
        pub unit: Option<At<WireBytes>>,
        /// Between two questions. Default 1s.
        pub every: Option<At<WireTime>>,
    }
}
