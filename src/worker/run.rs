//! The worker's main: reads the plan, then does each step it is ordered to.

use std::io::{self, BufRead, Write};
use std::process::ExitCode;

use nix::sys::prctl;
use nix::sys::signal::Signal;

use super::protocol::{Message, Order, Plan, Report, Status};
use super::{ARGUMENT, cpus};
use crate::descendants;
use crate::sys::{fd, process};
use crate::truth::Page;
use crate::workload::{Context, WorkError, Workload};

/// Runs one actor's steps as the harness orders them, until stdin ends.
///
/// stdout carries nothing but the protocol, see [`super::protocol`]. Exit code 0 when stdin ended,
/// 2 when what came through it was not the protocol.
pub fn main() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Not `eprintln!`: it panics where stderr is closed.
            let _ = writeln!(io::stderr(), "memtide {ARGUMENT}: {error}");
            ExitCode::from(2)
        }
    }
}

/// Why a worker can't go on.
#[derive(Debug, thiserror::Error)]
enum WorkerError {
    #[error("no truth page ({0}); workers are started by memtide itself, not by hand")]
    NoTruth(io::Error),
    #[error("cannot read the plan from stdin: {0}")]
    Plan(String),
    #[error("cannot read the order {line:?}: {error}")]
    Order { line: String, error: String },
    #[error("cannot run on CPU {0} of those that may be used: {1}")]
    Cpu(usize, nix::Error),
    #[error("cannot talk to the harness: {0}")]
    Pipe(#[from] io::Error),
}

fn serve() -> Result<(), WorkerError> {
    // An exec of /proc/self/exe leaves the name `exe`, which says nothing in a list of processes.
    let _ = nix::sys::prctl::set_name(c"memtide-worker");
    process::hear_interrupts()?;
    let truth = truth_number()
        .and_then(fd::inherited)
        .and_then(Page::open)
        .map_err(WorkerError::NoTruth)?;
    let mut orders = io::stdin().lock();
    let mut line = String::new();
    if orders.read_line(&mut line)? == 0 {
        return Ok(());
    }
    let plan: Plan =
        serde_json::from_str(&line).map_err(|error| WorkerError::Plan(error.to_string()))?;
    if let Some(cpu) = plan.cpu {
        cpus::stay_on(cpu).map_err(|reason| WorkerError::Cpu(cpu, reason))?;
    }
    let mut context = Context::new(truth, plan.workdir.clone(), plan.seed);
    context.outside = plan.outside;
    if plan.outside {
        // What its commands leave comes to it, wherever they put themselves.
        prctl::set_child_subreaper(true).map_err(io::Error::from)?;
    }
    let done = obey(&plan, &mut context, &mut orders);
    if plan.outside {
        let _ = descendants::end_all();
    }
    done
}

/// Does the steps as they are ordered, until the harness closes the pipe.
fn obey(plan: &Plan, context: &mut Context, orders: &mut impl BufRead) -> Result<(), WorkerError> {
    let mut line = String::new();
    // What is allocated from here on belongs to a step, not to the start.
    let mut answer = Vec::with_capacity(4096);
    say(
        &mut answer,
        &Message::Ready {
            pid: std::process::id() as i32,
        },
    )?;
    loop {
        line.clear();
        if orders.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let order = serde_json::from_str(&line).map_err(|error| WorkerError::Order {
            line: line.trim_end().into(),
            error: error.to_string(),
        })?;
        let step = match order {
            Order::Go(step) => step,
            // That service looks at the pipe itself, and has stopped.
            Order::Stop(_) => continue,
        };
        context.serving = Box::new(move || say(&mut Vec::new(), &Message::Serving(step)));
        let report = do_step(plan, step, context);
        if context.is_left_alone() {
            return Ok(());
        }
        say(&mut answer, &Message::Report(report))?;
    }
}

/// The number of the truth page's descriptor, from the command line.
fn truth_number() -> io::Result<std::os::fd::RawFd> {
    std::env::args_os()
        .nth(2)
        .and_then(|text| text.to_str()?.parse().ok())
        .ok_or_else(|| io::Error::other("no descriptor number after the argument"))
}

fn do_step(plan: &Plan, step: usize, context: &mut Context) -> Report {
    let Some(planned) = plan.steps.get(step) else {
        let text = format!("no step {step}: the plan has {}", plan.steps.len());
        return Report::whole(step, 0, Status::Failed(text));
    };
    context.begin_step(&planned.name);
    // It outlives the harness for as long as it takes to end what such a step has started.
    let cleans = plan.outside && matches!(planned.workload, Workload::Exec(_) | Workload::Serve(_));
    if cleans {
        let _ = prctl::set_pdeathsig(None);
    }
    let (reached, status) = match planned.workload.work().run(context) {
        Ok(reached) if reached.is_enough() => (reached, Status::Done),
        Ok(reached) => (reached, Status::Failed(format!("reached only {reached}"))),
        Err(WorkError::Failed { reached, reason }) => (reached, Status::Failed(reason)),
        Err(WorkError::Ended {
            reached,
            end,
            reason,
        }) => (reached, Status::Ended { end, why: reason }),
        Err(WorkError::Skipped { reached, reason }) => (reached, Status::Skipped(reason)),
    };
    if cleans {
        let _ = prctl::set_pdeathsig(Signal::SIGKILL);
    }
    Report {
        step,
        target: reached.target,
        achieved: reached.achieved,
        unit: reached.unit.name().into(),
        status,
        said: std::mem::take(&mut context.said),
    }
}

/// Writes one message as one line, in one write.
fn say(buffer: &mut Vec<u8>, message: &Message) -> io::Result<()> {
    buffer.clear();
    serde_json::to_writer(&mut *buffer, message)?;
    buffer.push(b'\n');
    let mut out = io::stdout().lock();
    out.write_all(buffer)?;
    out.flush()
}
