//! `start`: opens the gate (runtime.md, "Start").

use super::Env;
use crate::error::{Context, Error, Result};
use crate::plan::describe;
use crate::state::{self, Status};
use crate::wire::{self, FromChild, ToChild};
use std::os::fd::AsFd;

/// Lets a created container run its program.
///
/// # Errors
/// The container is not created, or its program cannot be executed.
pub fn run(env: &Env, id: &str) -> Result<()> {
    start(env, id).context(|| format!("start {id}"))
}

fn start(env: &Env, id: &str) -> Result<()> {
    let dir = state::open(&env.root, id)?;
    let state = dir.read_complete(id)?;
    match dir.status(&state) {
        Status::Created => {}
        Status::Running => return Err(Error::new("cannot start an already running container")),
        Status::Stopped => return Err(Error::new("cannot start a container that has stopped")),
        Status::Creating => return Err(Error::new("cannot start a container that is still being created")),
    }
    let Some(gate) = dir.connect_gate()? else {
        return Err(Error::new("cannot start a container that has stopped: its init is gone"));
    };
    // Of several that want to start it, the one that takes the gate away does.
    if !dir.remove_gate()? {
        return Err(Error::new("cannot start an already running container"));
    }
    let gone = || Error::new("init ended before it could run the program");
    wire::tell(gate.as_fd(), ToChild::Go).map_err(|_| gone())?;
    let mut let_in = false;
    loop {
        match wire::receive(gate.as_fd()).context(|| "init")? {
            FromChild::Failure(failure) => return Err(describe::start_failure(&state.program, &failure)),
            FromChild::Closed if state::has_executed(state.pid) == Some(false) => {
                return Err(gone().hint("linux.seccomp must allow execve, sendmsg and exit_group"));
            }
            FromChild::Closed if !let_in => return Err(gone()),
            FromChild::Closed => return Ok(()),
            FromChild::Ready => let_in = true,
            FromChild::Terminal(_) | FromChild::Hopped(..) => {}
        }
    }
}
