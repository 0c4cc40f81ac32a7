//! The annotations that change what is done. All are kept in the state, whatever they mean.

use crate::spec::config::Spec;
use crate::spec::gvariant::{self, Value};

/// crun: where the notification fd of the seccomp filter goes without `linux.seccomp.listenerPath`.
pub const SECCOMP_RECEIVER: &str = "run.oci.seccomp.receiver";
/// crun: unless it is `0`, a system call that is not known is an error in a seccomp rule.
pub const SECCOMP_FAIL_UNKNOWN_SYSCALL: &str = "run.oci.seccomp_fail_unknown_syscall";
/// crun: a BPF program in base64 in place of the rules of `linux.seccomp`.
pub const SECCOMP_BPF_DATA: &str = "run.oci.seccomp_bpf_data";
/// crun: shared objects that answer seccomp notifications. There is no loader in a static program.
pub const SECCOMP_PLUGINS: &str = "run.oci.seccomp.plugins";
/// crun: a virtual machine or a WebAssembly engine in place of the kernel. There is none here.
pub const HANDLER: &str = "run.oci.handler";
/// crun: a listening Unix socket that gets a pidfd of the container's init.
pub const PIDFD_RECEIVER: &str = "run.oci.pidfd_receiver";

/// crun: the process keeps the groups of the caller.
pub const KEEP_ORIGINAL_GROUPS: &str = "run.oci.keep_original_groups";

/// crun: which mount option of SELinux `linux.mountLabel` becomes.
pub const MOUNT_CONTEXT_TYPE: &str = "run.oci.mount_context_type";

/// crun: the file for what hooks write to their standard output.
pub const HOOKS_STDOUT: &str = "run.oci.hooks.stdout";
/// crun: the same for standard error.
pub const HOOKS_STDERR: &str = "run.oci.hooks.stderr";

/// Of tierce's own: the ids by which the root filesystem is shown, `container` for those of its user
/// namespace, or as behind the mount option `idmap=`.
pub const ROOT_IDMAP: &str = "tierce.root.idmap";

/// Of tierce's own: which device nodes a container may make beyond what `linux.resources.devices` says.
pub const MKNOD: &str = "tierce.mknod";
/// All, as by the defaults of runc and crun.
pub const MKNOD_ANY: &str = "any";
/// Those of `linux.devices`, as without the annotation.
pub const MKNOD_LISTED: &str = "listed";

/// runc: a property of the container's unit of systemd, as `org.systemd.property.CollectMode`.
pub const SYSTEMD_PROPERTY: &str = "org.systemd.property.";

/// Those that are honoured, or how they begin, sorted; `features` lists them.
pub const HONOURED: &[&str] = &[
    SYSTEMD_PROPERTY,
    HOOKS_STDERR,
    HOOKS_STDOUT,
    KEEP_ORIGINAL_GROUPS,
    MOUNT_CONTEXT_TYPE,
    PIDFD_RECEIVER,
    SECCOMP_RECEIVER,
    SECCOMP_BPF_DATA,
    SECCOMP_FAIL_UNKNOWN_SYSCALL,
    MKNOD,
    ROOT_IDMAP,
];

/// Prefixes of annotations that are meant for a runtime.
const RUNTIMES: [&str; 1] = ["run.oci."];

/// The value of an annotation of `spec`.
pub fn value<'a>(spec: &'a Spec, key: &str) -> Option<&'a str> {
    spec.annotations.as_ref()?.get(key).map(String::as_str)
}

/// Those that another runtime would obey, and that do nothing here.
pub fn without_effect(spec: &Spec) -> impl Iterator<Item = &str> {
    let keys = spec.annotations.iter().flat_map(|map| map.keys().map(String::as_str));
    keys.filter(|key| RUNTIMES.iter().any(|prefix| key.starts_with(prefix)) && !HONOURED.contains(key))
}

/// The properties for the container's unit of systemd: each annotation, with what it says or why it is wrong.
pub fn systemd_properties(spec: &Spec) -> impl Iterator<Item = (&str, Result<(String, Value), String>)> {
    let all = spec.annotations.iter().flatten();
    all.filter_map(|(key, text)| {
        Some((key.as_str(), systemd_property(key.strip_prefix(SYSTEMD_PROPERTY)?, text)))
    })
}

/// As runc: a time in seconds may be given under the name of the unit file, `TimeoutStopSec`. On the bus it is
/// `TimeoutStopUSec`, in microseconds.
fn systemd_property(name: &str, text: &str) -> Result<(String, Value), String> {
    if name.is_empty() || !name.bytes().all(|c| c.is_ascii_alphabetic()) {
        return Err(format!("{name:?} is not the name of a property, which has letters only"));
    }
    if name == "PIDs" {
        return Err("the processes of the unit are those of the container".into());
    }
    let value = gvariant::parse(text).map_err(|why| format!("{text:?}: {why}"))?;
    let Some(stem) = name.strip_suffix("Sec").filter(|stem| stem.ends_with(|c: char| c.is_ascii_lowercase()))
    else {
        return Ok((name.into(), value));
    };
    let seconds = match value {
        Value::I32(n) => f64::from(n),
        Value::U32(n) => f64::from(n),
        Value::I64(n) => n as f64,
        Value::U64(n) => n as f64,
        Value::Double(n) => n,
        _ => return Err(format!("{text:?} is not a number of seconds")),
    };
    if !(0.0..=1e12).contains(&seconds) {
        return Err(format!("{text:?} is not a number of seconds"));
    }
    Ok((format!("{stem}USec"), Value::U64((seconds * 1e6).round() as u64)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_of_a_unit_file_are_microseconds_on_the_bus() {
        let property = |name: &str, text: &str| systemd_property(name, text);
        let usec = |n| Ok(("TimeoutStopUSec".to_string(), Value::U64(n)));
        assert_eq!(property("TimeoutStopSec", "123"), usec(123_000_000));
        assert_eq!(property("TimeoutStopSec", "uint64 2"), usec(2_000_000));
        assert_eq!(property("TimeoutStopSec", "0.5"), usec(500_000));
        assert_eq!(property("TimeoutStopUSec", "uint64 7"), usec(7));
        assert!(property("TimeoutStopSec", "-1").is_err() && property("TimeoutStopSec", "'1s'").is_err());
    }
}
