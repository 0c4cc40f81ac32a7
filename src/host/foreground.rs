//! The caller in the foreground: forwards signals, carries the terminal, reaps, and ends as the
//! program did.

use super::console::Relay;
use super::notify::Proxy;
use crate::error::{Context, Result};
use crate::sys;
use crate::sys::process::Ended;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// What this process does for a container in the foreground.
#[derive(Debug, Default)]
pub struct Service {
    /// Carries its terminal.
    pub relay: Option<Relay>,
    /// Carries its messages to the service manager.
    pub notify: Option<Proxy>,
}

/// All signals, to be read instead of being delivered. To be made before the clone, so that none
/// is lost; the child unblocks them again.
#[derive(Debug)]
pub struct Signals(OwnedFd);

impl Signals {
    /// Blocks all signals from here on.
    pub fn catch() -> Result<Signals> {
        sys::signal::block_all().context(|| "block signals")?;
        Ok(Signals(sys::signal::signalfd().context(|| "signalfd")?))
    }
}

impl Signals {
    /// Waits until there is something to read from `fd`, or a signal comes that asks to end: gives that.
    pub fn or_readable(&self, fd: BorrowedFd) -> Result<Option<i32>> {
        self.or(sys::poll::readable(fd))
    }

    /// The same until there is room to write to `fd`.
    pub fn or_writable(&self, fd: BorrowedFd) -> Result<Option<i32>> {
        self.or(sys::poll::writable(fd))
    }

    fn or(&self, event: libc::pollfd) -> Result<Option<i32>> {
        loop {
            let mut fds = [sys::poll::readable(self.0.as_fd()), event];
            sys::poll::poll(&mut fds, -1).context(|| "poll")?;
            while let Some((signal, _)) = sys::signal::next(self.0.as_fd()).context(|| "signalfd")? {
                if asks_to_end(signal) {
                    return Ok(Some(signal));
                }
            }
            if fds[1].revents != 0 {
                return Ok(None);
            }
        }
    }
}

fn asks_to_end(signal: i32) -> bool {
    matches!(signal, libc::SIGINT | libc::SIGTERM | libc::SIGHUP | libc::SIGQUIT)
}

/// Waits for the process `pid` and reaps whatever else is or becomes our child.
///
/// # Errors
/// Only what would be a bug: poll(2) or waitid(2) refusing their arguments.
pub fn wait(pid: i32, pidfd: BorrowedFd, signals: &Signals, service: Service) -> Result<Ended> {
    let Service { mut relay, mut notify } = service;
    // It may have ended, and its signal been taken, before anybody waited for it here.
    let mut seen = reap(pid)?;
    let mut asked_too_late = false;
    let ended = loop {
        if let Some(ended) = seen {
            break ended;
        }
        let mut fds = [sys::poll::nothing(); 5];
        fds[0] = sys::poll::readable(signals.0.as_fd());
        if let Some(relay) = &relay {
            fds[1..4].copy_from_slice(&relay.interest());
        }
        if let Some(notify) = &notify {
            fds[4] = sys::poll::readable(notify.socket());
        }
        sys::poll::poll(&mut fds, -1).context(|| "poll")?;
        if let Some(relay) = &mut relay {
            relay.carry([fds[1], fds[2], fds[3]]);
        }
        if let Some(notify) = notify.as_mut().filter(|_| fds[4].revents != 0) {
            notify.carry();
        }
        while let Some((signal, _)) = sys::signal::next(signals.0.as_fd()).context(|| "signalfd")? {
            match (signal, &mut relay) {
                (libc::SIGCHLD, _) => seen = seen.or(reap(pid)?),
                (libc::SIGWINCH, Some(relay)) => relay.resize(),
                (signal, relay) => {
                    if let (libc::SIGCONT, Some(relay)) = (signal, relay) {
                        relay.resume();
                    }
                    // signalfd gives it before a SIGCHLD that came first: the program may be gone.
                    asked_too_late |= asks_to_end(signal) && is_ready(sys::poll::readable(pidfd))?;
                    let _ = sys::pidfd::send_signal(pidfd, signal);
                }
            }
        }
    };
    if let Some(relay) = &mut relay {
        // Nobody may read any more: a signal, which the program cannot get, ends this process.
        relay.drain(|output| match asked_too_late {
            true => is_ready(sys::poll::writable(output)).map(|ready| !ready),
            false => signals.or_writable(output).map(|signal| signal.is_some()),
        })?;
    }
    if let Some(notify) = &mut notify {
        notify.drain();
    }
    Ok(ended)
}

fn is_ready(event: libc::pollfd) -> Result<bool> {
    let mut fds = [event];
    sys::poll::poll(&mut fds, 0).context(|| "poll")?;
    Ok(fds[0].revents != 0)
}

/// Reaps all that have ended; how `pid` did, if it is among them.
fn reap(pid: i32) -> Result<Option<Ended>> {
    let mut found = None;
    loop {
        match sys::process::reap_any() {
            Ok(Some((ended, how))) if ended == pid => found = Some(how),
            Ok(Some(_)) => {}
            Ok(None) => return Ok(found),
            Err(e) if e.raw_os_error() == Some(libc::ECHILD) => return Ok(found),
            Err(e) => return Err(crate::error::Error::io("waitid", &e)),
        }
    }
}
