//! `linux.seccomp` as a BPF program.
//!
//! A compiler of our own, with libseccomp's tables of system call numbers. For the profile that Docker
//! sends it takes 0.1 ms, and the kernel 0.06 ms to load the filter; libseccomp takes 5 ms and more, and
//! its filter 0.2 to 0.5 ms.
//!
//! # What a profile means
//!
//! The runtime-spec leaves most of this open; it is libseccomp as runc and crun use it.
//!
//! - The native architecture is always included. A call by an architecture that is not kills the thread.
//!   x32 calls are x86_64 ones with bit 30 set; unless `SCMP_ARCH_X32` is included they kill the thread.
//! - A rule whose action is the default action is dropped. Names that mean nothing to us are skipped.
//! - The conditions of a rule must all hold. But if two of them are on the same argument, each of
//!   them alone is enough.
//! - Of the rules for one system call, the first one without conditions decides, even if rules with
//!   conditions come before it.
//! - Else, of the rules whose conditions hold, the one that libseccomp would test first decides. Rules
//!   are compared condition by condition, from the lowest argument on: a higher argument number goes
//!   first; then EQ, NE and MASKED_EQ before LT and LE before GE and GT; then the greater value (for LT
//!   and LE the smaller); then the rule with fewer conditions; then the order of the profile.
//! - Arguments are compared as 64 bits on 64-bit architectures. On others, and x32, only the low 32 bits
//!   of the argument count, as if the others were zero.
//! - On x86, s390, ppc and 32-bit MIPS, calls behind `socketcall(2)` and `ipc(2)` are ruled there, too, by
//!   the first argument. Arguments of such a call are in memory, where no filter can see them, so
//!   conditions on argument 0 do not count there, and others are on those of the multiplexer.
//!
//! libseccomp 2.5.4 fails in cases where this does not: it refuses profiles with two actions for the same
//! conditions, loses some rules with several conditions, mixes up LE and LT of values above 32 bits,
//! cuts values to 32 bits for 32-bit architectures, and may compare the architecture where the number
//! should be if rules are for calls that an architecture lacks.
//!
//! # ENOSYS for what the profile is too old for
//!
//! libc falls back from a new system call to an old one on ENOSYS, but not on EPERM. So if the default
//! action is `SCMP_ACT_ERRNO`, a call whose number is greater than all that the profile names on its
//! architecture fails with ENOSYS; in the gaps below, the default action holds. Rules with the default
//! action count as well here. It is runc's rule, but for these:
//!
//! - It is only for ERRNO. runc also answers ENOSYS where the default is to kill, trap or notify.
//! - x32's old numbers 512 to 547, and the private calls of 32-bit Arm, tell nothing about age: they do
//!   not count as the greatest number, and get the default action. On x32, runc takes 547 for the
//!   newest call, and so never answers ENOSYS to a new one.
//! - Numbers from a multiplexer count, and what the profile allows is never overridden.
//!
//! On s390 and s390x, where the kernel shows calls that it does not know as number 0, that is ENOSYS too.

//! # Notifications
//!
//! With `SCMP_ACT_NOTIFY` seccomp(2) gives an fd, by which an agent answers calls. The child hands it to
//! the host ([`crate::child`]), which sends it to the agent ([`crate::host::agent`]), before the program
//! runs. An agent may be asked about any call, also those that the runtime itself makes by then.

mod arch;
mod assembler;
mod failures;
mod names;
mod policy;
mod raw;
mod words;

pub(in crate::plan) use failures::{not_handed_over, refused};
pub use words::{actions, architectures, check, flags, libseccomp_version, operators};

use crate::error::{Error, Result, Violation};
use crate::spec::annotations::{self, SECCOMP_BPF_DATA, SECCOMP_FAIL_UNKNOWN_SYSCALL, SECCOMP_RECEIVER};
use crate::spec::config::{Seccomp, Spec};
use arch::Arch;
use assembler::Assembler;
use policy::Policy;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;

/// The kernel's limit, `BPF_MAXINSNS`.
const MAX_INSTRUCTIONS: usize = 4096;

/// What seccomp(2) takes.
#[derive(Clone)]
pub struct Filter {
    /// For `SECCOMP_SET_MODE_FILTER`; 1 to 4096 instructions.
    pub program: Vec<libc::sock_filter>,
    /// `SECCOMP_FILTER_FLAG_*`, with NEW_LISTENER if `notify`.
    pub flags: u32,
    /// It has the action `SCMP_ACT_NOTIFY`: seccomp(2) returns the notification fd.
    pub notify: bool,
    /// Names of the profile that mean no system call to us on any architecture; they were skipped.
    pub unknown: Vec<String>,
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Filter")
            .field("instructions", &self.program.len())
            .field("flags", &self.flags)
            .field("notify", &self.notify)
            .field("unknown", &self.unknown)
            .finish()
    }
}

/// Who answers the calls that a filter notifies of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Listener {
    /// The Unix socket that the agent listens on.
    pub path: PathBuf,
    /// `linux.seccomp.listenerMetadata`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<String>,
    /// Where in the configuration the path is.
    pub location: String,
}

/// The filter that a configuration asks for, if it does, and its agent, if it needs one.
///
/// # Errors
///
/// Those of [`compile`]; annotations that cannot be obeyed; a system call that is not known, where an
/// annotation makes that an error.
pub fn plan(spec: &Spec) -> Result<Option<(Filter, Option<Listener>)>> {
    let profile = spec.linux.as_ref().and_then(|linux| linux.seccomp.as_ref());
    let listener = listener(spec, profile);
    let filter = match (annotations::value(spec, SECCOMP_BPF_DATA), profile) {
        (Some(data), profile) => ready_made(data, profile, listener.is_some())?,
        (None, Some(profile)) => compile(profile)?,
        (None, None) => return Ok(None),
    };
    let strict = annotations::value(spec, SECCOMP_FAIL_UNKNOWN_SYSCALL).is_some_and(|value| value != "0");
    match profile {
        Some(profile) if strict && !filter.unknown.is_empty() => Err(unknown(profile, &filter.unknown)),
        _ => {
            let listener = listener.filter(|_| filter.notify);
            Ok(Some((filter, listener)))
        }
    }
}

fn listener(spec: &Spec, profile: Option<&Seccomp>) -> Option<Listener> {
    let own = profile.and_then(|profile| profile.listener_path.as_deref()).filter(|path| !path.is_empty());
    let (path, location) = match own {
        Some(path) => (path, "linux.seccomp.listenerPath".to_owned()),
        None => (annotations::value(spec, SECCOMP_RECEIVER)?, format!("annotations[{SECCOMP_RECEIVER:?}]")),
    };
    let metadata = profile.and_then(|profile| profile.listener_metadata.clone());
    Some(Listener { path: path.into(), metadata, location })
}

/// As crun does it, a listener is there whenever somebody waits for one: what the program returns may
/// be known only when it runs.
fn ready_made(data: &str, profile: Option<&Seccomp>, listener: bool) -> Result<Filter> {
    let place = || format!("annotations[{SECCOMP_BPF_DATA:?}]");
    let program = raw::program(data).map_err(|why| why.context(place()))?;
    if raw::notifies(&program) && !listener {
        return Err(Error::new(format!(
            "{}: notifies, but neither linux.seccomp.listenerPath nor {SECCOMP_RECEIVER} says whom",
            place()
        )));
    }
    let flags = words::flag_bits(profile.and_then(|profile| profile.flags.as_deref()), listener);
    Ok(Filter { program, flags, notify: listener, unknown: Vec::new() })
}

fn unknown(profile: &Seccomp, names: &[String]) -> Error {
    let rules = profile.syscalls.iter().enumerate();
    let all = rules.flat_map(|(i, rule)| rule.names.iter().enumerate().map(move |(j, name)| (i, j, name)));
    let unknown = all.filter(|(.., name)| names.contains(name));
    let violation = |(i, j, name): (usize, usize, &String)| Violation {
        path: format!("linux.seccomp.syscalls[{i}].names[{j}]"),
        text: format!("{name:?} is no system call that we know"),
    };
    Error::invalid(unknown.map(violation).collect())
        .hint(format!("without the annotation {SECCOMP_FAIL_UNKNOWN_SYSCALL} it is left out"))
}

/// Compiles a profile for this machine's architecture.
///
/// # Errors
///
/// All that [`check`] finds; a profile that needs more than 4096 instructions.
pub fn compile(profile: &Seccomp) -> Result<Filter> {
    let mistakes = check(profile);
    let policy = Policy::new(profile).filter(|_| mistakes.is_empty());
    let policy = policy.ok_or_else(|| Error::invalid(mistakes))?;
    let native = arch::native()
        .ok_or_else(|| Error::new("linux.seccomp: we do not know the system calls of this architecture"))?;
    let mut unknown = BTreeSet::new();
    let groups = groups(profile, native).into_iter();
    let spans = groups.map(|abis| (abis[0].audit, policy.spans(&abis, &mut unknown))).collect::<Vec<_>>();
    let program = Assembler::new(policy.default).program(&spans);
    if program.len() > MAX_INSTRUCTIONS {
        let len = program.len();
        return Err(Error::new(format!(
            "linux.seccomp: needs {len} instructions, the kernel takes {MAX_INSTRUCTIONS}"
        )));
    }
    let notify = profile.default_action == "SCMP_ACT_NOTIFY"
        || profile.syscalls.iter().any(|rule| rule.action == "SCMP_ACT_NOTIFY");
    let flags = words::flag_bits(profile.flags.as_deref(), notify);
    Ok(Filter { program, flags, notify, unknown: unknown.into_iter().map(str::to_owned).collect() })
}

/// The architectures of the profile, grouped by audit value, the native group first.
fn groups(profile: &Seccomp, native: &'static Arch) -> Vec<Vec<&'static Arch>> {
    let mut groups = vec![vec![native]];
    for arch in profile.architectures.iter().filter_map(|name| arch::by_name(name)) {
        match groups.iter_mut().find(|group| group[0].audit == arch.audit) {
            Some(group) if group.iter().any(|known| known.name == arch.name) => {}
            Some(group) => group.push(arch),
            None => groups.push(vec![arch]),
        }
    }
    groups
}
