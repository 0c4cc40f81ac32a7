//! The programs of hooks: arguments, environment, streams, time, and what they may do.

use crate::harness::prelude::*;

cases!("hook_programs", root: [
    the_arguments_are_those_of_the_configuration,
    without_arguments_the_path_is_the_name,
    the_environment_is_that_of_the_configuration_and_nothing_else,
    without_an_environment_there_is_none,
    the_working_directory_is_the_bundle,
    a_hook_has_only_its_standard_streams,
    a_hook_finds_no_signal_blocked_or_ignored,
    a_hook_leads_a_process_group,
    a_hook_need_not_read_a_large_state,
    a_hook_may_close_its_standard_input,
    a_hook_can_read_a_large_state,
    what_hooks_write_is_not_part_of_the_output,
    what_hooks_write_is_appended_to_the_files_of_the_annotations,
    a_file_of_the_annotations_that_cannot_be_opened_is_an_error,
    hooks_of_the_runtime_namespace_have_all_capabilities_of_the_caller,
    create_container_hooks_are_root_of_the_user_namespace,
    start_container_hooks_have_the_identity_of_the_program,
    start_container_hooks_are_under_the_filter_of_the_program,
    hooks_of_the_container_are_in_its_cgroup,
    what_create_container_hooks_make_is_not_for_everybody_to_write_to,
    start_container_hooks_do_not_touch_the_streams_of_the_program,
    a_hook_that_takes_too_long_is_killed,
    a_hook_that_ends_in_time_is_not_killed,
    a_process_that_a_hook_leaves_behind_is_not_waited_for,
]);

/// Carries hooks of all kinds out, made by `members` of their kind, with a caller and a program whose
/// environments, fds and signals they could have.
fn in_all(t: &Case, members: impl Fn(&Notes, &str) -> Value) -> (Notes, Bundle) {
    let (notes, mut bundle) = Notes::new(t, t.bundle().env("LD_PRELOAD=/proc/self/cwd/evil.so"));
    for kind in HOOKS {
        bundle = bundle.hook_with(kind, "", members(&notes, kind));
    }
    let line = t.command_line("run", &bundle, &[], &t.id());
    let leak = r#"exec 7</dev/null; trap '' USR1; exec "$@""#;
    t.runtime(&line).env("OF_THE_CALLER", "x").through_shell(leak).run().ok();
    (notes, bundle)
}

/// The members of a hook that is a shell with this script.
fn shell(script: String) -> Value {
    json!({"args": ["sh", "-c", script]})
}

fn the_arguments_are_those_of_the_configuration(t: &Case) {
    let members = |notes: &Notes, kind: &str| {
        let script = format!("echo \"$0,$1,$2\" >{}", notes.path(kind));
        json!({"args": ["sh", "-c", script, "a b", "", "$c"]})
    };
    let (notes, _) = in_all(t, members);
    HOOKS.iter().for_each(|kind| assert_eq!(notes.read(kind), "a b,,$c", "{kind}"));
}

fn without_arguments_the_path_is_the_name(t: &Case) {
    // busybox is the program that its argv[0] names.
    let path = t.dir.join("true");
    fs::hard_link(t.host.work.join("busybox"), &path).expect("link");
    let hooks = json!([{"path": path}, {"path": path, "args": []}]);
    let bundle = t.bundle().set("/hooks", json!({"createRuntime": hooks, "createContainer": hooks}));
    t.create(&bundle.set("/hooks/startContainer", json!([{"path": "/bin/true"}]))).start().ok();
}

/// The members of a hook that notes a file of its own in /proc.
fn copy(notes: &Notes, kind: &str, file: &str) -> Value {
    json!({"args": ["dd", format!("if=/proc/self/{file}"), format!("of={}", notes.path(kind))]})
}

/// The same of its environment.
fn environment(notes: &Notes, kind: &str, env: Value) -> Value {
    let mut members = copy(notes, kind, "environ");
    members["env"] = env;
    members
}

fn the_environment_is_that_of_the_configuration_and_nothing_else(t: &Case) {
    let env = json!(["B=b c", "A="]);
    let (notes, _) = in_all(t, |notes, kind| environment(notes, kind, env.clone()));
    HOOKS.iter().for_each(|kind| assert_eq!(notes.read(kind), "B=b c\0A=\0", "{kind}"));
}

fn without_an_environment_there_is_none(t: &Case) {
    for env in [json!(null), json!([])] {
        let (notes, _) = in_all(t, |notes, kind| environment(notes, kind, env.clone()));
        HOOKS.iter().for_each(|kind| assert_eq!(notes.read(kind), "", "{kind}"));
        fs::remove_dir_all(&notes.dir).expect("remove the notes");
    }
}

fn the_working_directory_is_the_bundle(t: &Case) {
    let (notes, bundle) = in_all(t, |notes, kind| shell(format!("pwd -P >{}", notes.path(kind))));
    for kind in HOOKS.into_iter().filter(|kind| *kind != "startContainer") {
        assert_eq!(notes.read(kind), bundle.dir.display().to_string(), "{kind}");
    }
    assert_eq!(notes.read("startContainer"), "/", "process.cwd");
}

fn a_hook_has_only_its_standard_streams(t: &Case) {
    // 3 is the directory that ls reads.
    let (notes, _) = in_all(t, |notes, kind| shell(format!("ls /proc/self/fd >{}", notes.path(kind))));
    HOOKS.iter().for_each(|kind| assert_eq!(notes.lines(kind), ["0", "1", "2", "3"], "{kind}"));
}

fn a_hook_finds_no_signal_blocked_or_ignored(t: &Case) {
    let (notes, _) = in_all(t, |notes, kind| copy(notes, kind, "status"));
    for kind in HOOKS {
        for name in ["SigBlk", "SigIgn"] {
            let line = format!("{name}:\t0000000000000000");
            assert!(notes.lines(kind).contains(&line), "{kind}: {name}: {}", notes.read(kind));
        }
    }
}

fn a_hook_leads_a_process_group(t: &Case) {
    let (notes, _) = in_all(t, |notes, kind| copy(notes, kind, "stat"));
    for kind in HOOKS {
        let text = notes.read(kind);
        let fields: Vec<&str> = text.split(' ').collect();
        assert_eq!(fields[0], fields[4], "{kind}: {text}");
    }
}

/// Annotations larger than a pipe.
fn large() -> Value {
    json!({"large": "x".repeat(200_000)})
}

fn a_hook_need_not_read_a_large_state(t: &Case) {
    let mut bundle = t.bundle().set("/annotations", large());
    for kind in HOOKS {
        bundle = bundle.hook_with(kind, "true", json!({}));
    }
    t.run(&bundle).ok();
}

fn a_hook_may_close_its_standard_input(t: &Case) {
    let (notes, mut bundle) = Notes::new(t, t.bundle().set("/annotations", large()));
    for kind in HOOKS {
        let script = format!("exec <&-; echo {kind} >>{}", notes.path("log"));
        bundle = bundle.hook_with(kind, &script, json!({}));
    }
    t.run(&bundle).ok();
    HOOKS.iter().for_each(|kind| assert!(notes.lines("log").contains(&kind.to_string()), "{kind}"));
}

fn a_hook_can_read_a_large_state(t: &Case) {
    let (notes, mut bundle) = Notes::new(t, t.bundle().set("/annotations", large()));
    for kind in HOOKS {
        bundle = bundle.hook(kind, &format!("echo \"$state\" >{}", notes.path(kind)));
    }
    t.run(&bundle).ok();
    for kind in HOOKS {
        let state: Value = serde_json::from_str(&notes.read(kind)).expect(kind);
        assert_eq!(state["annotations"], large(), "{kind}");
    }
}

fn what_hooks_write_is_not_part_of_the_output(t: &Case) {
    let mut bundle = t.bundle().sh("echo program");
    for kind in HOOKS {
        bundle = bundle.hook(kind, "echo out; echo err >&2");
    }
    let output = t.run(&bundle);
    output.ok().prints("program");
    assert_eq!(output.stderr, "");
}

fn what_hooks_write_is_appended_to_the_files_of_the_annotations(t: &Case) {
    let [out, err] = ["out", "err"].map(|name| t.file(name, "before\n"));
    let annotations = json!({"run.oci.hooks.stdout": out, "run.oci.hooks.stderr": err});
    let mut bundle = t.bundle().set("/annotations", annotations);
    for kind in HOOKS {
        bundle = bundle.hook(kind, &format!("echo {kind}; echo of {kind} >&2"));
    }
    t.run(&bundle).ok();
    for (path, word) in [(out, ""), (err, "of ")] {
        let text = fs::read_to_string(path).expect("read");
        assert!(text.starts_with("before\n"), "{text}");
        for kind in HOOKS {
            assert!(text.contains(&format!("\n{word}{kind}\n")), "{kind}: {text}");
        }
    }
}

fn a_file_of_the_annotations_that_cannot_be_opened_is_an_error(t: &Case) {
    let bundle = t.bundle().set("/annotations", json!({"run.oci.hooks.stdout": "/no/such/directory/log"}));
    t.try_create(&bundle.hook("createRuntime", "true"), &[]).1.fails().says("/no/such/directory/log");
    t.assert_no_side_effects();
}

/// Hooks of all kinds that note what they are.
fn identities(t: &Case, bundle: Bundle) -> Notes {
    let (notes, mut bundle) = Notes::new(t, bundle);
    for kind in HOOKS {
        bundle = bundle.hook_with(
            kind,
            "",
            shell(format!("cat /proc/self/status >{0}; id >>{0}", notes.path(kind))),
        );
    }
    t.run(&bundle).ok();
    notes
}

/// A line of it.
fn line_of(notes: &Notes, kind: &str, name: &str) -> String {
    let lines = notes.lines(kind);
    let found = lines.iter().find_map(|line| line.strip_prefix(name)).map(str::trim);
    found.unwrap_or_else(|| panic!("{kind}: no {name} in {lines:?}")).to_string()
}

fn hooks_of_the_runtime_namespace_have_all_capabilities_of_the_caller(t: &Case) {
    let notes = identities(t, t.bundle());
    let own = fs::read_to_string("/proc/self/status").expect("status");
    let own = own.lines().find_map(|line| line.strip_prefix("CapEff:")).expect("CapEff").trim();
    for kind in ["prestart", "createRuntime", "poststart", "poststop"] {
        assert_eq!(line_of(&notes, kind, "CapEff:"), own, "{kind}");
        assert_eq!(line_of(&notes, kind, "Uid:"), "0\t0\t0\t0", "{kind}");
    }
}

fn create_container_hooks_are_root_of_the_user_namespace(t: &Case) {
    let (notes, bundle) = Notes::new(t, t.bundle().user_namespace(100_000));
    let script = format!(
        "(id -u; tr -s ' ' </proc/self/uid_map; grep CapEff /proc/self/status) >{}",
        notes.path("log")
    );
    t.create(&bundle.hook("createContainer", &script));
    let lines = notes.lines("log");
    assert_eq!(lines[..2], ["0", " 0 100000 65536"]);
    assert!(lines[2].ends_with("ffffffff"), "{lines:?}");
}

fn start_container_hooks_have_the_identity_of_the_program(t: &Case) {
    let user = json!({"uid": 1000, "gid": 1001, "additionalGids": [7], "umask": 0o77});
    let notes = identities(t, t.bundle().set("/process/user", user));
    for (name, value) in [
        ("Uid:", "1000\t1000\t1000\t1000"),
        ("Gid:", "1001\t1001\t1001\t1001"),
        ("Groups:", "7"),
        ("CapEff:", "0000000000000000"),
        ("CapBnd:", "0000000020000420"),
        ("NoNewPrivs:", "1"),
        ("Umask:", "0077"),
    ] {
        assert_eq!(line_of(&notes, "startContainer", name), value, "{name}");
    }
}

fn start_container_hooks_are_under_the_filter_of_the_program(t: &Case) {
    let rule = json!({"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 99});
    let filter = json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]});
    let (notes, bundle) = Notes::new(t, t.bundle().set("/linux/seccomp", filter));
    for no_new_privileges in [true, false] {
        let name = format!("directory-{no_new_privileges}");
        let script = format!("mkdir {} || echo refused >>{}", notes.path(&name), notes.path("log"));
        let bundle = bundle.clone().set("/process/noNewPrivileges", json!(no_new_privileges));
        t.run(&bundle.hook("startContainer", &script)).ok();
    }
    assert_eq!(notes.lines("log"), ["refused", "refused"]);
}

fn hooks_of_the_container_are_in_its_cgroup(t: &Case) {
    let (notes, mut bundle) = Notes::new(t, t.bundle());
    for kind in HOOKS {
        bundle = bundle.hook(kind, &format!("cat /proc/self/cgroup >{}", notes.path(kind)));
    }
    let container = t.create(&bundle);
    container.start().ok();
    for kind in &HOOKS[..5] {
        let inside = notes.read(kind).contains(&container.id);
        let expected = matches!(*kind, "createContainer" | "startContainer");
        // With a cgroup namespace of its own the path is the root's.
        let hidden = notes.lines(kind).iter().any(|line| line == "0::/") && t.host.cgroups.is_v2_only();
        assert!(inside == expected || expected && hidden, "{kind}: {}", notes.read(kind));
    }
}

fn what_create_container_hooks_make_is_not_for_everybody_to_write_to(t: &Case) {
    use std::os::unix::fs::MetadataExt;
    let (notes, bundle) = Notes::new(t, t.bundle());
    t.create(&bundle.hook("createContainer", &format!("echo >{}", notes.path("made"))));
    let mode = fs::metadata(notes.dir.join("made")).expect("made").mode() & 0o777;
    assert_eq!(mode, 0o644, "{mode:o}");
}

fn start_container_hooks_do_not_touch_the_streams_of_the_program(t: &Case) {
    let input = t.file("input", "for the program");
    let bundle = t.bundle().hook("startContainer", "cat; echo hook").args(&["/bin/cat"]);
    let line = t.command_line("run", &bundle, &[], &t.id());
    t.runtime(&line).stdin(&input).run().ok().prints("for the program");
}

fn a_hook_that_takes_too_long_is_killed(t: &Case) {
    for kind in ["createRuntime", "createContainer", "startContainer", "poststart"] {
        let (notes, bundle) = Notes::new(t, t.bundle().args(&["/bin/sleep", "300"]));
        // Its children as well: what is left is found by the path in its command line.
        let script = format!("sh -c 'sleep 300; : {}' & wait", notes.path("x"));
        let bundle = bundle.hook_with(kind, &script, json!({"timeout": 1}));
        t.run_with(&bundle, &["--detach"]).fails();
        t.assert_no_side_effects();
        let left = crate::harness::leftovers::find(t);
        assert_eq!(left, [] as [&str; 0], "{kind}");
        fs::remove_dir_all(&notes.dir).expect("remove the notes");
    }
}

fn a_hook_that_ends_in_time_is_not_killed(t: &Case) {
    let (notes, mut bundle) = Notes::new(t, t.bundle());
    for kind in HOOKS {
        let script = format!("echo {kind} >>{}", notes.path("log"));
        bundle = bundle.hook_with(kind, &script, json!({"timeout": 60}));
    }
    t.run(&bundle).ok();
    HOOKS.iter().for_each(|kind| assert!(notes.lines("log").contains(&kind.to_string()), "{kind}"));
}

fn a_process_that_a_hook_leaves_behind_is_not_waited_for(t: &Case) {
    let (notes, bundle) = Notes::new(t, t.bundle());
    let script = format!("sleep 300 & echo $! >{}", notes.path("pid"));
    let bundle = bundle.hook_with("createRuntime", &script, json!({"timeout": 15}));
    t.create(&bundle);
    let pid = nix::unistd::Pid::from_raw(notes.read("pid").parse().expect("a pid"));
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).expect("it was left running");
}
