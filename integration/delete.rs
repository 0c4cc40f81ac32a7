//! `delete`, with and without force.

use crate::harness::prelude::*;
use crate::harness::soon;

cases!("delete", root: [
    delete_of_a_stopped_container_leaves_nothing,
    delete_of_a_running_container_is_an_error_and_leaves_it_running,
    a_deleted_id_can_be_used_again,
    delete_by_force_ends_a_running_container,
    delete_by_force_ends_a_created_container,
    delete_by_force_removes_a_stopped_container,
    delete_by_force_after_the_sudden_death_of_init,
    delete_by_force_of_an_unknown_id_is_no_error,
    delete_by_force_is_understood_in_both_spellings,
    delete_by_force_ends_processes_that_outlive_the_program,
    delete_twice_is_an_error_the_second_time,
    delete_by_force_removes_an_empty_state_directory,
    delete_by_force_removes_a_state_directory_without_a_readable_state,
    a_broken_state_directory_does_not_hide_the_others_from_list,
    create_refuses_the_id_of_a_broken_state_directory,
    delete_does_not_touch_the_bundle,
    delete_by_force_by_many_at_once_leaves_nothing,
    delete_of_one_container_leaves_the_other_alone,
    delete_after_the_bundle_has_gone,
    delete_removes_cgroups_that_the_program_has_made,
]);

fn delete_of_a_stopped_container_leaves_nothing(t: &Case) {
    let container = t.launch(&t.bundle());
    container.wait_until_stopped();
    container.delete().ok();
    t.assert_no_side_effects();
    t.runtime(&["state", &container.id]).run().fails().says("does not exist");
}

fn delete_of_a_running_container_is_an_error_and_leaves_it_running(t: &Case) {
    let container = t.launch(&t.bundle().args(&["/bin/sleep", "300"]));
    container.delete().fails().says(&container.id);
    assert_eq!(container.status(), "running");
}

fn a_deleted_id_can_be_used_again(t: &Case) {
    let id = t.id();
    for word in ["first", "second"] {
        let bundle = t.bundle().sh(&format!("echo {word}"));
        t.runtime(&t.command_line("run", &bundle, &[], &id)).run().ok().prints(word);
    }
}

fn delete_by_force_ends_a_running_container(t: &Case) {
    let container = t.launch(&t.bundle().sh("trap '' TERM HUP INT; while :; do sleep 0.1; done"));
    container.delete_by_force().ok();
    t.assert_no_side_effects();
}

fn delete_by_force_ends_a_created_container(t: &Case) {
    let container = t.create(&t.bundle());
    let pid = container.pid();
    container.delete_by_force().ok();
    t.assert_no_side_effects();
    eventually("init is gone", || !Path::new(&format!("/proc/{pid}")).exists());
}

fn delete_by_force_removes_a_stopped_container(t: &Case) {
    let container = t.launch(&t.bundle());
    container.wait_until_stopped();
    container.delete_by_force().ok();
    t.assert_no_side_effects();
}

fn delete_by_force_after_the_sudden_death_of_init(t: &Case) {
    let bundle = t.bundle().args(&["/bin/sleep", "300"]);
    for container in [t.create(&bundle), t.launch(&bundle)] {
        container.kill_init_from_outside();
        container.delete_by_force().ok();
    }
    t.assert_no_side_effects();
}

fn delete_by_force_of_an_unknown_id_is_no_error(t: &Case) {
    t.runtime(&["delete", "--force", &t.id()]).run().ok();
}

fn delete_by_force_is_understood_in_both_spellings(t: &Case) {
    for flag in ["-f", "--force"] {
        let container = t.launch(&t.bundle().args(&["/bin/sleep", "300"]));
        t.runtime(&["delete", flag, &container.id]).run().ok();
    }
    t.assert_no_side_effects();
}

fn delete_by_force_ends_processes_that_outlive_the_program(t: &Case) {
    let bundle = t.bundle().without_namespace("pid").sh("sleep 300 & echo ready");
    let container = t.launch(&bundle);
    container.wait_for("ready");
    container.wait_until_stopped();
    container.delete_by_force().ok();
    t.assert_no_side_effects();
}

fn delete_twice_is_an_error_the_second_time(t: &Case) {
    let container = t.launch(&t.bundle());
    container.wait_until_stopped();
    container.delete().ok();
    container.delete().fails().says("does not exist");
}

fn delete_by_force_removes_an_empty_state_directory(t: &Case) {
    let id = t.id();
    fs::create_dir_all(t.state_root.join(&id)).expect("make the directory");
    t.runtime(&["delete", "--force", &id]).run().ok();
    t.assert_no_side_effects();
    let bundle = t.bundle().sh("echo again");
    t.runtime(&t.command_line("run", &bundle, &[], &id)).run().ok().prints("again");
}

/// A stopped container whose state is cut off in the middle, or missing.
fn break_state(t: &Case, container: &Container, cut: bool) {
    let dir = t.state_root.join(&container.id);
    let name = if dir.join("state.json").exists() { "state.json" } else { "status" };
    let text = fs::read_to_string(dir.join(name)).expect("the state");
    match cut {
        true => fs::write(dir.join(name), &text[..text.len() / 2]).expect("cut the state"),
        false => fs::remove_file(dir.join(name)).expect("remove the state"),
    }
}

fn delete_by_force_removes_a_state_directory_without_a_readable_state(t: &Case) {
    for cut in [true, false] {
        let container = t.launch(&t.bundle());
        container.wait_until_stopped();
        // Where the cgroup was is in the state only.
        for dir in t.host.cgroups.directories(&container.cgroup_path()) {
            soon(PATIENCE, || fs::remove_dir(&dir).is_ok() || !dir.exists());
        }
        break_state(t, &container, cut);
        container.delete_by_force().ok();
        t.assert_no_side_effects();
    }
}

fn a_broken_state_directory_does_not_hide_the_others_from_list(t: &Case) {
    let container = t.create(&t.bundle());
    fs::create_dir_all(t.state_root.join(t.id())).expect("make the directory");
    let output = t.runtime(&["list", "-q"]).run();
    let found = output.ok().stdout.lines().any(|line| line.trim() == container.id);
    assert!(found, "{:?}", output.stdout);
}

fn create_refuses_the_id_of_a_broken_state_directory(t: &Case) {
    let id = t.id();
    fs::create_dir_all(t.state_root.join(&id)).expect("make the directory");
    t.runtime(&t.command_line("create", &t.bundle(), &[], &id)).run().fails().says("exist");
    assert_eq!(t.host.cgroups.named(&id), [] as [PathBuf; 0]);
}

fn delete_does_not_touch_the_bundle(t: &Case) {
    let bundle = t.bundle().writable().sh("echo kept >/opt/file");
    let container = t.launch(&bundle);
    container.wait_until_stopped();
    container.delete().ok();
    assert_eq!(fs::read_to_string(bundle.in_rootfs("/opt/file")).expect("the file"), "kept\n");
    assert!(bundle.dir.join("config.json").exists());
}

fn delete_by_force_by_many_at_once_leaves_nothing(t: &Case) {
    let container = t.launch(&t.bundle().args(&["/bin/sleep", "300"]));
    let calls: Vec<Running> =
        (0..4).map(|_| t.runtime(&["delete", "--force", &container.id]).spawn()).collect();
    let outputs: Vec<Output> = calls.into_iter().map(Running::wait).collect();
    assert!(outputs.iter().any(|output| output.status.success()), "{outputs:?}");
    t.assert_no_side_effects();
}

fn delete_of_one_container_leaves_the_other_alone(t: &Case) {
    let bundle = t.bundle().args(&["/bin/sleep", "300"]);
    let (one, other) = (t.launch(&bundle), t.launch(&bundle));
    one.delete_by_force().ok();
    assert_eq!(other.status(), "running");
}

fn delete_after_the_bundle_has_gone(t: &Case) {
    let bundle = t.bundle().args(&["/bin/sleep", "300"]);
    let container = t.launch(&bundle);
    fs::remove_dir_all(&bundle.dir).expect("remove the bundle");
    container.kill("KILL").ok();
    container.wait_until_stopped();
    container.delete().ok();
    t.assert_no_side_effects();
}

fn delete_removes_cgroups_that_the_program_has_made(t: &Case) {
    let container = t.launch(&t.bundle().args(&["/bin/sleep", "300"]));
    for dir in t.host.cgroups.directories(&container.cgroup_path()) {
        if dir.exists() {
            fs::create_dir_all(dir.join("one/two")).expect("make a cgroup");
        }
    }
    container.kill("KILL").ok();
    container.wait_until_stopped();
    container.delete().ok();
    t.assert_no_side_effects();
}
