//! Containers that share namespaces of a first one, as those of a pod do.

use crate::harness::prelude::*;

cases!("pods", root: [
    a_member_of_a_pod_sees_its_processes,
    the_end_of_a_member_is_not_that_of_the_pod,
    members_share_a_user_namespace_and_those_that_it_owns,
    a_member_has_new_namespaces_of_a_joined_user_namespace,
    a_network_of_another_user_namespace_is_not_for_a_new_one_to_change,
    exec_into_a_member_is_in_all_its_namespaces,
    a_member_is_known_however_slow_the_process_is_that_makes_it,
    user_sysctls_are_those_of_the_user_namespace,
    the_domain_name_of_a_joined_uts_namespace_is_a_sysctl,
]);

const SHARED: [(&str, &str); 4] = [("network", "net"), ("ipc", "ipc"), ("uts", "uts"), ("pid", "pid")];

fn first(t: &Case, bundle: Bundle) -> Container<'_> {
    let container = t.launch(&bundle.args(&["/bin/sh", "-c", "echo ready; exec sleep 4711"]));
    container.wait_for("ready");
    container
}

/// A bundle that joins these namespaces of `first`.
fn member(bundle: Bundle, first: &Container, kinds: &[(&str, &str)]) -> Bundle {
    kinds.iter().fold(bundle.unset("/hostname"), |bundle, (name, file)| {
        bundle.namespace(name, Some(&first.namespace_file(file)))
    })
}

fn links(first: &Container, kinds: &[(&str, &str)]) -> Vec<String> {
    let link = |(_, file): &(&str, &str)| fs::read_link(first.namespace_file(file)).expect("a namespace");
    kinds.iter().map(|kind| link(kind).display().to_string()).collect()
}

fn script(kinds: &[(&str, &str)]) -> String {
    kinds.iter().map(|(_, file)| format!("readlink /proc/self/ns/{file}; ")).collect()
}

fn a_member_of_a_pod_sees_its_processes(t: &Case) {
    let pod = first(t, t.bundle());
    let expected = links(&pod, &SHARED);
    let bundle = member(t.bundle(), &pod, &SHARED);
    let output = t.run(&bundle.sh(&format!("{}ps -o pid,args | grep -c 'sleep 4711'", script(&SHARED))));
    let lines: Vec<&str> = output.ok().stdout.lines().collect();
    assert_eq!(lines[..4], expected);
    assert_ne!(lines[4], "0");
}

fn the_end_of_a_member_is_not_that_of_the_pod(t: &Case) {
    let pod = first(t, t.bundle());
    let others = t.launch(&member(t.bundle(), &pod, &SHARED).args(&["/bin/sleep", "300"]));
    let killed = t.launch(&member(t.bundle(), &pod, &SHARED).args(&["/bin/sleep", "300"]));
    killed.kill("KILL").ok();
    killed.wait_until_stopped();
    killed.delete().ok();
    let forced = t.launch(&member(t.bundle(), &pod, &SHARED).args(&["/bin/sleep", "300"]));
    forced.delete_by_force().ok();
    assert_eq!((pod.status().as_str(), others.status().as_str()), ("running", "running"));
}

fn members_share_a_user_namespace_and_those_that_it_owns(t: &Case) {
    let pod = first(t, t.bundle().user_namespace(100_000));
    let kinds = [&[("user", "user")], &SHARED[..]].concat();
    let expected = links(&pod, &kinds);
    // Managers repeat the maps of the namespace that is joined.
    let bundle = member(t.bundle().user_namespace(100_000), &pod, &kinds);
    let script = format!("{}id -u; hostname of-a-member && hostname", script(&kinds));
    let output = t.run(&bundle.capabilities(&["CAP_SYS_ADMIN"]).sh(&script));
    let lines: Vec<&str> = output.ok().stdout.lines().collect();
    assert_eq!(lines[..5], expected);
    assert_eq!(lines[5..], ["0", "of-a-member"]);
    assert_eq!(pod.status(), "running");
}

fn a_member_has_new_namespaces_of_a_joined_user_namespace(t: &Case) {
    let pod = first(t, t.bundle().user_namespace(100_000));
    let bundle = member(t.bundle().set("/hostname", json!("x")), &pod, &[("user", "user")]);
    let before = links(&pod, &SHARED);
    let script = format!("{}echo $$; ip link set lo down && echo changed", script(&SHARED));
    let output = t.run(&bundle.capabilities(&["CAP_NET_ADMIN"]).sh(&script));
    let lines: Vec<&str> = output.ok().stdout.lines().collect();
    for (line, other) in lines.iter().zip(&before) {
        assert_ne!(line, other);
    }
    assert_eq!(lines[4..], ["1", "changed"]);
}

fn a_network_of_another_user_namespace_is_not_for_a_new_one_to_change(t: &Case) {
    let pod = first(t, t.bundle());
    let mut bundle = member(t.bundle().user_namespace(100_000), &pod, &SHARED[..1]);
    // Nor may it mount a sysfs, which would show that network.
    let of_sys = |mount: &Value| mount["destination"].as_str().is_some_and(|path| path.starts_with("/sys"));
    bundle.list("/mounts").retain(|mount| !of_sys(mount));
    let script = "ip link set lo down 2>/dev/null && echo changed || echo refused";
    t.run(&bundle.capabilities(&["CAP_NET_ADMIN"]).sh(script)).ok().prints("refused");
}

fn exec_into_a_member_is_in_all_its_namespaces(t: &Case) {
    let pod = first(t, t.bundle().user_namespace(100_000));
    let kinds = [&[("user", "user")], &SHARED[..]].concat();
    let bundle = member(t.bundle(), &pod, &kinds);
    let member = t.launch(&bundle.args(&["/bin/sleep", "300"]));
    let all = [&kinds[..], &[("mount", "mnt")]].concat();
    let expected = links(&member, &all).join("\n");
    t.runtime(&["exec", &member.id, "sh", "-c", &script(&all)]).run().ok().prints(&expected);
}

/// A process in between makes those that join a pid namespace by way of its user namespace; it stands still here
/// after each clone, while the new ones run.
fn a_member_is_known_however_slow_the_process_is_that_makes_it(t: &Case) {
    let pod = first(t, t.bundle().user_namespace(100_000));
    let kinds = [&[("user", "user")], &SHARED[..]].concat();
    let bundle = member(t.bundle(), &pod, &kinds).args(&["/bin/sleep", "300"]);
    let id = t.id();
    let creating = t.runtime(&t.command_line("create", &bundle, &[], &id)).slow_after("clone3").spawn();
    let state = || t.runtime(&["state", &id]).run();
    eventually("it is created", || serde_json::from_str(&state().stdout).is_ok_and(is_created));
    t.runtime(&["start", &id]).run().ok();
    let executed = t.runtime(&["exec", &id, "echo", "here"]).slow_after("clone3").run();
    executed.ok().prints("here");
    t.runtime(&["delete", "--force", &id]).run().ok();
    // It has seen the container to its end.
    creating.wait().ok();
}

fn is_created(state: Value) -> bool {
    state["status"] == "created"
}

fn user_sysctls_are_those_of_the_user_namespace(t: &Case) {
    let before = fs::read_to_string("/proc/sys/user/max_net_namespaces").expect("the limit");
    let bundle = t.bundle().user_namespace(100_000);
    let bundle = bundle.set("/linux/sysctl", json!({"user.max_net_namespaces": "7"}));
    t.run(&bundle.args(&["/bin/cat", "/proc/sys/user/max_net_namespaces"])).ok().prints("7");
    assert_eq!(fs::read_to_string("/proc/sys/user/max_net_namespaces").expect("the limit"), before);
}

fn the_domain_name_of_a_joined_uts_namespace_is_a_sysctl(t: &Case) {
    let pod = first(t, t.bundle());
    let bundle = member(t.bundle(), &pod, &SHARED[2..3]);
    let bundle = bundle.set("/linux/sysctl", json!({"kernel/domainname": "of.the.pod"}));
    t.run(&bundle).ok();
    t.runtime(&["exec", &pod.id, "cat", "/proc/sys/kernel/domainname"]).run().ok().prints("of.the.pod");
}
