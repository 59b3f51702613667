//! The CPUs that this process may use: an actor can be held on one of them.

use nix::errno::Errno;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// The CPUs this process may use, ascending, numbered as the kernel does.
///
/// # Errors
/// On a machine with more than 1024 CPUs, whose set does not fit (EINVAL).
pub fn usable() -> nix::Result<Vec<usize>> {
    let allowed = sched_getaffinity(Pid::from_raw(0))?;
    Ok((0..CpuSet::count())
        .filter(|cpu| allowed.is_set(*cpu).unwrap_or(false))
        .collect())
}

/// Binds this process to the one with this index among [`usable`].
///
/// # Errors
/// EINVAL if there are not so many.
pub fn stay_on(index: usize) -> nix::Result<()> {
    let cpu = *usable()?.get(index).ok_or(Errno::EINVAL)?;
    let mut one = CpuSet::new();
    one.set(cpu)?;
    sched_setaffinity(Pid::from_raw(0), &one)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_stays_where_it_is_bound_and_a_cpu_that_is_not_there_is_refused() {
        // Affinity is a thread's: this one ends with the test.
        std::thread::spawn(|| {
            let all = usable().unwrap();
            assert!(!all.is_empty());
            assert_eq!(stay_on(all.len()), Err(Errno::EINVAL));
            stay_on(all.len() - 1).unwrap();
            assert_eq!(usable().unwrap(), [all[all.len() - 1]]);
        })
        .join()
        .unwrap();
    }
}
