//! The words for a scheduler, CPUs, an I/O priority, a memory policy that the kernel refuses.

use super::errno;
use crate::error::Error;
use crate::plan::scheduling::{IoPriority, Scheduling};
use crate::sys::sched::SchedAttr;
use crate::wire::{Failure, Step};
use std::io;

/// A step of the child.
pub fn failure(plan: &Scheduling, f: &Failure) -> Option<Error> {
    let e = io::Error::from_raw_os_error(f.errno);
    match f.step {
        Step::Scheduler => plan.scheduler.as_ref().map(|(attr, name)| scheduler(attr, name, &e)),
        Step::IoPriority => plan.io_priority.map(|priority| io_priority(priority, &e)),
        Step::Cpus => plan.cpus.as_ref().map(|(_, list)| cpus("final", list, &e)),
        Step::MemoryPolicy => plan.memory.as_ref().map(|policy| memory(&policy.label, &e)),
        Step::Personality => plan
            .personality
            .map(|(_, name)| Error::errno(format!("linux.personality.domain: {name}"), f.errno)),
        _ => None,
    }
}

/// The scheduler.
pub fn scheduler(attr: &SchedAttr, name: &str, e: &io::Error) -> Error {
    let label = Scheduling::scheduler_label(attr, name);
    let error = Error::errno(format!("process.scheduler: {label}"), errno(e));
    match errno(e) {
        libc::EPERM => error.hint(
            "it needs CAP_SYS_NICE, no cpuset that leaves CPUs out for SCHED_DEADLINE, and with cgroup v1 \
             cpu.rt_runtime_us for real-time policies",
        ),
        libc::EINVAL if attr.deadline != 0 => error.hint(
            "deadline and period lie between kernel.sched_deadline_period_min_us and \
             kernel.sched_deadline_period_max_us",
        ),
        libc::EBUSY => error.hint("the CPUs have no bandwidth left for that runtime and period"),
        libc::EOPNOTSUPP => error.hint("this kernel has no utilization clamping (CONFIG_UCLAMP_TASK)"),
        _ => error,
    }
}

/// The I/O priority.
pub fn io_priority(priority: IoPriority, e: &io::Error) -> Error {
    let what = format!("process.ioPriority: {} priority {}", priority.class.0, priority.level);
    let error = Error::errno(what, errno(e));
    match errno(e) {
        libc::EPERM => error.hint("IOPRIO_CLASS_RT needs CAP_SYS_ADMIN or CAP_SYS_NICE"),
        _ => error,
    }
}

/// The CPUs of the runtime.
pub fn initial_cpus(list: &str, e: &io::Error) -> Error {
    cpus("initial", list, e)
}

fn cpus(key: &str, list: &str, e: &io::Error) -> Error {
    let error = Error::errno(format!("process.execCPUAffinity.{key}: {list:?}"), errno(e));
    match errno(e) {
        libc::EINVAL => error.hint("none of these CPUs is online and in the cpuset"),
        _ => error,
    }
}

fn memory(label: &str, e: &io::Error) -> Error {
    let error = Error::errno(format!("linux.memoryPolicy: {label}"), errno(e));
    match errno(e) {
        libc::EINVAL => {
            error.hint("none of the nodes has memory and is in the cpuset, or the kernel is too old for it")
        }
        libc::ENOSYS => error.hint("this kernel has no NUMA memory policies (CONFIG_NUMA)"),
        _ => error,
    }
}
