//! The words of `linux.seccomp` and the check that a profile uses only those.

use super::arch;
use crate::error::Violation;
use crate::spec::config::{Seccomp, SeccompArg, SeccompRule};
use std::fmt::Display;

const ACTIONS: [&str; 9] = [
    "SCMP_ACT_ALLOW",
    "SCMP_ACT_ERRNO",
    "SCMP_ACT_KILL",
    "SCMP_ACT_KILL_PROCESS",
    "SCMP_ACT_KILL_THREAD",
    "SCMP_ACT_LOG",
    "SCMP_ACT_NOTIFY",
    "SCMP_ACT_TRACE",
    "SCMP_ACT_TRAP",
];

const OPERATORS: [(&str, Op); 7] = [
    ("SCMP_CMP_NE", Op::Ne),
    ("SCMP_CMP_LT", Op::Lt),
    ("SCMP_CMP_LE", Op::Le),
    ("SCMP_CMP_EQ", Op::Eq),
    ("SCMP_CMP_GE", Op::Ge),
    ("SCMP_CMP_GT", Op::Gt),
    ("SCMP_CMP_MASKED_EQ", Op::MaskedEq),
];

const OPERATOR_NAMES: [&str; 7] = {
    let mut names = [""; 7];
    let mut i = 0;
    while i < names.len() {
        names[i] = OPERATORS[i].0;
        i += 1;
    }
    names
};

const TSYNC: &str = "SECCOMP_FILTER_FLAG_TSYNC";
const LOG: &str = "SECCOMP_FILTER_FLAG_LOG";
const SPEC_ALLOW: &str = "SECCOMP_FILTER_FLAG_SPEC_ALLOW";
const WAIT_KILLABLE_RECV: &str = "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV";
const FLAGS: [&str; 4] = [TSYNC, LOG, SPEC_ALLOW, WAIT_KILLABLE_RECV];

/// The kernel's `MAX_ERRNO`: a greater `SECCOMP_RET_ERRNO` value is cut to it.
const MAX_ERRNO: u32 = 4095;

/// How an argument is compared with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Op {
    Ne,
    Lt,
    Le,
    Eq,
    Ge,
    Gt,
    MaskedEq,
}

/// The actions we know, for `features`.
pub fn actions() -> &'static [&'static str] {
    &ACTIONS
}

/// The comparison operators we know, for `features`.
pub fn operators() -> &'static [&'static str] {
    &OPERATOR_NAMES
}

/// The architectures that we and the linked libseccomp know, for `features`.
pub fn architectures() -> &'static [&'static str] {
    arch::known()
}

/// The filter flags we know, for `features`.
pub fn flags() -> &'static [&'static str] {
    &FLAGS
}

/// The version of the linked libseccomp, whose tables of system calls are ours.
pub fn libseccomp_version() -> String {
    libseccomp::ScmpVersion::current().map_or_else(|_| String::new(), |version| version.to_string())
}

/// The `SECCOMP_RET_*` value of an action; its data is the errno of ERRNO and the message of TRACE,
/// `EPERM` unless told (config-linux.md, seccomp).
pub(super) fn action(name: &str, errno: Option<u32>) -> Option<u32> {
    let data = errno.unwrap_or(libc::EPERM as u32) & libc::SECCOMP_RET_DATA;
    Some(match name {
        "SCMP_ACT_ALLOW" => libc::SECCOMP_RET_ALLOW,
        "SCMP_ACT_ERRNO" => libc::SECCOMP_RET_ERRNO | data,
        "SCMP_ACT_KILL" | "SCMP_ACT_KILL_THREAD" => libc::SECCOMP_RET_KILL_THREAD,
        "SCMP_ACT_KILL_PROCESS" => libc::SECCOMP_RET_KILL_PROCESS,
        "SCMP_ACT_LOG" => libc::SECCOMP_RET_LOG,
        "SCMP_ACT_NOTIFY" => libc::SECCOMP_RET_USER_NOTIF,
        "SCMP_ACT_TRACE" => libc::SECCOMP_RET_TRACE | data,
        "SCMP_ACT_TRAP" => libc::SECCOMP_RET_TRAP,
        _ => return None,
    })
}

/// The operator called `name`.
pub(super) fn operator(name: &str) -> Option<Op> {
    OPERATORS.iter().find(|(known, _)| *known == name).map(|(_, op)| *op)
}

/// The flags for seccomp(2). Where the profile does not speak of flags it is SPEC_ALLOW, as runc has
/// it: the mitigation that it leaves out slows every task in the container down.
pub(super) fn flag_bits(names: Option<&[String]>, notify: bool) -> u32 {
    let mut bits = if names.is_none() { libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW } else { 0 };
    for name in names.unwrap_or_default() {
        bits |= match name.as_str() {
            TSYNC => libc::SECCOMP_FILTER_FLAG_TSYNC,
            LOG => libc::SECCOMP_FILTER_FLAG_LOG,
            SPEC_ALLOW => libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW,
            WAIT_KILLABLE_RECV => libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
            _ => 0,
        };
    }
    // seccomp(2) refuses WAIT_KILLABLE_RECV without a listener, and TSYNC with one unless the
    // failure of TSYNC is an errno, so that it cannot be taken for a file descriptor.
    if notify {
        bits |= libc::SECCOMP_FILTER_FLAG_NEW_LISTENER;
        if bits & libc::SECCOMP_FILTER_FLAG_TSYNC != 0 {
            bits |= libc::SECCOMP_FILTER_FLAG_TSYNC_ESRCH;
        }
    } else {
        bits &= !libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
    }
    bits as u32
}

/// Everything in `profile` that is no word of the runtime-spec or out of range, with its place in
/// the configuration, such as `linux.seccomp.syscalls[3].args[0].index`: `7 is not 0 to 5`.
///
/// Names of system calls are not checked: a profile may know calls that we do not.
pub fn check(profile: &Seccomp) -> Vec<Violation> {
    let mut found = Mistakes(Vec::new());
    found.action("", "defaultAction", &profile.default_action);
    found.errno("", "defaultErrnoRet", &profile.default_action, profile.default_errno_ret);
    for (i, name) in profile.architectures.iter().enumerate() {
        if arch::by_name(name).is_none() {
            found.add(format!("architectures[{i}]"), format_args!("{name:?} is not an architecture we know"));
        }
    }
    for (i, name) in profile.flags.iter().flatten().enumerate() {
        if !FLAGS.contains(&name.as_str()) {
            found.add(format!("flags[{i}]"), format_args!("{name:?} is not a seccomp flag"));
        }
    }
    for (i, rule) in profile.syscalls.iter().enumerate() {
        found.rule(&format!("syscalls[{i}]."), rule);
    }
    found.0
}

struct Mistakes(Vec<Violation>);

impl Mistakes {
    fn add(&mut self, place: String, text: impl Display) {
        self.0.push(Violation { path: format!("linux.seccomp.{place}"), text: text.to_string() });
    }

    fn action(&mut self, at: &str, field: &str, name: &str) {
        if !ACTIONS.contains(&name) {
            self.add(format!("{at}{field}"), format_args!("{name:?} is not a seccomp action"));
        }
    }

    /// "When the action doesn't support an errno, the runtime MUST print and error and fail."
    fn errno(&mut self, at: &str, field: &str, action: &str, errno: Option<u32>) {
        let Some(errno) = errno else { return };
        let place = || format!("{at}{field}");
        match action {
            "SCMP_ACT_ERRNO" if errno > MAX_ERRNO => {
                self.add(place(), format_args!("{errno} is not 0 to {MAX_ERRNO}"));
            }
            "SCMP_ACT_TRACE" if errno > libc::SECCOMP_RET_DATA => {
                self.add(place(), format_args!("{errno} is not 0 to {}", libc::SECCOMP_RET_DATA));
            }
            "SCMP_ACT_ERRNO" | "SCMP_ACT_TRACE" => {}
            other => self.add(place(), format_args!("{errno} is given, but {other} takes no errno")),
        }
    }

    fn rule(&mut self, at: &str, rule: &SeccompRule) {
        if rule.names.is_empty() {
            self.add(format!("{at}names"), "is empty");
        }
        for (i, name) in rule.names.iter().enumerate() {
            if name.is_empty() {
                self.add(format!("{at}names[{i}]"), "\"\" is not the name of a system call");
            }
        }
        self.action(at, "action", &rule.action);
        self.errno(at, "errnoRet", &rule.action, rule.errno_ret);
        for (i, arg) in rule.args.iter().enumerate() {
            self.arg(&format!("{at}args[{i}]."), arg);
        }
    }

    fn arg(&mut self, at: &str, arg: &SeccompArg) {
        if arg.index > 5 {
            self.add(format!("{at}index"), format_args!("{} is not 0 to 5", arg.index));
        }
        if operator(&arg.op).is_none() {
            self.add(format!("{at}op"), format_args!("{:?} is not a comparison operator", arg.op));
        }
    }
}
