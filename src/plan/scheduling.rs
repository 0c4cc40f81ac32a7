//! When, where and as what the process runs: scheduler, CPUs, I/O priority, memory nodes, personality.

use super::Facts;
use crate::error::{Error, Result};
use crate::spec::config;
use crate::spec::scheduling::{self as words, Word, number_list};
use crate::sys::sched::{Cpus, Nodes, SchedAttr};

/// Bits of `Facts::permitted_caps`: CAP_SYS_NICE.
const SYS_NICE: u64 = 1 << 23;

/// When, where and as what.
#[derive(Debug, Clone, Default)]
pub struct Scheduling {
    /// The scheduler, and its name for people.
    pub scheduler: Option<(SchedAttr, &'static str)>,
    /// The I/O priority.
    pub io_priority: Option<IoPriority>,
    /// Who sets these two: the host, which has the privilege even where the container is in a user
    /// namespace; or, without privileges, the process itself.
    pub by_host: bool,
    /// Of the runtime, before the clone (`exec`).
    pub initial_cpus: Option<(Cpus, String)>,
    /// Of the process, in the container's cgroup (`exec`).
    pub cpus: Option<(Cpus, String)>,
    /// NUMA memory policy.
    pub memory: Option<MemoryPolicy>,
    /// personality(2), and its name.
    pub personality: Option<(u32, &'static str)>,
}

/// An I/O priority.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IoPriority {
    /// `IOPRIO_CLASS_…`
    pub class: Word,
    /// 0 to 7, highest first.
    pub level: u32,
}

/// A NUMA memory policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemoryPolicy {
    /// Mode and mode flags.
    pub mode: u32,
    /// The nodes.
    pub nodes: Nodes,
    /// `MPOL_BIND 0-1 MPOL_F_STATIC_NODES`, for people.
    pub label: String,
}

/// Plans it for init, or for a process that is `executed` in a container.
///
/// # Errors
/// Words that validation would have refused.
pub fn plan(
    process: &config::Process,
    linux: &config::Linux,
    facts: &Facts,
    executed: bool,
) -> Result<Scheduling> {
    let affinity = process.exec_cpu_affinity.as_ref().filter(|_| executed);
    let initial = affinity.and_then(|a| a.initial.as_deref()).filter(|list| !list.is_empty());
    let last = affinity.and_then(|a| a.last.as_deref()).filter(|list| !list.is_empty());
    Ok(Scheduling {
        scheduler: process.scheduler.as_ref().map(scheduler).transpose()?,
        io_priority: process.io_priority.as_ref().map(io_priority).transpose()?,
        by_host: !facts.in_userns && facts.permitted_caps & SYS_NICE != 0,
        initial_cpus: initial.map(|list| cpus("initial", list)).transpose()?,
        cpus: match (initial, last) {
            (_, Some(list)) => Some(cpus("final", list)?),
            // Back to what the container's cpuset has.
            (Some(_), None) => Some((Cpus::ALL, "all of its cpuset".into())),
            (None, None) => None,
        },
        memory: linux.memory_policy.as_ref().map(memory_policy).transpose()?,
        personality: linux
            .personality
            .as_ref()
            .map(|p| word("linux.personality.domain", words::DOMAINS, &p.domain))
            .transpose()?
            .map(|(name, domain)| (domain, name)),
    })
}

fn word(location: &str, known: &[Word], name: &str) -> Result<Word> {
    let found = known.iter().find(|(known, _)| *known == name);
    found
        .copied()
        .ok_or_else(|| Error::new(format!("{location}: {name:?} is none of {}", words::names(known))))
}

fn flags(location: &str, known: &[Word], names: &[String]) -> Result<u32> {
    names.iter().try_fold(0, |all, name| Ok(all | word(location, known, name)?.1))
}

fn scheduler(s: &config::Scheduler) -> Result<(SchedAttr, &'static str)> {
    let (name, policy) = word("process.scheduler.policy", words::POLICIES, &s.policy)?;
    let attr = SchedAttr {
        policy,
        flags: flags("process.scheduler.flags", words::SCHEDULER_FLAGS, &s.flags)?.into(),
        nice: s.nice.unwrap_or(0),
        priority: u32::try_from(s.priority.unwrap_or(0)).unwrap_or(0),
        runtime: s.runtime.unwrap_or(0),
        deadline: s.deadline.unwrap_or(0),
        period: s.period.unwrap_or(0),
        ..SchedAttr::default()
    };
    Ok((attr, name))
}

fn io_priority(p: &config::IoPriority) -> Result<IoPriority> {
    let class = word("process.ioPriority.class", words::IO_CLASSES, &p.class)?;
    Ok(IoPriority { class, level: u32::try_from(p.priority.unwrap_or(0)).unwrap_or(0) })
}

fn cpus(key: &str, list: &str) -> Result<(Cpus, String)> {
    let numbers = number_list(list, words::CPU_MAX)
        .map_err(|why| Error::new(format!("process.execCPUAffinity.{key}: {why}")))?;
    Ok((Cpus::of(numbers), list.to_owned()))
}

fn memory_policy(p: &config::MemoryPolicy) -> Result<MemoryPolicy> {
    let (name, mode) = word("linux.memoryPolicy.mode", words::MEMORY_MODES, &p.mode)?;
    let nodes = number_list(&p.nodes, words::NODE_MAX)
        .map_err(|why| Error::new(format!("linux.memoryPolicy.nodes: {why}")))?;
    let parts = [name, p.nodes.as_str()].into_iter().chain(p.flags.iter().map(String::as_str));
    Ok(MemoryPolicy {
        mode: mode | flags("linux.memoryPolicy.flags", words::MEMORY_FLAGS, &p.flags)?,
        nodes: Nodes::of(nodes),
        label: parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" "),
    })
}

impl Scheduling {
    /// Whether the host has something to do when the process is ready.
    pub fn waits_for_the_host(&self) -> bool {
        self.by_host && (self.scheduler.is_some() || self.io_priority.is_some())
    }

    /// The scheduler in words: `SCHED_FIFO priority 10`.
    pub fn scheduler_label(attr: &SchedAttr, name: &str) -> String {
        let mut label = name.to_owned();
        let numbers = [
            ("nice", i128::from(attr.nice)),
            ("priority", attr.priority.into()),
            ("runtime", attr.runtime.into()),
            ("deadline", attr.deadline.into()),
            ("period", attr.period.into()),
        ];
        for (key, value) in numbers.into_iter().filter(|(_, value)| *value != 0) {
            label.push_str(&format!(" {key} {value}"));
        }
        for (flag, bit) in words::SCHEDULER_FLAGS {
            if attr.flags & u64::from(*bit) != 0 {
                label.push_str(&format!(" {flag}"));
            }
        }
        label
    }
}
