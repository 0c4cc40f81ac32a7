//! Stage 3, the child's half: from the clone to execve(2).
//!
//! Nothing here allocates, formats or decides: the plan is carried out line by line. The order
//! *between* the kinds of step is [`prepare`] and [`become_program`], each step with its reason; what does not
//! work is told to the host as a fixed-size record, and the host has the words.

mod copy_up;
mod gate;
mod home;
pub(crate) mod hooks;
mod identity;
mod listener;
mod lsm;
mod mounts;
mod outside;
mod rootfs;
mod sandbox;
mod scheduling;
mod target;
mod terminal;
mod time;

pub(crate) use mounts::open_bind;

use crate::plan::process::Process;
use crate::plan::{Plan, Sandbox};
use crate::sys;
use crate::wire::{self, Failure, Step};
use std::convert::Infallible;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// The fds that the host stage opened for the child.
#[derive(Debug)]
pub struct Fds<'a> {
    /// To the host: [`crate::wire`].
    pub host: OwnedFd,
    /// The v1 `tasks` files of the container's cgroups.
    pub tasks: &'a [OwnedFd],
    /// `cgroup.procs` of the v2 one, if this process was not born in it.
    pub procs: Option<BorrowedFd<'a>>,
    /// It was born outside of its cgroup, and is put there.
    pub outside: bool,
    /// The namespaces of `child_joins`, in that order.
    pub joins: &'a [OwnedFd],
    /// Detached mounts of the bind sources that the host opened, by mount.
    pub binds: &'a [Option<OwnedFd>],
    /// The root filesystem, if the host opened it to map its ids.
    pub root: Option<BorrowedFd<'a>>,
    /// The namespaces whose maps mounts are shown by.
    pub id_namespaces: &'a [OwnedFd],
    /// The host's /proc, which no container can have tampered with (CVE-2025-52881).
    pub proc: BorrowedFd<'a>,
    /// Where the program is held back until `start`.
    pub gate: Gate<'a>,
    /// Of the container's init, for `exec`.
    pub target: Option<JoinFds<'a>>,
}

/// Handles of the container that `exec` joins.
#[derive(Debug)]
pub struct JoinFds<'a> {
    /// Of its init.
    pub pidfd: BorrowedFd<'a>,
    /// Its root directory, if that is not the root of its mount namespace.
    pub root: Option<BorrowedFd<'a>>,
}

/// What the child waits for before it becomes the program.
#[derive(Debug, Clone, Copy)]
pub enum Gate<'a> {
    /// `run`, `exec`: the host's word, which may have come long before.
    Host,
    /// `create`: a connection to this listening socket, made by `start`.
    Socket {
        /// Bound in the state directory.
        listener: BorrowedFd<'a>,
        /// The state directory: without it nobody can ever start this container.
        state: BorrowedFd<'a>,
    },
    /// `exec --exec-wait-fifo`: somebody opens the other end of a fifo.
    Fifo {
        /// The end to write to.
        end: BorrowedFd<'a>,
        /// Tells of those who open it (inotify(7)).
        opened: BorrowedFd<'a>,
    },
    /// `exec --exec-wait-pidfd`: a byte on this connection.
    Answer(BorrowedFd<'a>),
}

/// A step, or the record of why not.
type Done<T = ()> = Result<T, Failure>;

/// Names the step that an error belongs to.
trait At<T> {
    /// At entry `index` of this step.
    fn at(self, step: Step, index: usize) -> Done<T>;
}

impl<T> At<T> for io::Result<T> {
    fn at(self, step: Step, index: usize) -> Done<T> {
        self.map_err(|e| Failure::new(step, index, &e))
    }
}

/// The errno of an error of one of our system calls.
fn errno(error: &io::Error) -> i32 {
    error.raw_os_error().unwrap_or(libc::EIO)
}

/// Carries the plan out and becomes the program.
pub fn enter(plan: &Plan, fds: Fds) -> ! {
    if let Err(failure) = prepare(plan, &fds) {
        wire::send_failure(fds.host.as_fd(), &failure);
        sys::process::exit_now(1);
    }
    let starter = match gate::wait(fds, plan.process.as_ref().map_or(0, |p| p.preserve_fds)) {
        Ok(starter) => starter,
        // The host or the state is gone: there is nobody to tell and nothing to wait for.
        Err(_) => sys::process::exit_now(1),
    };
    let failure = match start(plan, starter.as_fd()) {
        Ok(never) => match never {},
        Err(failure) => failure,
    };
    wire::send_failure(starter.as_fd(), &failure);
    sys::process::exit_now(match failure.errno {
        libc::ENOENT => 127,
        _ => 126,
    });
}

/// Everything up to the gate.
fn prepare(plan: &Plan, fds: &Fds) -> Done {
    // First of all, so that all that follows is accounted to the container, and while this is a lone
    // thread: writing 0 to `tasks` then takes no lock that waits for an RCU grace period.
    for (i, tasks) in fds.tasks.iter().enumerate() {
        sys::fs::write_once(tasks.as_fd(), b"0").at(Step::EnterCgroup, i)?;
    }
    if fds.outside {
        outside::wait(fds).at(Step::EnterCgroup, 0)?;
    }
    if let Some(procs) = fds.procs {
        sys::fs::write_once(procs, b"0").at(Step::EnterCgroup, 0)?;
    }
    let process = plan.process.as_ref();
    if let Some(process) = process {
        scheduling::settle_on_cpus(&process.scheduling)?;
        if let Some(adj) = process.oom_score_adj.as_ref().filter(|_| !plan.is_mapped_by_host()) {
            // While the file is the caller's own: that of a process that is not dumpable is root's.
            let file = sys::fs::open_in_proc(fds.proc, c"self/oom_score_adj", libc::O_WRONLY);
            file.and_then(|file| sys::fs::write_once(file.as_fd(), adj.as_bytes())).at(Step::OomScore, 0)?;
        }
    }
    // A session of its own: no signal from the caller's terminal, no TIOCSTI into it (CVE-2017-5226).
    sys::process::setsid().at(Step::NewSession, 0)?;
    // Exact modes for what is made on the way.
    sys::process::umask(0);
    match &plan.sandbox {
        Sandbox::New(container) => sandbox::new(container, process, fds)?,
        Sandbox::Join(target) => sandbox::join(target, process, fds)?,
    }
    let Some(process) = process else { return Ok(()) };
    lsm::session_keyring(process, fds.proc)?;
    home::look_up(process);
    scheduling::assume(&process.scheduling)?;
    lsm::on_exec(process, fds.proc)?;
    identity::assume(process)?;
    identity::find_program(process)
}

/// Everything behind the gate.
fn start(plan: &Plan, starter: BorrowedFd) -> Done<Infallible> {
    let none = || io::Error::from_raw_os_error(libc::ENOEXEC);
    let process = plan.process.as_ref().ok_or_else(none).at(Step::Execute, u32::MAX as usize)?;
    if let Sandbox::New(container) = &plan.sandbox {
        hooks::at_start(&container.hooks, process, starter)?;
    }
    become_program(process, starter)
}

fn become_program(process: &Process, starter: BorrowedFd) -> Done<Infallible> {
    // Whatever the caller leaked stays outside (CVE-2024-21626).
    sys::fs::cloexec_from(3 + process.preserve_fds).at(Step::CloseFds, 0)?;
    sys::signal::reset_all().at(Step::CloseFds, 0)?;
    identity::confine(process, Some(starter))?;
    process.env.tell_pid(sys::process::pids().0);
    // As execvp(3): the next directory, until one has it; "permission denied" is remembered.
    let mut last = libc::ENOENT;
    for path in &process.candidates {
        let error = sys::exec::execve(path, &process.args, &process.env);
        match errno(&error) {
            libc::ENOENT | libc::ENOTDIR => {}
            libc::EACCES => last = libc::EACCES,
            other => {
                last = other;
                break;
            }
        }
    }
    Err(io::Error::from_raw_os_error(last)).at(Step::Execute, 0)
}
