//! `events`: what a container uses, again and again, and when it runs out of memory; as lines of JSON,
//! with runc's names.

use super::Env;
use crate::cli::EventsOptions;
use crate::error::{Context, Error, Result};
use crate::host::oom::{Oom, Watch};
use crate::host::stats::{self, Stats};
use crate::state::{self, State};
use crate::sys;
use serde::Serialize;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

/// One line.
#[derive(Debug, Serialize)]
struct Event<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    id: &'a str,
    /// Of `stats`.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Stats>,
    /// Of `oom`, where runc says no more than that.
    #[serde(flatten)]
    oom: Option<Oom>,
}

/// Prints events until the container ends; with `--stats` what it has used up to now, once.
///
/// # Errors
/// The container does not run, or has no cgroup of its own.
pub fn run(env: &Env, options: &EventsOptions) -> Result<()> {
    events(env, options).context(|| format!("events {}", options.id))
}

fn events(env: &Env, options: &EventsOptions) -> Result<()> {
    let state = state::open(&env.root, &options.id)?.read_complete(&options.id)?;
    let Some(init) = state::init(&state) else { return Err(Error::new("container not running")) };
    if options.once {
        return print_stats(&state);
    }
    // Before the first look, so that nothing is missed between the two.
    let watch = Watch::new(&state.cgroup)?;
    stats::collect(&state)?;
    stream(&state, init.as_fd(), watch, options.interval)
}

fn stream(state: &State, init: BorrowedFd, mut watch: Option<Watch>, interval: Duration) -> Result<()> {
    let mut next = Instant::now() + interval;
    loop {
        let mut fds = vec![sys::poll::readable(init)];
        fds.extend(watch.iter().flat_map(Watch::interest));
        let patience = watch.as_ref().and_then(Watch::patience).unwrap_or(i32::MAX);
        sys::poll::poll(&mut fds, patience.min(milliseconds_until(next))).context(|| "poll")?;
        let oom = watch.as_mut().map_or(Ok(None), Watch::look)?;
        if oom.is_some() {
            print(&Event { kind: "oom", id: &state.id, data: None, oom })?;
        }
        if fds[0].revents != 0 {
            return Ok(());
        }
        if Instant::now() >= next {
            print_stats(state)?;
            next = Instant::now() + interval;
        }
    }
}

fn print_stats(state: &State) -> Result<()> {
    let data = Some(stats::collect(state)?);
    print(&Event { kind: "stats", id: &state.id, data, oom: None })
}

fn print(event: &Event) -> Result<()> {
    let line = serde_json::to_string(event).map_err(|e| Error::new(e.to_string()))?;
    super::print(&(line + "\n"))
}

fn milliseconds_until(moment: Instant) -> i32 {
    let left = moment.saturating_duration_since(Instant::now());
    i32::try_from(left.as_micros().div_ceil(1000)).unwrap_or(i32::MAX)
}
