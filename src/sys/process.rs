//! Processes: clone3(2), waitid(2), ids, limits, prctl(2).
//!
//! Ids are changed by the bare system calls: glibc's wrappers signal every thread that they know
//! of, and after a bare clone3 what they know is the parent's.

use super::{check, owned};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

/// Which side of [`clone3`] this is.
#[derive(Debug)]
pub enum Cloned {
    /// The new process.
    Child,
    /// The caller, with the new process's pid and pidfd.
    Parent {
        /// In the caller's pid namespace.
        pid: i32,
        /// Refers to the child for as long as it is held.
        pidfd: OwnedFd,
    },
}

/// As in linux/sched.h; the libc crate's constant is too narrow.
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// clone3(2) like fork(2), with `CLONE_PIDFD` and these flags, the child in the v2 cgroup if one
/// is given (`CLONE_INTO_CGROUP`).
///
/// The child goes on in a copy of this memory and must keep to calls that do not allocate, as
/// after fork(2) in a program with threads.
pub fn clone3(flags: u64, cgroup: Option<BorrowedFd>) -> io::Result<Cloned> {
    let mut pidfd: i32 = -1;
    let mut flags = flags | libc::CLONE_PIDFD as u64;
    if cgroup.is_some() {
        flags |= CLONE_INTO_CGROUP;
    }
    let args = libc::clone_args {
        flags,
        pidfd: &raw mut pidfd as u64,
        child_tid: 0,
        parent_tid: 0,
        // With CLONE_PARENT the signal is the parent's own and may not be named.
        exit_signal: if flags & libc::CLONE_PARENT as u64 != 0 { 0 } else { libc::SIGCHLD as u64 },
        stack: 0,
        stack_size: 0,
        tls: 0,
        set_tid: 0,
        set_tid_size: 0,
        cgroup: cgroup.map_or(0, |fd| fd.as_raw_fd() as u64),
    };
    // SAFETY: no stack and no CLONE_VM: the child gets a copy of everything, as by fork(2).
    match check(unsafe { libc::syscall(libc::SYS_clone3, &raw const args, size_of_val(&args)) })? {
        0 => Ok(Cloned::Child),
        pid => Ok(Cloned::Parent { pid: pid as i32, pidfd: owned(pidfd.into())? }),
    }
}

/// Which side of [`clone_sharing_fds`] this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// The new process.
    Child,
    /// The caller, with the new process's pid in its own pid namespace.
    Parent(i32),
}

/// clone3(2) like fork(2), but caller and child have one table of fds (`CLONE_FILES`).
pub fn clone_sharing_fds() -> io::Result<Sharing> {
    // SAFETY: an all-zero clone_args asks for nothing.
    let mut args: libc::clone_args = unsafe { std::mem::zeroed() };
    args.flags = libc::CLONE_FILES as u64;
    args.exit_signal = libc::SIGCHLD as u64;
    // SAFETY: no stack and no CLONE_VM: the child gets a copy of the memory, as by fork(2).
    match check(unsafe { libc::syscall(libc::SYS_clone3, &raw const args, size_of_val(&args)) })? {
        0 => Ok(Sharing::Child),
        pid => Ok(Sharing::Parent(pid as i32)),
    }
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// By exit(2), with this status.
    Exited(u8),
    /// By this signal.
    Killed(i32),
}

impl Ended {
    /// The status as shells tell it: 128 + n for signal n.
    pub fn status(self) -> u8 {
        match self {
            Ended::Exited(status) => status,
            Ended::Killed(signal) => 128u8.wrapping_add(signal as u8),
        }
    }
}

impl Ended {
    /// From the form that wait(2) has.
    pub fn from_raw(status: i32) -> Ended {
        match status & 0x7f {
            0 => Ended::Exited((status >> 8) as u8),
            signal => Ended::Killed(signal),
        }
    }
}

/// waitid(2) on a pidfd: blocks until the process has ended and reaps it.
pub fn wait(pidfd: BorrowedFd) -> io::Result<Ended> {
    wait_for(libc::P_PIDFD, pidfd.as_raw_fd() as u32)
}

/// waitid(2) on a pid, which must be a child's: blocks until it has ended and reaps it.
pub fn wait_pid(pid: i32) -> io::Result<Ended> {
    wait_for(libc::P_PID, pid as u32)
}

fn wait_for(kind: libc::idtype_t, id: u32) -> io::Result<Ended> {
    loop {
        match waitid(kind, id, libc::WEXITED) {
            Ok(Some((_, ended))) => return Ok(ended),
            Ok(None) => {}
            Err(e) if e.raw_os_error() == Some(libc::EINTR) => {}
            Err(e) => return Err(e),
        }
    }
}

/// Reaps one child that has already ended, whichever: its pid and how it ended.
pub fn reap_any() -> io::Result<Option<(i32, Ended)>> {
    waitid(libc::P_ALL, 0, libc::WEXITED | libc::WNOHANG)
}

fn waitid(kind: libc::idtype_t, id: u32, options: i32) -> io::Result<Option<(i32, Ended)>> {
    // SAFETY: an all-zero siginfo_t is a valid one.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    // SAFETY: info is valid for writing.
    check(unsafe { libc::waitid(kind, id, &mut info, options) }.into())?;
    // SAFETY: waitid fills these fields, or leaves them zero with WNOHANG.
    let (pid, status) = unsafe { (info.si_pid(), info.si_status()) };
    if pid == 0 {
        return Ok(None);
    }
    Ok(Some((
        pid,
        if info.si_code == libc::CLD_EXITED { Ended::Exited(status as u8) } else { Ended::Killed(status) },
    )))
}

/// _exit(2): no destructor, no buffer is flushed.
pub fn exit_now(status: i32) -> ! {
    // SAFETY: ends the process.
    unsafe { libc::_exit(status) }
}

/// Waits to be killed.
pub fn pause() -> ! {
    loop {
        // SAFETY: takes nothing.
        unsafe { libc::pause() };
    }
}

/// kill(2)
pub fn kill(pid: i32, signal: i32) -> io::Result<()> {
    // SAFETY: plain integers.
    check(unsafe { libc::kill(pid, signal) }.into()).map(drop)
}

/// geteuid(2), getegid(2)
pub fn effective_ids() -> (u32, u32) {
    // SAFETY: these calls cannot fail.
    unsafe { (libc::geteuid(), libc::getegid()) }
}

/// getpid(2), getppid(2): as this process's pid namespace has them; 0 is a parent outside of it.
pub fn pids() -> (i32, i32) {
    // SAFETY: these calls cannot fail.
    unsafe { (libc::getpid(), libc::getppid()) }
}

/// sched_yield(2): lets others run first.
pub fn give_way() {
    // SAFETY: no arguments; it cannot fail.
    unsafe { libc::sched_yield() };
}

/// setsid(2)
pub fn setsid() -> io::Result<()> {
    // SAFETY: no arguments.
    check(unsafe { libc::setsid() }.into()).map(drop)
}

/// setpgid(2): the caller leads a process group of its own.
pub fn lead_group() -> io::Result<()> {
    // SAFETY: plain integers.
    check(unsafe { libc::setpgid(0, 0) }.into()).map(drop)
}

/// umask(2); gives the old one.
pub fn umask(mask: u32) -> u32 {
    // SAFETY: cannot fail.
    unsafe { libc::umask(mask) }
}

/// setgroups(2)
pub fn setgroups(groups: &[u32]) -> io::Result<()> {
    // SAFETY: pointer and length are of one slice.
    check(unsafe { libc::syscall(libc::SYS_setgroups, groups.len(), groups.as_ptr()) }).map(drop)
}

/// setresgid(2), all three.
pub fn setgid(gid: u32) -> io::Result<()> {
    // SAFETY: plain integers.
    check(unsafe { libc::syscall(libc::SYS_setresgid, gid, gid, gid) }).map(drop)
}

/// setresuid(2), all three.
pub fn setuid(uid: u32) -> io::Result<()> {
    // SAFETY: plain integers.
    check(unsafe { libc::syscall(libc::SYS_setresuid, uid, uid, uid) }).map(drop)
}

/// setrlimit(2)
pub fn setrlimit(resource: u32, soft: u64, hard: u64) -> io::Result<()> {
    let limit = libc::rlimit { rlim_cur: soft, rlim_max: hard };
    let none = std::ptr::null_mut::<libc::rlimit>();
    // SAFETY: limit is a valid struct; the old value is not asked for.
    check(unsafe { libc::syscall(libc::SYS_prlimit64, 0, resource, &raw const limit, none) }).map(drop)
}

fn prctl(option: i32, arg2: u64, arg3: u64) -> io::Result<libc::c_long> {
    // SAFETY: only options that take integers are used in this file.
    check(unsafe { libc::prctl(option, arg2, arg3, 0u64, 0u64) }.into())
}

/// PR_SET_DUMPABLE: a process that is not dumpable cannot be traced, nor its /proc files opened, by
/// the container (CVE-2016-9962).
pub fn set_dumpable(dumpable: bool) -> io::Result<()> {
    prctl(libc::PR_SET_DUMPABLE, dumpable.into(), 0).map(drop)
}

/// PR_SET_KEEPCAPS: the permitted set survives a change from uid 0.
pub fn set_keepcaps(keep: bool) -> io::Result<()> {
    prctl(libc::PR_SET_KEEPCAPS, keep.into(), 0).map(drop)
}

/// PR_SET_NO_NEW_PRIVS
pub fn set_no_new_privs() -> io::Result<()> {
    prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0).map(drop)
}

/// PR_SET_CHILD_SUBREAPER
pub fn set_subreaper() -> io::Result<()> {
    prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0).map(drop)
}

/// PR_SET_PDEATHSIG with SIGKILL: this process ends when its parent does. Too late for one that is gone
/// already, so look at [`pids`] afterwards.
pub fn die_with_parent() -> io::Result<()> {
    prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as u64, 0).map(drop)
}

/// PR_CAPBSET_READ: is the capability known and in the bounding set?  EINVAL: unknown.
pub fn bounding_has(cap: u32) -> io::Result<bool> {
    prctl(libc::PR_CAPBSET_READ, cap.into(), 0).map(|v| v == 1)
}

/// PR_CAPBSET_DROP
pub fn bounding_drop(cap: u32) -> io::Result<()> {
    prctl(libc::PR_CAPBSET_DROP, cap.into(), 0).map(drop)
}

/// PR_CAP_AMBIENT_RAISE
pub fn ambient_raise(cap: u32) -> io::Result<()> {
    prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_RAISE as u64, cap.into()).map(drop)
}

/// PR_CAP_AMBIENT_CLEAR_ALL
pub fn ambient_clear() -> io::Result<()> {
    prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL as u64, 0).map(drop)
}
