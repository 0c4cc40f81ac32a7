//! `pause` and `resume`: all processes of a container stop, and go on.

use super::Env;
use crate::error::{Context, Error, Result};
use crate::host::cgroup;
use crate::state::{self, Status};

/// Stops all processes; they have stopped when this returns.
///
/// # Errors
/// The container does not run, has no cgroup of its own, or does not stop; then it goes on.
pub fn run(env: &Env, id: &str) -> Result<()> {
    pause(env, id).context(|| format!("pause {id}"))
}

fn pause(env: &Env, id: &str) -> Result<()> {
    let dir = state::open(&env.root, id)?;
    let state = dir.read_complete(id)?;
    let status = dir.status(&state);
    if !matches!(status, Status::Created | Status::Running) {
        return Err(Error::new(format!("container not running: it is {}", status.name())));
    }
    cgroup::freeze(&state.cgroup)?;
    if state::is_alive(&state) {
        return Ok(());
    }
    // Nobody would thaw what is left of a container that has just ended.
    cgroup::thaw(&state.cgroup)?;
    Err(Error::new("container not running: it is stopped"))
}

/// Lets them go on.
///
/// # Errors
/// The container is not paused.
pub fn resume(env: &Env, id: &str) -> Result<()> {
    let go_on = || {
        let dir = state::open(&env.root, id)?;
        let state = dir.read_complete(id)?;
        match dir.status(&state) {
            Status::Paused => cgroup::thaw(&state.cgroup),
            status => Err(Error::new(format!("container not paused: it is {}", status.name()))),
        }
    };
    go_on().context(|| format!("resume {id}"))
}
