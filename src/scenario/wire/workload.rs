//! Each workload's parameters, as they are written. The key of the step names the workload.

use std::collections::BTreeMap;

use super::{At, WireDist, WireRate, WireShare, WireSize, WireTime};
use crate::workload::{Advice, Huge, RotateMode};

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

    /// Reads a file from start to end.
    WireFileRead as "FileRead" {
        /// File name in the work directory. Default `app.log`.
        pub file: Option<At<String>>,
        /// How many times. Default 1.
        pub passes: Option<At<u64>>,
        /// Bytes a read(2). Default 64KiB.
        pub chunk: Option<At<WireSize>>,
        /// Go on at the end as the file grows, until this many bytes were read.
        pub follow: Option<At<WireSize>>,
        /// Bytes a second. Default as fast as it goes.
        pub rate: Option<At<WireRate>>,
    }

    /// Deletes a file and its rotated copies.
    WireUnlink as "Unlink" {
        /// File name in the work directory.
        pub file: At<String>,
    }

    /// Maps and touches anonymous memory, every page of it.
    WireAnon as "Anon" {
        /// The region's name; a second step on it makes it larger. Default `heap`.
        pub region: Option<At<String>>,
        /// How much.
        pub size: At<WireSize>,
        /// Bytes a second. Default as fast as it goes.
        pub rate: Option<At<WireRate>>,
        /// Bytes mapped and touched at a time. Default 64KiB.
        pub chunk: Option<At<WireSize>>,
        /// Whether the program has lost it: counted as leaked. Default false.
        #[serde(default)]
        pub leak: bool,
        /// Which pages it asks for. Default `never` (small pages).
        pub huge: Option<Huge>,
    }

    /// Allocates and frees around a steady live set.
    WireHeapChurn as "HeapChurn" {
        /// Bytes live at a time, about.
        pub live: At<WireSize>,
        /// Bytes an object.
        pub size: At<WireDist>,
        /// Allocations an object lives through.
        pub lifetime: At<WireDist>,
        /// Stop after this many bytes were allocated in all.
        pub total: At<WireSize>,
        /// Bytes a second allocated. Default as fast as it goes.
        pub rate: Option<At<WireRate>>,
    }

    /// Gives memory of a region back.
    WireRelease as "Release" {
        /// The region's name. Default `heap`.
        pub region: Option<At<String>>,
        /// How it is given back.
        pub advice: Advice,
        /// How much of it. Default 100%.
        pub share: Option<At<WireShare>>,
    }

    /// Writes to memory of a region again.
    WireRewrite as "Rewrite" {
        /// The region's name. Default `heap`.
        pub region: Option<At<String>>,
        /// How much of it. Default 100%.
        pub share: Option<At<WireShare>>,
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
}
