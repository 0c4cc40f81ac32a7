//! One hook, from its start to its end.

use super::{Child, Occasion};
use crate::error::{Error, Result};
use crate::plan::describe::hooks::{Fault, failed};
use crate::plan::hooks::Hook;
use crate::sys;
use crate::sys::process::Ended;
use crate::wire::{self, Failure, FromChild, Step, ToChild};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

/// How much of a failing hook's output is told, in bytes: the last ones, where the reason mostly is.
const TOLD: usize = 1024;

/// How often what is left in the pipe is read after the end; others may go on writing into it.
const LAST_READS: usize = 64;

/// How long to wait for the end of what was killed, in ms: it may be somebody's whom we may not kill, or
/// wait in the kernel.
const END: i32 = 5_000;

/// Signals that end us, and which `run` has blocked: a hook must not keep it from ending.
const ENDING: [i32; 4] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT];

/// Whose child a hook is.
pub(super) enum Runner<'a> {
    /// Ours. `told` gets its failure, and closes when its program runs.
    Us { pid: i32, pidfd: OwnedFd, told: Option<OwnedFd> },
    /// The container's init's.
    Init(&'a Child<'a>),
}

/// The hook's ends.
pub(super) struct Streams<'a> {
    stdin: OwnedFd,
    output: OwnedFd,
    files: &'a [Option<File>; 2],
}

impl Streams<'_> {
    /// Standard input, output, error. Output without a file of its own goes to us and not to the host's
    /// /dev/null, which root of a container could change for all.
    pub(super) fn all(&self) -> [BorrowedFd<'_>; 3] {
        let [out, err] = self.files.each_ref().map(|file| file.as_ref().map(AsFd::as_fd));
        [self.stdin.as_fd(), out.unwrap_or(self.output.as_fd()), err.unwrap_or(self.output.as_fd())]
    }
}

/// What became of a hook.
enum Event {
    Ended(Ended),
    /// It has to be ended, or did not begin.
    Fault(Fault),
    /// Its runner could not run it.
    Error(Error),
}

/// Our side of a hook.
pub(super) struct Watch<'a> {
    hook: &'a Hook,
    /// What is left of its standard input.
    input: &'a [u8],
    stdin: Option<OwnedFd>,
    output: Option<OwnedFd>,
    /// The end of what it has written.
    said: Vec<u8>,
    deadline: Option<Instant>,
    signals: OwnedFd,
}

impl<'a> Watch<'a> {
    pub(super) fn new(hook: &'a Hook, occasion: &'a Occasion) -> io::Result<(Watch<'a>, Streams<'a>)> {
        let (stdin, our_stdin) = sys::fs::pipe()?;
        let (our_output, output) = sys::fs::pipe()?;
        for ours in [&our_stdin, &our_output] {
            sys::fs::set_nonblocking(ours.as_fd())?;
        }
        let watch = Watch {
            hook,
            input: &occasion.input,
            stdin: Some(our_stdin),
            output: Some(our_output),
            said: Vec::new(),
            deadline: hook.timeout.and_then(|timeout| Instant::now().checked_add(timeout)),
            signals: sys::signal::signalfd_of(&ENDING)?,
        };
        Ok((watch, Streams { stdin, output, files: &occasion.files }))
    }

    /// Waits for its end.
    pub(super) fn until_ended(mut self, mut runner: Runner) -> Result<()> {
        let event = loop {
            match self.next(&mut runner) {
                Ok(None) => {}
                Ok(Some(event)) => break event,
                Err(e) => break Event::Error(Error::io(self.hook.location(), &e)),
            }
        };
        if !matches!(event, Event::Ended(_)) {
            runner.end_hook();
        }
        let fault = match event {
            Event::Ended(Ended::Exited(0)) => return Ok(()),
            Event::Ended(ended) => Fault::Ended(ended),
            Event::Fault(fault) => fault,
            Event::Error(error) => return Err(error),
        };
        Err(failed(self.hook, fault, &self.last_words()))
    }

    /// Waits until something happens and does what it takes.
    fn next(&mut self, runner: &mut Runner) -> io::Result<Option<Event>> {
        let read = |fd: Option<BorrowedFd>| fd.map_or(sys::poll::nothing(), sys::poll::readable);
        let write = |fd: Option<BorrowedFd>| fd.map_or(sys::poll::nothing(), sys::poll::writable);
        let mut fds = [
            read(runner.told()),
            read(runner.pidfd()),
            read(Some(self.signals.as_fd())),
            read(self.output.as_ref().map(AsFd::as_fd)),
            write(self.stdin.as_ref().map(AsFd::as_fd)),
        ];
        sys::poll::poll(&mut fds, self.patience())?;
        let [told, ended, signal, output, stdin] = fds.map(|fd| fd.revents != 0);
        if stdin {
            self.feed();
        }
        if output {
            self.listen();
        }
        if told {
            return runner.hear(self.hook);
        }
        if ended && let Some(pidfd) = runner.pidfd() {
            return sys::process::wait(pidfd).map(|ended| Some(Event::Ended(ended)));
        }
        if signal && let Some((signal, _)) = sys::signal::next(self.signals.as_fd())? {
            return Ok(Some(Event::Fault(Fault::Interrupted(signal))));
        }
        let late = self.deadline.is_some_and(|deadline| Instant::now() >= deadline);
        Ok(late.then_some(Event::Fault(Fault::TookTooLong)))
    }

    /// How long to wait, in ms as poll(2) takes them, rounded up.
    fn patience(&self) -> i32 {
        let Some(deadline) = self.deadline else { return -1 };
        let left = deadline.saturating_duration_since(Instant::now()) + Duration::from_micros(999);
        i32::try_from(left.as_millis()).unwrap_or(i32::MAX)
    }

    /// Writes as much of the state as there is room for. A hook need not read it.
    fn feed(&mut self) {
        let Some(stdin) = &self.stdin else { return };
        match sys::fs::write(stdin.as_fd(), self.input) {
            Ok(n) => self.input = &self.input[n..],
            Err(e) if e.raw_os_error() == Some(libc::EAGAIN) => return,
            Err(_) => self.input = &[],
        }
        if self.input.is_empty() {
            self.stdin = None;
        }
    }

    /// Reads some of its output; false if there is none now.
    fn listen(&mut self) -> bool {
        let Some(output) = &self.output else { return false };
        let mut buffer = [0; 4096];
        match sys::fs::read(output.as_fd(), &mut buffer) {
            Ok(n) if n > 0 => {
                self.said.extend_from_slice(&buffer[..n]);
                let before = self.said.len().saturating_sub(TOLD);
                self.said.drain(..before);
                true
            }
            Err(e) if e.raw_os_error() == Some(libc::EAGAIN) => false,
            Ok(_) | Err(_) => {
                self.output = None;
                false
            }
        }
    }

    /// The end of its output, with what is still in the pipe.
    fn last_words(&mut self) -> String {
        for _ in 0..LAST_READS {
            if !self.listen() {
                break;
            }
        }
        String::from_utf8_lossy(&self.said).trim().to_owned()
    }
}

impl Runner<'_> {
    fn told(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Runner::Us { told, .. } => told.as_ref().map(AsFd::as_fd),
            Runner::Init(child) => Some(child.socket),
        }
    }

    fn pidfd(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Runner::Us { pidfd, .. } => Some(pidfd.as_fd()),
            Runner::Init(_) => None,
        }
    }

    /// Reads the next record.
    fn hear(&mut self, hook: &Hook) -> io::Result<Option<Event>> {
        let Some(told) = self.told() else { return Ok(None) };
        let record = wire::receive(told)?;
        Ok(match (record, self) {
            (FromChild::Failure(failure), runner) => Some(runner.explain(hook, &failure)),
            (FromChild::HookEnded(ended), _) => Some(Event::Ended(ended)),
            (FromChild::Closed, Runner::Init(child)) => Some(Event::Error((child.gone)())),
            (FromChild::Closed, Runner::Us { told, .. }) => {
                *told = None;
                None
            }
            (FromChild::Ready | FromChild::Mounted | FromChild::Tree(..), _)
            | (FromChild::Terminal(_) | FromChild::Hopped(..), _)
            | (FromChild::Listener(_) | FromChild::Network(_), _) => None,
        })
    }

    fn explain(&self, hook: &Hook, failure: &Failure) -> Event {
        match (failure.step, self) {
            (Step::HookExecute, _) => Event::Fault(Fault::NotExecuted(failure.errno)),
            (Step::Hook, _) | (_, Runner::Us { .. }) => {
                Event::Error(Error::errno(format!("{}: run it", hook.location()), failure.errno))
            }
            (_, Runner::Init(child)) => Event::Error((child.explain)(failure)),
        }
    }

    /// Kills the hook and its group, and waits for its end.
    fn end_hook(&mut self) {
        match self {
            Runner::Us { pid, pidfd, .. } => {
                // The process itself as well: it may not lead its group yet. Its pid is not free before
                // it is waited for.
                let _ = sys::process::kill(-*pid, libc::SIGKILL);
                let _ = sys::pidfd::send_signal(pidfd.as_fd(), libc::SIGKILL);
                if is_readable(pidfd.as_fd()) {
                    let _ = sys::process::wait(pidfd.as_fd());
                }
            }
            Runner::Init(child) => {
                let _ = wire::tell(child.socket, ToChild::KillHook);
                let over =
                    |record| matches!(record, Ok(FromChild::HookEnded(_) | FromChild::Closed) | Err(_));
                while is_readable(child.socket) && !over(wire::receive(child.socket)) {}
            }
        }
    }
}

fn is_readable(fd: BorrowedFd) -> bool {
    sys::poll::poll(&mut [sys::poll::readable(fd)], END).is_ok_and(|n| n > 0)
}
