//! `start`: opens the gate (runtime.md, "Start").

use super::{Env, delete};
use crate::error::{Context, Error, Result};
use crate::host::agent::{self, Agent};
use crate::host::hooks;
use crate::host::notify::Proxy;
use crate::log;
use crate::plan::describe;
use crate::plan::hooks::{Kind, plan};
use crate::state::{self, Dir, State, Status};
use crate::sys;
use crate::wire::{self, FromChild, ToChild};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Lets a created container run its program.
///
/// # Errors
/// The container is not created, or its program cannot be executed. After a hook has failed the
/// container is gone.
pub fn run(env: &Env, id: &str) -> Result<()> {
    start(env, id).context(|| format!("start {id}"))
}

fn start(env: &Env, id: &str) -> Result<()> {
    let dir = state::open(&env.root, id)?;
    let state = dir.read_complete(id)?;
    match dir.status(&state) {
        Status::Created => {}
        Status::Running => return Err(already_running()),
        Status::Paused => {
            return Err(Error::new("cannot start a container in the paused state")
                .hint(format!("`tierce resume {id}` lets it go on")));
        }
        Status::Stopped => return Err(Error::new("cannot start a container that has stopped")),
        Status::Creating => return Err(Error::new("cannot start a container that is still being created")),
    }
    let planned = plan(&state.hooks, &state.bundle)?;
    let mut notify = if state.notify { Proxy::open(&dir)? } else { None };
    let init = state::init(&state);
    let (gate, agent) = take_gate(&dir, &state)?;
    let gate = gate.as_fd();
    if let Some(notify) = &mut notify {
        notify.serve(state.pid)?;
    }
    wire::tell(gate, ToChild::Go).map_err(|_| gone())?;
    until_let_in(gate, &state)?;
    let child = hooks::Child {
        socket: gate,
        pid: state.pid,
        explain: &|failure| describe::start_failure(&state.program, failure),
        gone: &|| ended(&state),
    };
    hooks::let_run(planned.of(Kind::StartContainer), &state, &child).inspect_err(|_| end(&dir, &state))?;
    until_running(gate, agent, &state)?;
    hooks::run(planned.of(Kind::Poststart), &state, state.pid).inspect_err(|_| end(&dir, &state))?;
    match (&mut notify, &init) {
        (Some(notify), Some(init)) => notify.until_ready(init.as_fd()),
        _ => Ok(()),
    }
}

fn already_running() -> Error {
    Error::new("cannot start an already running container")
}

/// Of several that want to start it, the one that takes the gate away does.
fn take_gate(dir: &Dir, state: &State) -> Result<(OwnedFd, Option<Agent>)> {
    let Some(gate) = dir.connect_gate()? else {
        return Err(match state::is_alive(state) {
            true => already_running(),
            false => Error::new("cannot start a container that has stopped: its init is gone"),
        });
    };
    let agent = match &state.listener {
        // While the container is still there to be started once more.
        Some(listener) => Some(Agent::connect(listener, state, state.pid, agent::Status::Creating)?),
        None => None,
    };
    if !dir.remove_gate()? {
        return Err(already_running());
    }
    Ok((gate, agent))
}

fn until_let_in(gate: BorrowedFd, state: &State) -> Result<()> {
    loop {
        match next(gate, state)? {
            FromChild::Ready => return Ok(()),
            FromChild::Closed => return Err(ended(state)),
            FromChild::Failure(_) | FromChild::Terminal(_) | FromChild::Hopped(..) => {}
            FromChild::Mounted | FromChild::HookEnded(_) | FromChild::Tree(..) => {}
            FromChild::Listener(_) | FromChild::Network(_) => {}
        }
    }
}

/// The connection closes when the program runs, but also when init ends before.
fn until_running(gate: BorrowedFd, mut agent: Option<Agent>, state: &State) -> Result<()> {
    loop {
        match next(gate, state)? {
            FromChild::Closed => break,
            FromChild::Listener(listener) => {
                let handed_over = agent.take().map_or(Ok(()), |agent| agent.hand_over(listener));
                handed_over.inspect_err(|_| kill(state))?;
                wire::tell(gate, ToChild::Listening).map_err(|_| gone())?;
            }
            FromChild::Ready | FromChild::Failure(_) | FromChild::Terminal(_) | FromChild::Hopped(..) => {}
            FromChild::Mounted | FromChild::HookEnded(_) | FromChild::Tree(..) | FromChild::Network(_) => {}
        }
    }
    match state::has_executed(state.pid) {
        Some(false) => Err(ended(state)),
        Some(true) | None => Ok(()),
    }
}

fn next(gate: BorrowedFd, state: &State) -> Result<FromChild> {
    match wire::receive(gate).context(|| "init")? {
        FromChild::Failure(failure) => Err(describe::start_failure(&state.program, &failure)),
        other => Ok(other),
    }
}

fn gone() -> Error {
    Error::new("init ended before it could run the program")
}

fn ended(state: &State) -> Error {
    match state::has_executed(state.pid) {
        Some(false) => gone().hint("linux.seccomp must allow execve, sendmsg and exit_group"),
        Some(true) | None => gone(),
    }
}

/// A failed hook stops the container, which is then deleted (runtime.md, "Lifecycle").
fn end(dir: &Dir, state: &State) {
    if let Err(e) = delete::end(dir, state) {
        log::warn(format_args!("{}", e.one_line()));
    }
}

/// It cannot end by itself: its last calls might wait for an agent.
fn kill(state: &State) {
    if let Some(init) = state::init(state) {
        let _ = sys::pidfd::send_signal(init.as_fd(), libc::SIGKILL);
    }
}
