//! A bundle: its directory and a configuration that cases patch.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::case::Case;
use super::config;

/// A bundle; the configuration is written when the runtime is called with it.
#[derive(Clone)]
pub struct Bundle {
    pub dir: PathBuf,
    pub config: Value,
    /// Whether every container of it gets the harness's own `cgroupsPath`.
    own_cgroup: bool,
    /// On the host, for hooks.
    busybox: PathBuf,
}

impl Bundle {
    pub(super) fn new(case: &Case, dir: PathBuf) -> Bundle {
        let busybox = case.host.work.join("busybox");
        let mut bundle = Bundle { dir, config: config::default_config(), own_cgroup: true, busybox };
        if case.host.cgroups.is_v2_only() {
            bundle = bundle.namespace("cgroup", None);
        }
        let (uid, gid) = case.caller();
        if uid != 0 {
            config::make_rootless(&mut bundle.config, uid, gid);
            bundle.own_cgroup = false;
        }
        bundle
    }

    /// The same configuration for another directory.
    pub fn moved_to(mut self, dir: PathBuf) -> Self {
        self.dir = dir;
        self
    }

    pub fn args(self, args: &[&str]) -> Self {
        self.set("/process/args", json!(args))
    }

    /// The program is a shell with this script.
    pub fn sh(self, script: &str) -> Self {
        self.args(&["/bin/sh", "-c", script])
    }

    /// Sets any value, `path` being a JSON pointer.
    pub fn set(mut self, path: &str, value: Value) -> Self {
        config::set(&mut self.config, path, value);
        self
    }

    /// Removes a member.
    pub fn unset(mut self, path: &str) -> Self {
        config::remove(&mut self.config, path);
        self
    }

    /// The root filesystem can be written to.
    pub fn writable(self) -> Self {
        self.set("/root/readonly", json!(false))
    }

    /// Nodes of all devices can be made, as runc and crun have it without being asked.
    pub fn any_node(self) -> Self {
        self.set("/annotations/tierce.mknod", json!("any"))
    }

    /// Adds a mount.
    pub fn mount(mut self, mount: Value) -> Self {
        self.list("/mounts").push(mount);
        self
    }

    /// Adds a bind mount.
    pub fn bind(self, source: impl Into<PathBuf>, destination: &str, options: &[&str]) -> Self {
        let mount = json!({"type": "bind", "source": source.into(), "destination": destination,
            "options": options});
        self.mount(mount)
    }

    /// Adds a namespace, or gives the one of this type a path.
    pub fn namespace(self, kind: &str, path: Option<&str>) -> Self {
        let mut bundle = self.without_namespace(kind);
        let mut entry = json!({"type": kind});
        if let Some(path) = path {
            entry["path"] = json!(path);
        }
        bundle.list("/linux/namespaces").push(entry);
        bundle
    }

    pub fn without_namespace(mut self, kind: &str) -> Self {
        self.list("/linux/namespaces").retain(|entry| entry["type"] != kind);
        self
    }

    /// Adds a hook, a shell with this script. It has the state in `$state`: runtimes differ in whether a
    /// hook may leave it unread.
    pub fn hook(self, kind: &str, script: &str) -> Self {
        self.hook_with(kind, &format!("state=$(cat); {script}"), json!({}))
    }

    /// The same with other members of it changed.
    pub fn hook_with(mut self, kind: &str, script: &str, members: Value) -> Self {
        let inside = kind == "startContainer";
        let busybox = if inside { PathBuf::from("/bin/busybox") } else { self.busybox.clone() };
        let env = ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"];
        let mut hook = json!({"path": busybox, "args": ["sh", "-c", script], "env": env});
        for (name, value) in members.as_object().expect("members of a hook") {
            hook[name] = value.clone();
        }
        let list = &mut self.config["hooks"][kind];
        match list.as_array_mut() {
            Some(list) => list.push(hook),
            None => *list = json!([hook]),
        }
        self
    }

    /// Adds to bounding, effective and permitted.
    pub fn capabilities(mut self, names: &[&str]) -> Self {
        for set in ["bounding", "effective", "permitted"] {
            let list = self.list(&format!("/process/capabilities/{set}"));
            list.extend(names.iter().map(|name| json!(name)));
        }
        self
    }

    pub fn env(mut self, assignment: &str) -> Self {
        self.list("/process/env").push(json!(assignment));
        self
    }

    /// With a user namespace: container ids from 0 are host ids from `base`.
    pub fn user_namespace(self, base: u32) -> Self {
        let mapping = json!([{"containerID": 0, "hostID": base, "size": 65536}]);
        let bundle = self.namespace("user", None).set("/linux/uidMappings", mapping.clone());
        bundle.set("/linux/gidMappings", mapping)
    }

    /// Without `cgroupsPath`: the runtime decides.
    pub fn without_cgroups_path(mut self) -> Self {
        self.own_cgroup = false;
        self
    }

    /// A path in the root filesystem, as the host sees it.
    pub fn in_rootfs(&self, path: &str) -> PathBuf {
        self.dir.join("rootfs").join(path.trim_start_matches('/'))
    }

    /// A list of the configuration.
    #[track_caller]
    pub fn list(&mut self, path: &str) -> &mut Vec<Value> {
        let found = self.config.pointer_mut(path).and_then(Value::as_array_mut);
        found.unwrap_or_else(|| panic!("the configuration has no list {path}"))
    }

    /// The text of config.json for the container `id`.
    pub fn text(&self, case: &Case, id: &str) -> String {
        let mut config = self.config.clone();
        if self.own_cgroup && config.pointer("/linux/cgroupsPath").is_none() {
            config["linux"]["cgroupsPath"] = json!(case.cgroup_path(id));
        }
        format!("{config:#}")
    }

    pub(super) fn write(&self, case: &Case, id: &str) {
        let path = self.dir.join("config.json");
        fs::write(&path, self.text(case, id)).expect("write config.json");
        case.give(&path);
    }
}
