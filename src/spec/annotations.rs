//! The annotations that change what is done. All are kept in the state, whatever they mean.

use crate::spec::config::Spec;

/// crun: where the notification fd of the seccomp filter goes without `linux.seccomp.listenerPath`.
pub const SECCOMP_RECEIVER: &str = "run.oci.seccomp.receiver";
/// crun: unless it is `0`, a system call that is not known is an error in a seccomp rule.
pub const SECCOMP_FAIL_UNKNOWN_SYSCALL: &str = "run.oci.seccomp_fail_unknown_syscall";
/// crun: a BPF program in base64 in place of the rules of `linux.seccomp`.
pub const SECCOMP_BPF_DATA: &str = "run.oci.seccomp_bpf_data";
/// crun: shared objects that answer seccomp notifications. There is no loader in a static program.
pub const SECCOMP_PLUGINS: &str = "run.oci.seccomp.plugins";
/// crun: a listening Unix socket that gets a pidfd of the container's init.
pub const PIDFD_RECEIVER: &str = "run.oci.pidfd_receiver";

/// crun: the process keeps the groups of the caller.
pub const KEEP_ORIGINAL_GROUPS: &str = "run.oci.keep_original_groups";

/// crun: the file for what hooks write to their standard output.
pub const HOOKS_STDOUT: &str = "run.oci.hooks.stdout";
/// crun: the same for standard error.
pub const HOOKS_STDERR: &str = "run.oci.hooks.stderr";

/// Of tierce's own: the ids by which the root filesystem is shown, `container` for those of its user
/// namespace, or as behind the mount option `idmap=`.
pub const ROOT_IDMAP: &str = "tierce.root.idmap";

/// Those that are honoured, sorted; `features` lists them.
pub const HONOURED: &[&str] = &[
    HOOKS_STDERR,
    HOOKS_STDOUT,
    KEEP_ORIGINAL_GROUPS,
    PIDFD_RECEIVER,
    SECCOMP_RECEIVER,
    SECCOMP_BPF_DATA,
    SECCOMP_FAIL_UNKNOWN_SYSCALL,
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
