//! A container that outlives the call that made it.

use std::fs;
use std::path::{Path, PathBuf};

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

    /// All its processes, those in groups below its own too.
    pub fn processes(&self) -> Vec<i32> {
        let hierarchies = self.case.host.cgroups.directories(&self.cgroup_path());
        let mut pids: Vec<i32> =
            hierarchies.iter().map(|dir| below(dir)).max_by_key(Vec::len).unwrap_or_default();
        pids.sort_unstable();
        pids
    }

    /// The one that came last, as far as pids tell.
    #[track_caller]
    pub fn last_process(&self) -> i32 {
        self.processes().last().copied().expect("a process")
    }

    /// Moves a process into a group below that of the container, in every hierarchy.
    pub fn move_into_groups_below(&self, pid: i32) -> Vec<PathBuf> {
        let directories = self.case.host.cgroups.directories(&self.cgroup_path());
        directories.into_iter().map(|dir| move_below(&dir, pid)).collect()
    }

    /// The path of its cgroup in every hierarchy.
    pub fn cgroup_path(&self) -> String {
        self.case.cgroup_path(&self.id)
    }
}

fn below(dir: &Path) -> Vec<i32> {
    let text = fs::read_to_string(dir.join("cgroup.procs")).unwrap_or_default();
    let mut pids: Vec<i32> = text.lines().filter_map(|line| line.parse().ok()).collect();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            pids.extend(below(&entry.path()));
        }
    }
    pids
}

fn move_below(dir: &Path, pid: i32) -> PathBuf {
    let group = dir.join("below");
    fs::create_dir(&group).expect("make a cgroup");
    for file in ["cpuset.cpus", "cpuset.mems"] {
        if let (Ok(value), true) = (fs::read_to_string(dir.join(file)), dir.join("tasks").exists()) {
            fs::write(group.join(file), value).expect("a cpuset");
        }
    }
    fs::write(group.join("cgroup.procs"), pid.to_string()).expect("move the process");
    group
}
