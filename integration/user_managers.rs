//! A user's manager is root of a user namespace, and calls the runtime in there: Podman does.

use crate::harness::invocation::Invocation;
use crate::harness::prelude::*;

cases!("user_managers", root: [], anyone: [
    the_state_is_in_the_runtime_directory_of_the_user,
    a_container_runs_for_root_of_a_user_namespace,
    a_network_namespace_of_the_manager_is_joined,
    namespaces_of_the_manager_are_joined_together,
    a_pid_namespace_of_the_manager_is_joined,
    a_network_namespace_of_the_manager_is_joined_with_a_new_user_namespace,
    a_process_is_executed_in_its_container,
    the_score_of_a_process_in_a_joined_pid_namespace_is_set,
    the_cgroups_are_shown_to_a_container_without_one,
]);

/// A container that has the ids of its caller.
fn bundle(t: &Case) -> Bundle {
    t.become_ordinary_user();
    t.bundle().without_namespace("user").unset("/linux/uidMappings").unset("/linux/gidMappings")
}

/// Runs a script as root of a new user namespace, with the runtime and its arguments as `"$@"`.
fn managed<'c>(t: &'c Case, bundle: &Bundle, script: &str) -> Invocation<'c> {
    let line = t.command_line("run", bundle, &[], &t.id());
    t.runtime(&line).through_busybox(&["unshare", "-U", "-r", "-m", "sh", "-c", script, "sh"])
}

/// The script lends a new namespace: it is in the file that the bundle names.
fn lent(t: &Case, flags: &str, file: &str) -> (String, String) {
    let link = t.dir.join(format!("lent-{file}"));
    let unshare = format!("{} unshare", t.host.busybox.display());
    let script = format!(
        "{unshare} {flags} sleep 300 & lender=$!
        until [ -e /proc/$lender/ns/{file} ] && [ \"$(readlink /proc/$lender/ns/{file})\" != \"$(readlink /proc/self/ns/{file})\" ]; do :; done
        ln -s /proc/$lender/ns/{file} {link}; readlink $(readlink {link})
        \"$@\"; status=$?; kill -KILL $lender $(cat /proc/$lender/task/*/children); exit $status",
        link = link.display()
    );
    (link.display().to_string(), script)
}

fn the_state_is_in_the_runtime_directory_of_the_user(t: &Case) {
    let bundle = bundle(t).sh("sleep 300");
    let (runtime_dir, id) = (t.directory("xdg"), t.id());
    let line = t.command_line("create", &bundle, &[], &id);
    let call = t.runtime(&line).globals::<&str>(&[]).env("XDG_RUNTIME_DIR", &runtime_dir);
    let place = runtime_dir.join(t.host.kind.name()).join(&id).display().to_string();
    let script = format!("\"$@\" && ls -d {place} && \"$1\" delete --force {id}");
    call.through_busybox(&["unshare", "-U", "-r", "-m", "sh", "-c", &script, "sh"]).run().ok().prints(&place);
}

fn a_container_runs_for_root_of_a_user_namespace(t: &Case) {
    let bundle = bundle(t).sh("id -u; cat /proc/self/uid_map");
    let words = managed(t, &bundle, "\"$@\"")
        .run()
        .ok()
        .stdout
        .split_whitespace()
        .map(String::from)
        .collect::<Vec<_>>();
    assert_eq!(words, ["0", "0", &t.caller().0.to_string(), "1"]);
}

fn a_network_namespace_of_the_manager_is_joined(t: &Case) {
    let (link, script) = lent(t, "-n", "net");
    let bundle = bundle(t).namespace("network", Some(&link)).sh("readlink /proc/self/ns/net");
    two_equal_lines(&managed(t, &bundle, &script).run());
}

fn namespaces_of_the_manager_are_joined_together(t: &Case) {
    let (net, script) = lent(t, "-n -i -u", "net");
    let of = |kind: &str, file: &str| (kind.to_owned(), format!("{net}-{file}"));
    let mut bundle = bundle(t).namespace("network", Some(&net));
    let mut links = String::new();
    for (kind, path) in [of("ipc", "ipc"), of("uts", "uts")] {
        links += &format!("ln -s /proc/$lender/ns/{kind} {path}; ");
        bundle = bundle.namespace(&kind, Some(&path));
    }
    let script = script.replacen("\"$@\"", &format!("{links}\"$@\""), 1);
    let bundle = bundle.unset("/hostname").sh("readlink /proc/self/ns/net");
    two_equal_lines(&managed(t, &bundle, &script).run());
}

fn a_pid_namespace_of_the_manager_is_joined(t: &Case) {
    let (link, script) = lent(t, "-p -f", "pid_for_children");
    let bundle = bundle(t).namespace("pid", Some(&link)).sh("readlink /proc/self/ns/pid");
    two_equal_lines(&managed(t, &bundle, &script).run());
}

/// In that one there is no power over it any more.
fn a_network_namespace_of_the_manager_is_joined_with_a_new_user_namespace(t: &Case) {
    let (link, script) = lent(t, "-n", "net");
    let ids = json!([{"containerID": 0, "hostID": 0, "size": 1}]);
    let bundle = bundle(t).namespace("network", Some(&link)).namespace("user", None);
    let bundle = bundle.set("/linux/uidMappings", ids.clone()).set("/linux/gidMappings", ids);
    let options = ["nosuid", "noexec", "nodev", "ro"];
    let bundle =
        bundle.mount(json!({"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": options}));
    two_equal_lines(
        &managed(
            t,
            &bundle.sh(
                "test -d /sys/kernel && ! grep '^sysfs.* rw,' /proc/mounts && readlink /proc/self/ns/net",
            ),
            &script,
        )
        .run(),
    );
}

fn the_score_of_a_process_in_a_joined_pid_namespace_is_set(t: &Case) {
    let (link, script) = lent(t, "-p -f", "pid_for_children");
    let bundle = bundle(t).namespace("pid", Some(&link)).set("/process/oomScoreAdj", json!(777));
    let output = managed(t, &bundle.sh("cat /proc/self/oom_score_adj"), &script).run();
    assert_eq!(output.ok().stdout.lines().last(), Some("777"));
}

fn a_process_is_executed_in_its_container(t: &Case) {
    let bundle = bundle(t).sh("sleep 300");
    let id = t.id();
    let line = t.command_line("run", &bundle, &["-d"], &id);
    let script = format!(
        "\"$@\" >/dev/null && \"$1\" \"$2\" \"$3\" exec {id} sh -c 'readlink /proc/1/ns/pid; readlink /proc/self/ns/pid; id -u'
        status=$?; \"$1\" \"$2\" \"$3\" delete --force {id}; exit $status"
    );
    let output =
        t.runtime(&line).through_busybox(&["unshare", "-U", "-r", "-m", "sh", "-c", &script, "sh"]).run();
    let lines: Vec<&str> = output.ok().stdout.lines().collect();
    assert!(lines.len() == 3 && lines[0] == lines[1] && lines[2] == "0", "{lines:?}");
}

fn the_cgroups_are_shown_to_a_container_without_one(t: &Case) {
    let mount =
        json!({"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["ro"]});
    let writable = "grep ' /sys/fs/cgroup' /proc/mounts | grep -v ' ro,'";
    let script = format!("ls /sys/fs/cgroup | grep -q . && echo shown; {writable} || echo read-only");
    let bundle = bundle(t).mount(mount).sh(&script);
    let line = t.command_line("run", &bundle, &[], &t.id());
    let call = t.runtime(&line).global(&["--cgroup-manager=disabled"]);
    let output = call.through_busybox(&["unshare", "-U", "-r", "-m"]).run();
    output.ok().prints("shown\nread-only");
}

#[track_caller]
fn two_equal_lines(output: &Output) {
    let lines: Vec<&str> = output.ok().stdout.lines().collect();
    assert!(lines.len() == 2 && lines[0] == lines[1], "{lines:?}");
}
