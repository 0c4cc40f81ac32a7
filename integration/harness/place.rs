//! A cgroup that a case makes itself, for containers to be below it or for a process to be in it.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::case::{Case, parent_cgroup};
use super::cgroups::join;
use super::child_process::ChildProcess;
use super::soon;

/// The same path in every hierarchy; removed in the end.
pub struct Place<'c> {
    case: &'c Case,
    /// Absolute in each hierarchy; it begins as the ids of the case do.
    pub path: String,
}

impl<'c> Place<'c> {
    /// Makes it, below what all cases share.
    pub fn new(case: &'c Case, name: &str) -> Place<'c> {
        let place = Place { case, path: format!("/{}/{}-{name}", parent_cgroup(), case.id_prefix) };
        for dir in case.host.cgroups.directories(&place.path) {
            fs::create_dir(&dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
        }
        place
    }

    /// Its directory in the v2 hierarchy, or skips.
    #[track_caller]
    pub fn unified(&self) -> PathBuf {
        self.case.unified_dir(&self.path)
    }

    /// Makes it have a v2 controller, or skips.
    pub fn enable(&self, controller: &str) {
        let mount = &self.case.needs_v2_controller(controller).mount;
        for above in ["", &parent_cgroup()] {
            let file = join(mount, above).join("cgroup.subtree_control");
            fs::write(&file, format!("+{controller}")).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        }
    }

    /// A process of the host in its v2 group, until it is dropped.
    pub fn process(&self) -> ChildProcess {
        let script = format!("echo 0 >{}/cgroup.procs && exec sleep 300", self.unified().display());
        let mut command = Command::new(&self.case.host.busybox);
        let child = ChildProcess::spawn(command.args(["sh", "-c", &script])).expect("a process");
        let procs = self.unified().join("cgroup.procs");
        super::eventually("the process is in its cgroup", || {
            fs::read_to_string(&procs).is_ok_and(|text| text.trim() == child.pid().to_string())
        });
        child
    }

    /// What a shell does to go there before it becomes the runtime, see `through_shell`.
    pub fn enter_and(&self, then: &str) -> String {
        format!("echo 0 >{}/cgroup.procs\n{then}\nexec \"$@\"", self.unified().display())
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut left = self.case.host.cgroups.directories(&self.path);
        // What is still there then is told as left behind.
        soon(self.case.host.time_to_end(), || {
            left.retain(|dir| fs::remove_dir(dir).is_err() && dir.exists());
            left.is_empty()
        });
    }
}

/// A cgroup that exists, frozen with all below it in the hierarchy that has the freezer; thawed in the end.
pub struct Frozen {
    file: PathBuf,
    thawed: &'static str,
}

impl Frozen {
    pub fn new(case: &Case, path: &str) -> Frozen {
        let (file, frozen, thawed, shown, done) = match case.host.cgroups.with_controller("freezer") {
            Some(_) => {
                let file = case.cgroup_dir("freezer", path).join("freezer.state");
                (file.clone(), "FROZEN", "THAWED", file, "FROZEN")
            }
            None => {
                let dir = case.unified_dir(path);
                (dir.join("cgroup.freeze"), "1", "0", dir.join("cgroup.events"), "frozen 1")
            }
        };
        fs::write(&file, frozen).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        let result = Frozen { file, thawed };
        super::eventually("it is frozen", || {
            fs::read_to_string(&shown).is_ok_and(|text| text.contains(done))
        });
        result
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        // Whether it is still there is for the case to say.
        let _ = fs::write(&self.file, self.thawed);
    }
}
