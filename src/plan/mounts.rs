//! Mounts: config.json's mount(8) options become the kernel's attributes and parameters.

mod cgroups;
mod filesystem;
pub mod idmap;
mod options;
mod overlay;

pub(super) use options::is_superblock_flag;
pub use options::known_options;

use super::cgroup::CgroupPlan;
use super::namespaces::{Kind, NamespacePlan};
use super::path::InRoot;
use crate::error::{Error, Result};
use crate::spec::config;
use crate::sys::mount::MountAttr;
use filesystem::{filesystem, parameters, words};
use idmap::{Idmap, Namespaces};
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
    /// By which ids its owners are shown.
    pub idmap: Option<Idmap>,
    /// If the target is a symbolic link, it is covered itself.
    pub on_link: bool,
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
    /// What is mounted there already, with these parameters changed (fspick(2)); none for the mount alone.
    Remount(Option<Vec<Parameter>>),
}

/// A new instance of a filesystem.
#[derive(Debug, Clone)]
pub struct Filesystem {
    /// Such as `tmpfs`.
    pub fstype: CString,
    /// The parameters, in order, `source` included.
    pub parameters: Vec<Parameter>,
    /// What fsconfig(2) cannot say, for mount(2).
    pub classic: Option<Classic>,
    /// A tmpfs without a mode takes that of the directory it covers, as under the peers.
    pub mode_of_target: bool,
    /// It begins with a copy of what it covers (`tmpcopyup`).
    pub copy_up: bool,
    /// Such a copy has the owner of what it covers, unless told.
    pub owner_of_target: bool,
    /// proc and sysfs must sit on a real directory: a symbolic link in the image would put them
    /// elsewhere (CVE-2019-19921, CVE-2023-27561).
    pub no_symlinks: bool,
    /// The SELinux label of its root directory, where it cannot be one of the whole.
    pub root_label: Option<CString>,
}

/// One fsconfig(2) parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Name.
    pub key: CString,
    /// Value; none for a flag.
    pub value: Option<CString>,
}

/// The arguments of mount(2): fsconfig(2) takes no value of more than 255 bytes, and no iversion.
#[derive(Debug, Clone)]
pub struct Classic {
    /// Such as a device.
    pub source: CString,
    /// `MS_*`
    pub flags: u64,
    /// All options of the filesystem.
    pub data: CString,
    /// Not only where this kernel's fsconfig(2) refuses the parameters.
    pub only: bool,
}

/// What becomes of the source of a bind mount that is a symbolic link.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum SourceLink {
    /// What it leads to is mounted.
    #[default]
    Followed,
    /// The link is mounted.
    Itself,
    /// A link is made that says the same.
    Copied,
}

/// A bind mount.
#[derive(Debug, Clone)]
pub struct Bind {
    /// Absolute host path.
    pub source: CString,
    /// If that is a symbolic link.
    pub link: SourceLink,
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
    /// Of the host.
    pub facts: &'a super::Facts,
}

/// Plans all mounts.
///
/// # Errors
/// Data that the kernel cannot be told, the root as a target.
pub fn plan(
    mounts: &[config::Mount],
    around: &Around,
    ids: &mut Namespaces,
    warnings: &mut Vec<String>,
) -> Result<Vec<Mount>> {
    let one = |(index, mount)| plan_one(mount, index, around, ids, warnings);
    mounts.iter().enumerate().map(one).collect()
}

fn plan_one(
    mount: &config::Mount,
    index: usize,
    around: &Around,
    ids: &mut Namespaces,
    warnings: &mut Vec<String>,
) -> Result<Mount> {
    let location = format!("mounts[{index}]");
    let parsed = parse(&mount.options);
    let target = InRoot::new(&mount.destination)
        .ok_or_else(|| Error::new(format!("{location}.destination: holds a NUL byte")))?;
    if target.is_root() && !parsed.remount {
        return Err(Error::new(format!(
            "{location}.destination: {:?} is the root itself; name its directory in root.path",
            mount.destination
        )));
    }
    let idmap = ids.of_mount(mount, &parsed, &location)?;
    let source = source(mount, &parsed, &location, around)?;
    let cgroups = match &source {
        Source::Bind(bind) if parsed.bind.is_none() && mount.typ.as_deref() != Some("bind") => bind.recursive,
        _ => shows_cgroups(mount, &parsed) && (around.facts.in_userns || around.namespaces.has(Kind::User)),
    };
    // mount(8) ignores them as well, and managers pass such leftovers on.
    let ignored: &[&[String]] = match &source {
        Source::Bind(_) | Source::CgroupV1(_) | Source::Remount(None) => &[&parsed.flags, &parsed.data],
        // cgroup v2 is one filesystem for all, and its options are the host's.
        Source::Filesystem(filesystem) if filesystem.fstype.as_c_str() == c"cgroup2" => &[&parsed.data],
        Source::Filesystem(_) | Source::Remount(Some(_)) => &[],
    };
    for option in ignored.iter().copied().flatten() {
        let text = "says nothing of a mount without a filesystem of its own";
        warnings.push(format!("{location}.options: {option:?} {text}"));
    }
    Ok(Mount {
        label: label(mount, &parsed, &target),
        target,
        source,
        attr: parsed.attr,
        recursive_attr: match cgroups {
            true => MountAttr { set: parsed.recursive_attr.set | RDONLY, ..parsed.recursive_attr },
            false => parsed.recursive_attr,
        },
        propagation: parsed.propagation,
        recursive_propagation: parsed.recursive_propagation,
        idmap,
        on_link: parsed.on_link,
        location,
    })
}

fn source(mount: &config::Mount, parsed: &Parsed, location: &str, around: &Around) -> Result<Source> {
    let fstype = mount.typ.as_deref().unwrap_or("");
    let bind = parsed.bind.is_some() || fstype == "bind";
    Ok(match (parsed.remount, bind, fstype) {
        (true, true, _) => Source::Remount(None),
        (true, false, _) => {
            let words = words(fstype, &parsed.data);
            Source::Remount(Some(parameters(fstype, None, parsed, &words, location)?))
        }
        (false, true, _) => self::bind(mount, parsed, location, around.bundle)?,
        (false, false, _) if is_cgroup(mount) => cgroups::cgroup(around, parsed, location)?,
        (false, false, "sysfs") if shows_another_network(around) => Source::Bind(Bind {
            source: super::c_path(location, Path::new("/sys"))?,
            link: SourceLink::Followed,
            recursive: true,
            fallback: None,
        }),
        (false, false, _) => {
            Source::Filesystem(filesystem(fstype, mount.source.as_deref(), parsed, location, around.bundle)?)
        }
    })
}

/// A sysfs is one of a network namespace, and the kernel makes none for a new user namespace of a network that is
/// not below it. Then it is the caller's own that is shown, as crun does.
fn shows_another_network(around: &Around) -> bool {
    around.namespaces.is_new(Kind::User) && around.namespaces.joins().any(|join| join.kind == Kind::Network)
}

fn is_cgroup(mount: &config::Mount) -> bool {
    matches!(mount.typ.as_deref(), Some("cgroup" | "cgroup2"))
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
        _ if parsed.remount => "remount".to_owned(),
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
    let recursive = parsed.bind == Some(true);
    Ok(Source::Bind(Bind { source, link: parsed.source_link, recursive, fallback: None }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::cgroup::{self, Hierarchy, Room, Version};
    use crate::plan::{Facts, namespaces};

    #[test]
    fn data_of_a_cgroup_mount_is_not_ignored_silently() {
        let hierarchies = vec![Hierarchy {
            mount: "/cg".into(),
            version: Version::V2,
            controllers: Vec::new(),
            own: "/".into(),
            room: Room::Below,
            unit: None,
        }];
        let facts = Facts { cgroup: cgroup::Facts { hierarchies }, ..Facts::default() };
        let linux = serde_json::from_str(r#"{"namespaces":[{"type":"mount"},{"type":"cgroup"}]}"#).unwrap();
        let namespaces = namespaces::plan(&linux, &facts).unwrap();
        let cgroup = CgroupPlan::default();
        let around =
            Around { bundle: Path::new("/b"), namespaces: &namespaces, cgroup: &cgroup, facts: &facts };
        let mut ids = Namespaces::new(&linux, &namespaces, true);
        let mount = r#"[{"destination":"/c","type":"cgroup","options":["ro","nsdelegate"]}]"#;
        let mount: Vec<config::Mount> = serde_json::from_str(mount).unwrap();
        let mut warnings = Vec::new();
        plan(&mount, &around, &mut ids, &mut warnings).unwrap();
        let text = "says nothing of a mount without a filesystem of its own";
        assert_eq!(warnings, [format!("mounts[0].options: \"nsdelegate\" {text}")]);
    }
}
