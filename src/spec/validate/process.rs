//! `process`, and the process.json of `exec`.

use super::at::{At, quoted};
use super::{Report, scheduling};
use crate::spec::config::{Capabilities, Process, Rlimit, User};
use std::collections::BTreeSet;

/// The capabilities of capabilities(7) in the order of their numbers, as of Linux 5.9 (none has been
/// added since).
pub const CAPABILITIES: [&str; 41] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
];

/// The resources of getrlimit(2).
const RLIMITS: [&str; 16] = [
    "RLIMIT_AS",
    "RLIMIT_CORE",
    "RLIMIT_CPU",
    "RLIMIT_DATA",
    "RLIMIT_FSIZE",
    "RLIMIT_LOCKS",
    "RLIMIT_MEMLOCK",
    "RLIMIT_MSGQUEUE",
    "RLIMIT_NICE",
    "RLIMIT_NOFILE",
    "RLIMIT_NPROC",
    "RLIMIT_RSS",
    "RLIMIT_RTPRIO",
    "RLIMIT_RTTIME",
    "RLIMIT_SIGPENDING",
    "RLIMIT_STACK",
];

/// Checks the process at `at`. `consoleSize` without `terminal` and `commandLine` are ignored, as
/// config.md says.
pub(super) fn check(process: &Process, at: &At<'_>, report: &mut Report) {
    args(process.args.as_deref().unwrap_or_default(), &at.key("args"), report);
    cwd(&process.cwd, &at.key("cwd"), report);
    env(&process.env, &at.key("env"), report);
    user(&process.user, &at.key("user"), report);
    rlimits(&process.rlimits, &at.key("rlimits"), report);
    if let Some(capabilities) = &process.capabilities {
        self::capabilities(capabilities, process.user.uid == 0, &at.key("capabilities"), report);
    }
    if let Some(adj) = process.oom_score_adj.filter(|adj| !(-1000..=1000).contains(adj)) {
        report.error(&at.key("oomScoreAdj"), format!("{adj} is not from -1000 to 1000"));
    }
    report.no_nul_in(process.apparmor_profile.as_ref(), &at.key("apparmorProfile"));
    report.no_nul_in(process.selinux_label.as_ref(), &at.key("selinuxLabel"));
    scheduling::check_process(process, at, report);
}

fn args(args: &[String], at: &At<'_>, report: &mut Report) {
    if args.is_empty() {
        report.error(at, "is missing or empty; its first entry is the program to run");
    }
    for (i, arg) in args.iter().enumerate() {
        report.no_nul(arg, &at.index(i));
    }
}

fn cwd(cwd: &str, at: &At<'_>, report: &mut Report) {
    if cwd.is_empty() {
        report.error(at, "is missing or empty");
    } else if !cwd.starts_with('/') {
        report.error(at, format!("{} is not absolute", quoted(cwd)));
    }
    report.no_nul(cwd, at);
    report.not_too_long(cwd, at);
}

/// The entries are those of environ(7), `NAME=value`. One without a name or a `=` is refused, as by
/// runc; crun drops the latter unseen. Their text is not shown, since it may be a secret.
fn env(env: &[String], at: &At<'_>, report: &mut Report) {
    for (i, entry) in env.iter().enumerate() {
        match entry.find('=') {
            None => report.error(&at.index(i), "has no \"=\"; an entry is NAME=value"),
            Some(0) => report.error(&at.index(i), "has no name before \"=\"; an entry is NAME=value"),
            Some(_) => {}
        }
        if entry.contains('\0') {
            report.error(&at.index(i), "contains a NUL byte");
        }
    }
}

fn user(user: &User, at: &At<'_>, report: &mut Report) {
    not_minus_one(Some(user.uid), &at.key("uid"), report);
    not_minus_one(Some(user.gid), &at.key("gid"), report);
    let gids = at.key("additionalGids");
    for (i, gid) in user.additional_gids.iter().enumerate() {
        not_minus_one(Some(*gid), &gids.index(i), report);
    }
    if let Some(umask) = user.umask.filter(|umask| *umask > 0o777) {
        report.error(&at.key("umask"), format!("{umask} ({umask:#o}) is above 511 (0o777)"));
    }
}

/// Refuses the id that means "unchanged" to setresuid(2) and chown(2).
pub(super) fn not_minus_one(id: Option<u32>, at: &At<'_>, report: &mut Report) {
    if id == Some(u32::MAX) {
        report.error(at, format!("{} is -1, which is no id", u32::MAX));
    }
}

fn rlimits(rlimits: &[Rlimit], at: &At<'_>, report: &mut Report) {
    let mut seen = BTreeSet::new();
    for (i, rlimit) in rlimits.iter().enumerate() {
        let at = at.index(i);
        let Rlimit { typ, soft, hard } = rlimit;
        if typ.is_empty() {
            report.error(&at.key("type"), "is missing or empty");
        } else if !RLIMITS.contains(&typ.as_str()) {
            report.error(&at.key("type"), format!("{} is not a resource of getrlimit(2)", quoted(typ)));
        } else if !seen.insert(typ) {
            report.error(&at.key("type"), format!("{typ} is given twice"));
        }
        if soft > hard {
            report.error(&at, format!("{typ}: the soft limit {soft} is above the hard limit {hard}"));
        }
    }
}

/// Unknown names and what cannot be granted are warnings, not errors: config.md, "Linux Process".
fn capabilities(sets: &Capabilities, root: bool, at: &At<'_>, report: &mut Report) {
    let lists = [
        ("bounding", &sets.bounding),
        ("effective", &sets.effective),
        ("inheritable", &sets.inheritable),
        ("permitted", &sets.permitted),
        ("ambient", &sets.ambient),
    ];
    for (set, names) in lists {
        let at = at.key(set);
        for (i, name) in names.iter().enumerate() {
            if !CAPABILITIES.contains(&name.as_str()) {
                let text = format!("{} is not a capability of capabilities(7): ignored", quoted(name));
                report.warning(&at.index(i), text);
            } else if let Some(lacking) =
                lacking(sets, set, name).filter(|_| !by_execve(root, sets, set, name))
            {
                report.warning(&at.index(i), format!("{name} is not {lacking}: not granted"));
            }
        }
    }
}

/// Root has at execve(2) what its ambient set would add: all that is permitted. Buildah names it all, in each step.
fn by_execve(root: bool, sets: &Capabilities, set: &str, name: &String) -> bool {
    root && set == "ambient" && sets.permitted.contains(name) && sets.bounding.contains(name)
}

/// Why capset(2), or prctl(2) with PR_CAP_AMBIENT_RAISE, would refuse `name` in `set`.
fn lacking(sets: &Capabilities, set: &str, name: &String) -> Option<&'static str> {
    match set {
        "effective" if !sets.permitted.contains(name) => Some("permitted"),
        "inheritable" if !sets.bounding.contains(name) => Some("in the bounding set"),
        "ambient" if !sets.permitted.contains(name) => Some("permitted"),
        "ambient" if !sets.inheritable.contains(name) => Some("inheritable"),
        _ => None,
    }
}
