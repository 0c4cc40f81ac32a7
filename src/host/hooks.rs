//! Runs hooks and watches over them: gives them the state, keeps their time, finds out what went wrong.

mod watch;

use crate::child::hooks::become_hook;
use crate::error::{Context, Error, Result};
use crate::log;
use crate::plan::hooks::{self as plan, Hook, HookPlan, Kind};
use crate::spec::annotations::{HOOKS_STDERR, HOOKS_STDOUT};
use crate::state::{State, Status};
use crate::sys;
use crate::sys::process::Cloned;
use crate::wire::{self, Failure};
use serde::Serialize;
use std::collections::BTreeMap;
use std::ffi::{CStr, OsStr};
use std::fs::{self, File, OpenOptions};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use watch::{Runner, Watch};

/// What a hook reads from its standard input (runtime.md, "State").
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Input<'a> {
    oci_version: &'a str,
    id: &'a str,
    status: &'static str,
    pid: i32,
    bundle: &'a Path,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: &'a BTreeMap<String, String>,
}

/// What hooks of one kind have in common.
struct Occasion {
    input: Vec<u8>,
    /// Files of the annotations in place of a pipe to us, by [`HOOKS_STDOUT`] and [`HOOKS_STDERR`].
    files: [Option<File>; 2],
}

impl Occasion {
    fn new(kind: Kind, state: &State, pid: i32) -> Result<Occasion> {
        Ok(Occasion { input: input(kind, state, pid)?, files: open_files(state)? })
    }
}

fn input(kind: Kind, state: &State, pid: i32) -> Result<Vec<u8>> {
    let status = match kind {
        Kind::Prestart | Kind::CreateRuntime | Kind::CreateContainer => Status::Creating,
        Kind::StartContainer => Status::Created,
        Kind::Poststart => Status::Running,
        Kind::Poststop => Status::Stopped,
    };
    let input = Input {
        oci_version: &state.oci_version,
        id: &state.id,
        status: status.name(),
        pid,
        bundle: &state.bundle,
        annotations: &state.annotations,
    };
    serde_json::to_vec(&input).map_err(|e| Error::new(e.to_string())).context(|| "state")
}

fn open_files(state: &State) -> Result<[Option<File>; 2]> {
    let open = |name: &str| {
        let path = state.annotations.get(name).filter(|path| !path.is_empty());
        path.map(|path| append_to(path).context(|| format!("annotations[{name:?}]: {path:?}"))).transpose()
    };
    Ok([open(HOOKS_STDOUT)?, open(HOOKS_STDERR)?])
}

/// A FIFO that nobody reads is an error (ENXIO) rather than an open that never returns.
fn append_to(path: &str) -> std::io::Result<File> {
    let mut how = OpenOptions::new();
    how.append(true).create(true).mode(0o600).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
    let file = how.open(path)?;
    sys::fs::set_blocking(file.as_fd())?;
    Ok(file)
}

/// Looks where the paths of hooks lead to: out of the root filesystem, unless that is the host's own.
///
/// # Errors
/// The first one that would be a program of the container.
pub fn check(hooks: &HookPlan, root: &CStr) -> Result<()> {
    let of_host = Kind::ALL.into_iter().filter(|kind| *kind != Kind::StartContainer);
    let mut of_host = of_host.flat_map(|kind| hooks.of(kind)).peekable();
    if of_host.peek().is_none() {
        return Ok(());
    }
    // What is missing is told by whoever needs it.
    let real = |path: &CStr| fs::canonicalize(OsStr::from_bytes(path.to_bytes())).ok();
    let Some(root) = real(root).filter(|root| root != Path::new("/")) else { return Ok(()) };
    match of_host.find(|hook| real(&hook.path).is_some_and(|path| path.starts_with(&root))) {
        Some(hook) => Err(Error::new(format!("{}.path: {:?} {}", hook.location(), hook.path, plan::INSIDE))),
        None => Ok(()),
    }
}

/// Runs hooks of one kind in the runtime namespace, one after the other; `pid` is that of init.
///
/// # Errors
/// The first hook that fails.
pub fn run(hooks: &[Hook], state: &State, pid: i32) -> Result<()> {
    let Some(first) = hooks.first() else { return Ok(()) };
    let occasion = Occasion::new(first.kind, state, pid)?;
    hooks.iter().try_for_each(|hook| run_here(hook, &occasion))
}

/// Runs the poststop hooks, each whatever became of the one before: runtime.md wants warnings.
pub fn run_poststop(state: &State) {
    let warn = |e: Error| log::warn(format_args!("{}", e.one_line()));
    let planned = plan::plan(&state.hooks, &state.bundle);
    let planned = planned.inspect_err(|e| warn(e.clone())).unwrap_or_default();
    let hooks = planned.of(Kind::Poststop);
    if hooks.is_empty() {
        return;
    }
    let files = open_files(state).inspect_err(|e| warn(e.clone())).unwrap_or_default();
    match input(Kind::Poststop, state, 0) {
        Ok(input) => {
            let occasion = Occasion { input, files };
            hooks.iter().filter_map(|hook| run_here(hook, &occasion).err()).for_each(warn);
        }
        Err(e) => warn(e),
    }
}

fn run_here(hook: &Hook, occasion: &Occasion) -> Result<()> {
    log::debug(format_args!("{}: {}", hook.location(), hook.path.to_string_lossy()));
    let setup = || format!("{}: make its streams", hook.location());
    let (watch, streams) = Watch::new(hook, occasion).context(setup)?;
    let (told, telling) = sys::socket::pair().context(setup)?;
    match sys::process::clone3(0, None).context(|| format!("{}: clone", hook.location()))? {
        Cloned::Child => become_hook(hook, streams.all(), telling.as_fd(), None),
        Cloned::Parent { pid, pidfd } => {
            drop((streams, telling));
            watch.until_ended(Runner::Us { pid, pidfd, told: Some(told) })
        }
    }
}

/// What a child that runs hooks itself is to its host.
pub struct Child<'a> {
    /// To it.
    pub socket: BorrowedFd<'a>,
    /// In our pid namespace.
    pub pid: i32,
    /// The words for its failures.
    pub explain: &'a dyn Fn(&Failure) -> Error,
    /// The words for its end.
    pub gone: &'a dyn Fn() -> Error,
}

/// Lets the child run hooks in the container's namespaces, one after the other. After an error nothing
/// of the container runs any more.
///
/// # Errors
/// The first hook that fails, or what the child could not do for it.
pub fn let_run(hooks: &[Hook], state: &State, child: &Child) -> Result<()> {
    let Some(first) = hooks.first() else { return Ok(()) };
    let occasion = Occasion::new(first.kind, state, pid_inside(child.pid)?)?;
    for hook in hooks {
        let setup = || format!("{}: make its streams", hook.location());
        let (watch, streams) = Watch::new(hook, &occasion).context(setup)?;
        let sent = streams.all().into_iter().try_for_each(|stream| wire::send_stream(child.socket, stream));
        match sent {
            // It is told by what the child said last.
            Err(e) if e.raw_os_error() == Some(libc::EPIPE) => {}
            sent => sent.context(setup)?,
        }
        drop(streams);
        watch.until_ended(Runner::Init(child))?;
    }
    Ok(())
}

/// The pid of a process in its own pid namespace (proc_pid_status(5), NSpid).
fn pid_inside(pid: i32) -> Result<i32> {
    let path = format!("/proc/{pid}/status");
    let text = fs::read_to_string(&path).context(|| path.clone())?;
    let pids = text.lines().find_map(|line| line.strip_prefix("NSpid:"));
    let last = pids.and_then(|pids| pids.split_ascii_whitespace().last()?.parse().ok());
    last.ok_or_else(|| Error::new(format!("{path}: has no NSpid")))
}
