//! From where the runtime is called: a cgroup of the case, or the session of a user.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::case::Case;

/// Who has a user manager in the guests.
pub(super) const SESSION_USER: u32 = 1000;

/// Of util-linux; busybox has one that cannot do it.
const SETPRIV: &str = "/usr/bin/setpriv";

/// From where the runtime is called.
pub enum From {
    /// From where the suite is.
    Here,
    /// From this v2 cgroup, which the suite must be allowed to enter.
    Cgroup(PathBuf),
    /// From a unit of the user's service manager, by this command.
    Session(Vec<String>),
    /// From where the suite is, as a user who is logged in.
    Login,
    /// From a unit of the system's service manager, by this command, which takes care of the user.
    Service(Vec<String>),
    /// From other namespaces, by this command of root's, which takes care of the user if there is one.
    Private(Vec<String>),
}

impl From {
    /// What stands before the runtime on the command line, and whether that takes care of the user.
    pub(super) fn prefix(&self, user: Option<(u32, u32)>, busybox: &Path) -> (Vec<OsString>, bool) {
        match self {
            From::Here | From::Login => (Vec::new(), false),
            From::Session(command) => (command.iter().map(OsString::from).collect(), false),
            From::Service(command) | From::Private(command) => {
                (command.iter().map(OsString::from).collect(), true)
            }
            From::Cgroup(dir) => {
                let enter = format!("echo 0 >{}/cgroup.procs && exec \"$@\"", dir.display());
                let mut line: Vec<OsString> = vec![busybox.into()];
                line.extend(["sh", "-c", &enter, "sh"].map(OsString::from));
                if let Some((uid, gid)) = user {
                    let [uid, gid] = [uid, gid].map(|id| id.to_string());
                    let drop = [SETPRIV, "--reuid", &uid, "--regid", &gid, "--clear-groups"];
                    line.extend(drop.map(OsString::from));
                }
                (line, true)
            }
        }
    }

    pub(super) fn envs(&self) -> Vec<(OsString, OsString)> {
        match self {
            From::Here | From::Cgroup(_) | From::Service(_) | From::Private(_) => Vec::new(),
            From::Session(_) | From::Login => vec![("XDG_RUNTIME_DIR".into(), runtime_dir().into())],
        }
    }
}

/// `$XDG_RUNTIME_DIR` of the session user.
pub fn runtime_dir() -> PathBuf {
    PathBuf::from(format!("/run/user/{SESSION_USER}"))
}

impl Case {
    /// From here on calls the runtime from this v2 cgroup.
    pub fn call_from(&self, cgroup: &Path) {
        if !Path::new(SETPRIV).exists() {
            self.skip("needs setpriv");
        }
        *self.from.borrow_mut() = From::Cgroup(cgroup.to_owned());
    }

    /// From here on calls the runtime as root without this capability (`sys_time`).
    pub fn call_without(&self, capability: &str) {
        if !Path::new(SETPRIV).exists() {
            self.skip("needs setpriv");
        }
        let command = [SETPRIV, "--bounding-set", &format!("-{capability}")].map(String::from);
        *self.from.borrow_mut() = From::Private(command.to_vec());
    }

    /// From here on calls the runtime from where the suite is.
    pub fn call_from_here(&self) {
        *self.from.borrow_mut() = From::Here;
    }

    /// From here on calls the runtime as a user that is logged in, in a unit of the user's service manager that
    /// `systemd-run --user` makes with these flags.
    pub fn call_from_session(&self, flags: &[&str]) {
        self.become_session_user();
        let command = ["systemd-run", "--user", "--quiet"].iter().chain(flags).map(ToString::to_string);
        *self.from.borrow_mut() = From::Session(command.collect());
    }

    /// The same user, but outside of all units that are theirs, as a login over ssh is.
    pub fn call_from_login(&self) {
        self.become_session_user();
        *self.from.borrow_mut() = From::Login;
    }

    /// The same user, but in a service of the system.
    pub fn call_from_service(&self, flags: &[&str]) {
        self.become_session_user();
        let [uid, gid] = ["uid", "gid"].map(|name| format!("--{name}={SESSION_USER}"));
        let command = ["systemd-run", "--quiet", "--wait", "--pipe", "--collect", &uid, &gid];
        *self.from.borrow_mut() =
            From::Service(command.iter().chain(flags).map(ToString::to_string).collect());
    }

    fn become_session_user(&self) {
        if !self.host.is_root() || !runtime_dir().join("systemd/private").exists() {
            self.skip(format!("needs root, and a service manager of the user {SESSION_USER}"));
        }
        self.user.set(Some((SESSION_USER, SESSION_USER)));
        self.give(&self.dir);
    }
}
