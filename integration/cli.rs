//! The command line: globals, flags and their spellings, log files, `list`.

use crate::harness::prelude::*;

cases!("cli", root: [
    a_pid_file_holds_the_pid_of_init,
    a_relative_pid_file_is_in_the_working_directory,
    the_bundle_is_the_working_directory_unless_told,
    a_bundle_flag_is_understood_in_every_spelling,
    a_relative_bundle_is_found_from_the_working_directory,
    no_subreaper_is_understood_with_one_dash,
    a_flag_given_twice_counts_once,
    of_two_roots_the_last_one_counts,
    a_config_file_of_another_name_is_read,
    a_config_is_read_from_standard_input,
    list_shows_each_container_with_its_status,
    list_quietly_prints_ids_only,
    list_as_a_table_has_a_header_and_a_line_for_each,
    list_without_a_format_is_a_table,
    two_roots_do_not_see_each_other,
    debug_writes_more_than_silence,
    a_run_that_succeeds_prints_nothing_of_its_own,
    a_disabled_cgroup_manager_makes_no_cgroup,
    rootless_is_accepted_in_every_value,
    an_unknown_flag_makes_no_container,
], anyone: [
    the_version_line_names_the_runtime,
    help_lists_every_lifecycle_command,
    every_command_has_a_help,
    an_unknown_command_is_refused,
    no_command_at_all_is_refused_or_helps,
    a_missing_container_id_is_refused,
    a_second_container_id_is_refused,
    a_list_of_nothing_is_empty,
    an_error_goes_to_the_text_log,
    an_error_is_the_last_line_of_the_json_log,
    a_log_file_is_appended_to,
    an_unknown_log_format_is_refused,
    an_unknown_list_format_is_refused,
    a_log_level_is_understood,
    an_error_names_the_container_and_the_command,
    an_error_is_one_line_on_standard_error,
    an_error_begins_with_the_name_of_the_runtime,
]);

const LIFECYCLE: [&str; 7] = ["create", "start", "state", "kill", "delete", "run", "list"];

fn the_version_line_names_the_runtime(t: &Case) {
    let output = t.runtime(&["--version"]).globals::<&str>(&[]).run();
    let lines: Vec<&str> = output.ok().stdout.lines().collect();
    let version = lines[0].strip_prefix(&format!("{} version ", t.host.kind.name()));
    assert!(version.is_some_and(|v| v.starts_with(|c: char| c.is_ascii_digit())), "{lines:?}");
    for key in ["commit: ", "spec: "] {
        assert!(lines.iter().any(|line| line.starts_with(key)), "no line {key:?} in {lines:?}");
    }
}

fn help_lists_every_lifecycle_command(t: &Case) {
    let output = t.runtime(&["--help"]).run();
    for command in LIFECYCLE.iter().chain(&["spec"]) {
        let found = output.ok().stdout.lines().any(|line| line.trim_start().starts_with(command));
        assert!(found, "--help does not list {command}: {}", output.stdout);
    }
}

fn every_command_has_a_help(t: &Case) {
    for command in LIFECYCLE.iter().chain(&["spec"]) {
        let output = t.runtime(&[command, "--help"]).run();
        assert!(output.ok().stdout.contains(command), "{command} --help: {}", output.stdout);
    }
}

fn an_unknown_command_is_refused(t: &Case) {
    t.runtime(&["frobnicate"]).run().fails();
}

fn no_command_at_all_is_refused_or_helps(t: &Case) {
    let output = t.runtime::<&str>(&[]).run();
    let text = format!("{}{}", output.stdout, output.stderr);
    assert!(text.to_lowercase().contains("usage") || text.contains("command"), "{text:?}");
}

fn an_unknown_flag_makes_no_container(t: &Case) {
    let bundle = t.bundle();
    for verb in ["create", "run"] {
        let line = t.command_line(verb, &bundle, &["--frobnicate"], &t.id());
        t.runtime(&line).run().fails().says("frobnicate");
    }
    t.assert_no_side_effects();
}

fn a_missing_container_id_is_refused(t: &Case) {
    for command in ["create", "start", "state", "kill", "delete", "run"] {
        t.runtime(&[command]).run().fails();
    }
}

fn a_second_container_id_is_refused(t: &Case) {
    let output = t.runtime(&["state", &t.id(), &t.id()]).run();
    output.fails();
    let text = format!("{}{}", output.stdout, output.stderr);
    assert!(!text.contains("does not exist"), "the first of two ids was looked up: {text:?}");
}

fn a_pid_file_holds_the_pid_of_init(t: &Case) {
    for spelling in ["--pid-file=", "--pid-file "] {
        let bundle = t.bundle().args(&["/bin/sleep", "300"]);
        let path = bundle.dir.join("pid");
        let flag = format!("{spelling}{}", path.display());
        let (container, output) = t.try_create(&bundle, &flag.split(' ').collect::<Vec<_>>());
        output.ok();
        let written = fs::read_to_string(&path).expect("the pid file");
        assert_eq!(written, container.pid().to_string());
    }
}

fn a_relative_pid_file_is_in_the_working_directory(t: &Case) {
    let bundle = t.bundle().args(&["/bin/sleep", "300"]);
    let elsewhere = t.directory("elsewhere");
    let line = t.command_line("create", &bundle, &["--pid-file", "my.pid"], &t.id());
    t.runtime(&line).cwd(&elsewhere).run().ok();
    let written = fs::read_to_string(elsewhere.join("my.pid")).expect("the pid file");
    assert!(Path::new(&format!("/proc/{written}")).exists(), "no process {written}");
}

fn the_bundle_is_the_working_directory_unless_told(t: &Case) {
    let bundle = t.bundle().sh("echo here");
    let id = t.id();
    t.command_line("run", &bundle, &[], &id);
    t.runtime(&["run", &id]).cwd(&bundle.dir).run().ok().prints("here");
}

fn a_bundle_flag_is_understood_in_every_spelling(t: &Case) {
    let bundle = t.bundle().sh("echo here");
    let dir = bundle.dir.display().to_string();
    for flag in [format!("--bundle={dir}"), format!("--bundle {dir}"), format!("-b {dir}")] {
        let id = t.id();
        t.command_line("run", &bundle, &[], &id);
        let line: Vec<&str> = ["run"].into_iter().chain(flag.split(' ')).chain([id.as_str()]).collect();
        t.runtime(&line).run().ok().prints("here");
    }
}

fn a_relative_bundle_is_found_from_the_working_directory(t: &Case) {
    let bundle = t.bundle().sh("echo here");
    let id = t.id();
    t.command_line("run", &bundle, &[], &id);
    let name = bundle.dir.file_name().expect("a name").to_str().expect("text").to_string();
    t.runtime(&["run", "--bundle", &name, &id]).cwd(&t.dir).run().ok().prints("here");
}

fn no_subreaper_is_understood_with_one_dash(t: &Case) {
    t.run_with(&t.bundle().sh("echo here"), &["-no-subreaper"]).ok().prints("here");
}

fn a_flag_given_twice_counts_once(t: &Case) {
    let bundle = t.bundle().sh("echo here");
    t.run_with(&bundle, &["--no-new-keyring", "--no-new-keyring", "--no-pivot", "--no-pivot"])
        .ok()
        .prints("here");
    let dir = bundle.dir.display().to_string();
    t.run_with(&bundle, &["--bundle", &dir]).ok().prints("here");
}

fn of_two_roots_the_last_one_counts(t: &Case) {
    let unused = t.dir.join("unused");
    let bundle = t.bundle().args(&["/bin/sleep", "300"]);
    let line = t.command_line("create", &bundle, &[], &t.id());
    let roots = [Path::new("--root"), &unused, Path::new("--root"), &t.state_root];
    t.runtime(&line).globals(&roots).run().ok();
    assert_eq!(t.state_entries().len(), 1);
    assert!(!unused.exists(), "the first root was used");
}

fn a_config_file_of_another_name_is_read(t: &Case) {
    let bundle = t.bundle().sh("echo other");
    let id = t.id();
    let path = t.file("other.json", &bundle.text(t, &id));
    let dir = bundle.dir.display().to_string();
    let path = path.display().to_string();
    t.runtime(&["run", "--bundle", &dir, "--config", &path, &id]).run().ok().prints("other");
    let id = t.id();
    fs::write(&path, bundle.text(t, &id)).expect("write");
    t.runtime(&["run", "--bundle", &dir, "-f", &path, &id]).run().ok().prints("other");
}

fn a_config_is_read_from_standard_input(t: &Case) {
    let bundle = t.bundle().sh("echo from stdin");
    let id = t.id();
    let path = t.file("other.json", &bundle.text(t, &id));
    let dir = bundle.dir.display().to_string();
    let output = t.runtime(&["run", "--bundle", &dir, "--config", "-", &id]).stdin(&path).run();
    output.ok().prints("from stdin");
}

fn a_list_of_nothing_is_empty(t: &Case) {
    let output = t.runtime(&["list", "--format", "json"]).run();
    let list = output.ok().json();
    assert!(list.is_null() || list == json!([]), "{list}");
    t.runtime(&["list", "--quiet"]).run().ok().prints("");
}

fn list_shows_each_container_with_its_status(t: &Case) {
    let bundle = t.bundle().args(&["/bin/sleep", "300"]);
    let (created, running) = (t.create(&bundle), t.launch(&bundle));
    for flags in [["--format", "json"].as_slice(), &["--format=json"], &["-f", "json"]] {
        let line: Vec<&str> = ["list"].into_iter().chain(flags.iter().copied()).collect();
        let list = t.runtime(&line).run().ok().json();
        for (container, status) in [(&created, "created"), (&running, "running")] {
            let entries = list.as_array().expect("a list");
            let entry = entries.iter().find(|e| e["id"] == container.id.as_str()).expect("an entry");
            assert_eq!(entry["status"], status, "{entry}");
            assert_eq!(entry["pid"], container.pid(), "{entry}");
            assert_eq!(entry["bundle"], bundle.dir.display().to_string(), "{entry}");
            assert!(entry["created"].as_str().is_some_and(|at| at.starts_with("20")), "{entry}");
            assert_eq!(entry["owner"], "root", "{entry}");
        }
    }
}

fn list_quietly_prints_ids_only(t: &Case) {
    let bundle = t.bundle().args(&["/bin/sleep", "300"]);
    let mut ids = [t.create(&bundle).id, t.create(&bundle).id];
    ids.sort();
    for flag in ["-q", "--quiet"] {
        let output = t.runtime(&["list", flag]).run();
        let mut lines: Vec<&str> = output.ok().stdout.lines().map(str::trim).collect();
        lines.sort();
        assert_eq!(lines, ids);
    }
}

fn list_as_a_table_has_a_header_and_a_line_for_each(t: &Case) {
    let container = t.create(&t.bundle().args(&["/bin/sleep", "300"]));
    let output = t.runtime(&["list", "--format", "table"]).run();
    let lines: Vec<&str> = output.ok().stdout.lines().collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    for word in ["PID", "STATUS", "BUNDLE", "CREATED", "OWNER"] {
        assert!(lines[0].contains(word), "{lines:?}");
    }
    for word in [container.id.as_str(), &container.pid().to_string(), "created"] {
        assert!(lines[1].contains(word), "{lines:?}");
    }
}

fn list_without_a_format_is_a_table(t: &Case) {
    t.create(&t.bundle().args(&["/bin/sleep", "300"]));
    let plain = t.runtime(&["list"]).run();
    let table = t.runtime(&["list", "--format", "table"]).run();
    assert_eq!(plain.ok().stdout, table.ok().stdout);
}

fn an_unknown_list_format_is_refused(t: &Case) {
    t.runtime(&["list", "--format", "yaml"]).run().fails();
}

fn two_roots_do_not_see_each_other(t: &Case) {
    let container = t.create(&t.bundle().args(&["/bin/sleep", "300"]));
    let other = t.directory("other-root");
    let globals = [Path::new("--root"), &other];
    t.runtime(&["state", &container.id]).globals(&globals).run().fails();
    t.runtime(&["list", "-q"]).globals(&globals).run().ok().prints("");
    assert_eq!(container.status(), "created");
}

fn an_error_goes_to_the_text_log(t: &Case) {
    let output = t.runtime(&["state", "no-such-container"]).log("text").run();
    output.fails();
    assert_eq!(output.log.lines().count(), 1, "{:?}", output.log);
    assert!(serde_json::from_str::<Value>(&output.log).is_err(), "JSON in a text log: {}", output.log);
}

fn an_error_is_the_last_line_of_the_json_log(t: &Case) {
    let output = t.runtime(&["start", "no-such-container"]).global(&["--debug"]).log("json").run();
    let lines: Vec<&str> = output.fails().log.lines().collect();
    let parse = |line: &str| serde_json::from_str::<Value>(line).expect("every line is JSON");
    let lines: Vec<Value> = lines.into_iter().map(parse).collect();
    for line in &lines {
        for key in ["level", "msg", "time"] {
            assert!(line[key].is_string(), "no {key} in {line}");
        }
    }
    assert_eq!(lines.last().expect("a line")["level"], "error", "{lines:?}");
}

fn an_error_names_the_container_and_the_command(t: &Case) {
    let output = t.runtime(&["start", "no-such-container"]).log("json").run();
    let line: Value = serde_json::from_str(output.fails().log.trim()).expect("one line of JSON");
    for text in [&output.stderr, line["msg"].as_str().expect("text")] {
        assert!(text.contains("start") && text.contains("no-such-container"), "{text:?}");
    }
}

fn a_log_file_is_appended_to(t: &Case) {
    let log = t.file("both.log", "kept\n");
    for _ in 0..2 {
        let log = log.display().to_string();
        t.runtime(&["state", "no-such-container"]).global(&["--log", &log]).run().fails();
    }
    let text = fs::read_to_string(&log).expect("the log");
    assert!(text.starts_with("kept\n") && text.lines().count() == 3, "{text:?}");
}

fn an_unknown_log_format_is_refused(t: &Case) {
    t.runtime(&["list"]).global(&["--log-format", "xml"]).run().fails().says("xml");
}

fn a_log_level_is_understood(t: &Case) {
    for level in ["error", "warning", "debug"] {
        t.runtime(&["list"]).global(&["--log-level", level]).run().ok();
    }
}

fn an_error_is_one_line_on_standard_error(t: &Case) {
    let output = t.runtime(&["state", "no-such-container"]).run();
    assert_eq!(output.fails().stderr.lines().count(), 1, "{:?}", output.stderr);
    output.prints("");
}

fn an_error_begins_with_the_name_of_the_runtime(t: &Case) {
    let output = t.runtime(&["state", "no-such-container"]).run();
    let start = format!("{}: ", t.host.kind.name());
    assert!(output.fails().stderr.starts_with(&start), "{:?}", output.stderr);
}

fn debug_writes_more_than_silence(t: &Case) {
    let bundle = t.bundle();
    let plain = t.runtime(&t.command_line("run", &bundle, &[], &t.id())).log("json").run();
    let debug =
        t.runtime(&t.command_line("run", &bundle, &[], &t.id())).global(&["--debug"]).log("json").run();
    assert_eq!(plain.ok().log, "", "a log without --debug");
    assert!(debug.ok().log.lines().count() > 0, "no log with --debug");
}

fn a_run_that_succeeds_prints_nothing_of_its_own(t: &Case) {
    let output = t.run(&t.bundle());
    assert_eq!((output.ok().stdout.as_str(), output.stderr.as_str()), ("", ""));
    let (container, output) = t.try_create(&t.bundle().args(&["/bin/sleep", "300"]), &[]);
    assert_eq!((output.ok().stdout.as_str(), output.stderr.as_str()), ("", ""));
    for output in [container.start(), container.kill("KILL")] {
        assert_eq!((output.ok().stdout.as_str(), output.stderr.as_str()), ("", ""));
    }
    container.wait_until_stopped();
    let output = container.delete();
    assert_eq!((output.ok().stdout.as_str(), output.stderr.as_str()), ("", ""));
}

fn a_disabled_cgroup_manager_makes_no_cgroup(t: &Case) {
    let bundle = t.bundle().unset("/linux/resources").args(&["/bin/sleep", "300"]);
    let id = t.id();
    let line = t.command_line("run", &bundle, &["--detach"], &id);
    t.runtime(&line).global(&["--cgroup-manager", "disabled"]).run().ok();
    assert_eq!(t.host.cgroups.named(&id), [] as [PathBuf; 0]);
    let list = t.runtime(&["list", "--format", "json"]).run().ok().json();
    let own = fs::read_to_string("/proc/self/cgroup").expect("own cgroup");
    let its = fs::read_to_string(format!("/proc/{}/cgroup", list[0]["pid"])).expect("its cgroup");
    assert_eq!(its, own, "its cgroups are not those of the caller");
}

fn rootless_is_accepted_in_every_value(t: &Case) {
    let bundle = t.bundle().sh("echo here");
    for value in ["--rootless=false", "--rootless=auto"] {
        let line = t.command_line("run", &bundle, &[], &t.id());
        t.runtime(&line).global(&[value]).run().ok().prints("here");
    }
    t.runtime(&["list"]).global(&["--rootless", "true"]).run().ok();
}
