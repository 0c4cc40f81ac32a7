//! The lines of a process.

use super::{Lines, lossy, run_hooks};
use crate::plan::hooks::{self, HookPlan};
use crate::plan::identity;
use crate::plan::lsm::Lsm;
use crate::plan::process::Process;
use crate::plan::scheduling::Scheduling;

/// What the process does with itself, from the container's root to execve.
pub(super) fn lines(out: &mut Lines, p: &Process, plan: &HookPlan) {
    if let Some((_, list)) = &p.scheduling.initial_cpus {
        out.by = "host";
        out.add("sched_setaffinity", format!("CPUs {list}"), "process.execCPUAffinity.initial");
    }
    out.by = "container";
    if let Some((_, list)) = &p.scheduling.cpus {
        out.add("sched_setaffinity", format!("CPUs {list}"), "process.execCPUAffinity.final");
    }
    if let Some(name) = &p.keyring {
        let label =
            p.lsm.selinux.as_ref().map_or(String::new(), |label| format!(", labelled {}", lossy(label)));
        out.add("join", format!("a new session keyring {}{label}", lossy(name)), "");
    }
    if p.env.is_open() {
        out.add("set", format!("HOME to that of uid {} in /etc/passwd, or /", p.identity.uid), "process.env");
    }
    surroundings(out, &p.scheduling);
    labels(out, &p.lsm);
    if !p.scheduling.by_host {
        scheduler(out, &p.scheduling);
    }
    limits(out, p, false);
    let object = format!("stdin, stdout, stderr to uid {}, but not /dev/null", p.identity.uid);
    out.add("chown", object, "process.user.uid");
    out.add("chdir", lossy(&p.cwd), "process.cwd");
    if !p.identity.bounding_drop.is_empty() {
        let object = format!("{} capabilities from the bounding set", p.identity.bounding_drop.len());
        out.add("drop", object, "process.capabilities.bounding");
    }
    if let Some(groups) = &p.identity.groups {
        out.add("setgroups", format!("{groups:?}"), "process.user.additionalGids");
    }
    out.add("setgid", p.identity.gid.to_string(), "process.user.gid");
    out.add("setuid", p.identity.uid.to_string(), "process.user.uid");
    out.add("umask", format!("{:04o}", p.identity.umask), "process.user.umask");
    if p.identity.no_new_privs {
        out.add("set", "no_new_privs", "process.noNewPrivileges");
    }
    let args: Vec<_> = p.args.strings().iter().map(|a| format!("{:?}", a.to_string_lossy())).collect();
    let first = args.first().map_or("", |program| program.as_str());
    // Without no_new_privs loading the filter takes CAP_SYS_ADMIN, so the rest goes after it.
    let late = p.seccomp.is_some() && !p.identity.no_new_privs;
    if !late {
        capabilities(out, p);
    }
    out.add("look for", first, "process.args");
    if p.scheduling.by_host {
        out.by = "host";
        scheduler(out, &p.scheduling);
        out.by = "container";
    }
    out.add("wait", "for the start", "");
    run_hooks(out, plan, hooks::Kind::StartContainer);
    if let Some(listen) = &p.listen {
        out.add("set", format!("LISTEN_FDS={} and LISTEN_PID in the environment", listen.fds), "");
    }
    out.add("close", format!("all fds from {} on, at execve", 3 + p.preserve_fds), "");
    out.add("reset", "all signals to their default action", "");
    limits(out, p, true);
    if late {
        out.add("capset", "CAP_SYS_ADMIN besides, to load the filter", "");
    }
    if let Some(filter) = &p.seccomp {
        out.add("seccomp", format!("a filter of {} instructions", filter.program.len()), "linux.seccomp");
    }
    if let Some(listener) = &p.listener {
        let object = format!("the notification fd to the socket {}", listener.path.display());
        out.add("send", object, &listener.location);
    }
    if late {
        capabilities(out, p);
    }
    out.add("execve", args.join(" "), "process.args");
}

/// Those of before the gate, or the ones that must wait for it.
fn limits(out: &mut Lines, p: &Process, late: bool) {
    let limits = p.identity.rlimits.iter().enumerate();
    for (i, limit) in limits.filter(|(_, limit)| limit.waits_for_the_gate() == late) {
        let name = identity::RLIMITS[limit.resource as usize];
        let object = format!("{name} soft {} hard {}", limit.soft, limit.hard);
        out.add("setrlimit", object, format!("process.rlimits[{i}]"));
    }
}

fn capabilities(out: &mut Lines, p: &Process) {
    let caps = &p.identity.caps;
    for (set, mask) in
        [("permitted", caps.permitted), ("effective", caps.effective), ("inheritable", caps.inheritable)]
    {
        out.add("capset", format!("{set} {}", cap_names(mask)), format!("process.capabilities.{set}"));
    }
    let ambient = p.identity.ambient.iter().map(|c| 1u64 << c).sum();
    out.add("capset", format!("ambient {}", cap_names(ambient)), "process.capabilities.ambient");
}

fn cap_names(mask: u64) -> String {
    let names: Vec<_> = identity::bits(mask)
        .map(|c| identity::CAPABILITIES.get(c as usize).copied().unwrap_or("?"))
        .collect();
    if names.is_empty() { "none".into() } else { names.join(",") }
}

fn labels(out: &mut Lines, lsm: &Lsm) {
    if let Some(profile) = &lsm.apparmor {
        let object = format!("{:?} to attr/apparmor/exec", lossy(&profile.command));
        out.add("write", object, "process.apparmorProfile");
    }
    if let Some(label) = &lsm.selinux {
        out.add("write", format!("{:?} to attr/exec", lossy(label)), "process.selinuxLabel");
    }
}

fn surroundings(out: &mut Lines, s: &Scheduling) {
    if let Some(policy) = &s.memory {
        out.add("set_mempolicy", policy.label.as_str(), "linux.memoryPolicy");
    }
    if let Some((_, name)) = s.personality {
        out.add("personality", name, "linux.personality");
    }
}

fn scheduler(out: &mut Lines, s: &Scheduling) {
    if let Some((attr, name)) = &s.scheduler {
        out.add("sched_setattr", Scheduling::scheduler_label(attr, name), "process.scheduler");
    }
    if let Some(priority) = s.io_priority {
        let object = format!("{} priority {}", priority.class.0, priority.level);
        out.add("ioprio_set", object, "process.ioPriority");
    }
}
