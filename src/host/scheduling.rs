//! What the host sets of when and where a process runs: its own CPUs before the clone, and the
//! process's scheduler and I/O priority, for which root of a user namespace has no privilege.

use crate::error::Result;
use crate::plan::describe::scheduling as describe;
use crate::plan::process::Process;
use crate::plan::scheduling::Scheduling;
use crate::sys::sched;

/// Before the clone: the child inherits it.
///
/// # Errors
/// None of the CPUs is there.
pub fn before_clone(process: &Process) -> Result<()> {
    match &process.scheduling.initial_cpus {
        Some((cpus, list)) => sched::set_affinity(cpus).map_err(|e| describe::initial_cpus(list, &e)),
        None => Ok(()),
    }
}

/// When all is set up: nothing of it shall be late, and a process with SCHED_DEADLINE cannot fork.
///
/// # Errors
/// The kernel refuses it.
pub fn when_ready(plan: &Scheduling, pid: i32) -> Result<()> {
    if !plan.waits_for_the_host() {
        return Ok(());
    }
    if let Some((attr, name)) = &plan.scheduler {
        sched::set_scheduler(pid, attr).map_err(|e| describe::scheduler(attr, name, &e))?;
    }
    if let Some(priority) = plan.io_priority {
        sched::set_io_priority(pid, priority.class.1, priority.level)
            .map_err(|e| describe::io_priority(priority, &e))?;
    }
    Ok(())
}
