//! Finds the mounted hierarchies without reading the mount table, which is long on a busy machine.

use super::read_small;
use crate::error::{Context, Result};
use crate::plan::cgroup::{Facts, Hierarchy, Room, Version};
use std::fs;
use std::path::{Path, PathBuf};

/// Where every distribution mounts them.
const ROOT: &str = "/sys/fs/cgroup";

/// The mounted hierarchies; none, if no cgroup filesystem is mounted.
///
/// A `cgroup.controllers` in /sys/fs/cgroup itself is v2 alone. Else /proc/self/cgroup names the
/// hierarchies, and each is looked for below /sys/fs/cgroup, by a file that only the kernel puts
/// there. What is not found so is looked up in /proc/self/mountinfo.
pub fn probe() -> Result<Facts> {
    let own = Path::new("/proc/self/cgroup");
    let own = read_small(own).context(|| "read /proc/self/cgroup")?;
    let lines = || own.lines().filter_map(Line::parse);
    if let Some(controllers) = controllers(Path::new(ROOT)) {
        let own = lines().find(|l| l.controllers.is_empty()).map_or("/", |l| l.path);
        return Ok(Facts { hierarchies: vec![unified(ROOT.into(), controllers, own)] });
    }
    let mut facts = Facts::default();
    let mut table = None;
    for line in lines() {
        let hierarchy = match line.at_usual_place() {
            // A machine with v1 may do without v2, and then this would be read at every start.
            None if line.controllers.is_empty() && !facts.hierarchies.is_empty() => None,
            None => {
                let table = table
                    .get_or_insert_with(|| fs::read_to_string("/proc/self/mountinfo").unwrap_or_default());
                line.in_mount_table(table)
            }
            found => found,
        };
        facts.hierarchies.extend(hierarchy);
    }
    Ok(facts)
}

fn unified(mount: PathBuf, controllers: Vec<String>, own: &str) -> Hierarchy {
    Hierarchy { mount, version: Version::V2, controllers, own: own.into(), room: Room::Beside, unit: None }
}

/// The controllers of a v2 mount; `None` if it is not one.
fn controllers(mount: &Path) -> Option<Vec<String>> {
    let content = read_small(&mount.join("cgroup.controllers")).ok()?;
    Some(content.split_whitespace().map(String::from).collect())
}

/// A line of /proc/self/cgroup (cgroups(7)).
struct Line<'a> {
    /// Empty for v2.
    controllers: &'a str,
    path: &'a str,
}

impl<'a> Line<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let (_, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        Some(Line { controllers, path })
    }

    fn hierarchy(&self, mount: PathBuf) -> Hierarchy {
        let controllers = self.controllers.split(',').map(String::from).collect();
        Hierarchy {
            mount,
            version: Version::V1,
            controllers,
            own: self.path.into(),
            room: Room::Below,
            unit: None,
        }
    }

    /// `/sys/fs/cgroup/cpu,cpuacct`, or the symbolic link or mount `cpu`; `systemd` for
    /// `name=systemd`; `unified` for v2.
    fn at_usual_place(&self) -> Option<Hierarchy> {
        if self.controllers.is_empty() {
            let mount = Path::new(ROOT).join("unified");
            let controllers = controllers(&mount)?;
            return Some(unified(mount, controllers, self.path));
        }
        let whole = self.controllers.strip_prefix("name=").unwrap_or(self.controllers);
        let first = self.controllers.split(',').next().filter(|first| *first != self.controllers);
        let mount = std::iter::once(whole)
            .chain(first)
            .map(|name| Path::new(ROOT).join(name))
            .find(|mount| mount.join("tasks").exists())?;
        Some(self.hierarchy(mount))
    }

    /// Looks it up in the text of /proc/self/mountinfo (proc_pid_mountinfo(5)).
    fn in_mount_table(&self, table: &str) -> Option<Hierarchy> {
        table.lines().find_map(|line| {
            let (mount, filesystem) = line.split_once(" - ")?;
            let mount = PathBuf::from(unescape(mount.split(' ').nth(4)?));
            let mut fields = filesystem.split(' ');
            match (fields.next()?, self.controllers.is_empty()) {
                ("cgroup2", true) => Some(unified(mount.clone(), controllers(&mount)?, self.path)),
                ("cgroup", false) => {
                    let options = fields.nth(1)?;
                    let has = |c: &str| options.split(',').any(|option| option == c);
                    self.controllers.split(',').all(has).then(|| self.hierarchy(mount))
                }
                _ => None,
            }
        })
    }
}

/// Undoes the `\040` for a blank of the mount table.
fn unescape(text: &str) -> String {
    let mut result = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        result.push_str(before);
        match after.get(..3).and_then(|octal| u8::from_str_radix(octal, 8).ok()) {
            Some(byte) if byte.is_ascii() => {
                result.push(byte.into());
                rest = &after[3..];
            }
            _ => {
                result.push('\\');
                rest = after;
            }
        }
    }
    result.push_str(rest);
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
25 1 0:24 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
26 25 0:25 / /cg/my\\040cpu rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct
27 25 0:26 / /cg/systemd rw,relatime - cgroup cgroup rw,xattr,name=systemd
";

    #[test]
    fn the_mount_table_helps_where_the_usual_place_does_not() {
        let line = Line::parse("3:cpu,cpuacct:/a:b").unwrap();
        let found = line.in_mount_table(TABLE).unwrap();
        assert_eq!(found.mount, Path::new("/cg/my cpu"));
        assert_eq!((found.controllers, found.own), (vec!["cpu".into(), "cpuacct".into()], "/a:b".into()));
        let line = Line::parse("1:name=systemd:/").unwrap();
        assert_eq!(line.in_mount_table(TABLE).unwrap().mount, Path::new("/cg/systemd"));
        assert!(Line::parse("4:memory:/").unwrap().in_mount_table(TABLE).is_none());
        assert!(Line::parse("0::/").unwrap().in_mount_table(TABLE).is_none());
    }

    #[test]
    fn escapes_of_the_mount_table_are_undone() {
        assert_eq!(unescape(r"/a\040b\134c"), r"/a b\c");
        assert_eq!(unescape(r"/a\9"), r"/a\9");
    }
}
