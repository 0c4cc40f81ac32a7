//! `create`, the gate, and `start`.

use std::time::Duration;

use crate::harness::prelude::*;
use crate::harness::soon;

cases!("create_and_start", root: [
    the_program_does_not_run_before_start,
    start_runs_the_program_once,
    the_init_process_of_a_created_container_is_there,
    create_returns_while_the_container_waits,
    start_twice_is_an_error,
    start_of_a_stopped_container_is_an_error,
    start_after_kill_is_an_error,
    start_after_the_sudden_death_of_init_is_an_error,
    a_missing_program_is_reported_by_create_or_start,
    a_program_without_permission_is_reported_by_create_or_start,
    a_program_that_appears_after_create_is_found_or_reported,
    start_returns_while_the_program_runs,
    create_of_an_existing_id_is_an_error_and_leaves_the_container_alone,
    a_failed_create_leaves_the_id_free,
    the_streams_of_create_are_those_of_the_program,
    the_namespaces_are_there_before_start,
    the_rootfs_is_mounted_before_start,
    a_created_container_can_wait_for_a_while,
    a_created_container_ends_when_its_state_is_gone,
    a_low_limit_of_open_files_does_not_keep_a_container_from_starting,
    config_json_is_not_read_again_by_start,
]);

fn the_program_does_not_run_before_start(t: &Case) {
    let container = t.create(&t.bundle().sh("echo ran; sleep 300"));
    assert_eq!(container.status(), "created");
    assert!(!soon(Duration::from_millis(300), || container.stdout().contains("ran")), "it ran before start");
    container.start().ok();
    container.wait_for("ran");
    assert_eq!(container.status(), "running");
}

fn start_runs_the_program_once(t: &Case) {
    let bundle = t.bundle().writable().sh("echo x >>/opt/runs; exit 0");
    let container = t.launch(&bundle);
    container.wait_until_stopped();
    assert_eq!(fs::read_to_string(bundle.in_rootfs("/opt/runs")).expect("the file"), "x\n");
}

fn the_init_process_of_a_created_container_is_there(t: &Case) {
    let container = t.create(&t.bundle());
    let status = fs::read_to_string(format!("/proc/{}/status", container.pid())).expect("the process");
    let inside = status.lines().find_map(|line| line.strip_prefix("NSpid:")).expect("NSpid");
    assert_eq!(inside.split_whitespace().last(), Some("1"), "not the first process of a pid namespace");
}

fn create_returns_while_the_container_waits(t: &Case) {
    let container = t.create(&t.bundle());
    for _ in 0..3 {
        assert_eq!(container.status(), "created");
    }
}

fn start_twice_is_an_error(t: &Case) {
    let container = t.launch(&t.bundle().args(&["/bin/sleep", "300"]));
    container.start().fails();
    assert_eq!(container.status(), "running");
}

fn start_of_a_stopped_container_is_an_error(t: &Case) {
    let container = t.launch(&t.bundle());
    container.wait_until_stopped();
    container.start().fails();
    assert_eq!(container.status(), "stopped");
}

fn start_after_kill_is_an_error(t: &Case) {
    let container = t.create(&t.bundle());
    container.kill("KILL").ok();
    container.start().fails();
}

fn start_after_the_sudden_death_of_init_is_an_error(t: &Case) {
    let container = t.create(&t.bundle());
    container.kill_init_from_outside();
    container.start().fails();
    container.delete().ok();
}

/// `create` then `start`; the error of whichever fails.
fn error_of_launching(t: &Case, bundle: &Bundle) -> Output {
    let (container, output) = t.try_create(bundle, &[]);
    match output.status.success() {
        true => container.start(),
        false => output,
    }
}

fn a_missing_program_is_reported_by_create_or_start(t: &Case) {
    let output = error_of_launching(t, &t.bundle().args(&["/no/such/program"]));
    output.fails().says("/no/such/program").says("no such file or directory");
    let output = error_of_launching(t, &t.bundle().args(&["no-such-program"]));
    output.fails().says("no-such-program").says("executable file not found in $PATH");
}

fn a_program_without_permission_is_reported_by_create_or_start(t: &Case) {
    let output = error_of_launching(t, &t.bundle().args(&["/etc/passwd"]));
    output.fails().says("/etc/passwd").says("permission denied");
}

fn a_program_that_appears_after_create_is_found_or_reported(t: &Case) {
    let bundle = t.bundle().args(&["/opt/late"]);
    let (container, output) = t.try_create(&bundle, &[]);
    if !output.status.success() {
        output.says("/opt/late");
        return;
    }
    let busybox = bundle.in_rootfs("/bin/busybox");
    fs::hard_link(busybox, bundle.in_rootfs("/opt/late")).expect("make the program");
    container.start().ok();
}

fn start_returns_while_the_program_runs(t: &Case) {
    let container = t.create(&t.bundle().args(&["/bin/sleep", "300"]));
    container.start().ok();
    assert_eq!(container.status(), "running");
}

fn create_of_an_existing_id_is_an_error_and_leaves_the_container_alone(t: &Case) {
    let bundle = t.bundle().sh("echo first; sleep 300");
    let container = t.create(&bundle);
    let pid = container.pid();
    for verb in ["create", "run"] {
        let other = t.bundle().sh("echo second");
        t.runtime(&t.command_line(verb, &other, &[], &container.id)).run().fails().says("exist");
    }
    assert_eq!((container.pid(), container.status().as_str()), (pid, "created"));
    container.start().ok();
    container.wait_for("first");
}

fn a_failed_create_leaves_the_id_free(t: &Case) {
    let id = t.id();
    let broken = t.bundle().bind("/no/such/source", "/mnt", &["bind"]);
    t.runtime(&t.command_line("create", &broken, &[], &id)).run().fails();
    t.assert_no_side_effects();
    let good = t.bundle().sh("echo now");
    t.runtime(&t.command_line("run", &good, &[], &id)).run().ok().prints("now");
}

fn the_streams_of_create_are_those_of_the_program(t: &Case) {
    let input = t.file("input", "from the caller of create");
    let bundle = t.bundle().sh("cat; echo; echo done");
    let id = t.id();
    let output = t.runtime(&t.command_line("create", &bundle, &[], &id)).stdin(&input).run();
    output.ok();
    t.runtime(&["start", &id]).run().ok();
    let read = || fs::read_to_string(&output.stdout_path).unwrap_or_default();
    eventually("the program is done", || read().contains("done"));
    assert_eq!(read(), "from the caller of create\ndone\n");
}

fn the_namespaces_are_there_before_start(t: &Case) {
    let container = t.create(&t.bundle());
    for kind in ["pid", "net", "ipc", "uts", "mnt"] {
        let its = fs::read_link(container.namespace_file(kind)).expect("its namespace");
        let own = fs::read_link(format!("/proc/self/ns/{kind}")).expect("our namespace");
        assert_ne!(its, own, "{kind}");
    }
}

fn the_rootfs_is_mounted_before_start(t: &Case) {
    let bundle = t.bundle();
    fs::write(bundle.in_rootfs("/etc/mark"), "its own").expect("write");
    let container = t.create(&bundle);
    let mark = fs::read_to_string(format!("/proc/{}/root/etc/mark", container.pid()));
    assert_eq!(mark.expect("the file of its root"), "its own");
}

fn a_created_container_can_wait_for_a_while(t: &Case) {
    let containers: Vec<_> = (0..3).map(|_| t.create(&t.bundle().sh("echo ran"))).collect();
    std::thread::sleep(Duration::from_millis(500));
    for container in &containers {
        container.start().ok();
        container.wait_for("ran");
    }
}

fn a_created_container_ends_when_its_state_is_gone(t: &Case) {
    let (bundle, id) = (t.bundle().unset("/linux/resources"), t.id());
    let line = t.command_line("create", &bundle, &[], &id);
    // Nobody could remove its cgroups any more.
    t.runtime(&line).global(&["--cgroup-manager", "disabled"]).run().ok();
    let pid = &t.runtime(&["state", &id]).run().ok().json()["pid"];
    let init = PathBuf::from(format!("/proc/{pid}/ns/pid"));
    assert!(init.exists());
    fs::remove_dir_all(t.path("state").join(&id)).expect("remove the state");
    assert!(soon(PATIENCE, || fs::read_link(&init).is_err()), "it waits for a start that cannot come");
}

fn a_low_limit_of_open_files_does_not_keep_a_container_from_starting(t: &Case) {
    for limit in [4, 7, 20] {
        let rlimits = json!([{"type": "RLIMIT_NOFILE", "soft": limit, "hard": limit}]);
        let container = t.create(&t.bundle().set("/process/rlimits", rlimits).sh("ulimit -n; ulimit -Hn"));
        container.start().ok();
        container.wait_for(&format!("{limit}\n{limit}\n"));
    }
}

fn config_json_is_not_read_again_by_start(t: &Case) {
    let bundle = t.bundle().sh("echo as created");
    let container = t.create(&bundle);
    fs::write(bundle.dir.join("config.json"), "{}").expect("write");
    container.start().ok();
    container.wait_for("as created");
    container.wait_until_stopped();
    container.delete().ok();
}
