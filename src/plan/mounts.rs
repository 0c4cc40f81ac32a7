//! Mounts: config.json's mount(8) options become the kernel's attributes and parameters.

mod options;

pub(super) use options::is_superblock_flag;
pub use options::known_options;

use super::cgroup::{CgroupPlan, Version, directory};
use super::namespaces::{Kind, NamespacePlan};
use super::path::InRoot;
use crate::error::{Error, Result};
use crate::spec::config;
use crate::sys::mount::MountAttr;
use libc::MOUNT_ATTR_RDONLY as RDONLY;
use options::{Parsed, parse};
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
    /// What is shown if the source is a group that could not be made and need not be (rootless): the
    /// caller's own.
    pub fallback: Option<CString>,
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
    let cgroups = shows_cgroups(mount, &parsed) && around.namespaces.has(Kind::User);
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
        recursive_attr: match cgroups {
            true => MountAttr { set: parsed.recursive_attr.set | RDONLY, ..parsed.recursive_attr },
            false => parsed.recursive_attr,
        },
        propagation: parsed.propagation,
        recursive_propagation: parsed.recursive_propagation,
        label,
        location,
    })
}

/// A read-only rbind of the host's /sys, which ordinary users have in place of a sysfs, leaves the cgroups
/// below writable: those of the user, of other containers too (CVE-2023-25809). `rrw` asks for that.
fn shows_cgroups(mount: &config::Mount, parsed: &Parsed) -> bool {
    let source = mount.source.as_deref().unwrap_or_default();
    parsed.bind == Some(true)
        && parsed.attr.set & RDONLY != 0
        && parsed.recursive_attr.clear & RDONLY == 0
        && source.starts_with("/sys")
        && Path::new("/sys/fs/cgroup").starts_with(source)
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
    Ok(Source::Bind(Bind { source, recursive: parsed.bind == Some(true), fallback: None }))
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
        let own = around.cgroup.groups.first();
        if !own_view {
            // Nor may it be a mount where the container has no group of its own: in the first cgroup
            // namespace that takes the host's mount options away, nsdelegate among them.
            let shown = own.map_or_else(|| "/sys/fs/cgroup".into(), |own| own.directory());
            let source = super::c_path(location, &shown)?;
            let caller =
                own.and_then(|own| own.caller.as_ref().filter(|_| own.optional).map(|path| (own, path)));
            let fallback = caller.map(|(own, path)| super::c_path(location, &directory(&own.mount, path)));
            return Ok(Source::Bind(Bind { source, recursive: false, fallback: fallback.transpose()? }));
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
            Source::Bind(Bind { source, recursive: false, fallback: None })
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

    #[test]
    fn what_is_no_option_is_data_for_the_filesystem() {
        let options = ["nosuid", "mode=755", "size=64m", "sync"].map(str::to_owned);
        let p = parse(&options, "mounts[0]").unwrap();
        let fs = filesystem("tmpfs", Some("tmpfs"), &p, "mounts[0]").unwrap();
        let keys: Vec<_> = fs.parameters.iter().map(|p| p.key.to_str().unwrap()).collect();
        assert_eq!(keys, ["source", "sync", "mode", "size"]);
    }
}
