//! The `memtide` binary: everything is in the library, see `cli`.

use std::process::ExitCode;

use memtide::cgroup::churn;

fn main() -> ExitCode {
    // Workers are this binary again; they must stay small, so they never see the command line.
    if std::env::args_os()
        .nth(1)
        .is_some_and(|arg| arg == memtide::worker::ARGUMENT)
    {
        return memtide::worker::main();
    }
    if let Some(first) = std::env::args().nth(1)
        && [churn::ARGUMENT, churn::WRITER].contains(&first.as_str())
    {
        let rest: Vec<String> = std::env::args().skip(2).collect();
        return churn::main(&first, &rest);
    }
    memtide::cli::main()
}
