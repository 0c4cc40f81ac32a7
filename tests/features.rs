//! The features document against the schema of the runtime-spec 1.3.0 (features-schema.json and
//! features-linux.json), and against those who read it.

use oci_spec::runtime::Features;
use serde_json::Value;
use tierce::command::features::features;

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[track_caller]
fn strings(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|v| v.as_str().unwrap()).collect()
}

#[track_caller]
fn only(value: &Value, allowed: &[&str]) {
    for key in keys(value) {
        assert!(allowed.contains(&key), "{key} is not in the schema");
    }
}

#[test]
fn the_versions_are_those_that_are_accepted() {
    let all = features();
    assert_eq!(all["ociVersionMin"], "1.0.0");
    assert_eq!(all["ociVersionMax"], "1.3.0");
}

#[test]
fn nothing_stands_there_that_the_schema_does_not_know() {
    let all = features();
    only(
        &all,
        &[
            "ociVersionMin",
            "ociVersionMax",
            "hooks",
            "mountOptions",
            "annotations",
            "potentiallyUnsafeConfigAnnotations",
            "linux",
        ],
    );
    let linux = &all["linux"];
    only(
        linux,
        &[
            "namespaces",
            "capabilities",
            "cgroup",
            "seccomp",
            "apparmor",
            "selinux",
            "intelRdt",
            "memoryPolicy",
            "mountExtensions",
            "netDevices",
        ],
    );
    only(&linux["cgroup"], &["v1", "v2", "systemd", "systemdUser", "rdma"]);
    only(&linux["seccomp"], &["enabled", "actions", "operators", "archs", "knownFlags", "supportedFlags"]);
    only(&linux["memoryPolicy"], &["modes", "flags"]);
    only(&linux["mountExtensions"], &["idmap"]);
    only(&linux["intelRdt"], &["enabled", "schemata", "monitoring"]);
    for part in ["apparmor", "selinux", "netDevices"] {
        assert_eq!(keys(&linux[part]), ["enabled"], "{part}");
    }
}

#[test]
fn the_types_are_those_of_the_schema() {
    let all = features();
    for list in ["hooks", "mountOptions", "potentiallyUnsafeConfigAnnotations"] {
        strings(&all[list]);
    }
    assert!(all["annotations"].as_object().unwrap().values().all(Value::is_string));
    let linux = &all["linux"];
    assert!(linux["cgroup"].as_object().unwrap().values().all(Value::is_boolean));
    for list in ["actions", "operators", "archs", "knownFlags", "supportedFlags"] {
        assert!(!strings(&linux["seccomp"][list]).is_empty(), "{list}");
    }
    for name in strings(&linux["capabilities"]) {
        let letters = name.strip_prefix("CAP_").unwrap();
        assert!(
            !letters.is_empty() && letters.bytes().all(|b| b.is_ascii_uppercase() || b == b'_'),
            "{name}"
        );
    }
    assert!(linux["mountExtensions"]["idmap"]["enabled"].is_boolean());
}

#[test]
fn seccomp_names_are_those_of_the_schema() {
    let seccomp = &features()["linux"]["seccomp"];
    assert_eq!(seccomp["enabled"], true);
    assert!(strings(&seccomp["actions"]).iter().all(|a| a.starts_with("SCMP_ACT_")));
    assert!(strings(&seccomp["operators"]).iter().all(|o| o.starts_with("SCMP_CMP_")));
    assert!(strings(&seccomp["archs"]).iter().all(|a| a.starts_with("SCMP_ARCH_")));
    let known = strings(&seccomp["knownFlags"]);
    assert!(known.iter().all(|f| f.starts_with("SECCOMP_FILTER_FLAG_")));
    assert!(strings(&seccomp["supportedFlags"]).iter().all(|f| known.contains(f)));
}

#[test]
fn seccomp_has_all_that_the_specification_names() {
    let seccomp = &features()["linux"]["seccomp"];
    let has = |list: &str, prefix: &str, names: &[&str]| {
        let found = strings(&seccomp[list]);
        for name in names {
            assert!(found.contains(&format!("{prefix}{name}").as_str()), "{list} lacks {name}");
        }
    };
    // defs-linux.json of the schema.
    let actions = ["KILL", "KILL_PROCESS", "KILL_THREAD", "TRAP", "ERRNO", "TRACE", "ALLOW", "LOG", "NOTIFY"];
    has("actions", "SCMP_ACT_", &actions);
    has("operators", "SCMP_CMP_", &["NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ"]);
    let flags = ["TSYNC", "LOG", "SPEC_ALLOW", "WAIT_KILLABLE_RECV"];
    has("knownFlags", "SECCOMP_FILTER_FLAG_", &flags);
    has("supportedFlags", "SECCOMP_FILTER_FLAG_", &flags);
    let archs = [
        "X86",
        "X86_64",
        "X32",
        "ARM",
        "AARCH64",
        "MIPS",
        "MIPS64",
        "MIPS64N32",
        "MIPSEL",
        "MIPSEL64",
        "MIPSEL64N32",
        "PPC",
        "PPC64",
        "PPC64LE",
        "S390",
        "S390X",
        "PARISC",
        "PARISC64",
        "RISCV64",
    ];
    has("archs", "SCMP_ARCH_", &archs);
}

#[test]
fn the_annotations_that_are_obeyed_are_named() {
    let all = features();
    let unsafe_ones = strings(&all["potentiallyUnsafeConfigAnnotations"]);
    assert!(unsafe_ones.is_sorted_by(|a, b| a < b), "{unsafe_ones:?}");
    assert_eq!(unsafe_ones, tierce::spec::annotations::HONOURED);
    // A value that ends with a dot is a prefix (features.md).
    let prefixes: Vec<_> = unsafe_ones.iter().filter(|name| name.ends_with('.')).collect();
    assert_eq!(prefixes, [&"org.systemd.property."]);
    let version = all["annotations"]["io.github.seccomp.libseccomp.version"].as_str().unwrap();
    assert!(version.starts_with("2."), "{version}");
    assert_eq!(all["annotations"]["tierce.version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn only_what_this_release_does_is_claimed() {
    let all = features();
    let linux = &all["linux"];
    let hooks = ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"];
    assert_eq!(strings(&all["hooks"]), hooks);
    let unsafe_annotations = [
        "org.systemd.property.",
        "run.oci.hooks.stderr",
        "run.oci.hooks.stdout",
        "run.oci.keep_original_groups",
        "run.oci.mount_context_type",
        "run.oci.pidfd_receiver",
        "run.oci.seccomp.receiver",
        "run.oci.seccomp_bpf_data",
        "run.oci.seccomp_fail_unknown_syscall",
        "tierce.mknod",
        "tierce.root.idmap",
    ];
    assert_eq!(strings(&all["potentiallyUnsafeConfigAnnotations"]), unsafe_annotations);
    let namespaces = ["cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts"];
    assert_eq!(strings(&linux["namespaces"]), namespaces);
    let all_of_rdt = serde_json::json!({"enabled": true, "schemata": true, "monitoring": true});
    assert_eq!(linux["intelRdt"], all_of_rdt);
    for there in ["apparmor", "selinux"] {
        assert_eq!(linux[there]["enabled"], true, "{there}");
    }
    let modes = [
        "MPOL_BIND",
        "MPOL_DEFAULT",
        "MPOL_INTERLEAVE",
        "MPOL_LOCAL",
        "MPOL_PREFERRED",
        "MPOL_PREFERRED_MANY",
        "MPOL_WEIGHTED_INTERLEAVE",
    ];
    assert_eq!(strings(&linux["memoryPolicy"]["modes"]), modes);
    let flags = ["MPOL_F_NUMA_BALANCING", "MPOL_F_RELATIVE_NODES", "MPOL_F_STATIC_NODES"];
    assert_eq!(strings(&linux["memoryPolicy"]["flags"]), flags);
    assert_eq!(linux["netDevices"]["enabled"], true);
    assert_eq!(linux["mountExtensions"]["idmap"]["enabled"], true);
    let expected =
        serde_json::json!({"v1": true, "v2": true, "systemd": true, "systemdUser": true, "rdma": true});
    assert_eq!(linux["cgroup"], expected);
}

#[test]
fn mount_options_are_sorted_and_single() {
    let all = features();
    let options = strings(&all["mountOptions"]);
    assert!(options.is_sorted_by(|a, b| a < b), "{options:?}");
    for option in ["bind", "idmap", "iversion", "remount", "ridmap", "ro", "tmpcopyup"] {
        assert!(options.contains(&option), "{option}");
    }
}

#[test]
fn capabilities_are_all_that_linux_has_by_number() {
    let all = features();
    let capabilities = strings(&all["linux"]["capabilities"]);
    assert_eq!(capabilities.len(), 41);
    assert_eq!((capabilities[0], capabilities[21]), ("CAP_CHOWN", "CAP_SYS_ADMIN"));
    assert_eq!(capabilities[40], "CAP_CHECKPOINT_RESTORE");
}

#[test]
fn oci_spec_reads_it() {
    let read: Features = serde_json::from_value(features()).unwrap();
    assert_eq!(read.oci_version_max(), "1.3.0");
    let linux = read.linux().as_ref().unwrap();
    assert_eq!(linux.namespaces().as_ref().unwrap().len(), 8);
    assert_eq!(linux.capabilities().as_ref().unwrap().len(), 41);
}
