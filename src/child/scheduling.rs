//! When, where and as what the program runs, as far as the host has not seen to it.

use super::{At, Done};
use crate::plan::scheduling::Scheduling;
use crate::sys::sched;
use crate::wire::Step;

/// As soon as the container's cgroup is entered, whose cpuset counts.
pub(super) fn settle_on_cpus(plan: &Scheduling) -> Done {
    match &plan.cpus {
        Some((cpus, _)) => sched::set_affinity(cpus).at(Step::Cpus, 0),
        None => Ok(()),
    }
}

/// What needs the caller's ids, or is nobody else's to set.
pub(super) fn assume(plan: &Scheduling) -> Done {
    if let Some(policy) = &plan.memory {
        sched::set_memory_policy(policy.mode, &policy.nodes).at(Step::MemoryPolicy, 0)?;
    }
    if let Some((domain, _)) = plan.personality {
        sched::set_personality(domain).at(Step::Personality, 0)?;
    }
    if plan.by_host {
        return Ok(());
    }
    if let Some((attr, _)) = &plan.scheduler {
        sched::set_scheduler(0, attr).at(Step::Scheduler, 0)?;
    }
    if let Some(priority) = plan.io_priority {
        sched::set_io_priority(0, priority.class.1, priority.level).at(Step::IoPriority, 0)?;
    }
    Ok(())
}
