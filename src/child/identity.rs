//! Who the program runs as. The order follows from capabilities(7) and seccomp(2).

use super::{At, Done, errno, listener};
use crate::plan::process::Process;
use crate::sys;
use crate::wire::Step;
use std::ffi::CStr;
use std::io;
use std::os::fd::BorrowedFd;

/// CAP_SYS_ADMIN, as a mask.
const SYS_ADMIN: u64 = 1 << 21;

/// A new session keyring, so that the container cannot read the caller's keys (session-keyring(7)).
pub(super) fn new_keyring(name: &CStr) -> Done {
    match sys::security::new_session_keyring(name) {
        // A kernel without keyrings has none to share.
        Err(e) if errno(&e) == libc::ENOSYS => Ok(()),
        done => done.at(Step::Keyring, 0),
    }
}

/// Takes limits, ids and, as far as nothing needs them any more, gives up capabilities.
pub(super) fn assume(process: &Process) -> Done {
    let identity = &process.identity;
    for (i, limit) in identity.rlimits.iter().enumerate() {
        match limit.waits_for_the_gate() {
            false => sys::process::setrlimit(limit.resource, limit.soft, limit.hard).at(Step::Rlimit, i)?,
            // Raising it takes the capabilities of now; lowering it takes none.
            true if limit.leaves_room_at_the_gate() => {
                sys::process::setrlimit(limit.resource, limit.hard, limit.hard).at(Step::Rlimit, i)?;
            }
            true => {}
        }
    }
    own_stdio(identity.uid);
    // As root first: a parent directory may be closed to the user, or open only to the user.
    let entered = sys::fs::chdir(&process.cwd);
    // The bounding set needs CAP_SETPCAP, so it goes before the ids and the other sets.
    for cap in &identity.bounding_drop {
        sys::process::bounding_drop(*cap).at(Step::BoundingSet, *cap as usize)?;
    }
    // Groups and gid need CAP_SETGID, which a change of the uid takes away.
    if let Some(groups) = &identity.groups {
        match sys::process::setgroups(groups) {
            Err(e) if identity.groups_may_be_denied && errno(&e) == libc::EPERM => {}
            done => done.at(Step::Groups, 0)?,
        }
    }
    sys::process::set_keepcaps(true).at(Step::Ids, 0)?;
    sys::process::setgid(identity.gid).at(Step::Ids, 1)?;
    sys::process::setuid(identity.uid).at(Step::Ids, 2)?;
    sys::process::set_keepcaps(false).at(Step::Ids, 0)?;
    if entered.is_err() {
        sys::fs::chdir(&process.cwd).at(Step::WorkingDirectory, 0)?;
    }
    // A working directory reached through a leaked fd would lie outside (CVE-2024-21626).
    sys::fs::cwd_is_inside_root().at(Step::WorkingDirectory, 1)?;
    sys::process::umask(identity.umask);
    // A change of ids makes the process dumpable again by /proc/sys/fs/suid_dumpable.
    sys::process::set_dumpable(false).at(Step::SetDumpable, 0)?;
    if identity.no_new_privs {
        sys::process::set_no_new_privs().at(Step::NoNewPrivileges, 0)?;
    }
    if needs_admin_for_seccomp(process) { Ok(()) } else { final_caps(process) }
}

/// All that is left to be taken away, right before execve(2): of the program, and of hooks that are
/// programs of the container. These have no `starter` to take the fd of a filter that notifies, so what
/// it would notify of fails with ENOSYS (seccomp(2), SECCOMP_RET_USER_NOTIF).
pub(super) fn confine(process: &Process, starter: Option<BorrowedFd>) -> Done {
    last_limits(process)?;
    seal(process, starter)
}

/// The limits under which the gate could not have accepted `start`.
fn last_limits(process: &Process) -> Done {
    let late = process.identity.rlimits.iter().enumerate().filter(|(_, limit)| limit.waits_for_the_gate());
    for (i, limit) in late {
        sys::process::setrlimit(limit.resource, limit.soft, limit.hard).at(Step::Rlimit, i)?;
    }
    Ok(())
}

/// Without no_new_privs loading a filter takes CAP_SYS_ADMIN (seccomp(2)).
fn needs_admin_for_seccomp(process: &Process) -> bool {
    process.seccomp.is_some() && !process.identity.no_new_privs
}

/// The last steps before execve: the filter as late as possible, so that it need not allow what
/// comes before it.
fn seal(process: &Process, starter: Option<BorrowedFd>) -> Done {
    let Some(filter) = &process.seccomp else { return Ok(()) };
    let needs_admin = needs_admin_for_seccomp(process);
    if needs_admin {
        let mut caps = process.identity.caps;
        caps.permitted |= SYS_ADMIN;
        caps.effective |= SYS_ADMIN;
        sys::security::capset(caps).at(Step::Capabilities, 1)?;
    }
    match starter.filter(|_| filter.notify) {
        Some(starter) => listener::load(filter, process.preserve_fds, starter)?,
        None => {
            let flags = filter.flags & !sys::security::SECCOMP_LISTENER_FLAGS;
            sys::security::seccomp_load(&filter.program, flags).at(Step::Seccomp, 0)?;
        }
    }
    if needs_admin { final_caps(process) } else { Ok(()) }
}

fn final_caps(process: &Process) -> Done {
    let identity = &process.identity;
    sys::security::capset(identity.caps).at(Step::Capabilities, 0)?;
    // The caller's ambient set would be the program's.
    sys::process::ambient_clear().at(Step::AmbientSet, 0)?;
    for cap in &identity.ambient {
        sys::process::ambient_raise(*cap).at(Step::AmbientSet, *cap as usize)?;
    }
    Ok(())
}

/// The program may want to reopen /dev/stdout: give the streams to it. Not /dev/null, which others
/// use; where it is not allowed (a socket, a read-only file) the program can do without.
fn own_stdio(uid: u32) {
    for number in 0..=2 {
        let fd = sys::fs::stdio(number);
        let Ok(stat) = sys::fs::fstat(fd) else { continue };
        let null = stat.is(libc::S_IFCHR) && stat.rdev == (1, 3);
        if stat.uid != uid && !null {
            let _ = sys::fs::fchown(fd, uid, u32::MAX);
        }
    }
}

/// Looks for the program as the user who shall run it, so that `create` can already tell.
pub(super) fn find_program(process: &Process) -> Done {
    let mut why = libc::ENOENT;
    for path in &process.candidates {
        let found = sys::fs::statat_following(sys::fs::CWD, path).and_then(|stat| {
            let regular = stat.is(libc::S_IFREG);
            if regular {
                sys::fs::is_executable(path)
            } else {
                Err(io::Error::from_raw_os_error(libc::EACCES))
            }
        });
        match found {
            Ok(()) => return Ok(()),
            Err(e) if matches!(errno(&e), libc::ENOENT | libc::ENOTDIR) => {}
            Err(e) => why = errno(&e),
        }
    }
    Err(io::Error::from_raw_os_error(why)).at(Step::FindProgram, 0)
}
