//! The mounted cgroup hierarchies of the host.

use std::path::{Path, PathBuf};

use super::mountinfo::{self, Mount};

/// Which interface a hierarchy has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    V1,
    V2,
}

/// One mounted hierarchy.
#[derive(Debug, Clone)]
pub struct Hierarchy {
    pub version: Version,
    pub mount: PathBuf,
    /// `memory`, `cpu`, …; `name=systemd` for a named one; on v2 those of the root cgroup.
    pub controllers: Vec<String>,
}

/// All of them.
#[derive(Debug, Clone)]
pub struct Cgroups {
    pub hierarchies: Vec<Hierarchy>,
}

impl Cgroups {
    /// Reads them from `/proc/self/mountinfo`.
    pub fn read() -> Result<Cgroups, String> {
        let mut hierarchies: Vec<Hierarchy> = Vec::new();
        for mount in mountinfo::of("self").map_err(|e| format!("/proc/self/mountinfo: {e}"))? {
            let Some(found) = hierarchy(&mount) else { continue };
            let known = |h: &Hierarchy| h.version == found.version && h.controllers == found.controllers;
            if !hierarchies.iter().any(known) {
                hierarchies.push(found);
            }
        }
        Ok(Cgroups { hierarchies })
    }

    /// The v2 hierarchy.
    pub fn unified(&self) -> Option<&Hierarchy> {
        self.hierarchies.iter().find(|h| h.version == Version::V2)
    }

    /// Whether v1 and v2 are both mounted.
    pub fn is_hybrid(&self) -> bool {
        self.unified().is_some() && !self.is_v2_only()
    }

    /// Whether there is only v2.
    pub fn is_v2_only(&self) -> bool {
        self.hierarchies.iter().all(|h| h.version == Version::V2)
    }

    /// The hierarchy with this controller.
    pub fn with_controller(&self, controller: &str) -> Option<&Hierarchy> {
        self.hierarchies.iter().find(|h| h.controllers.iter().any(|c| c == controller))
    }

    /// The paths in the text of a `/proc/PID/cgroup`, of those hierarchies that are mounted here.
    #[track_caller]
    pub fn paths(&self, text: &str) -> Vec<String> {
        let mounted = |controllers: &str| match controllers {
            "" => self.unified().is_some(),
            names => self.with_controller(names.split(',').next().unwrap_or(names)).is_some(),
        };
        let parts = text.lines().map(|line| line.splitn(3, ':').collect::<Vec<_>>());
        let paths: Vec<String> = parts.filter(|p| mounted(p[1])).map(|p| p[2].to_string()).collect();
        assert_eq!(paths.len(), self.hierarchies.len(), "{text:?}");
        paths
    }

    /// The directories of the cgroup `path` (absolute) in all hierarchies, there or not.
    pub fn directories(&self, path: &str) -> Vec<PathBuf> {
        self.hierarchies.iter().map(|h| join(&h.mount, path)).collect()
    }

    /// Every cgroup directory, at most four levels down, whose name contains `text`.
    pub fn named(&self, text: &str) -> Vec<PathBuf> {
        let mut found = Vec::new();
        for hierarchy in &self.hierarchies {
            search(&hierarchy.mount, text, 4, &mut found);
        }
        found
    }
}

/// `path`, which is absolute in the hierarchy, below `mount`.
pub fn join(mount: &Path, path: &str) -> PathBuf {
    mount.join(path.trim_start_matches('/'))
}

fn hierarchy(mount: &Mount) -> Option<Hierarchy> {
    let split = |text: &str, at: char| text.split(at).map(str::to_string).collect::<Vec<_>>();
    let (version, controllers) = match mount.fs_type.as_str() {
        "cgroup" => {
            let generic = ["rw", "ro", "xattr", "clone_children", "noprefix"];
            let mut all = split(&mount.super_options, ',');
            all.retain(|o| !generic.contains(&o.as_str()) && !o.starts_with("release_agent="));
            (Version::V1, all)
        }
        "cgroup2" => {
            let text = std::fs::read_to_string(mount.target.join("cgroup.controllers")).ok()?;
            (Version::V2, split(text.trim(), ' '))
        }
        _ => return None,
    };
    Some(Hierarchy { version, mount: mount.target.clone(), controllers })
}

fn search(dir: &Path, text: &str, depth: u32, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        if !entry.file_type().is_ok_and(|t| t.is_dir()) {
            continue;
        }
        if entry.file_name().to_string_lossy().contains(text) {
            found.push(entry.path());
        }
        if depth > 1 {
            search(&entry.path(), text, depth - 1, found);
        }
    }
}
