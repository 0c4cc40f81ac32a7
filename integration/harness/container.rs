//! A container that outlives the call that made it.

use std::fs;
use std::path::PathBuf;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::case::Case;
use super::eventually;
use super::invocation::Output;

/// The container `id`; the harness deletes it at the end of the case if it is still there.
pub struct Container<'c> {
    case: &'c Case,
    pub id: String,
    stdout: PathBuf,
}

impl<'c> Container<'c> {
    pub(super) fn new(case: &'c Case, id: String, output: &Output) -> Container<'c> {
        Container { case, id, stdout: output.stdout_path.clone() }
    }

    pub fn start(&self) -> Output {
        self.case.runtime(&["start", &self.id]).run()
    }

    pub fn kill(&self, signal: &str) -> Output {
        self.case.runtime(&["kill", &self.id, signal]).run()
    }

    pub fn delete(&self) -> Output {
        self.case.runtime(&["delete", &self.id]).run()
    }

    pub fn delete_by_force(&self) -> Output {
        self.case.runtime(&["delete", "--force", &self.id]).run()
    }

    /// The output of `state`.
    #[track_caller]
    pub fn state(&self) -> Value {
        self.case.runtime(&["state", &self.id]).run().ok().json()
    }

    #[track_caller]
    pub fn status(&self) -> String {
        self.state()["status"].as_str().expect("status is a string").to_string()
    }

    /// Of the init process, on the host.
    #[track_caller]
    pub fn pid(&self) -> i32 {
        self.state()["pid"].as_i64().expect("pid is a number") as i32
    }

    /// What the program has printed up to now.
    pub fn stdout(&self) -> String {
        fs::read_to_string(&self.stdout).unwrap_or_default()
    }

    /// Waits until the program has printed `text`.
    #[track_caller]
    pub fn wait_for(&self, text: &str) {
        eventually(&format!("{text:?} in the output of {}", self.id), || self.stdout().contains(text));
    }

    #[track_caller]
    pub fn wait_until_stopped(&self) {
        eventually(&format!("{} is stopped", self.id), || self.status() == "stopped");
    }

    /// SIGKILL to the init process, without the runtime.
    #[track_caller]
    pub fn kill_init_from_outside(&self) {
        let pid = self.pid();
        assert!(pid > 0, "the init process is gone; 0 would mean all processes of the suite");
        kill(Pid::from_raw(pid), Signal::SIGKILL).expect("kill the init process");
        self.wait_until_stopped();
    }

    /// `/proc/PID/ns/KIND` of the init process.
    #[track_caller]
    pub fn namespace_file(&self, kind: &str) -> String {
        format!("/proc/{}/ns/{kind}", self.pid())
    }

    /// The path of its cgroup in every hierarchy.
    pub fn cgroup_path(&self) -> String {
        self.case.cgroup_path(&self.id)
    }
}
