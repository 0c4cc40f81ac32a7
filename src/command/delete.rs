//! `delete`: removes what `create` made (runtime.md, "Delete").

use super::Env;
use crate::error::{Context, Error, Result};
use crate::host::cgroup::{self, Record};
use crate::host::{hooks, probe, resctrl};
use crate::log;
use crate::plan::cgroup as plan;
use crate::plan::device_rules::Mknod;
use crate::state::{self, Dir, State, Status};
use crate::sys;
use std::os::fd::AsFd;

/// How long a killed container may take to end, in ms: memory and network namespaces are freed first.
const END: i32 = 30_000;

/// Deletes a container. As runc does it, one that was never started is killed first; a running one
/// only with `force`, which also takes a container that is half made, or none at all.
///
/// # Errors
/// The container runs, or something of it cannot be removed.
pub fn run(env: &Env, id: &str, force: bool) -> Result<()> {
    delete(env, id, force).context(|| format!("delete {id}"))
}

fn delete(env: &Env, id: &str, force: bool) -> Result<()> {
    let gone = || if force { Ok(()) } else { Err(state::missing(id)) };
    let Some(dir) = state::find(&env.root, id)? else { return gone() };
    if !dir.wait_until_made()? {
        return gone();
    }
    let state = match dir.read() {
        Ok(Some(state)) => state,
        Err(_) if force => {
            // Init is not known any more, but its cgroup is.
            let guess = guess(id);
            cgroup::kill(&guess.cgroup, libc::SIGKILL)?;
            return destroy(&dir, &guess);
        }
        Ok(None) if force => return destroy(&dir, &guess(id)),
        Ok(None) => return dir.read_complete(id).map(drop),
        Err(e) => return Err(e),
    };
    let status = dir.status(&state);
    let goes_on = || match status {
        Status::Creating => true,
        // Right behind a `kill ID KILL` it is not stopped yet, but nothing can keep it from that.
        Status::Running | Status::Paused => !state::is_dying(state.pid),
        Status::Created | Status::Stopped => false,
    };
    if !force && goes_on() {
        let status = status.name();
        return Err(Error::new(format!("cannot delete container {id:?} that is not stopped: {status}"))
            .hint(format!("`tierce delete --force {id}` kills it first")));
    }
    end(&dir, &state)
}

/// The state of a container whose own is unreadable: its cgroups have a name that follows from the id.
fn guess(id: &str) -> State {
    let request = plan::Request {
        cgroups_path: None,
        id,
        resources: None,
        manager: plan::Manager::Cgroupfs,
        rootless: sys::process::effective_ids().0 != 0,
        uid: sys::process::effective_ids().0,
        properties: &[],
        mknod: Mknod::Listed(&[]),
    };
    let planned = probe::probe(true).and_then(|facts| plan::plan(&facts.cgroup, &request));
    let cgroup = planned.map(|plan| Record::planned(&plan)).unwrap_or_default();
    State { id: id.to_owned(), cgroup, ..State::default() }
}

/// Destroys a container that was there and runs its poststop hooks: once, though several may want its end.
pub fn end(dir: &Dir, state: &State) -> Result<()> {
    if state.hooks.poststop.is_empty() {
        return destroy(dir, state);
    }
    if !dir.wait_until_made()? {
        return Ok(());
    }
    destroy(dir, state)?;
    // It is gone for everybody else.
    dir.made()?;
    hooks::run_poststop(state);
    Ok(())
}

/// Kills what is left of a container and removes all of it; what is gone already is fine.
pub fn destroy(dir: &Dir, state: &State) -> Result<()> {
    if state.pid == 0 {
        if state.cgroup.unit.is_some() {
            cgroup::abandon(&state.cgroup);
            return dir.remove();
        }
        // The creator was killed; its child ends by itself when nobody is at the other end. The
        // cgroups are those that were planned: one with processes may be another container's.
        if let Err(e) = cgroup::remove(&state.cgroup) {
            log::warn(format_args!("cgroup left alone: {}", e.one_line()));
        }
        if let Some(Err(e)) = state.resctrl.as_ref().map(resctrl::remove) {
            log::warn(format_args!("class of resctrl left alone: {}", e.one_line()));
        }
        return dir.remove();
    }
    let init = state::init(state);
    if let Some(init) = &init {
        let _ = sys::pidfd::send_signal(init.as_fd(), libc::SIGKILL);
    }
    if !state.ends_with_init {
        cgroup::kill(&state.cgroup, libc::SIGKILL)?;
    } else if init.is_some() {
        cgroup::let_die(&state.cgroup)?;
    }
    if let Some(init) = &init
        && sys::poll::poll(&mut [sys::poll::readable(init.as_fd())], END).context(|| "init")? == 0
    {
        return Err(Error::new(format!("init (pid {}) does not end", state.pid))
            .hint("it may wait in the kernel for a device or a network filesystem"));
    }
    cgroup::remove(&state.cgroup)?;
    state.resctrl.as_ref().map_or(Ok(()), resctrl::remove)?;
    dir.remove()
}
