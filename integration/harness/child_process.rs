//! Child processes. This program is their subreaper, as managers are: the init process of a container whose
//! `create` has ended becomes its child, and must not stay a zombie.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::Duration;

use nix::sys::prctl::set_child_subreaper;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::{PATIENCE, soon};

/// How a child has ended.
type End = Arc<OnceLock<ExitStatus>>;

/// The children that somebody waits for and that are not reaped. Locked while one is started or reaped, so that no
/// pid is mistaken: one that is reaped may be that of another process at once.
static CHILDREN: Mutex<BTreeMap<i32, End>> = Mutex::new(BTreeMap::new());

fn children() -> MutexGuard<'static, BTreeMap<i32, End>> {
    CHILDREN.lock().expect("lock")
}

/// Makes this program the subreaper. No other code may wait for a child from now on.
pub fn become_subreaper() {
    set_child_subreaper(true).expect("become the subreaper");
    std::thread::spawn(|| {
        loop {
            reap();
            std::thread::sleep(Duration::from_millis(2));
        }
    });
}

fn reap() {
    let mut children = children();
    while let Ok(status) = waitpid(None, Some(WaitPidFlag::WNOHANG)) {
        let (pid, raw) = match status {
            WaitStatus::Exited(pid, code) => (pid, code << 8),
            WaitStatus::Signaled(pid, signal, _) => (pid, signal as i32),
            _ => break,
        };
        if let Some(end) = children.remove(&pid.as_raw()) {
            end.set(ExitStatus::from_raw(raw)).expect("a process ends once");
        }
    }
}

/// A child; killed when dropped before its end.
pub struct ChildProcess {
    pid: i32,
    end: End,
}

impl ChildProcess {
    pub fn spawn(command: &mut Command) -> std::io::Result<ChildProcess> {
        let mut children = children();
        let pid = command.spawn()?.id() as i32;
        let end = End::default();
        children.insert(pid, end.clone());
        Ok(ChildProcess { pid, end })
    }

    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// How it has ended, if it has.
    pub fn status(&self) -> Option<ExitStatus> {
        self.end.get().copied()
    }

    /// How it ends, if that comes in time.
    pub fn wait(&self, limit: Duration) -> Option<ExitStatus> {
        soon(limit, || self.status().is_some());
        self.status()
    }

    /// Sends a signal; nothing happens if it has ended.
    pub fn signal(&self, signal: Signal) {
        let _children = children();
        if self.status().is_none() {
            let _ = kill(Pid::from_raw(self.pid), signal);
        }
    }
}

impl Drop for ChildProcess {
    fn drop(&mut self) {
        self.signal(Signal::SIGKILL);
        self.wait(PATIENCE);
    }
}

/// Runs a command of the host to its end; whether it succeeded.
pub fn succeeds(command: &mut Command) -> bool {
    let child = ChildProcess::spawn(command);
    child.is_ok_and(|child| child.wait(PATIENCE).is_some_and(|status| status.success()))
}

/// Runs a command of the host to its end: whether it succeeded, and what it wrote to its standard output and error.
pub fn output(command: &mut Command) -> std::io::Result<(bool, String, String)> {
    let (mut out, mut err) = (String::new(), String::new());
    let [(mut from_out, to_out), (mut from_err, to_err)] = [std::io::pipe()?, std::io::pipe()?];
    let child = ChildProcess::spawn(command.stdout(to_out).stderr(to_err))?;
    // The command keeps ends that are written to.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    from_out.read_to_string(&mut out)?;
    from_err.read_to_string(&mut err)?;
    Ok((child.wait(PATIENCE).is_some_and(|status| status.success()), out, err))
}
