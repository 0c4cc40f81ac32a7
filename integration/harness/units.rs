//! The units of systemd: the machine's, or those of the user who is logged in.

use std::process::Command;

use std::os::unix::process::CommandExt;

use super::caller::{SESSION_USER, runtime_dir};
use super::case::Case;
use super::{child_process, eventually};

/// Whose systemd.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    System,
    User,
}

impl Whose {
    fn command(self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        if self == Whose::User {
            command.arg("--user").uid(SESSION_USER).gid(SESSION_USER);
            command.env("XDG_RUNTIME_DIR", runtime_dir());
        }
        command
    }

    /// `systemctl ARGS`, which must succeed; what it prints.
    #[track_caller]
    pub fn systemctl(self, args: &[&str]) -> String {
        self.must("systemctl", args)
    }

    /// Another program of systemd.
    #[track_caller]
    pub fn must(self, program: &str, args: &[&str]) -> String {
        let called = child_process::output(self.command(program).args(args));
        let (success, out, err) = called.unwrap_or_else(|e| panic!("{program}: {e}"));
        assert!(success, "{program} {args:?}: {err}");
        out.trim_end().to_string()
    }

    /// The value of a property of a unit.
    #[track_caller]
    pub fn show(self, unit: &str, property: &str) -> String {
        self.systemctl(&["show", "--value", "--property", property, "--", unit])
    }

    /// Whether systemd has the unit in memory, in whatever state.
    #[track_caller]
    pub fn knows(self, unit: &str) -> bool {
        !self.systemctl(&["list-units", "--all", "--full", "--no-legend", "--plain", "--", unit]).is_empty()
    }
}

/// A slice of one case; stopped when dropped, with all that is in it.
pub struct Slice {
    whose: Whose,
    /// `NAME.slice`, without a dash, so that it is in the root of all.
    pub name: String,
}

impl Slice {
    pub fn new(case: &Case, whose: Whose) -> Slice {
        Slice { whose, name: format!("{}.slice", case.id_prefix.replace('-', "")) }
    }

    /// The name of a slice in this one.
    pub fn inner(&self, name: &str) -> String {
        self.name.replace(".slice", &format!("-{name}.slice"))
    }
}

impl Drop for Slice {
    fn drop(&mut self) {
        let _ = child_process::output(self.whose.command("systemctl").args(["stop", "--", &self.name]));
    }
}

impl Case {
    /// Skips where no systemd runs that could be asked for a cgroup. From here on every call asks for it.
    pub fn needs_systemd(&self) {
        if !std::path::Path::new("/run/systemd/system").is_dir() {
            self.skip("needs systemd");
        }
        if !self.host.cgroups.is_v2_only() {
            self.skip("needs cgroup v2 alone");
        }
        self.call_with(&["--systemd-cgroup"]);
    }

    /// The same with the systemd of the user who is logged in, who calls the runtime from then on.
    pub fn needs_systemd_of_user(&self) {
        self.needs_systemd();
        self.call_from_session(&["--scope", "--collect"]);
    }

    /// Waits until systemd has forgotten a unit by itself.
    #[track_caller]
    pub fn forgotten(&self, whose: Whose, unit: &str) {
        eventually(&format!("{unit} is forgotten"), || !whose.knows(unit));
    }
}
