//! Errors: the words that managers look for, and that nothing is left behind.

use crate::harness::prelude::*;

cases!("errors", root: [
    a_missing_bind_source_is_named,
    bad_mount_data_names_the_mount_and_the_errno,
    an_error_inside_the_container_is_the_last_line_of_the_json_log,
    a_failed_exec_is_the_last_line_of_the_json_log,
    a_missing_bundle_is_named,
    a_bundle_without_config_is_refused,
    an_error_in_the_middle_of_the_mounts_leaves_nothing,
    a_log_that_cannot_be_opened_is_an_error,
    a_pid_file_that_cannot_be_written_is_an_error_and_leaves_nothing,
    a_failing_first_hook_is_an_error_and_leaves_nothing,
    a_root_that_cannot_be_made_is_an_error,
], anyone: [
    state_of_an_unknown_id_says_that_it_does_not_exist,
    start_of_an_unknown_id_says_that_it_does_not_exist,
    kill_of_an_unknown_id_says_that_it_does_not_exist,
    delete_of_an_unknown_id_says_that_it_does_not_exist,
]);

fn unknown(t: &Case, command: &[&str]) {
    let id = t.id();
    let line: Vec<&str> = command.iter().copied().chain([id.as_str()]).collect();
    let output = t.runtime(&line).run();
    output.fails().says("does not exist").prints("");
    t.runtime(&line).log("json").run().fails().says("does not exist");
}

fn state_of_an_unknown_id_says_that_it_does_not_exist(t: &Case) {
    unknown(t, &["state"]);
}

fn start_of_an_unknown_id_says_that_it_does_not_exist(t: &Case) {
    unknown(t, &["start"]);
}

fn kill_of_an_unknown_id_says_that_it_does_not_exist(t: &Case) {
    unknown(t, &["kill"]);
    unknown(t, &["kill", "--all"]);
}

fn delete_of_an_unknown_id_says_that_it_does_not_exist(t: &Case) {
    unknown(t, &["delete"]);
}

fn a_missing_bind_source_is_named(t: &Case) {
    let bundle = t.bundle().bind("/no/such/source", "/mnt", &["bind"]);
    t.run(&bundle).fails().says("/no/such/source").says("no such file or directory");
    t.assert_no_side_effects();
}

fn bad_mount_data_names_the_mount_and_the_errno(t: &Case) {
    let mount = json!({"destination": "/mnt", "type": "tmpfs", "source": "tmpfs", "options": ["size=lots"]});
    let output = t.run(&t.bundle().mount(mount));
    output.fails().says("mounts[7]").says("EINVAL").says("/mnt").says("size=lots");
    t.assert_no_side_effects();
}

/// The message of the last line of a JSON log.
#[track_caller]
fn last_message(output: &Output) -> String {
    let last = output.log.lines().last().unwrap_or_default();
    let line: Value = serde_json::from_str(last).expect("the last line is JSON");
    assert_eq!(line["level"], "error", "{line}");
    line["msg"].as_str().expect("msg is text").to_string()
}

fn an_error_inside_the_container_is_the_last_line_of_the_json_log(t: &Case) {
    let mount = json!({"destination": "/mnt", "type": "no-such-fs", "source": "x"});
    let line = t.command_line("create", &t.bundle().mount(mount), &[], &t.id());
    let message = last_message(t.runtime(&line).log("json").run().fails());
    assert!(message.contains("/mnt"), "{message}");
    assert!(message.to_lowercase().contains("no such device"), "{message}");
}

fn a_failed_exec_is_the_last_line_of_the_json_log(t: &Case) {
    let line = t.command_line("run", &t.bundle().args(&["/no/such/program"]), &[], &t.id());
    let message = last_message(t.runtime(&line).log("json").run().fails());
    assert!(message.contains("/no/such/program"), "{message}");
    assert!(message.contains("no such file or directory"), "{message}");
}

fn a_missing_bundle_is_named(t: &Case) {
    t.runtime(&["create", "--bundle", "/no/such/bundle", &t.id()]).run().fails().says("/no/such/bundle");
    t.assert_no_side_effects();
}

fn a_bundle_without_config_is_refused(t: &Case) {
    let dir = t.directory("empty").display().to_string();
    t.runtime(&["create", "--bundle", &dir, &t.id()]).run().fails().says("config.json");
    t.assert_no_side_effects();
}

fn an_error_in_the_middle_of_the_mounts_leaves_nothing(t: &Case) {
    let shared = t.directory("shared");
    let bundle = t.bundle().bind(&shared, "/mnt/a", &["bind"]);
    let bundle = bundle.bind("/no/such/source", "/mnt/b", &["bind"]).bind(&shared, "/mnt/c", &["bind"]);
    for verb in ["create", "run"] {
        t.runtime(&t.command_line(verb, &bundle, &[], &t.id())).run().fails();
    }
    t.assert_no_side_effects();
}

fn a_log_that_cannot_be_opened_is_an_error(t: &Case) {
    t.runtime(&["list"]).global(&["--log", "/no/such/dir/log"]).run().fails().says("/no/such/dir/log");
}

fn a_pid_file_that_cannot_be_written_is_an_error_and_leaves_nothing(t: &Case) {
    let (_, output) = t.try_create(&t.bundle(), &["--pid-file", "/no/such/dir/pid"]);
    output.fails().says("/no/such/dir/");
    t.assert_no_side_effects();
}

fn a_failing_first_hook_is_an_error_and_leaves_nothing(t: &Case) {
    for name in ["prestart", "createRuntime", "createContainer"] {
        let ran = t.dir.join(name);
        let script = format!("echo because >&2; echo >{}; exit 7", ran.display());
        let hook = json!({"path": t.host.busybox, "args": ["busybox", "sh", "-c", script]});
        let bundle = t.bundle().set(&format!("/hooks/{name}"), json!([hook]));
        t.try_create(&bundle, &[]).1.fails();
        assert!(ran.exists(), "the hook {name} was not run");
        t.assert_no_side_effects();
    }
}

fn a_root_that_cannot_be_made_is_an_error(t: &Case) {
    let file = t.file("file", "");
    let line = t.command_line("create", &t.bundle(), &[], &t.id());
    let root = file.join("state");
    t.runtime(&line).globals(&[Path::new("--root"), &root]).run().fails().says(&file.display().to_string());
    t.assert_no_side_effects();
}
