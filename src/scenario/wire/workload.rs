//! Each workload's parameters, as they are written. The key of the step names the workload.

use std::collections::BTreeMap;

use super::{At, WireDist, WireRate, WireSize, WireTime};
use crate::workload::RotateMode;

wire! {
    /// Appends lines to a log. Needs `total`, or `rate` and `duration`.
    WireLogWrite as "LogWrite" {
        /// File name in the work directory. Default `app.log`.
        pub file: Option<At<String>>,
        /// Bytes a line, its newline included. Default 128B.
        pub line: Option<At<WireDist>>,
        /// Bytes collected before one write(2). Default 0: every line is written by itself.
        pub buffer: Option<At<WireSize>>,
        /// Bytes a second. Default as fast as it goes.
        pub rate: Option<At<WireRate>>,
        /// Stop after these bytes.
        pub total: Option<At<WireSize>>,
        /// Stop after this time.
        pub duration: Option<At<WireTime>>,
        /// When fsync(2) is called: `never`, `end`, or a size: after every so many bytes. Default never.
        pub fsync: Option<At<String>>,
        /// Rotation by size. Default none.
        pub rotate: Option<WireRotate>,
        /// Keep the file open for the actor's next steps. Default false.
        #[serde(default)]
        pub keep_open: bool,
    }

    /// Rotation by size.
    WireRotate as "Rotate" {
        /// When the file has reached this size.
        pub size: At<WireSize>,
        /// How. Default `rename`.
        pub mode: Option<RotateMode>,
        /// How many old files are kept. Default 3.
        pub keep: Option<At<u64>>,
    }

    /// Runs a command in the work directory.
    WireExec as "Exec" {
        /// Program and arguments.
        pub command: At<Vec<String>>,
        /// Files put into the work directory first, by name: a program's source, a configuration. `@NAME`
        /// is a program that comes with memtide (`scenarios/runtimes/NAME`).
        #[serde(default)]
        pub files: BTreeMap<String, At<String>>,
        /// Variables added to its environment.
        #[serde(default)]
        pub env: BTreeMap<String, String>,
        /// Whose rights it has (needs root); the work directory becomes theirs.
        pub user: Option<String>,
        /// End it after this time; reaching it is not a failure.
        pub duration: Option<At<WireTime>>,
    }

    /// A controller that restarts a container when working_set is above a threshold: its actors begin
    /// again with their first step.
    WireRestartPolicy as "RestartPolicy" {
        /// cadvisor_working_set above which it restarts.
        pub above: At<WireSize>,
        /// How many times at the most, 1 to 100.
        pub times: At<u64>,
        /// Whether the run's files go, too, as they do when a pod is replaced. Default true.
        pub delete_files: Option<bool>,
    }
}
