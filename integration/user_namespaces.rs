//! User namespaces, made by root.

use std::os::unix::fs::MetadataExt;

use crate::harness::prelude::*;

cases!("user_namespaces", root: [
    root_inside_is_an_ordinary_user_outside,
    the_maps_are_those_of_the_configuration,
    several_ranges_are_mapped,
    a_file_made_inside_belongs_to_the_mapped_user,
    a_file_of_the_host_belongs_to_nobody_inside,
    the_default_devices_work_in_a_user_namespace,
    the_default_mounts_work_in_a_user_namespace,
    a_container_in_a_user_namespace_cannot_make_devices,
    a_capability_inside_is_worth_nothing_outside,
    a_user_and_groups_inside_are_those_of_the_namespace,
    a_container_in_a_user_namespace_is_killed_and_deleted,
    sysctls_are_set_in_a_user_namespace,
    masked_paths_are_masked_in_a_user_namespace,
    a_user_who_is_not_mapped_is_an_error,
]);

/// A bundle whose root filesystem root of the container can write to.
fn mapped(t: &Case) -> Bundle {
    let bundle = t.bundle().user_namespace(100_000).writable();
    for dir in ["", "/opt", "/root", "/tmp", "/home/alice"] {
        std::os::unix::fs::chown(bundle.in_rootfs(dir), Some(100_000), Some(100_000)).expect("chown");
    }
    bundle
}

fn root_inside_is_an_ordinary_user_outside(t: &Case) {
    let container = t.launch(&mapped(t).sh("id -u; id -g; sleep 300"));
    container.wait_for("0\n0\n");
    let status = fs::read_to_string(format!("/proc/{}/status", container.pid())).expect("status");
    assert!(status.contains("Uid:\t100000\t100000\t100000\t100000"), "{status}");
    assert!(status.contains("Gid:\t100000\t100000\t100000\t100000"), "{status}");
}

fn the_maps_are_those_of_the_configuration(t: &Case) {
    let output = t.run(&mapped(t).args(&["/bin/cat", "/proc/self/uid_map", "/proc/self/gid_map"]));
    let words: Vec<&str> = output.ok().stdout.split_whitespace().collect();
    assert_eq!(words, ["0", "100000", "65536", "0", "100000", "65536"]);
}

fn several_ranges_are_mapped(t: &Case) {
    let map = json!([
        {"containerID": 0, "hostID": 100_000, "size": 1000},
        {"containerID": 1000, "hostID": 300_000, "size": 1},
        {"containerID": 2000, "hostID": 200_000, "size": 500},
    ]);
    let bundle =
        mapped(t).set("/linux/uidMappings", map).set("/process/user", json!({"uid": 1000, "gid": 0}));
    let container = t.launch(&bundle.args(&["/bin/sleep", "300"]));
    let status = fs::read_to_string(format!("/proc/{}/status", container.pid())).expect("status");
    assert!(status.contains("Uid:\t300000\t300000"), "{status}");
}

fn a_file_made_inside_belongs_to_the_mapped_user(t: &Case) {
    let bundle = mapped(t).sh("touch /opt/f && stat -c %u:%g /opt/f");
    t.run(&bundle).ok().prints("0:0");
    let file = fs::metadata(bundle.in_rootfs("/opt/f")).expect("the file");
    assert_eq!((file.uid(), file.gid()), (100_000, 100_000));
}

fn a_file_of_the_host_belongs_to_nobody_inside(t: &Case) {
    t.run(&mapped(t).sh("stat -c %u /etc/passwd; echo x >>/etc/passwd || true")).ok().prints("65534");
}

fn the_default_devices_work_in_a_user_namespace(t: &Case) {
    let script = "stat -c '%t:%T' /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty; \
                  echo x >/dev/null && head -c 3 /dev/zero | wc -c && head -c 3 /dev/urandom | wc -c";
    t.run(&mapped(t).sh(script)).ok().prints("1:3\n1:5\n1:7\n1:8\n1:9\n5:0\n3\n3");
}

fn the_default_mounts_work_in_a_user_namespace(t: &Case) {
    let script = "touch /dev/shm/f /dev/mqueue/q /tmp/f && ls /proc/1/comm /dev/pts/ptmx /sys/class";
    t.run(&mapped(t).sh(script)).ok();
}

fn a_container_in_a_user_namespace_cannot_make_devices(t: &Case) {
    let script = "mknod /dev/shm/null c 1 3 2>/dev/null && echo made || echo refused";
    t.run(&mapped(t).capabilities(&["CAP_MKNOD"]).sh(script)).ok().prints("refused");
}

fn a_capability_inside_is_worth_nothing_outside(t: &Case) {
    let file = t.file("of-the-host", "unchanged");
    let bundle = mapped(t).bind(&file, "/mnt-file", &["bind"]);
    let bundle = bundle.capabilities(&["CAP_DAC_OVERRIDE", "CAP_CHOWN", "CAP_SYS_ADMIN", "CAP_FOWNER"]);
    let script = "chown 0 /mnt-file 2>/dev/null && echo chown; \
                  (echo x >/mnt-file) 2>/dev/null && echo write; \
                  mount -t tmpfs none /tmp && echo mount; hostname inside && hostname";
    t.run(&bundle.sh(script)).ok().prints("mount\ninside");
    assert_eq!(fs::read_to_string(file).expect("read"), "unchanged");
}

fn a_user_and_groups_inside_are_those_of_the_namespace(t: &Case) {
    let user = json!({"uid": 1000, "gid": 1000, "additionalGids": [20, 30]});
    let container = t.launch(&mapped(t).set("/process/user", user).sh("id -u; id -g; id -G; sleep 300"));
    container.wait_for("1000\n1000\n1000 20 30\n");
    let status = fs::read_to_string(format!("/proc/{}/status", container.pid())).expect("status");
    assert!(status.contains("Uid:\t101000") && status.contains("Groups:\t100020 100030"), "{status}");
}

fn a_container_in_a_user_namespace_is_killed_and_deleted(t: &Case) {
    let bundle = mapped(t).args(&["/bin/sleep", "300"]);
    let container = t.create(&bundle);
    assert_eq!(container.status(), "created");
    container.start().ok();
    container.kill("KILL").ok();
    container.wait_until_stopped();
    container.delete().ok();
    t.launch(&bundle).delete_by_force().ok();
    t.assert_no_side_effects();
}

fn sysctls_are_set_in_a_user_namespace(t: &Case) {
    let sysctl = json!({"net.ipv4.ip_default_ttl": "79", "kernel.domainname": "cellar", "kernel.shmmni": "99",
        "user.max_user_namespaces": "3"});
    let bundle = mapped(t).set("/linux/sysctl", sysctl);
    let files = "net/ipv4/ip_default_ttl kernel/domainname kernel/shmmni user/max_user_namespaces";
    t.run(&bundle.sh(&format!("cd /proc/sys && cat {files}"))).ok().prints("79\ncellar\n99\n3");
}

fn masked_paths_are_masked_in_a_user_namespace(t: &Case) {
    t.run(&mapped(t).sh("cat /proc/timer_list | wc -c; ls -A /sys/firmware | wc -l")).ok().prints("0\n0");
}

fn a_user_who_is_not_mapped_is_an_error(t: &Case) {
    let bundle = mapped(t).set("/process/user", json!({"uid": 70_000, "gid": 0}));
    t.run(&bundle).fails().says("mapped");
    t.assert_no_side_effects();
}
