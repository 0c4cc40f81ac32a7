//! The runtime called by an ordinary user.

use std::os::unix::fs::MetadataExt;

use crate::harness::prelude::*;

cases!("rootless", root: [
    a_root_directory_of_another_user_is_an_error,
], anyone: [
    an_ordinary_user_runs_a_program,
    the_exit_status_reaches_an_ordinary_user,
    an_ordinary_user_is_root_inside,
    an_ordinary_user_creates_starts_kills_and_deletes,
    a_file_made_inside_belongs_to_the_ordinary_user,
    an_ordinary_user_cannot_make_a_device,
    the_default_devices_work_for_an_ordinary_user,
    the_state_of_an_ordinary_user_is_in_xdg_runtime_dir,
    an_ordinary_user_deletes_a_running_container_by_force,
    an_ordinary_user_has_namespaces_of_its_own,
    an_ordinary_user_cannot_map_other_users,
    a_bind_mount_of_an_ordinary_user_works,
    an_ordinary_user_sees_its_own_containers_in_list,
    a_resource_limit_for_an_ordinary_user_is_set_or_refused,
    masked_paths_are_masked_for_an_ordinary_user,
    seccomp_works_for_an_ordinary_user,
    an_ordinary_user_executes_with_the_oom_score_of_the_configuration,
]);

fn an_ordinary_user_runs_a_program(t: &Case) {
    t.become_ordinary_user();
    t.run(&t.bundle().sh("echo hello")).ok().prints("hello");
}

fn the_exit_status_reaches_an_ordinary_user(t: &Case) {
    t.become_ordinary_user();
    t.run(&t.bundle().sh("exit 42")).exits(42);
}

fn an_ordinary_user_is_root_inside(t: &Case) {
    t.become_ordinary_user();
    let (uid, gid) = t.caller();
    let output = t.run(
        &t.bundle().sh("id -u; id -g; cat /proc/self/uid_map /proc/self/gid_map; cat /proc/self/setgroups"),
    );
    let words: Vec<&str> = output.ok().stdout.split_whitespace().collect();
    let (uid, gid) = (uid.to_string(), gid.to_string());
    assert_eq!(words, ["0", "0", "0", &uid, "1", "0", &gid, "1", "deny"]);
}

fn an_ordinary_user_creates_starts_kills_and_deletes(t: &Case) {
    t.become_ordinary_user();
    let container = t.create(&t.bundle().sh("echo started; sleep 300"));
    assert_eq!(container.status(), "created");
    let status = fs::read_to_string(format!("/proc/{}/status", container.pid())).expect("the process");
    let uid = t.caller().0;
    assert!(status.contains(&format!("Uid:\t{uid}\t{uid}\t{uid}\t{uid}")), "{status}");
    container.start().ok();
    container.wait_for("started");
    container.kill("KILL").ok();
    container.wait_until_stopped();
    container.delete().ok();
    t.assert_no_side_effects();
}

fn a_file_made_inside_belongs_to_the_ordinary_user(t: &Case) {
    t.become_ordinary_user();
    let bundle = t.bundle().writable().sh("touch /opt/f && stat -c %u:%g /opt/f");
    t.run(&bundle).ok().prints("0:0");
    let file = fs::metadata(bundle.in_rootfs("/opt/f")).expect("the file");
    assert_eq!((file.uid(), file.gid()), t.caller());
}

fn an_ordinary_user_cannot_make_a_device(t: &Case) {
    t.become_ordinary_user();
    let script = "mknod /dev/shm/n c 1 3 2>/dev/null && echo made || echo refused";
    t.run(&t.bundle().capabilities(&["CAP_MKNOD"]).sh(script)).ok().prints("refused");
}

fn the_default_devices_work_for_an_ordinary_user(t: &Case) {
    t.become_ordinary_user();
    let script =
        "echo x >/dev/null && head -c 2 /dev/zero | wc -c && head -c 2 /dev/urandom | wc -c; ls /dev/pts";
    t.run(&t.bundle().sh(script)).ok().prints("2\n2\nptmx");
}

fn the_state_of_an_ordinary_user_is_in_xdg_runtime_dir(t: &Case) {
    t.become_ordinary_user();
    let runtime_dir = t.directory("xdg");
    let id = t.id();
    let line = t.command_line("create", &t.bundle(), &[], &id);
    let call =
        |line: &[String]| t.runtime(line).globals::<&str>(&[]).env("XDG_RUNTIME_DIR", &runtime_dir).run();
    call(&line).ok();
    assert!(runtime_dir.join(t.host.kind.name()).join(&id).is_dir(), "no state in $XDG_RUNTIME_DIR");
    call(&["delete".into(), "--force".into(), id.clone()]).ok();
    assert!(!runtime_dir.join(t.host.kind.name()).join(&id).exists());
}

fn an_ordinary_user_deletes_a_running_container_by_force(t: &Case) {
    t.become_ordinary_user();
    let container = t.launch(&t.bundle().sh("trap '' TERM; while :; do sleep 0.1; done"));
    container.delete_by_force().ok();
    t.assert_no_side_effects();
}

fn an_ordinary_user_has_namespaces_of_its_own(t: &Case) {
    t.become_ordinary_user();
    let output =
        t.run(&t.bundle().sh("for n in user pid net ipc uts mnt; do readlink /proc/self/ns/$n; done"));
    for line in output.ok().stdout.lines() {
        let kind = line.split(':').next().unwrap_or_default();
        let own = fs::read_link(format!("/proc/self/ns/{kind}")).expect("our namespace");
        assert_ne!(own.display().to_string(), line);
    }
    t.run(&t.bundle().args(&["/bin/hostname"])).ok().prints("cask");
}

fn an_ordinary_user_cannot_map_other_users(t: &Case) {
    t.become_ordinary_user();
    let map = json!([{"containerID": 0, "hostID": 0, "size": 1}]);
    t.run(&t.bundle().set("/linux/uidMappings", map)).fails();
    t.assert_no_side_effects();
}

fn a_bind_mount_of_an_ordinary_user_works(t: &Case) {
    t.become_ordinary_user();
    let source = t.directory("source");
    let bundle = t.bundle().bind(&source, "/mnt", &["bind"]).sh("echo inside >/mnt/f");
    t.run(&bundle).ok();
    assert_eq!(fs::read_to_string(source.join("f")).expect("the file"), "inside\n");
    let bundle =
        t.bundle().bind(&source, "/mnt", &["bind", "ro"]).sh("touch /mnt/g 2>/dev/null || cat /mnt/f");
    t.run(&bundle).ok().prints("inside");
}

fn an_ordinary_user_sees_its_own_containers_in_list(t: &Case) {
    t.become_ordinary_user();
    let container = t.create(&t.bundle());
    t.runtime(&["list", "-q"]).run().ok().prints(&container.id);
}

fn a_resource_limit_for_an_ordinary_user_is_set_or_refused(t: &Case) {
    t.become_ordinary_user();
    let bundle = t.bundle().set("/linux/resources", json!({"pids": {"limit": 20}}));
    let script = "(for i in $(seq 40); do sleep 1 & done; echo unlimited) 2>/dev/null || echo limited";
    let output = t.run(&bundle.sh(script));
    match output.status.success() {
        true => output.prints("limited"),
        false => output.says("cgroup"),
    };
    t.assert_no_side_effects();
}

fn masked_paths_are_masked_for_an_ordinary_user(t: &Case) {
    t.become_ordinary_user();
    t.run(&t.bundle().sh("cat /proc/timer_list | wc -c; ls -A /sys/firmware | wc -l")).ok().prints("0\n0");
}

fn seccomp_works_for_an_ordinary_user(t: &Case) {
    t.become_ordinary_user();
    let rule = json!({"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"});
    let seccomp = json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]});
    let bundle = t.bundle().set("/linux/seccomp", seccomp);
    t.run(&bundle.sh("mkdir /dev/shm/d 2>/dev/null; echo done with $?")).ok().prints("done with 1");
}

fn a_root_directory_of_another_user_is_an_error(t: &Case) {
    let closed = t.directory("closed");
    let bundle = t.bundle();
    t.become_ordinary_user();
    let line = t.command_line("create", &bundle, &[], &t.id());
    let root = closed.join("state");
    t.runtime(&line).globals(&[Path::new("--root"), &root]).run().fails();
    assert!(!root.exists());
}

/// /proc/PID/oom_score_adj is root's as soon as the process joins the container.
fn an_ordinary_user_executes_with_the_oom_score_of_the_configuration(t: &Case) {
    t.become_ordinary_user();
    let bundle = t.bundle().set("/process/oomScoreAdj", json!(321)).args(&["/bin/sleep", "300"]);
    let container = t.launch(&bundle);
    for _ in 0..20 {
        t.runtime(&["exec", &container.id, "/bin/cat", "/proc/self/oom_score_adj"]).run().ok().prints("321");
    }
}
