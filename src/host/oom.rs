//! What the kernel's OOM killer did to a container (the kernel's admin-guide/cgroup-v1/memory.rst,
//! "OOM Control"; cgroup-v2.rst, `memory.events`).

mod watch;

pub use watch::Watch;

use crate::error::Error;
use crate::host::cgroup::{Record, RecordedGroup, directories, read_small};
use crate::plan::cgroup::{Version, directory};
use serde::Serialize;
use std::fs;
use std::path::{Path, PathBuf};

/// No limit: v1 has the largest number of whole pages there, v2 `max`.
const NO_LIMIT: u64 = 1 << 60;

/// The kernel charges memory in batches of 64 pages, and gives back what is left of one.
const BATCH: u64 = 64 * 4096;

/// Processes of a container were killed for lack of memory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Oom {
    /// How many.
    pub kills: u64,
    /// The cgroup whose limit was hit, absolute in its hierarchy: the container's own, one below it or one
    /// above. None: there is none, it was the machine that had no memory left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cgroup: Option<String>,
    /// Its limit, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// It is the container's own.
    #[serde(skip)]
    pub own: bool,
}

/// How many processes of the groups were killed since they were made; `None` if nobody counts, or counts
/// any more.
pub fn kills(record: &Record) -> Option<u64> {
    let group = record.with_controller("memory")?;
    let top = group.directory();
    match group.version {
        Version::V2 => count(&top.join("memory.events"), "oom_kill"),
        // There each group counts its own.
        Version::V1 => {
            let own = count(&top.join("memory.oom_control"), "oom_kill")?;
            let below = directories(&top).into_iter();
            let below = below.filter_map(|dir| count(&dir.join("memory.oom_control"), "oom_kill"));
            Some(own + below.sum::<u64>())
        }
    }
}

/// What has happened to the groups since they had `before` kills.
pub fn since(record: &Record, before: u64) -> Option<Oom> {
    let kills = kills(record)?.checked_sub(before).filter(|kills| *kills > 0)?;
    Some(tell(record, kills))
}

/// Whose limit it was.
fn tell(record: &Record, kills: u64) -> Oom {
    let nobody = Oom { kills, cgroup: None, limit: None, own: false };
    let Some(group) = record.with_controller("memory") else { return nobody };
    let Some((dir, limit)) = candidates(group).into_iter().find_map(|dir| hit(&dir, group.version)) else {
        return nobody;
    };
    let path = dir.strip_prefix(&group.mount).unwrap_or(&dir);
    Oom {
        kills,
        own: dir == group.directory(),
        cgroup: Some(format!("/{}", path.display())),
        limit: Some(limit),
    }
}

/// The container's group, those below, those above from the nearest on.
fn candidates(group: &RecordedGroup) -> Vec<PathBuf> {
    let above = Path::new(&group.path).ancestors().skip(1).filter(|path| path.parent().is_some());
    let above = above.map(|path| directory(&group.mount, &path.to_string_lossy()));
    let top = group.directory();
    let below = directories(&top);
    std::iter::once(top).chain(below).chain(above).collect()
}

/// The group's limit, if the group has one that stood in the way.
fn hit(dir: &Path, version: Version) -> Option<(PathBuf, u64)> {
    let number = |name: &str| fs::read_to_string(dir.join(name)).ok()?.trim().parse::<u64>().ok();
    let limit = |name: &str| number(name).filter(|limit| *limit < NO_LIMIT);
    let limit = match version {
        Version::V2 => {
            count(&dir.join("memory.events.local"), "oom").filter(|hits| *hits > 0)?;
            limit("memory.max")
        }
        Version::V1 => {
            // Nobody counts there, and a limit that is in the way has been reached.
            let v1 = |prefix: &str| {
                let peak = number(&format!("{prefix}.max_usage_in_bytes"))?;
                limit(&format!("{prefix}.limit_in_bytes")).filter(|limit| peak + BATCH >= *limit)
            };
            v1("memory").or_else(|| v1("memory.memsw"))
        }
    };
    Some((dir.to_owned(), limit?))
}

fn count(file: &Path, key: &str) -> Option<u64> {
    let text = read_small(file).ok()?;
    text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')?.trim().parse().ok())
}

impl Oom {
    /// `out of memory (limit 64 MiB)`
    pub fn reason(&self) -> String {
        match (&self.cgroup, self.limit) {
            (Some(_), Some(limit)) if self.own => format!("out of memory (limit {})", size(limit)),
            (Some(path), Some(limit)) => {
                format!("out of memory (limit {} of the cgroup {path})", size(limit))
            }
            _ => "out of memory (the machine has none left)".to_owned(),
        }
    }

    /// What there is to say of a program that ended with `status`: an error if that is why.
    pub fn judge(&self, status: u8) -> Result<u8, Error> {
        const KILLED: u8 = 128 + libc::SIGKILL as u8;
        if status == KILLED {
            return Err(Error::new(format!("killed: {}", self.reason())).exit(status));
        }
        let who = if self.kills == 1 { "a process was" } else { "processes were" };
        crate::log::warn(format_args!("{who} killed: {}", self.reason()));
        Ok(status)
    }
}

/// `64 MiB`, with one decimal where it is not a whole number.
pub fn size(bytes: u64) -> String {
    let units = [(1u64 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match units.into_iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, name)) if bytes.is_multiple_of(unit) => format!("{} {name}", bytes / unit),
        Some((unit, name)) => format!("{:.1} {name}", bytes as f64 / unit as f64),
        None => format!("{bytes} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_readable() {
        let all = [0, 1000, 98_304, 64 << 20, (3 << 30) / 2, 5 << 40].map(size);
        assert_eq!(all, ["0 bytes", "1000 bytes", "96 KiB", "64 MiB", "1.5 GiB", "5 TiB"]);
    }

    #[test]
    fn the_reason_names_the_group_that_is_not_the_containers_own() {
        let mut oom = Oom { kills: 1, cgroup: Some("/pod/web".into()), limit: Some(64 << 20), own: true };
        assert_eq!(oom.reason(), "out of memory (limit 64 MiB)");
        oom.own = false;
        assert_eq!(oom.reason(), "out of memory (limit 64 MiB of the cgroup /pod/web)");
        oom = Oom { kills: 1, cgroup: None, limit: None, own: false };
        assert_eq!(oom.reason(), "out of memory (the machine has none left)");
    }
}
