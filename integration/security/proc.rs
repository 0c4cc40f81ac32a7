//! /proc and /sys: what a runtime writes to there, and what it hides of them.

use std::os::unix::fs::symlink;

use super::oracle::Oracle;
use crate::harness::prelude::*;

super::rows!("proc", [
    proc_is_a_volume_of_false_files: "CVE-2019-16884, CVE-2019-19921",
        "A volume with files under the names of labels, parameters and oom_score_adj is mounted at /proc. What the \
         runtime writes would go there, and the program run without it.",
        ["src/host/launch.rs" "open_proc", "src/child/lsm.rs" "write", "src/child/sandbox.rs" "write_sysctl", "src/host/idmap.rs" "write_file"];
    proc_and_sys_of_the_image_are_links: "CVE-2023-27561, CVE-2023-28642",
        "/proc and /sys of the image are links to other directories of it, or to the host. Masks and read-only paths \
         would be looked for where there is nothing to hide.",
        ["src/child/target.rs" "mount_target", "src/sys/fs.rs" "open_in_root_no_symlinks"];
    files_below_proc_are_exchanged_meanwhile: "CVE-2025-52881",
        "A volume at /proc, with false labels and parameters, is exchanged for links to dangerous files meanwhile; and \
         what the runtime opens for writing is traced.",
        ["src/sys/fs.rs" "open_in_proc", "src/sys/fs.rs" "open_sysctl", "src/host/launch.rs" "open_proc"];
    a_parameter_leads_elsewhere: "CVE-2022-0811, CVE-2025-52881",
        "Names of kernel parameters with `..`, slashes, `+`, newlines, and values with newlines; parameters that are no \
         namespace's; and those of a namespace that is the host's.",
        ["src/spec/validate/sysctl.rs" "file", "src/spec/validate/sysctl.rs" "namespaced", "src/host/launch.rs" "check_sysctls"];
    the_cgroups_of_the_host_are_read_only: "CVE-2022-0492, CVE-2023-25809",
        "With and without a cgroup namespace the program makes cgroups, moves itself, mounts cgroup v1 to write a \
         release_agent, and does that in a user namespace of its own.",
        ["src/plan/mounts/cgroups.rs" "cgroup", "src/child/mounts.rs" "mount_hierarchy", "src/child/mounts.rs" "cgroup_directories"];
    the_cgroups_of_the_host_are_read_only_for_the_rootless: "CVE-2023-25809",
        "The same, the caller being an ordinary user, with /sys bound from the host and with cgroups mounted.",
        ["src/plan/mounts/cgroups.rs" "cgroup", "src/child/mounts.rs" "mount_one"];
]);

/// A false /proc: an empty file under each of these names.
const FALSE: [&str; 9] = [
    "self/attr/exec",
    "self/attr/apparmor/exec",
    "self/attr/current",
    "thread-self/attr/exec",
    "thread-self/attr/apparmor/exec",
    "sys/net/ipv4/ip_default_ttl",
    "sys/kernel/shm_rmid_forced",
    "self/oom_score_adj",
    "self/uid_map",
];

fn false_proc(t: &Case) -> PathBuf {
    let proc = t.directory("false-proc");
    for name in FALSE {
        fs::create_dir_all(proc.join(name).parent().expect("a parent")).expect("make a directory");
        fs::write(proc.join(name), "").expect("write");
    }
    proc
}

#[track_caller]
fn still_empty(proc: &Path) {
    for name in FALSE {
        let text = fs::read_to_string(proc.join(name)).unwrap_or_default();
        assert!(text.is_empty(), "wrote {text:?} to a false {name}");
    }
}

/// A bundle that makes the runtime write what it can.
fn much_written(t: &Case) -> Bundle {
    let sysctl = json!({"net.ipv4.ip_default_ttl": "77", "kernel.shm_rmid_forced": "1"});
    let bundle = t.bundle().writable().set("/linux/sysctl", sysctl).set("/process/oomScoreAdj", json!(500));
    match Path::new("/sys/kernel/security/apparmor/profiles").exists() {
        true => bundle.set("/process/apparmorProfile", json!("unconfined")),
        false => bundle,
    }
}

/// Without the mount at `destination`, or below it.
fn without_mount(bundle: Bundle, destination: &str) -> Bundle {
    let mounts = bundle.config["mounts"].as_array().expect("a list").clone();
    let other =
        |mount: &Value| !mount["destination"].as_str().is_some_and(|path| path.starts_with(destination));
    let mounts: Vec<Value> = mounts.into_iter().filter(other).collect();
    bundle.set("/mounts", json!(mounts))
}

fn proc_is_a_volume_of_false_files(t: &Case) {
    let oracle = Oracle::new(t);
    let proc = false_proc(t);
    let plain = without_mount(much_written(t), "/proc");
    // Without a mount at all, the false files being of the image.
    for name in FALSE {
        let file = plain.in_rootfs(&format!("/proc/{name}"));
        fs::create_dir_all(file.parent().expect("a parent")).expect("make a directory");
        fs::write(&file, "").expect("write");
    }
    oracle.attack(t, &plain);
    still_empty(&plain.in_rootfs("/proc"));
    oracle.attack(t, &plain.clone().bind(&proc, "/proc", &["rbind", "rw"]));
    still_empty(&proc);
    // The parameters are set in truth, or nothing has run.
    let below = much_written(t).bind(&proc, "/proc/sys", &["rbind", "rw"]);
    oracle.attack(t, &below);
    still_empty(&proc);
    let output = t.run(&much_written(t).sh("cat /proc/sys/net/ipv4/ip_default_ttl /proc/self/oom_score_adj"));
    output.ok().prints("77\n500");
}

/// What is masked by default, and what is not to be written to.
const HIDDEN: &str = "mount -t proc proc /mnt 2>/dev/null; for p in /proc /mnt; do \
    [ -s $p/kcore ] && echo reached $p/kcore; [ -s $p/keys ] && echo reached $p/keys; \
    (echo 1 >$p/sys/net/ipv4/ip_default_ttl) 2>/dev/null && echo reached $p/sys; done; \
    ls /sys/firmware 2>/dev/null | sed 's/^/reached firmware: /'; true";

fn proc_and_sys_of_the_image_are_links(t: &Case) {
    let oracle = Oracle::new(t);
    let up = |path: &str| format!("../../../../../../../../../..{path}");
    for (proc, sys) in [
        ("tmp/p".to_string(), "tmp/s".to_string()),
        ("/tmp/p".to_string(), "/tmp/s".to_string()),
        (oracle.path("sub"), oracle.path("sub/sub")),
        (up(&oracle.path("sub")), up(&oracle.path("sub/sub"))),
    ] {
        for both in [true, false] {
            let bundle = t.bundle().writable();
            for dir in ["/tmp/p", "/tmp/s", "/mnt"] {
                fs::create_dir(bundle.in_rootfs(dir)).expect("make a directory");
            }
            for (name, leads_to) in [("/proc", &proc), ("/sys", &sys)] {
                if both || name == "/proc" {
                    fs::remove_dir(bundle.in_rootfs(name)).expect("remove");
                    symlink(leads_to, bundle.in_rootfs(name)).expect("symlink");
                }
            }
            oracle.attack_with(t, &bundle, HIDDEN);
        }
    }
}

fn files_below_proc_are_exchanged_meanwhile(t: &Case) {
    let oracle = Oracle::new(t);
    let volume = t.directory("volume");
    let [real, lies] = ["x", "lies"].map(|name| volume.join(name));
    for dir in [&real, &lies] {
        fs::create_dir_all(dir.join("attr/apparmor")).expect("make a directory");
    }
    for name in ["attr/exec", "attr/apparmor/exec", "oom_score_adj", "ip_default_ttl"] {
        fs::write(real.join(name), "").expect("write");
        symlink("/proc/sys/kernel/core_pattern", lies.join(name)).expect("symlink");
    }
    let bundle = much_written(t).bind(&volume, "/v", &["rbind", "rw"]);
    let bundle = bundle.bind(volume.join("x"), "/proc/self", &["rbind", "rw"]);
    let bundle = bundle.bind(volume.join("x"), "/proc/sys/net/ipv4", &["rbind", "rw"]);
    oracle.race(t, &bundle, &[real.clone(), lies.clone()], "");
    for dir in [&real, &lies] {
        for name in ["attr/exec", "oom_score_adj", "ip_default_ttl"] {
            let text = fs::symlink_metadata(dir.join(name))
                .map_or(0, |meta| if meta.is_file() { meta.len() } else { 0 });
            assert_eq!(text, 0, "written to a false {name}");
        }
    }
}

fn a_parameter_leads_elsewhere(t: &Case) {
    let oracle = Oracle::new(t);
    let keys = [
        "net/../kernel/core_pattern",
        "net.ipv4.conf.a/b",
        "net/ipv4/../../kernel/core_pattern",
        "kernel/./shm_rmid_forced",
        "/kernel/core_pattern",
        "net//../kernel/core_pattern",
        "net.ipv4.ip_default_ttl+kernel.core_pattern",
        "net.ipv4.ip_default_ttl\nkernel.core_pattern",
        "kernel.core_pattern",
        "kernel.shm_rmid_forced/../core_pattern",
        "fs.mqueue.../../kernel/core_pattern",
        "vm.overcommit_memory",
        "kernel.modprobe",
    ];
    let run = |bundle: Bundle| {
        let output = oracle.attack(t, &bundle);
        assert!(!output.status.success(), "accepted: {}", output.argv);
    };
    for key in keys {
        // Not by `set`, which takes a path.
        let mut bundle = t.bundle();
        bundle.config["linux"]["sysctl"] = json!({key: "|/tmp/evil"});
        run(bundle);
    }
    let mut bundle = t.bundle();
    bundle.config["linux"]["sysctl"] =
        json!({"net.ipv4.ip_default_ttl": "64\nkernel.core_pattern=|/tmp/evil"});
    oracle.attack(t, &bundle);
    for (namespace, key) in [("network", "net.ipv4.ip_default_ttl"), ("ipc", "kernel.shm_rmid_forced")] {
        let file = format!("/proc/self/ns/{}", if namespace == "network" { "net" } else { namespace });
        for bundle in [t.bundle().without_namespace(namespace), t.bundle().namespace(namespace, Some(&file))]
        {
            let mut bundle = bundle;
            bundle.config["linux"]["sysctl"] = json!({key: "1"});
            run(bundle);
        }
    }
}

/// Tries all cgroups that can be seen, and to see more.
const CGROUPS: &str = "g() { find /sys/fs/cgroup -maxdepth 3 -name cgroup.procs 2>/dev/null; }; \
        for f in $(g); do (echo 0 >$f) 2>/dev/null && echo reached $f; \
            mkdir ${f%/*}/escape 2>/dev/null && echo reached ${f%/*}; done; \
        for c in memory rdma pids cpu; do mount -t cgroup -o $c c /mnt 2>/dev/null && echo reached cgroup v1 $c; done; \
        mount -t cgroup2 c /mnt 2>/dev/null && echo reached cgroup v2; \
        for c in rdma memory pids; do unshare -UrmC sh -c \"mount -t cgroup -o $c c /mnt && \
            echo /x >/mnt/release_agent && echo reached a release_agent\" 2>/dev/null; done; \
        find / -xdev -name release_agent -writable 2>/dev/null | sed 's/^/reached /'; true";

fn with_mount_point(bundle: Bundle) -> Bundle {
    fs::create_dir(bundle.in_rootfs("/mnt")).expect("make a directory");
    bundle
}

fn the_cgroups_of_the_host_are_read_only(t: &Case) {
    let oracle = Oracle::new(t);
    let bundle = with_mount_point(t.bundle());
    oracle.attack_with(t, &bundle.clone().without_namespace("cgroup"), CGROUPS).ok();
    oracle.attack_with(t, &bundle.namespace("cgroup", None), CGROUPS).ok();
}

fn the_cgroups_of_the_host_are_read_only_for_the_rootless(t: &Case) {
    let oracle = Oracle::new(t);
    t.become_ordinary_user();
    let bundle = with_mount_point(t.bundle());
    let cgroup = json!({"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
        "options": ["nosuid", "noexec", "nodev", "relatime", "ro"]});
    for bundle in [bundle.clone(), bundle.mount(cgroup)] {
        oracle.attack_with(t, &bundle.clone().without_namespace("cgroup"), CGROUPS);
        oracle.attack_with(t, &bundle.namespace("cgroup", None), CGROUPS);
    }
}
