//! The `memtide` binary: everything is in the library, see `cli`.

use std::process::ExitCode;

fn main() -> ExitCode {
    // Workers are this binary again; they must stay small, so they never see the command line.
    if std::env::args_os()
        .nth(1)
        .is_some_and(|arg| arg == memtide::worker::ARGUMENT)
    {
        return memtide::worker::main();
    }
    memtide::cli::main()
}
