//! Mounts: config.json's mount(8) options become the kernel's attributes and parameters.

use super::cgroup::{CgroupPlan, Version, directory};
use super::namespaces::{Kind, NamespacePlan};
use super::path::InRoot;
use crate::error::{Error, Result};
use crate::spec::config;
use crate::sys::mount::MountAttr;
use std::ffi::CString;
use std::path::Path;

/// One mount, ready for the kernel.
#[derive(Debug, Clone)]
pub struct Mount {
    /// Where, inside the root filesystem.
    pub target: InRoot,
    /// What.
    pub source: Source,
    /// Attributes of the mount itself.
    pub attr: MountAttr,
    /// Attributes of it and of all mounts below it (the `r…` options).
    pub recursive_attr: MountAttr,
    /// Propagation of it alone and of it with all below (MS_SHARED and so on, or 0).
    pub propagation: u64,
    /// As `propagation`, with all mounts below.
    pub recursive_propagation: u64,
    /// `tmpfs on /dev, mode=755`: how people know it.
    pub label: String,
    /// `mounts[3]`.
    pub location: String,
}

/// What is mounted.
#[derive(Debug, Clone)]
pub enum Source {
    /// A filesystem of this type (fsopen(2)).
    Filesystem(Filesystem),
    /// A file or directory of the host (open_tree(2)).
    Bind(Bind),
    /// The container's own part of the v1 hierarchies, each in a directory of a tmpfs.
    CgroupV1(Vec<CgroupV1>),
}

/// A new instance of a filesystem.
#[derive(Debug, Clone)]
pub struct Filesystem {
    /// Such as `tmpfs`.
    pub fstype: CString,
    /// The parameters, in order, `source` included.
    pub parameters: Vec<Parameter>,
    /// A tmpfs without a mode takes that of the directory it covers, as under the peers.
    pub mode_of_target: bool,
    /// proc and sysfs must sit on a real directory: a symbolic link in the image would put them
    /// elsewhere (CVE-2019-19921, CVE-2023-27561).
    pub no_symlinks: bool,
}

/// One fsconfig(2) parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Name.
    pub key: CString,
    /// Value; none for a flag.
    pub value: Option<CString>,
}

/// A bind mount.
#[derive(Debug, Clone)]
pub struct Bind {
    /// Absolute host path.
    pub source: CString,
    /// With all mounts below it.
    pub recursive: bool,
}

/// One v1 hierarchy inside the container.
#[derive(Debug, Clone)]
pub struct CgroupV1 {
    /// Directory below the mount's target.
    pub name: CString,
    /// How it is mounted.
    pub source: Source,
    /// What is shown if the group could not be made and need not be (rootless): the caller's own.
    pub fallback: Option<CString>,
    /// Other names of it: `cpu` of `cpu,cpuacct`.
    pub links: Vec<CString>,
}

/// What an option does.
#[derive(Debug, Clone, Copy)]
enum Effect {
    /// Sets and clears attributes of the mount.
    Attr { set: u64, clear: u64 },
    /// The same with all mounts below.
    RecursiveAttr { set: u64, clear: u64 },
    /// Propagation.
    Propagation(u64),
    /// Propagation with all mounts below.
    RecursivePropagation(u64),
    /// A flag parameter of the superblock, unknown to bind mounts.
    Superblock,
    /// bind, rbind
    Bind { recursive: bool },
    /// Changes nothing: a default, or a matter of mount(8) and the kernel log.
    Nothing,
    /// Known, for a later release.
    Later,
}

use libc::{
    MOUNT_ATTR_NOATIME as NOATIME, MOUNT_ATTR_NODEV as NODEV, MOUNT_ATTR_NODIRATIME as NODIRATIME,
    MOUNT_ATTR_NOEXEC as NOEXEC, MOUNT_ATTR_NOSUID as NOSUID, MOUNT_ATTR_RDONLY as RDONLY,
    MOUNT_ATTR_STRICTATIME as STRICTATIME,
};
const NOSYMFOLLOW: u64 = 0x0020_0000;
/// The access time modes are one field, to be cleared as a whole (mount_setattr(2)).
const ATIME: u64 = 0x70;

/// Every option that is not data for the filesystem: config.md, "Linux mount options", and mount(8).
const OPTIONS: &[(&str, Effect)] = {
    use Effect::*;
    const fn set(set: u64) -> Effect {
        Attr { set, clear: 0 }
    }
    const fn clear(clear: u64) -> Effect {
        Attr { set: 0, clear }
    }
    const fn rset(set: u64) -> Effect {
        RecursiveAttr { set, clear: 0 }
    }
    const fn rclear(clear: u64) -> Effect {
        RecursiveAttr { set: 0, clear }
    }
    &[
        ("async", Superblock),
        ("atime", clear(ATIME)),
        ("bind", Bind { recursive: false }),
        ("defaults", Nothing),
        ("dev", clear(NODEV)),
        ("diratime", clear(NODIRATIME)),
        ("dirsync", Superblock),
        ("exec", clear(NOEXEC)),
        ("idmap", Later),
        ("iversion", Later),
        ("lazytime", Superblock),
        ("loud", Nothing),
        ("mand", Superblock),
        ("noatime", Attr { set: NOATIME, clear: ATIME }),
        ("nodev", set(NODEV)),
        ("nodiratime", set(NODIRATIME)),
        ("noexec", set(NOEXEC)),
        ("noiversion", Later),
        ("nolazytime", Superblock),
        ("nomand", Superblock),
        ("norelatime", Attr { set: 0, clear: ATIME }),
        ("nostrictatime", Attr { set: 0, clear: ATIME }),
        ("nosuid", set(NOSUID)),
        ("nosymfollow", set(NOSYMFOLLOW)),
        ("private", Propagation(libc::MS_PRIVATE)),
        ("ratime", RecursiveAttr { set: 0, clear: ATIME }),
        ("rbind", Bind { recursive: true }),
        ("rdev", rclear(NODEV)),
        ("rdiratime", rclear(NODIRATIME)),
        ("relatime", Attr { set: 0, clear: ATIME }),
        ("remount", Later),
        ("rexec", rclear(NOEXEC)),
        ("ridmap", Later),
        ("rnoatime", RecursiveAttr { set: NOATIME, clear: ATIME }),
        ("rnodev", rset(NODEV)),
        ("rnodiratime", rset(NODIRATIME)),
        ("rnoexec", rset(NOEXEC)),
        ("rnorelatime", RecursiveAttr { set: 0, clear: ATIME }),
        ("rnostrictatime", RecursiveAttr { set: 0, clear: ATIME }),
        ("rnosuid", rset(NOSUID)),
        ("rnosymfollow", rset(NOSYMFOLLOW)),
        ("ro", set(RDONLY)),
        ("rprivate", RecursivePropagation(libc::MS_PRIVATE)),
        ("rrelatime", RecursiveAttr { set: 0, clear: ATIME }),
        ("rro", rset(RDONLY)),
        ("rrw", rclear(RDONLY)),
        ("rshared", RecursivePropagation(libc::MS_SHARED)),
        ("rslave", RecursivePropagation(libc::MS_SLAVE)),
        ("rstrictatime", RecursiveAttr { set: STRICTATIME, clear: ATIME }),
        ("rsuid", rclear(NOSUID)),
        ("rsymfollow", rclear(NOSYMFOLLOW)),
        ("runbindable", RecursivePropagation(libc::MS_UNBINDABLE)),
        ("rw", clear(RDONLY)),
        ("shared", Propagation(libc::MS_SHARED)),
        ("silent", Nothing),
        ("slave", Propagation(libc::MS_SLAVE)),
        ("strictatime", Attr { set: STRICTATIME, clear: ATIME }),
        ("suid", clear(NOSUID)),
        ("symfollow", clear(NOSYMFOLLOW)),
        ("sync", Superblock),
        ("tmpcopyup", Later),
        ("unbindable", Propagation(libc::MS_UNBINDABLE)),
    ]
};

/// The options that work, for `features`.
pub fn known_options() -> Vec<&'static str> {
    OPTIONS.iter().filter(|(_, e)| !matches!(e, Effect::Later)).map(|(name, _)| *name).collect()
}

/// The options of one mount, sorted by what they do.
#[derive(Default)]
struct Parsed {
    attr: MountAttr,
    recursive_attr: MountAttr,
    propagation: u64,
    recursive_propagation: u64,
    bind: Option<bool>,
    flags: Vec<String>,
    data: Vec<String>,
}

fn parse(options: &[String], location: &str) -> Result<Parsed> {
    let mut parsed = Parsed::default();
    for (i, option) in options.iter().enumerate() {
        let known = OPTIONS.binary_search_by_key(&option.as_str(), |(name, _)| name);
        match known.map(|at| OPTIONS[at].1) {
            Ok(Effect::Attr { set, clear }) => merge(&mut parsed.attr, set, clear),
            Ok(Effect::RecursiveAttr { set, clear }) => merge(&mut parsed.recursive_attr, set, clear),
            Ok(Effect::Propagation(flag)) => parsed.propagation = flag,
            Ok(Effect::RecursivePropagation(flag)) => parsed.recursive_propagation = flag,
            Ok(Effect::Superblock) => parsed.flags.push(option.clone()),
            Ok(Effect::Bind { recursive }) => parsed.bind = Some(recursive || parsed.bind == Some(true)),
            Ok(Effect::Nothing) => {}
            Ok(Effect::Later) => {
                return Err(Error::not_supported_yet(format!("{location}.options[{i}]: {option}")));
            }
            Err(_) => parsed.data.push(option.clone()),
        }
    }
    Ok(parsed)
}

/// The later option wins.
fn merge(attr: &mut MountAttr, set: u64, clear: u64) {
    attr.set = attr.set & !clear & !set | set;
    attr.clear = attr.clear & !set | clear;
}

/// What the mounts depend on.
pub struct Around<'a> {
    /// Relative bind sources start here.
    pub bundle: &'a Path,
    /// The container's namespaces.
    pub namespaces: &'a NamespacePlan,
    /// The container's cgroups, for mounts of type `cgroup`.
    pub cgroup: &'a CgroupPlan,
    /// The host's.
    pub facts: &'a super::cgroup::Facts,
}

/// Plans all mounts.
///
/// # Errors
/// Options of a later release, data that make no sense for a bind mount.
pub fn plan(mounts: &[config::Mount], around: &Around) -> Result<Vec<Mount>> {
    mounts.iter().enumerate().map(|(index, mount)| plan_one(mount, index, around)).collect()
}

fn plan_one(mount: &config::Mount, index: usize, around: &Around) -> Result<Mount> {
    let location = format!("mounts[{index}]");
    let parsed = parse(&mount.options, &location)?;
    let target = InRoot::new(&mount.destination)
        .ok_or_else(|| Error::new(format!("{location}.destination: holds a NUL byte")))?;
    if target.is_root() {
        return Err(Error::new(format!(
            "{location}.destination: {:?} is the root itself; name its directory in root.path",
            mount.destination
        )));
    }
    let fstype = mount.typ.as_deref().unwrap_or("");
    let label = label(mount, &parsed, &target);
    let source = if parsed.bind.is_some() || fstype == "bind" {
        bind(mount, &parsed, &location, around.bundle)?
    } else if fstype == "cgroup" || fstype == "cgroup2" {
        cgroup(around, &parsed, &location)?
    } else {
        Source::Filesystem(filesystem(fstype, mount.source.as_deref(), &parsed, &location)?)
    };
    Ok(Mount {
        target,
        source,
        attr: parsed.attr,
        recursive_attr: parsed.recursive_attr,
        propagation: parsed.propagation,
        recursive_propagation: parsed.recursive_propagation,
        label,
        location,
    })
}

/// `tmpfs on /dev, mode=755,size=65536k`: type or source, target, the filesystem's own data.
fn label(mount: &config::Mount, parsed: &Parsed, target: &InRoot) -> String {
    let source = mount.source.as_deref().unwrap_or("nothing");
    let what = match (parsed.bind, mount.typ.as_deref()) {
        (Some(true), _) => format!("rbind of {source}"),
        (Some(false), _) | (None, Some("bind")) => format!("bind of {source}"),
        (None, fstype) => fstype.unwrap_or("").to_owned(),
    };
    let data = if parsed.data.is_empty() { String::new() } else { format!(", {}", parsed.data.join(",")) };
    format!("{what} on {}{data}", target.display())
}

fn bind(mount: &config::Mount, parsed: &Parsed, location: &str, bundle: &Path) -> Result<Source> {
    let source = mount.source.as_deref().unwrap_or("");
    if source.is_empty() {
        return Err(Error::new(format!("{location}.source: is missing; a bind mount needs one")));
    }
    let path = bundle.join(source);
    let source = super::c_path(&format!("{location}.source"), &path)?;
    // A filesystem's parameters mean nothing to a bind mount; mount(8) ignores them, and managers
    // pass such leftovers on. Attributes are all that can be changed.
    Ok(Source::Bind(Bind { source, recursive: parsed.bind == Some(true) }))
}

/// Types without a device below: read-only is an attribute of the mount, never of the superblock,
/// which may be shared with the host (cgroup v1).
const PSEUDO: &[&str] =
    &["proc", "sysfs", "tmpfs", "ramfs", "devpts", "mqueue", "devtmpfs", "cgroup", "cgroup2", "securityfs"];

fn filesystem(fstype: &str, source: Option<&str>, parsed: &Parsed, location: &str) -> Result<Filesystem> {
    if fstype.is_empty() || fstype == "none" {
        return Err(Error::new(format!(
            "{location}.type: is missing; name a filesystem, or add `bind` or `rbind` to the options"
        )));
    }
    let mut parameters = Vec::new();
    let mut add = |key: &str, value: Option<&str>| -> Result<()> {
        let c = |text: &str| super::c_string(&format!("{location}.options"), text);
        parameters.push(Parameter { key: c(key)?, value: value.map(c).transpose()? });
        Ok(())
    };
    if let Some(source) = source.filter(|s| !s.is_empty()) {
        add("source", Some(source))?;
    }
    let pseudo = PSEUDO.contains(&fstype);
    if !pseudo && parsed.attr.set & RDONLY != 0 {
        add("ro", None)?;
    }
    for flag in &parsed.flags {
        add(flag, None)?;
    }
    for option in parsed.data.iter().flat_map(|data| data.split(',')).filter(|o| !o.is_empty()) {
        match option.split_once('=') {
            Some((key, value)) => add(key, Some(value))?,
            // devpts is always a new instance since Linux 4.7, but still knows the word.
            None => add(option, None)?,
        }
    }
    let mode_of_target = fstype == "tmpfs" && !parameters.iter().any(|p| p.key.as_c_str() == c"mode");
    let no_symlinks = matches!(fstype, "proc" | "sysfs");
    Ok(Filesystem { fstype: super::c_string(location, fstype)?, parameters, mode_of_target, no_symlinks })
}

/// A mount of type `cgroup`: the container's own cgroup only, in every hierarchy.
fn cgroup(around: &Around, parsed: &Parsed, location: &str) -> Result<Source> {
    let own_view = around.namespaces.has(Kind::Cgroup);
    let v1: Vec<_> = around.cgroup.groups.iter().filter(|g| g.version == Version::V1).collect();
    if v1.is_empty() {
        // A mount would show the host's whole hierarchy.
        let own = around.cgroup.groups.iter().find(|group| !group.optional);
        if let Some(own) = own.filter(|_| !own_view) {
            let source = super::c_path(location, &own.directory())?;
            return Ok(Source::Bind(Bind { source, recursive: false }));
        }
        let data = Parsed { flags: parsed.flags.clone(), ..Parsed::default() };
        return Ok(Source::Filesystem(filesystem("cgroup2", Some("cgroup"), &data, location)?));
    }
    let hierarchies = v1.iter().map(|group| {
        let controllers = group.controllers.join(",");
        let named = controllers.strip_prefix("name=");
        let name = group.mount.file_name().map_or(controllers.clone(), |n| n.to_string_lossy().into_owned());
        let source = if own_view {
            let data = Parsed {
                data: match named {
                    Some(name) => vec!["none".into(), format!("name={name}")],
                    None => group.controllers.clone(),
                },
                ..Parsed::default()
            };
            Source::Filesystem(filesystem("cgroup", Some("cgroup"), &data, location)?)
        } else {
            let source = super::c_path(location, &group.directory())?;
            Source::Bind(Bind { source, recursive: false })
        };
        let own = around.facts.hierarchies.iter().find(|h| h.mount == group.mount && group.optional);
        let fallback = own.map(|h| super::c_path(location, &directory(&h.mount, &h.own))).transpose()?;
        let links = match group.controllers.len() {
            0 | 1 => Vec::new(),
            _ => group.controllers.iter().filter(|c| **c != name).collect(),
        };
        let links = links.into_iter().map(|l| super::c_string(location, l)).collect::<Result<_>>()?;
        Ok(CgroupV1 { name: super::c_string(location, &name)?, source, fallback, links })
    });
    Ok(Source::CgroupV1(hierarchies.collect::<Result<_>>()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(options: &[&str]) -> Parsed {
        let options: Vec<_> = options.iter().map(|o| (*o).to_owned()).collect();
        parse(&options, "mounts[0]").unwrap()
    }

    #[test]
    fn the_table_is_sorted_so_that_it_can_be_searched() {
        assert!(OPTIONS.is_sorted_by(|a, b| a.0 < b.0));
    }

    #[test]
    fn the_later_of_two_options_wins() {
        let p = parsed(&["ro", "nosuid", "rw"]);
        assert_eq!((p.attr.set, p.attr.clear), (NOSUID, RDONLY));
        let p = parsed(&["rw", "ro"]);
        assert_eq!((p.attr.set, p.attr.clear), (RDONLY, 0));
    }

    #[test]
    fn access_time_modes_replace_each_other() {
        let p = parsed(&["noatime", "strictatime"]);
        // mount_setattr(2) takes a change of the mode only with the whole field in attr_clr.
        assert_eq!((p.attr.set & ATIME, p.attr.clear & ATIME), (STRICTATIME, ATIME));
    }

    #[test]
    fn what_is_no_option_is_data_for_the_filesystem() {
        let p = parsed(&["nosuid", "mode=755", "size=64m", "sync"]);
        let fs = filesystem("tmpfs", Some("tmpfs"), &p, "mounts[0]").unwrap();
        let keys: Vec<_> = fs.parameters.iter().map(|p| p.key.to_str().unwrap()).collect();
        assert_eq!(keys, ["source", "sync", "mode", "size"]);
    }

    #[test]
    fn an_option_of_a_later_release_is_refused() {
        let e = parse(&["bind".to_owned(), "tmpcopyup".to_owned()], "mounts[4]").err().unwrap();
        assert_eq!(e.to_string(), "mounts[4].options[1]: tmpcopyup: not supported yet");
    }
}
