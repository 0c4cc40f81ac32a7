//! Hooks of the container's namespaces: run here, watched over by the host ([`crate::host::hooks`]),
//! which keeps their time and has the words for what went wrong.

use super::{At, Done, identity};
use crate::plan::hooks::{Hook, HookPlan, Kind};
use crate::plan::process::Process;
use crate::sys;
use crate::sys::process::{Cloned, Ended};
use crate::wire::{self, Step, ToChild};
use std::convert::Infallible;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

/// What hooks make is not for everybody to write to.
const UMASK: u32 = 0o022;

/// Lets the host run its hooks, then runs those that come before the change of root.
pub(super) fn before_pivot(hooks: &HookPlan, host: BorrowedFd) -> Done {
    wire::send_mounted(host).at(Step::Hook, 0)?;
    wire::expect(host, ToChild::HooksDone).at(Step::Hook, 0)?;
    let before = sys::process::umask(UMASK);
    run(hooks.of(Kind::CreateContainer), host, None)?;
    sys::process::umask(before);
    Ok(())
}

/// Runs the hooks behind the gate. Their programs are the container's, so they are confined as its
/// program will be.
pub(super) fn at_start(hooks: &HookPlan, process: &Process, starter: BorrowedFd) -> Done {
    run(hooks.of(Kind::StartContainer), starter, Some(process))
}

fn run(hooks: &[Hook], host: BorrowedFd, confined: Option<&Process>) -> Done {
    for (i, hook) in hooks.iter().enumerate() {
        let stream = || wire::expect_stream(host).at(Step::Hook, i);
        let streams = [stream()?, stream()?, stream()?];
        let (pid, pidfd) = match sys::process::clone3(0, None).at(Step::Hook, i)? {
            Cloned::Child => become_hook(hook, streams.each_ref().map(AsFd::as_fd), host, confined),
            Cloned::Parent { pid, pidfd } => (pid, pidfd),
        };
        drop(streams);
        let ended = watch(pid, pidfd.as_fd(), host).at(Step::Hook, i)?;
        wire::send_hook_ended(host, ended).at(Step::Hook, i)?;
        // The host tells why. Nothing of the container may run any more.
        if ended != Ended::Exited(0) {
            sys::process::exit_now(1);
        }
    }
    Ok(())
}

/// Waits for the end of a hook; kills it when the host says so or is gone.
fn watch(pid: i32, pidfd: BorrowedFd, host: BorrowedFd) -> io::Result<Ended> {
    let mut fds = [sys::poll::readable(pidfd), sys::poll::readable(host)];
    sys::poll::poll(&mut fds, -1)?;
    if fds[0].revents == 0 {
        // The process itself as well: it may not lead its group yet.
        let _ = sys::process::kill(-pid, libc::SIGKILL);
        let _ = sys::pidfd::send_signal(pidfd, libc::SIGKILL);
    }
    sys::process::wait(pidfd)
}

/// Becomes a hook; tells over `told` if that cannot be. Also for those that the host clones.
pub(crate) fn become_hook(
    hook: &Hook,
    streams: [BorrowedFd; 3],
    told: BorrowedFd,
    confined: Option<&Process>,
) -> ! {
    let failure = match execute(hook, streams, confined) {
        Ok(never) => match never {},
        Err(failure) => failure,
    };
    wire::send_failure(told, &failure);
    sys::process::exit_now(127)
}

fn execute(hook: &Hook, streams: [BorrowedFd; 3], confined: Option<&Process>) -> Done<Infallible> {
    // So that a timeout ends all of it, and nothing of it outlives the runtime.
    sys::process::lead_group().at(Step::Hook, hook.index)?;
    sys::process::die_with_parent().at(Step::Hook, hook.index)?;
    for (number, stream) in streams.into_iter().enumerate() {
        sys::fs::dup_onto_stdio(stream, number as i32).at(Step::Hook, hook.index)?;
    }
    sys::fs::cloexec_from(3).at(Step::CloseFds, 0)?;
    sys::signal::reset_all().at(Step::CloseFds, 0)?;
    if let Some(directory) = &hook.directory {
        // Root of a user namespace may not reach the bundle.
        sys::fs::chdir(directory).or_else(|_| sys::fs::chdir(c"/")).at(Step::Hook, hook.index)?;
    }
    if let Some(process) = confined {
        identity::confine(process, None)?;
    }
    Err(sys::exec::execve(&hook.path, &hook.args, &hook.env)).at(Step::HookExecute, hook.index)
}
