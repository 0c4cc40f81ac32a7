//! `process.scheduler`, `process.ioPriority`, `process.execCPUAffinity`, `linux.memoryPolicy` and
//! `linux.personality`. What the kernel would take and not heed is a warning.

use super::Report;
use super::at::{At, quoted};
use crate::spec::config::{CpuAffinity, IoPriority, MemoryPolicy, Personality, Process, Scheduler, Spec};
use crate::spec::scheduling::{self as words, Word, number, number_list};

/// What concerns one process.
pub(super) fn check_process(process: &Process, at: &At<'_>, report: &mut Report) {
    if let Some(scheduler) = &process.scheduler {
        self::scheduler(scheduler, &at.key("scheduler"), report);
    }
    if let Some(priority) = &process.io_priority {
        io_priority(priority, &at.key("ioPriority"), report);
    }
    if let Some(affinity) = &process.exec_cpu_affinity {
        cpu_affinity(affinity, &at.key("execCPUAffinity"), report);
    }
}

/// What concerns all processes of the container.
pub(super) fn check(spec: &Spec, report: &mut Report) {
    let at = At::Root.key("linux");
    let Some(linux) = &spec.linux else { return };
    if let Some(policy) = &linux.memory_policy {
        memory_policy(policy, &at.key("memoryPolicy"), report);
    }
    if let Some(personality) = &linux.personality {
        self::personality(personality, &at.key("personality"), report);
    }
    fork(spec, report);
}

/// Whether `name` is one of `known`; if not, that is told.
fn known(name: &str, known: &[Word], at: &At<'_>, report: &mut Report) -> bool {
    let found = number(known, name).is_some();
    if name.is_empty() {
        report.error(at, "is missing or empty");
    } else if !found {
        report.error(at, format!("{} is none of {}", quoted(name), words::names(known)));
    }
    found
}

fn all_known(names: &[String], words: &[Word], at: &At<'_>, report: &mut Report) {
    for (i, name) in names.iter().enumerate() {
        known(name, words, &at.index(i), report);
    }
}

fn scheduler(s: &Scheduler, at: &At<'_>, report: &mut Report) {
    let (policy_at, policy) = (at.key("policy"), s.policy.as_str());
    all_known(&s.flags, words::SCHEDULER_FLAGS, &at.key("flags"), report);
    if !known(policy, words::POLICIES, &policy_at, report) {
        return;
    }
    if policy == words::ISO {
        return report
            .error(&policy_at, "SCHED_ISO is a name without a scheduler: Linux has none of that kind");
    }
    let without_effect = |key: &str, value: String, report: &mut Report| {
        report.warning(&at.key(key), format!("{value} has no effect with {policy}"));
    };
    match s.nice.unwrap_or(0) {
        nice if !(-20..=19).contains(&nice) => {
            report.error(&at.key("nice"), format!("{nice} is not from -20 to 19"));
        }
        nice if nice != 0 && !matches!(policy, words::OTHER | words::BATCH) => {
            without_effect("nice", nice.to_string(), report);
        }
        _ => {}
    }
    let priority = s.priority.unwrap_or(0);
    match policy {
        words::FIFO | words::ROUND_ROBIN if !(1..=99).contains(&priority) => {
            let text = format!("{priority} is not from 1 to 99, as {policy} needs it");
            report.error_from(&at.key("priority"), &[&policy_at], text);
        }
        words::FIFO | words::ROUND_ROBIN => {}
        _ if priority != 0 => {
            let text = format!("{priority} must be 0 with {policy}; SCHED_FIFO and SCHED_RR have priorities");
            report.error_from(&at.key("priority"), &[&policy_at], text);
        }
        _ => {}
    }
    for flag in [words::RECLAIM, words::OVERRUN] {
        if policy != words::DEADLINE && s.flags.iter().any(|f| f == flag) {
            without_effect("flags", flag.to_owned(), report);
        }
    }
    deadline(s, at, report);
}

/// The rules of sched(7), "SCHED_DEADLINE".
fn deadline(s: &Scheduler, at: &At<'_>, report: &mut Report) {
    let of = |value: Option<u64>| value.unwrap_or(0);
    let (runtime, deadline, period) = (of(s.runtime), of(s.deadline), of(s.period));
    let from = at.key("policy");
    if s.policy != words::DEADLINE {
        for (key, value) in [("runtime", runtime), ("deadline", deadline), ("period", period)] {
            if value != 0 {
                let text = format!("{value} needs the policy SCHED_DEADLINE");
                report.error_from(&at.key(key), &[&from], text);
            }
        }
        return;
    }
    if runtime < 1024 {
        report.error_from(
            &at.key("runtime"),
            &[&from],
            format!("{runtime} is below 1024 ns, the least there is"),
        );
    }
    if runtime > deadline {
        let text = format!("{deadline} is below the runtime of {runtime}");
        report.error_from(&at.key("deadline"), &[&at.key("runtime"), &from], text);
    }
    if period != 0 && deadline > period {
        let text = format!("{period} is below the deadline of {deadline}");
        report.error_from(&at.key("period"), &[&at.key("deadline"), &from], text);
    }
}

/// Under SCHED_DEADLINE a process may not have children that are the same (sched(7)).
fn fork(spec: &Spec, report: &mut Report) {
    let scheduler = spec.process.as_ref().and_then(|p| p.scheduler.as_ref());
    let hooks = spec.hooks.as_ref().is_some_and(|hooks| !hooks.start_container.is_empty());
    let alone = |s: &Scheduler| {
        s.policy == words::DEADLINE && !s.flags.iter().any(|flag| flag == words::RESET_ON_FORK)
    };
    if hooks && scheduler.is_some_and(alone) {
        let at = At::Root.key("hooks");
        let (process, flag) = (At::Root.key("process"), words::RESET_ON_FORK);
        let text = format!("cannot be run with SCHED_DEADLINE, unless process.scheduler.flags has {flag}");
        report.error_from(&at.key("startContainer"), &[&process.key("scheduler")], text);
    }
}

fn io_priority(priority: &IoPriority, at: &At<'_>, report: &mut Report) {
    known(&priority.class, words::IO_CLASSES, &at.key("class"), report);
    if let Some(level) = priority.priority.filter(|level| !(0..=7).contains(level)) {
        report.error(&at.key("priority"), format!("{level} is not from 0 to 7"));
    }
}

fn cpu_affinity(affinity: &CpuAffinity, at: &At<'_>, report: &mut Report) {
    for (key, list) in [("initial", &affinity.initial), ("final", &affinity.last)] {
        let Some(list) = list.as_deref().filter(|list| !list.is_empty()) else { continue };
        match number_list(list, words::CPU_MAX) {
            Err(why) => report.error(&at.key(key), why),
            Ok(cpus) if cpus.is_empty() => report.error(&at.key(key), format!("{} has no CPU", quoted(list))),
            Ok(_) => {}
        }
    }
}

/// The rules of set_mempolicy(2).
fn memory_policy(policy: &MemoryPolicy, at: &At<'_>, report: &mut Report) {
    let (mode_at, mode) = (at.key("mode"), policy.mode.as_str());
    let known_mode = known(mode, words::MEMORY_MODES, &mode_at, report);
    let (flags_at, nodes_at) = (at.key("flags"), at.key("nodes"));
    all_known(&policy.flags, words::MEMORY_FLAGS, &flags_at, report);
    let has = |flag: &str| policy.flags.iter().any(|f| f == flag);
    if has(words::STATIC_NODES) && has(words::RELATIVE_NODES) {
        let text = format!("{} and {} exclude each other", words::STATIC_NODES, words::RELATIVE_NODES);
        report.error(&flags_at, text);
    }
    let nodes = match number_list(&policy.nodes, words::NODE_MAX) {
        Ok(nodes) => nodes,
        Err(why) => return report.error(&nodes_at, why),
    };
    if !known_mode {
        return;
    }
    let numbered = has(words::STATIC_NODES) || has(words::RELATIVE_NODES);
    match (mode, nodes.is_empty()) {
        (words::MPOL_DEFAULT | words::MPOL_LOCAL, false) => {
            let text = format!("{} must be empty with {mode}", quoted(&policy.nodes));
            report.error_from(&nodes_at, &[&mode_at], text);
        }
        // Without nodes it is the same as MPOL_LOCAL.
        (words::MPOL_PREFERRED, true) if !numbered => {}
        (words::MPOL_DEFAULT, true) if !policy.flags.is_empty() => {
            report.warning(&flags_at, format!("have no effect with {mode}"));
        }
        (words::MPOL_DEFAULT, true) => {}
        (words::MPOL_LOCAL, true) if !numbered => {}
        (words::MPOL_LOCAL, true) => {
            report.error_from(
                &flags_at,
                &[&mode_at],
                format!("{mode} has no nodes that they could be about"),
            );
        }
        (_, true) => {
            report.error_from(&nodes_at, &[&mode_at], format!("is missing or empty; {mode} needs it"))
        }
        (_, false) => {}
    }
    let balances = matches!(mode, words::MPOL_BIND | words::MPOL_PREFERRED_MANY | words::MPOL_DEFAULT);
    if has(words::NUMA_BALANCING) && !balances {
        let text = format!("{} goes with MPOL_BIND and MPOL_PREFERRED_MANY only", words::NUMA_BALANCING);
        report.error_from(&flags_at, &[&mode_at], text);
    }
}

fn personality(personality: &Personality, at: &At<'_>, report: &mut Report) {
    known(&personality.domain, words::DOMAINS, &at.key("domain"), report);
    for (i, flag) in personality.flags.iter().enumerate() {
        let text = format!("{}: the specification has no flags yet", quoted(flag));
        report.error(&at.key("flags").index(i), text);
    }
}
