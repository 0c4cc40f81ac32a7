//! `linux.sysctl`: the kernel parameters that belong to a namespace of the container.

use super::Report;
use super::at::{At, quoted};
use super::linux;
use crate::spec::config::Spec;
use std::collections::BTreeMap;

/// Those of ipc_namespaces(7) below `kernel`.
const IPC: [&str; 8] = ["msgmax", "msgmnb", "msgmni", "sem", "shm_rmid_forced", "shmall", "shmmax", "shmmni"];

/// The file below `/proc/sys` that `key` names. As in sysctl(8) the first separator decides: after a
/// `.`, dots separate and a `/` stands for a dot; after a `/`, slashes separate and dots are dots.
///
/// # Errors
/// What is wrong with the key; anything that could lead elsewhere is refused (CVE-2022-0811).
pub fn file(key: &str) -> Result<String, &'static str> {
    if key.contains(|c: char| c.is_whitespace() || c.is_control() || c == '+') {
        return Err("contains white space, a control character or \"+\"");
    }
    let dots = key.find(['.', '/']).is_some_and(|first| key[first..].starts_with('.'));
    let swap = |c| match c {
        '.' => '/',
        '/' => '.',
        other => other,
    };
    let path: String = if dots { key.chars().map(swap).collect() } else { key.to_owned() };
    for component in path.split('/') {
        match component {
            "" => return Err("has an empty component"),
            "." | ".." => return Err("has a component of dots only"),
            _ => {}
        }
    }
    Ok(path)
}

/// Which namespace a parameter belongs to.
#[derive(Debug, PartialEq, Eq)]
enum Scope {
    /// The namespace of this type.
    Namespace(&'static str),
    /// `kernel.hostname`, for which there is a field of its own.
    Hostname,
    /// None: it is the host's.
    Host,
}

fn scope(path: &str) -> Scope {
    match path.split_once('/') {
        Some(("kernel", "hostname")) => Scope::Hostname,
        Some(("kernel", "domainname")) => Scope::Namespace("uts"),
        Some(("kernel", name)) if IPC.contains(&name) => Scope::Namespace("ipc"),
        Some(("fs", rest)) if rest.starts_with("mqueue/") => Scope::Namespace("ipc"),
        Some(("net", _)) => Scope::Namespace("network"),
        Some(("user", _)) => Scope::Namespace("user"),
        _ => Scope::Host,
    }
}

/// The type of the namespace that the parameter in the file `path` belongs to.
pub fn namespace(path: &str) -> Option<&'static str> {
    match scope(path) {
        Scope::Namespace(typ) => Some(typ),
        Scope::Hostname | Scope::Host => None,
    }
}

/// Checks every parameter against the namespaces that are new or joined.
pub(super) fn check(sysctl: &BTreeMap<String, String>, spec: &Spec, at: &At<'_>, report: &mut Report) {
    let mut files = BTreeMap::new();
    for (key, value) in sysctl {
        let at = at.key(key);
        if value.contains(['\n', '\0']) {
            report.error(&at, format!("{} contains a newline or a NUL byte", quoted(value)));
        }
        let path = match file(key) {
            Ok(path) => path,
            Err(why) => {
                report.error(&at, why);
                continue;
            }
        };
        namespaced(&path, spec, &at, report);
        if let Some(other) = files.insert(path, key) {
            report.error(&at, format!("is the same parameter as {}", quoted(other)));
        }
    }
}

fn namespaced(path: &str, spec: &Spec, at: &At<'_>, report: &mut Report) {
    let linux = At::Root.key("linux");
    match scope(path) {
        Scope::Namespace(typ) if linux::namespace(spec, typ).is_none() => {
            let text = format!("needs a namespace of type {typ} in linux.namespaces");
            report.error_from(at, &[&linux.key("namespaces")], text);
        }
        Scope::Namespace("uts") if spec.domainname.as_deref().is_some_and(|name| !name.is_empty()) => {
            report.error_from(at, &[&At::Root.key("domainname")], "is set by domainname already");
        }
        Scope::Namespace(_) => {}
        Scope::Hostname => report.error(at, "is set by the field hostname instead"),
        Scope::Host => report.error(at, "belongs to no namespace: it would change the host"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_separator_decides() {
        assert_eq!(file("net.ipv4.ip_forward"), Ok("net/ipv4/ip_forward".to_owned()));
        assert_eq!(file("net/ipv4/ip_forward"), Ok("net/ipv4/ip_forward".to_owned()));
        assert_eq!(
            file("net.ipv4.conf.eno2/100.rp_filter"),
            Ok("net/ipv4/conf/eno2.100/rp_filter".to_owned())
        );
        assert_eq!(
            file("net/ipv4/conf/eno2.100/rp_filter"),
            Ok("net/ipv4/conf/eno2.100/rp_filter".to_owned())
        );
        assert_eq!(file("threads-max"), Ok("threads-max".to_owned()));
    }

    #[test]
    fn a_key_cannot_lead_elsewhere() {
        let bad =
            ["", ".", "/", "net.", "/net/x", "net//x", "net..x", "net/../kernel/core_pattern", "net/./x"];
        for key in bad.into_iter().chain(["net.//.kernel", "net.x\n", "net.a+b", "net.a b", "net.a\0"]) {
            assert!(file(key).is_err(), "{key:?}");
        }
    }

    #[test]
    fn only_exact_names_are_namespaced() {
        assert_eq!(scope("kernel/shm_rmid_forced"), Scope::Namespace("ipc"));
        assert_eq!(scope("kernel/sem"), Scope::Namespace("ipc"));
        assert_eq!(scope("kernel/sem/x"), Scope::Host);
        assert_eq!(scope("kernel/core_pattern"), Scope::Host);
        assert_eq!(scope("fs/mqueue/msg_max"), Scope::Namespace("ipc"));
        assert_eq!(scope("fs/mqueue"), Scope::Host);
        assert_eq!(scope("network/x"), Scope::Host);
        assert_eq!(scope("user/max_user_namespaces"), Scope::Namespace("user"));
    }
}
