//! `run`: create, start, wait, delete.

use super::make::{self, Making, Prepared};
use super::{Env, delete};
use crate::cli::RunOptions;
use crate::error::{Context, Result};
use crate::host::console::{self, Relay};
use crate::host::exe;
use crate::host::foreground::{self, Service, Signals};
use crate::host::notify::Proxy;
use crate::host::oom;
use crate::host::receiver::Receiver;
use crate::plan::{Container, Plan, Sandbox};
use crate::sys;
use crate::wire::ToChild;
use std::os::fd::{AsFd, OwnedFd};

/// Runs a container; gives the exit status of its program, 128 + n for signal n, 0 if detached.
///
/// # Errors
/// Whatever stands in the way; nothing of the container is left then.
pub fn run(env: &Env, options: &RunOptions) -> Result<u8> {
    go(env, options).context(|| format!("run {}", options.create.id))
}

fn go(env: &Env, options: &RunOptions) -> Result<u8> {
    exe::protect()?;
    let prepared = make::prepare(env, &options.create, options.detach)?;
    if !options.no_subreaper && !options.detach {
        sys::process::set_subreaper().context(|| "become a subreaper")?;
    }
    let signals = if options.detach { None } else { Some(Signals::catch()?) };
    let Prepared { plan, state, console, receivers, bus } = prepared;
    let mut making = Making::begin(env, &plan, state, bus, false)?;
    let killed = oom::kills(&making.state.cgroup);
    let relay = before_the_program(&mut making, &plan, options, console.as_ref(), &receivers)?;
    making.ask_agent()?;
    let mut notify = if making.state.notify { Proxy::open(&making.dir)? } else { None };
    if let Some(notify) = &mut notify {
        // In the foreground the one to look after is this process, which ends as the container does.
        let main = if options.detach { making.state.pid } else { sys::process::pids().0 };
        notify.serve(main)?;
    }
    making.child()?.tell(ToChild::Go)?;
    making.until_ready(&plan)?;
    making.until_running(&plan)?;
    let Some(signals) = signals else {
        let init = making.keep();
        return notify.map_or(Ok(()), |mut notify| notify.until_ready(init.pidfd.as_fd())).map(|()| 0);
    };
    let child = making.child()?;
    let ended = foreground::wait(child.pid, child.pidfd.as_fd(), &signals, Service { relay, notify })?;
    // As long as the cgroup is there.
    let oom = killed.and_then(|before| oom::since(&making.state.cgroup, before));
    match options.keep {
        true => making.dir.record_exit(ended.status()),
        false => delete::end(&making.dir, &making.state)?,
    }
    making.keep();
    oom.map_or(Ok(ended.status()), |oom| oom.judge(ended.status()))
}

/// What must be done before the program runs: it is on record, and its terminal is in good hands and
/// of the right size. Where the pid is known from the clone and neither asks for the other, none of this
/// waits for the child, and the word to go on is there before the child asks for it.
fn before_the_program(
    making: &mut Making,
    plan: &Plan,
    options: &RunOptions,
    console: Option<&OwnedFd>,
    receivers: &[Receiver],
) -> Result<Option<Relay>> {
    // A class of resctrl is entered by one process, before it can make more.
    let asks = |c: &Container| c.namespaces.hop || c.resctrl.is_some() || c.host_maps_ids();
    let asks = matches!(&plan.sandbox, Sandbox::New(container) if asks(container));
    let process = plan.process.as_ref();
    let attended = process.is_some_and(|p| p.terminal.is_some() || p.scheduling.waits_for_the_host());
    if asks || attended {
        making.until_ready(plan)?;
    }
    making.record(options.create.pid_file.as_deref(), receivers)?;
    console::attend(making.child()?.terminal.take(), console)
}
