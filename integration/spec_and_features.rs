//! `spec` and `features`.

use crate::harness::prelude::*;

cases!("spec_and_features", root: [
    the_config_of_spec_runs,
], anyone: [
    the_rootless_config_of_spec_runs_as_an_ordinary_user,
    spec_writes_config_json_into_the_bundle,
    spec_writes_into_the_working_directory_unless_told,
    spec_does_not_overwrite_a_config,
    the_config_of_spec_has_the_default_mounts_and_namespaces,
    the_config_of_spec_gives_no_inheritable_capability,
    spec_rootless_maps_the_calling_user,
    features_is_json_with_the_range_of_versions,
    features_names_what_the_runtime_knows,
    features_names_what_newer_versions_of_the_specification_have,
]);

/// Calls `spec` and reads what it has written.
fn written_by_spec(t: &Case, flags: &[&str]) -> (PathBuf, Value) {
    let dir = t.directory("spec");
    let mut line = vec!["spec".to_string(), "--bundle".to_string(), dir.display().to_string()];
    line.extend(flags.iter().map(|flag| flag.to_string()));
    t.runtime(&line).run().ok();
    let text = fs::read_to_string(dir.join("config.json")).expect("config.json");
    (dir, serde_json::from_str(&text).expect("JSON"))
}

fn spec_writes_config_json_into_the_bundle(t: &Case) {
    let (_, config) = written_by_spec(t, &[]);
    assert!(config["ociVersion"].as_str().is_some_and(|v| v.starts_with("1.")), "{config}");
    assert_eq!(config["process"]["args"], json!(["sh"]));
    assert_eq!(config["process"]["cwd"], "/");
    assert_eq!(config["root"]["path"], "rootfs");
    assert_eq!(config["process"]["terminal"], true);
}

fn spec_writes_into_the_working_directory_unless_told(t: &Case) {
    let dir = t.directory("here");
    t.runtime(&["spec"]).cwd(&dir).run().ok();
    assert!(dir.join("config.json").is_file());
}

fn spec_does_not_overwrite_a_config(t: &Case) {
    let path = t.file("own/config.json", "{\"mine\": 1}");
    let dir = t.dir.join("own");
    t.give(&dir);
    t.runtime(&["spec"]).cwd(&dir).run().fails().says("exist");
    assert_eq!(fs::read_to_string(path).expect("read"), "{\"mine\": 1}");
}

fn the_config_of_spec_has_the_default_mounts_and_namespaces(t: &Case) {
    let (_, config) = written_by_spec(t, &[]);
    let names = |list: &Value, key: &str| -> Vec<String> {
        let list = list.as_array().expect("a list");
        list.iter().map(|entry| entry[key].as_str().expect("text").to_string()).collect()
    };
    let mounts = names(&config["mounts"], "destination");
    for mount in ["/proc", "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue", "/sys", "/sys/fs/cgroup"] {
        assert!(mounts.iter().any(|m| m == mount), "no {mount} in {mounts:?}");
    }
    let namespaces = names(&config["linux"]["namespaces"], "type");
    for namespace in ["pid", "network", "ipc", "uts", "mount"] {
        assert!(namespaces.iter().any(|n| n == namespace), "no {namespace} in {namespaces:?}");
    }
    for path in ["/proc/kcore", "/proc/keys", "/sys/firmware"] {
        let masked = config["linux"]["maskedPaths"].as_array().expect("a list");
        assert!(masked.contains(&json!(path)), "{path} is not masked: {masked:?}");
    }
}

fn the_config_of_spec_gives_no_inheritable_capability(t: &Case) {
    let (_, config) = written_by_spec(t, &[]);
    let set = &config["process"]["capabilities"]["inheritable"];
    assert!(set.is_null() || *set == json!([]), "inheritable: {set}");
}

fn spec_rootless_maps_the_calling_user(t: &Case) {
    t.become_ordinary_user();
    let (_, config) = written_by_spec(t, &["--rootless"]);
    let (uid, gid) = t.caller();
    let mapping = |id: u32| json!([{"containerID": 0, "hostID": id, "size": 1}]);
    assert_eq!(config["linux"]["uidMappings"], mapping(uid));
    assert_eq!(config["linux"]["gidMappings"], mapping(gid));
    let namespaces = config["linux"]["namespaces"].as_array().expect("a list");
    assert!(namespaces.contains(&json!({"type": "user"})), "{namespaces:?}");
}

/// Puts what `spec` wrote into a bundle with a root filesystem.
fn bundle_of_spec(t: &Case, flags: &[&str]) -> Bundle {
    let mut bundle = t.bundle();
    let (_, config) = written_by_spec(t, flags);
    bundle.config = config;
    bundle.set("/process/terminal", json!(false))
}

fn the_config_of_spec_runs(t: &Case) {
    t.run(&bundle_of_spec(t, &[]).sh("echo it runs; id -u; pwd")).ok().prints("it runs\n0\n/");
}

fn the_rootless_config_of_spec_runs_as_an_ordinary_user(t: &Case) {
    t.become_ordinary_user();
    let bundle = bundle_of_spec(t, &["--rootless"]).without_cgroups_path().sh("echo it runs; id -u");
    t.run(&bundle).ok().prints("it runs\n0");
}

fn features_is_json_with_the_range_of_versions(t: &Case) {
    let features = t.runtime(&["features"]).run().ok().json();
    for key in ["ociVersionMin", "ociVersionMax"] {
        assert!(features[key].as_str().is_some_and(|v| v.starts_with("1.")), "{key}: {features}");
    }
}

fn features_names_what_the_runtime_knows(t: &Case) {
    let features = t.runtime(&["features"]).run().ok().json();
    let has = |pointer: &str, value: &str| {
        let list = features.pointer(pointer).and_then(Value::as_array);
        let found = list.is_some_and(|list| list.contains(&json!(value)));
        assert!(found, "{pointer} does not have {value}: {features}");
    };
    ["createRuntime", "createContainer", "startContainer", "poststart", "poststop"]
        .iter()
        .for_each(|name| has("/hooks", name));
    ["bind", "rbind", "ro", "nosuid", "rslave", "tmpcopyup"].iter().for_each(|o| has("/mountOptions", o));
    ["pid", "network", "ipc", "uts", "mount", "user", "cgroup"]
        .iter()
        .for_each(|name| has("/linux/namespaces", name));
    ["CAP_SYS_ADMIN", "CAP_NET_RAW"].iter().for_each(|name| has("/linux/capabilities", name));
    has("/linux/seccomp/actions", "SCMP_ACT_ERRNO");
    assert_eq!(features.pointer("/linux/cgroup/v1"), Some(&json!(true)), "{features}");
    assert_eq!(features.pointer("/linux/cgroup/v2"), Some(&json!(true)), "{features}");
}

fn features_names_what_newer_versions_of_the_specification_have(t: &Case) {
    let features = t.runtime(&["features"]).run().ok().json();
    let switches = ["apparmor", "selinux", "intelRdt", "netDevices", "mountExtensions/idmap"];
    for switch in switches.map(|name| format!("/linux/{name}/enabled")) {
        assert_eq!(features.pointer(&switch), Some(&json!(true)), "{switch} of {features}");
    }
    for (list, value) in [
        ("/linux/namespaces", "time"),
        ("/linux/memoryPolicy/modes", "MPOL_INTERLEAVE"),
        ("/linux/memoryPolicy/flags", "MPOL_F_STATIC_NODES"),
        ("/linux/seccomp/knownFlags", "SECCOMP_FILTER_FLAG_LOG"),
        ("/linux/seccomp/supportedFlags", "SECCOMP_FILTER_FLAG_LOG"),
    ] {
        let found = features.pointer(list).and_then(Value::as_array);
        assert!(found.is_some_and(|found| found.contains(&json!(value))), "{value} in {list} of {features}");
    }
    let unsafe_ones = features["potentiallyUnsafeConfigAnnotations"].as_array();
    assert!(unsafe_ones.is_some_and(|list| !list.is_empty()), "{features}");
}
