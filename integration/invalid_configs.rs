//! Configurations with a mistake are refused before anything is made.

use crate::harness::prelude::*;

cases!("invalid_configs", root: [
    no_process_arguments,
    empty_process_arguments,
    a_relative_working_directory,
    no_working_directory,
    a_missing_rootfs,
    a_rootfs_that_is_a_file,
    no_root_at_all,
    text_that_is_not_json,
    json_that_is_cut_off,
    json_of_another_type,
    an_empty_file,
    an_unknown_namespace_type,
    a_namespace_twice,
    a_namespace_path_of_another_type,
    a_namespace_path_that_does_not_exist,
    a_namespace_path_to_an_ordinary_file,
    a_relative_namespace_path,
    a_resource_limit_twice,
    an_unknown_resource_limit,
    a_soft_limit_above_the_hard_one,
    a_mount_without_destination,
    an_unknown_propagation_of_the_rootfs,
    a_sysctl_without_a_namespace,
    a_sysctl_of_a_namespace_that_is_shared_with_the_host,
    a_host_name_without_its_namespace,
    an_unknown_seccomp_action,
    an_unknown_seccomp_architecture,
    mappings_without_a_user_namespace,
    a_user_namespace_without_mappings,
    a_device_of_an_unknown_type,
    a_cgroups_path_that_leads_out,
    a_version_that_is_none,
    masked_paths_without_a_mount_namespace,
    a_negative_user_id,
    a_string_where_a_number_belongs,
]);

/// `create` and `run` refuse it, say each of `words`, and leave nothing.
#[track_caller]
fn refused(t: &Case, bundle: &Bundle, words: &[&str]) {
    for verb in ["create", "run"] {
        let output = t.runtime(&t.command_line(verb, bundle, &[], &t.id())).run();
        output.fails();
        for word in words {
            output.says(word);
        }
        t.assert_no_side_effects();
    }
}

/// The same for a text in place of config.json.
#[track_caller]
fn refused_text(t: &Case, text: &str) {
    let bundle = t.bundle();
    fs::write(bundle.dir.join("config.json"), text).expect("write config.json");
    for verb in ["create", "run"] {
        let dir = bundle.dir.display().to_string();
        t.runtime(&[verb, "--bundle", &dir, &t.id()]).run().fails().says("config.json");
        t.assert_no_side_effects();
    }
}

fn no_process_arguments(t: &Case) {
    refused(t, &t.bundle().unset("/process/args"), &["args"]);
}

fn empty_process_arguments(t: &Case) {
    refused(t, &t.bundle().args(&[]), &["args"]);
}

fn a_relative_working_directory(t: &Case) {
    refused(t, &t.bundle().set("/process/cwd", json!("tmp")), &["cwd"]);
}

fn no_working_directory(t: &Case) {
    refused(t, &t.bundle().unset("/process/cwd"), &["cwd"]);
}

fn a_missing_rootfs(t: &Case) {
    refused(t, &t.bundle().set("/root/path", json!("no-such-rootfs")), &["no-such-rootfs"]);
}

fn a_rootfs_that_is_a_file(t: &Case) {
    let bundle = t.bundle();
    fs::write(bundle.dir.join("a-file"), "").expect("write");
    refused(t, &bundle.set("/root/path", json!("a-file")), &["a-file"]);
}

fn no_root_at_all(t: &Case) {
    refused(t, &t.bundle().unset("/root"), &["root"]);
}

fn text_that_is_not_json(t: &Case) {
    refused_text(t, "this is not JSON");
}

fn json_that_is_cut_off(t: &Case) {
    let text = t.bundle().text(t, "x");
    refused_text(t, &text[..text.len() / 2]);
}

fn json_of_another_type(t: &Case) {
    refused_text(t, "[1, 2, 3]");
}

fn an_empty_file(t: &Case) {
    refused_text(t, "");
}

fn an_unknown_namespace_type(t: &Case) {
    refused(t, &t.bundle().namespace("wormhole", None), &["wormhole"]);
}

fn a_namespace_twice(t: &Case) {
    let mut bundle = t.bundle();
    bundle.list("/linux/namespaces").push(json!({"type": "uts"}));
    refused(t, &bundle, &["uts"]);
}

fn a_namespace_path_of_another_type(t: &Case) {
    refused(t, &t.bundle().namespace("network", Some("/proc/self/ns/uts")), &["/proc/self/ns/uts"]);
}

fn a_namespace_path_that_does_not_exist(t: &Case) {
    refused(t, &t.bundle().namespace("network", Some("/no/such/ns")), &["/no/such/ns"]);
}

fn a_namespace_path_to_an_ordinary_file(t: &Case) {
    let path = t.file("not-a-namespace", "").display().to_string();
    refused(t, &t.bundle().namespace("network", Some(&path)), &["not-a-namespace"]);
}

fn a_relative_namespace_path(t: &Case) {
    refused(t, &t.bundle().namespace("network", Some("proc/self/ns/net")), &["proc/self/ns/net"]);
}

fn a_resource_limit_twice(t: &Case) {
    let mut bundle = t.bundle();
    bundle.list("/process/rlimits").push(json!({"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200}));
    refused(t, &bundle, &["RLIMIT_NOFILE"]);
}

fn an_unknown_resource_limit(t: &Case) {
    let limits = json!([{"type": "RLIMIT_WISHES", "soft": 3, "hard": 3}]);
    refused(t, &t.bundle().set("/process/rlimits", limits), &["RLIMIT_WISHES"]);
}

fn a_soft_limit_above_the_hard_one(t: &Case) {
    let limits = json!([{"type": "RLIMIT_NOFILE", "soft": 200, "hard": 100}]);
    refused(t, &t.bundle().set("/process/rlimits", limits), &["RLIMIT_NOFILE"]);
}

fn a_mount_without_destination(t: &Case) {
    refused(t, &t.bundle().mount(json!({"type": "tmpfs", "source": "tmpfs"})), &["destination"]);
}

fn an_unknown_propagation_of_the_rootfs(t: &Case) {
    refused(t, &t.bundle().set("/linux/rootfsPropagation", json!("sideways")), &["sideways"]);
}

fn a_sysctl_without_a_namespace(t: &Case) {
    let before = fs::read_to_string("/proc/sys/vm/swappiness").expect("read");
    refused(t, &t.bundle().set("/linux/sysctl", json!({"vm.swappiness": "3"})), &["vm.swappiness"]);
    assert_eq!(fs::read_to_string("/proc/sys/vm/swappiness").expect("read"), before);
}

fn a_sysctl_of_a_namespace_that_is_shared_with_the_host(t: &Case) {
    let bundle = t.bundle().set("/linux/sysctl", json!({"net.ipv4.ip_default_ttl": "77"}));
    refused(t, &bundle.without_namespace("network"), &["net.ipv4.ip_default_ttl"]);
    let now = fs::read_to_string("/proc/sys/net/ipv4/ip_default_ttl").expect("read");
    assert_ne!(now.trim(), "77", "the setting of the host was changed");
}

fn a_host_name_without_its_namespace(t: &Case) {
    let before = host_name();
    refused(t, &t.bundle().without_namespace("uts"), &["hostname"]);
    assert_eq!(host_name(), before);
}

fn an_unknown_seccomp_action(t: &Case) {
    let seccomp = json!({"defaultAction": "SCMP_ACT_SING"});
    refused(t, &t.bundle().set("/linux/seccomp", seccomp), &["SCMP_ACT_SING"]);
}

fn an_unknown_seccomp_architecture(t: &Case) {
    let rule = json!({"names": ["mkdir"], "action": "SCMP_ACT_ERRNO"});
    let seccomp =
        json!({"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_PDP11"], "syscalls": [rule]});
    refused(t, &t.bundle().set("/linux/seccomp", seccomp), &["PDP11"]);
}

fn mappings_without_a_user_namespace(t: &Case) {
    let mapping = json!([{"containerID": 0, "hostID": 100000, "size": 65536}]);
    let bundle = t.bundle().set("/linux/uidMappings", mapping.clone()).set("/linux/gidMappings", mapping);
    refused(t, &bundle, &["uidMappings"]);
}

fn a_user_namespace_without_mappings(t: &Case) {
    refused(t, &t.bundle().namespace("user", None), &["mapping"]);
}

fn a_device_of_an_unknown_type(t: &Case) {
    let devices = json!([{"path": "/dev/odd", "type": "z", "major": 1, "minor": 3}]);
    refused(t, &t.bundle().set("/linux/devices", devices), &["type"]);
}

fn a_cgroups_path_that_leads_out(t: &Case) {
    let path = format!("/../../../{}", t.id());
    let bundle = t.bundle().set("/linux/cgroupsPath", json!(path));
    refused(t, &bundle, &["cgroupsPath"]);
}

fn a_version_that_is_none(t: &Case) {
    refused(t, &t.bundle().set("/ociVersion", json!("banana")), &["ociVersion"]);
}

fn masked_paths_without_a_mount_namespace(t: &Case) {
    refused(t, &t.bundle().without_namespace("mount"), &[]);
}

fn a_negative_user_id(t: &Case) {
    refused(t, &t.bundle().set("/process/user/uid", json!(-1)), &["uid"]);
}

fn a_string_where_a_number_belongs(t: &Case) {
    refused(t, &t.bundle().set("/process/user/gid", json!("staff")), &["gid"]);
}
