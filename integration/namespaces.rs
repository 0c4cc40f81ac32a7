//! `linux.namespaces`: new ones, shared ones, joined ones.

use std::process::Command;

use crate::harness::child_process::ChildProcess;
use crate::harness::prelude::*;

cases!("namespaces", root: [
    every_namespace_asked_for_is_new,
    a_namespace_not_asked_for_is_that_of_the_caller,
    a_new_pid_namespace_shows_only_the_container,
    a_new_mount_namespace_hides_the_mounts_of_the_container,
    a_new_uts_namespace_keeps_the_host_name_of_the_host,
    a_new_ipc_namespace_has_no_message_queues,
    a_new_network_namespace_has_only_a_loopback_which_is_up,
    a_new_cgroup_namespace_shows_its_own_cgroup_as_the_root,
    without_a_cgroup_namespace_the_path_is_the_whole_one,
    a_network_namespace_is_joined_by_path,
    an_ipc_namespace_is_joined_by_path,
    a_uts_namespace_is_joined_by_path,
    a_pid_namespace_is_joined_by_path,
    a_cgroup_namespace_is_joined_by_path,
    a_mount_namespace_is_joined_by_path,
    a_user_namespace_is_joined_by_path,
    the_containers_of_a_pod_talk_over_its_loopback,
    a_joined_namespace_outlives_a_container,
    a_bind_mounted_namespace_is_joined_by_path,
    the_network_of_the_host_is_shared_if_not_asked_for,
    the_init_of_a_joined_pid_namespace_ends_the_container,
    the_host_name_is_set_in_a_joined_uts_namespace_by_no_one_but_the_configuration,
]);

/// Type in the configuration, name in `/proc/PID/ns`.
const KINDS: [(&str, &str); 6] = [
    ("pid", "pid"),
    ("network", "net"),
    ("ipc", "ipc"),
    ("uts", "uts"),
    ("mount", "mnt"),
    ("cgroup", "cgroup"),
];

fn own(kind: &str) -> String {
    let link = fs::read_link(format!("/proc/self/ns/{kind}")).expect("a namespace of ours");
    link.display().to_string()
}

fn every_namespace_asked_for_is_new(t: &Case) {
    let bundle = t.bundle().namespace("cgroup", None);
    for (_, kind) in KINDS {
        let output = t.run(&bundle.clone().args(&["/bin/readlink", &format!("/proc/self/ns/{kind}")]));
        assert!(output.ok().text().starts_with(&format!("{kind}:[")), "{:?}", output.stdout);
        assert_ne!(output.text(), own(kind), "{kind}");
    }
}

fn a_namespace_not_asked_for_is_that_of_the_caller(t: &Case) {
    for (name, kind) in [("pid", "pid"), ("ipc", "ipc"), ("network", "net")] {
        let bundle = t.bundle().without_namespace(name);
        t.run(&bundle.args(&["/bin/readlink", &format!("/proc/self/ns/{kind}")])).ok().prints(&own(kind));
    }
    let uts = t.bundle().without_namespace("uts").unset("/hostname");
    t.run(&uts.args(&["/bin/readlink", "/proc/self/ns/uts"])).ok().prints(&own("uts"));
    let cgroup = t.bundle().without_namespace("cgroup");
    t.run(&cgroup.args(&["/bin/readlink", "/proc/self/ns/cgroup"])).ok().prints(&own("cgroup"));
    t.run(&t.bundle().args(&["/bin/readlink", "/proc/self/ns/user"])).ok().prints(&own("user"));
}

fn a_new_pid_namespace_shows_only_the_container(t: &Case) {
    t.run(&t.bundle().sh("echo $$; ls -d /proc/[0-9]* | head -n 1")).ok().prints("1\n/proc/1");
}

fn a_new_mount_namespace_hides_the_mounts_of_the_container(t: &Case) {
    let before = fs::read_to_string("/proc/self/mountinfo").expect("mountinfo");
    let container = t.launch(&t.bundle().args(&["/bin/sleep", "300"]));
    let dir = t.dir.display().to_string();
    let during = fs::read_to_string("/proc/self/mountinfo").expect("mountinfo");
    assert!(!during.contains(&dir), "before: {before}\nduring: {during}");
    let its = fs::read_to_string(format!("/proc/{}/mountinfo", container.pid())).expect("mountinfo");
    assert!(its.contains(" / /proc ") || its.contains("/proc"), "{its}");
}

fn a_new_uts_namespace_keeps_the_host_name_of_the_host(t: &Case) {
    let before = host_name();
    let bundle = t.bundle().capabilities(&["CAP_SYS_ADMIN"]).sh("hostname other && hostname");
    t.run(&bundle).ok().prints("other");
    assert_eq!(host_name(), before);
}

fn a_new_ipc_namespace_has_no_message_queues(t: &Case) {
    let bundle = t.bundle().sh("ls /dev/mqueue; touch /dev/mqueue/q && ls /dev/mqueue");
    t.run(&bundle).ok().prints("q");
    t.run(&bundle).ok().prints("q");
}

fn a_new_network_namespace_has_only_a_loopback_which_is_up(t: &Case) {
    let bundle = t
        .bundle()
        .sh("ls /sys/class/net; ip -o addr show lo | grep -c 127.0.0.1/8; ip -o link | grep -c LOOPBACK,UP");
    t.run(&bundle).ok().prints("lo\n1\n1");
}

fn a_new_cgroup_namespace_shows_its_own_cgroup_as_the_root(t: &Case) {
    let bundle = t.bundle().namespace("cgroup", None).args(&["/bin/cat", "/proc/self/cgroup"]);
    for path in t.host.cgroups.paths(&t.run(&bundle).ok().stdout) {
        assert_eq!(path, "/");
    }
}

fn without_a_cgroup_namespace_the_path_is_the_whole_one(t: &Case) {
    let id = t.id();
    let bundle = t.bundle().without_namespace("cgroup").args(&["/bin/cat", "/proc/self/cgroup"]);
    let line = t.command_line("run", &bundle, &[], &id);
    for path in t.host.cgroups.paths(&t.runtime(&line).run().ok().stdout) {
        assert_eq!(path, t.cgroup_path(&id));
    }
}

/// A container that lends its namespaces, and one that has joined that of `name`.
fn joining(t: &Case, name: &str, kind: &str, lender: &Bundle, joiner: Bundle) -> Output {
    let lender = t.launch(lender);
    lender.wait_for("ready");
    let path = lender.namespace_file(kind);
    let link = fs::read_link(&path).expect("the namespace").display().to_string();
    let output = t.run(&joiner.namespace(name, Some(&path)));
    assert!(output.ok().stdout.contains(&link), "not in {link}: {:?}", output.stdout);
    output
}

fn a_network_namespace_is_joined_by_path(t: &Case) {
    let lender = t
        .bundle()
        .capabilities(&["CAP_NET_ADMIN"])
        .sh("ip addr add 10.9.8.7/32 dev lo; echo ready; sleep 300");
    let joiner = t.bundle().sh("readlink /proc/self/ns/net; ip -o addr show lo");
    let output = joining(t, "network", "net", &lender, joiner);
    assert!(output.stdout.contains("10.9.8.7"), "{:?}", output.stdout);
}

fn an_ipc_namespace_is_joined_by_path(t: &Case) {
    let lender = t.bundle().sh("touch /dev/mqueue/of-the-lender; echo ready; sleep 300");
    let joiner = t.bundle().sh("readlink /proc/self/ns/ipc; ls /dev/mqueue");
    let output = joining(t, "ipc", "ipc", &lender, joiner);
    assert!(output.stdout.contains("of-the-lender"), "{:?}", output.stdout);
}

fn a_uts_namespace_is_joined_by_path(t: &Case) {
    let lender = t.bundle().set("/hostname", json!("lender")).sh("echo ready; sleep 300");
    let joiner = t.bundle().unset("/hostname").sh("readlink /proc/self/ns/uts; hostname");
    let output = joining(t, "uts", "uts", &lender, joiner);
    assert!(output.stdout.contains("lender"), "{:?}", output.stdout);
}

fn a_pid_namespace_is_joined_by_path(t: &Case) {
    let lender = t.bundle().args(&["/bin/sh", "-c", "echo ready; exec sleep 4711"]);
    let joiner = t.bundle().sh("readlink /proc/self/ns/pid; ps -o pid,args; echo mine $$");
    let output = joining(t, "pid", "pid", &lender, joiner);
    assert!(output.stdout.contains("1 sleep 4711"), "{:?}", output.stdout);
    assert!(!output.stdout.contains("mine 1\n"), "{:?}", output.stdout);
}

fn a_cgroup_namespace_is_joined_by_path(t: &Case) {
    let lender = t.bundle().namespace("cgroup", None).sh("echo ready; sleep 300");
    let joiner = t.bundle().args(&["/bin/readlink", "/proc/self/ns/cgroup"]);
    joining(t, "cgroup", "cgroup", &lender, joiner);
}

fn a_mount_namespace_is_joined_by_path(t: &Case) {
    let lender = ChildProcess::spawn(Command::new(&t.host.busybox).args(["unshare", "-m", "sleep", "300"]));
    let path = format!("/proc/{}/ns/mnt", lender.as_ref().expect("unshare").pid());
    let link = || fs::read_link(&path).map(|link| link.display().to_string()).unwrap_or_default();
    eventually("the lender has a mount namespace", || link() != own("mnt"));
    let expected = link();
    let bundle = t.bundle().namespace("mount", Some(&path));
    t.run(&bundle.sh("readlink /proc/self/ns/mnt; ls -d /opt")).ok().prints(&format!("{expected}\n/opt"));
}

fn a_user_namespace_is_joined_by_path(t: &Case) {
    let lender = t.bundle().user_namespace(100_000).sh("echo ready; sleep 300");
    let joiner = t.bundle().sh("readlink /proc/self/ns/user; cat /proc/self/uid_map");
    let output = joining(t, "user", "user", &lender, joiner);
    let map: Vec<&str> = output.stdout.lines().last().unwrap_or("").split_whitespace().collect();
    assert_eq!(map, ["0", "100000", "65536"], "{:?}", output.stdout);
}

fn the_containers_of_a_pod_talk_over_its_loopback(t: &Case) {
    let sandbox = t.launch(&t.bundle().set("/hostname", json!("pod")).sh("echo ready; sleep 300"));
    sandbox.wait_for("ready");
    let member = |script: &str| {
        let bundle = t.bundle().unset("/hostname").sh(script);
        let bundle = bundle.namespace("network", Some(&sandbox.namespace_file("net")));
        let bundle = bundle.namespace("ipc", Some(&sandbox.namespace_file("ipc")));
        bundle.namespace("uts", Some(&sandbox.namespace_file("uts")))
    };
    let server =
        t.launch(&member("echo ready; while :; do echo hello from $(hostname) | nc -l -p 4567; done"));
    server.wait_for("ready");
    let client =
        "for i in $(seq 10); do nc -w 1 127.0.0.1 4567 </dev/null 2>/dev/null && break; sleep 0.1; done";
    t.run(&member(client)).ok().prints("hello from pod");
}

fn a_joined_namespace_outlives_a_container(t: &Case) {
    let lender = t.launch(&t.bundle().sh("echo ready; sleep 300"));
    let path = lender.namespace_file("net");
    for _ in 0..2 {
        t.run(&t.bundle().namespace("network", Some(&path))).ok();
    }
    assert_eq!(lender.status(), "running");
}

fn a_bind_mounted_namespace_is_joined_by_path(t: &Case) {
    let path = t.file("netns", "");
    let lender = t.launch(&t.bundle().args(&["/bin/sleep", "300"]));
    let from = lender.namespace_file("net");
    let link = fs::read_link(&from).expect("the namespace").display().to_string();
    nix::mount::mount(Some(from.as_str()), &path, None::<&str>, nix::mount::MsFlags::MS_BIND, None::<&str>)
        .expect("bind the namespace");
    lender.delete_by_force().ok();
    let bundle = t.bundle().namespace("network", Some(&path.display().to_string()));
    let output = t.run(&bundle.args(&["/bin/readlink", "/proc/self/ns/net"]));
    nix::mount::umount(&path).expect("unmount the namespace");
    output.ok().prints(&link);
}

fn the_network_of_the_host_is_shared_if_not_asked_for(t: &Case) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("listen");
    let port = listener.local_addr().expect("an address").port();
    let script = format!("nc -w 1 127.0.0.1 {port} </dev/null >/dev/null 2>&1 && echo reached || echo alone");
    let bundle = t.bundle().sh(&script);
    let answer = std::thread::spawn(move || listener.accept().map(drop));
    t.run(&bundle.clone()).ok().prints("alone");
    t.run(&bundle.without_namespace("network")).ok().prints("reached");
    answer.join().expect("the thread").expect("accept");
}

fn the_init_of_a_joined_pid_namespace_ends_the_container(t: &Case) {
    let lender = t.launch(&t.bundle().args(&["/bin/sleep", "300"]));
    let bundle = t.bundle().namespace("pid", Some(&lender.namespace_file("pid")));
    let joiner = t.launch(&bundle.sh("echo ready; sleep 300"));
    joiner.wait_for("ready");
    assert_eq!(joiner.status(), "running");
    lender.kill("KILL").ok();
    joiner.wait_until_stopped();
    joiner.delete().ok();
}

fn the_host_name_is_set_in_a_joined_uts_namespace_by_no_one_but_the_configuration(t: &Case) {
    let lender = t.launch(&t.bundle().set("/hostname", json!("before")).args(&["/bin/sleep", "300"]));
    let path = lender.namespace_file("uts");
    let bundle = t.bundle().set("/hostname", json!("after")).namespace("uts", Some(&path));
    t.run(&bundle.args(&["/bin/hostname"])).ok().prints("after");
}
