//! Is a container's init there? Asked of /proc and of pidfds, kept nowhere.

use super::State;
use crate::sys;
use crate::sys::process::Ended;
use std::fs;
use std::io::Read;
use std::os::fd::OwnedFd;

/// Is init there, and the same one? A zombie is not.
pub fn is_alive(state: &State) -> bool {
    stat_of(state.pid)
        .is_some_and(|(letter, _, start)| start == state.start_time && !matches!(letter, 'Z' | 'X'))
}

/// A pidfd of init, if it is there and the same one.
pub fn init(state: &State) -> Option<OwnedFd> {
    let pidfd = sys::pidfd::open(state.pid).ok()?;
    // Looked at after the open: a pid that was used again since then would not be behind the pidfd.
    is_alive(state).then_some(pidfd)
}

/// A process that should have ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Zombie {
    /// Nobody has taken its status yet, which is this.
    Ended(Ended),
    /// It is there, but this caller may not see how it ended.
    Hidden,
    /// Somebody has taken it.
    Gone,
}

/// How init ended, as long as nobody has taken it.
pub fn zombie(pid: i32, start: u64) -> Zombie {
    // Who may not see the status sees 0 in its place (proc_pid_stat(5)); the same right shows this link.
    let may_see = fs::read_link(format!("/proc/{pid}/ns/user")).is_ok();
    let mut text = String::new();
    let read =
        fs::File::open(format!("/proc/{pid}/stat")).and_then(|mut file| file.read_to_string(&mut text));
    let fields: Vec<&str> =
        text.rfind(')').map_or(Vec::new(), |i| text[i + 1..].split_whitespace().collect());
    let is_it = fields.get(19).and_then(|f| f.parse().ok()) == Some(start);
    match fields.get(49).and_then(|f| f.parse().ok()) {
        Some(status) if read.is_ok() && is_it && fields[0] == "Z" => match may_see {
            true => Zombie::Ended(Ended::from_raw(status)),
            false => Zombie::Hidden,
        },
        _ => Zombie::Gone,
    }
}

/// When a process was started, in clock ticks after boot.
pub fn start_time(pid: i32) -> Option<u64> {
    stat_of(pid).map(|(_, _, start)| start)
}

/// Has the process executed a program since it was forked? A zombie can still be asked; `None` if even
/// that is gone.
pub fn has_executed(pid: i32) -> Option<bool> {
    /// PF_FORKNOEXEC of the kernel's sched.h, which execve(2) clears before it closes any fd.
    const FORKED_ONLY: u64 = 0x40;
    stat_of(pid).map(|(_, flags, _)| flags & FORKED_ONLY == 0)
}

/// Is the process about to end: exiting, or with a SIGKILL that it has not been told of yet?
pub fn is_dying(pid: i32) -> bool {
    /// PF_EXITING of the kernel's sched.h.
    const EXITING: u64 = 0x4;
    let kill = 1u64 << (libc::SIGKILL - 1);
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let pending = |name| {
        let mask = status.lines().find_map(|line: &str| line.strip_prefix(name));
        mask.and_then(|m| u64::from_str_radix(m.trim(), 16).ok()).unwrap_or(0) & kill != 0
    };
    stat_of(pid).is_none_or(|(_, flags, _)| flags & EXITING != 0) || pending("SigPnd:") || pending("ShdPnd:")
}

/// The parent of a process; 0 if that is outside of this pid namespace.
pub fn parent(pid: i32) -> Option<i32> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    text.get(text.rfind(')')? + 1..)?.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// State, flags and start time (proc_pid_stat(5)).
fn stat_of(pid: i32) -> Option<(char, u64, u64)> {
    if pid <= 0 {
        return None;
    }
    let mut buffer = [0; 1024];
    let length = fs::File::open(format!("/proc/{pid}/stat")).ok()?.read(&mut buffer).ok()?;
    let text = String::from_utf8_lossy(&buffer[..length]);
    // The name, in parentheses, may hold anything.
    let mut fields = text.get(text.rfind(')')? + 1..)?.split_ascii_whitespace();
    let letter = fields.next()?.chars().next()?;
    let flags = fields.nth(5)?.parse().ok()?;
    Some((letter, flags, fields.nth(12)?.parse().ok()?))
}
