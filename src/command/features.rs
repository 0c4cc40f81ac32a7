//! `tierce features`: what this release supports (runtime-spec, features.md and features-linux.md).
//!
//! It says what the runtime can do, whatever the host can do, and only what it really does.

use crate::plan::{hooks, identity, mounts, seccomp};
use crate::spec::annotations::HONOURED;
use crate::spec::scheduling::{MEMORY_FLAGS, MEMORY_MODES, Word};
use serde_json::{Value, json};

/// The oldest `ociVersion` that is accepted.
pub const OCI_VERSION_MIN: &str = "1.0.0";
/// The newest version of the specification that is known.
pub const OCI_VERSION_MAX: &str = "1.3.0";

/// The features document.
pub fn features() -> Value {
    json!({
        "ociVersionMin": OCI_VERSION_MIN,
        "ociVersionMax": OCI_VERSION_MAX,
        "hooks": hooks::Kind::ALL.map(hooks::Kind::name),
        "mountOptions": sorted(mounts::known_options()),
        "linux": {
            "namespaces": ["cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts"],
            "capabilities": identity::CAPABILITIES.as_slice(),
            "cgroup": {"v1": true, "v2": true, "systemd": true, "systemdUser": true, "rdma": true},
            "seccomp": {
                "enabled": true,
                "actions": seccomp::actions(),
                "operators": seccomp::operators(),
                "archs": seccomp::architectures(),
                "knownFlags": seccomp::flags(),
                "supportedFlags": seccomp::flags(),
            },
            "apparmor": {"enabled": true},
            "selinux": {"enabled": true},
            "memoryPolicy": {"modes": names(MEMORY_MODES), "flags": names(MEMORY_FLAGS)},
            "intelRdt": {"enabled": true, "schemata": true, "monitoring": true},
            "mountExtensions": {"idmap": {"enabled": true}},
            "netDevices": {"enabled": true},
        },
        "annotations": {
            "io.github.seccomp.libseccomp.version": seccomp::libseccomp_version(),
            "tierce.commit": env!("TIERCE_COMMIT"),
            "tierce.version": env!("CARGO_PKG_VERSION"),
        },
        "potentiallyUnsafeConfigAnnotations": HONOURED,
    })
}

fn names(words: &[Word]) -> Vec<&'static str> {
    sorted(words.iter().map(|(name, _)| *name).collect())
}

fn sorted(mut names: Vec<&'static str>) -> Vec<&'static str> {
    names.sort_unstable();
    names.dedup();
    names
}
