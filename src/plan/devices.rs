//! Device nodes and the links of /dev (config-linux.md, "Default Devices").

use super::namespaces::NamespacePlan;
use super::path::InRoot;
use super::{Facts, namespaces::Kind};
use crate::error::{Error, Result};
use crate::spec::config::{self, Spec};
use std::ffi::{CStr, CString};

/// Nodes and links to make.
#[derive(Debug, Clone)]
pub struct DevicePlan {
    /// Nodes, the defaults first.
    pub nodes: Vec<Node>,
    /// In a user namespace the kernel makes no device nodes (mknod(2), EPERM): bind the host's.
    pub by_bind: bool,
    /// `/dev`
    pub directory: InRoot,
    /// Links below /dev; none where the host's own /dev is bound there.
    pub links: &'static [Link],
}

/// One node.
#[derive(Debug, Clone)]
pub struct Node {
    /// Directory of it.
    pub directory: InRoot,
    /// Name in it.
    pub name: CString,
    /// Type and permissions, as mknod(2) takes them.
    pub mode: u32,
    /// Major number.
    pub major: u32,
    /// Minor number.
    pub minor: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// The same path on the host, for a bind.
    pub host: CString,
    /// `linux.devices[1]`, or `default devices`.
    pub location: String,
}

/// One symbolic link below /dev.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// Name below /dev.
    pub name: &'static CStr,
    /// Where it points.
    pub target: &'static CStr,
}

const LINKS: [Link; 6] = [
    Link { name: c"ptmx", target: c"pts/ptmx" },
    Link { name: c"fd", target: c"/proc/self/fd" },
    Link { name: c"stdin", target: c"/proc/self/fd/0" },
    Link { name: c"stdout", target: c"/proc/self/fd/1" },
    Link { name: c"stderr", target: c"/proc/self/fd/2" },
    Link { name: c"core", target: c"/proc/kcore" },
];

/// config-linux.md, "Default Devices"; /dev/console comes with a terminal, /dev/ptmx is a link.
const DEFAULTS: [(&str, u32, u32); 6] = [
    ("/dev/null", 1, 3),
    ("/dev/zero", 1, 5),
    ("/dev/full", 1, 7),
    ("/dev/random", 1, 8),
    ("/dev/urandom", 1, 9),
    ("/dev/tty", 5, 0),
];

/// Plans the nodes and links.
///
/// # Errors
/// A type that is none, a path with a NUL byte.
pub fn plan(spec: &Spec, namespaces: &NamespacePlan, facts: &Facts) -> Result<DevicePlan> {
    let listed = spec.linux.as_ref().map_or(&[][..], |l| &l.devices);
    let by_bind = facts.in_userns || namespaces.has(Kind::User);
    let directory = InRoot::new("/dev").ok_or_else(|| Error::new("/dev"))?;
    if host_dev_is_bound(spec) {
        let nodes = configured(listed)?;
        return Ok(DevicePlan { nodes, by_bind, directory, links: &[] });
    }
    let mut nodes = Vec::new();
    for (path, major, minor) in DEFAULTS {
        if !listed.iter().any(|d| d.path == path) {
            let mode = libc::S_IFCHR | 0o666;
            nodes.push(node(path, (mode, major, minor), (0, 0), "default devices")?);
        }
    }
    nodes.extend(configured(listed)?);
    Ok(DevicePlan { nodes, by_bind, directory, links: &LINKS })
}

/// Nodes and links would change the host's /dev.
fn host_dev_is_bound(spec: &Spec) -> bool {
    spec.mounts.iter().any(|m| {
        m.destination.trim_end_matches('/') == "/dev"
            && (m.typ.as_deref() == Some("bind") || m.options.iter().any(|o| o == "bind" || o == "rbind"))
    })
}

fn configured(devices: &[config::Device]) -> Result<Vec<Node>> {
    let of = |(index, device): (usize, &config::Device)| {
        let location = format!("linux.devices[{index}]");
        let kind = match device.typ.as_str() {
            "c" | "u" => libc::S_IFCHR,
            "b" => libc::S_IFBLK,
            "p" => libc::S_IFIFO,
            other => return Err(Error::new(format!("{location}.type: {other:?} is not c, b, u or p"))),
        };
        let number = |n: Option<i64>| u32::try_from(n.unwrap_or(0)).unwrap_or(0);
        let mode = kind | device.file_mode.unwrap_or(0o666) & 0o7777;
        let owner = (device.uid.unwrap_or(0), device.gid.unwrap_or(0));
        node(&device.path, (mode, number(device.major), number(device.minor)), owner, &location)
    };
    devices.iter().enumerate().map(of).collect()
}

fn node(path: &str, kind: (u32, u32, u32), owner: (u32, u32), location: &str) -> Result<Node> {
    let (directory, name) = path.trim_end_matches('/').rsplit_once('/').unwrap_or(("", path));
    let nul = || Error::new(format!("{location}.path: holds a NUL byte"));
    Ok(Node {
        directory: InRoot::new(directory).ok_or_else(nul)?,
        name: super::c_string(location, name)?,
        mode: kind.0,
        major: kind.1,
        minor: kind.2,
        uid: owner.0,
        gid: owner.1,
        host: super::c_string(location, path)?,
        location: location.to_owned(),
    })
}

impl Node {
    /// As an absolute path of the container, for people.
    pub fn display(&self) -> String {
        format!("{}/{}", self.directory.display().trim_end_matches('/'), self.name.to_string_lossy())
    }

    /// c, b or p.
    pub fn letter(&self) -> char {
        match self.mode & libc::S_IFMT {
            libc::S_IFCHR => 'c',
            libc::S_IFBLK => 'b',
            _ => 'p',
        }
    }
}
