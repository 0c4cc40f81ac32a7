//! Hooks: when they run, in which namespaces, and what they are told (config.md, "POSIX-platform Hooks").

use crate::harness::prelude::*;

cases!("hooks", root: [
    hooks_run_in_the_order_of_the_life_of_a_container,
    all_hooks_run_in_one_run,
    hooks_of_the_runtime_namespace_run_in_it,
    create_container_hooks_run_in_the_namespaces_of_the_container,
    start_container_hooks_run_in_the_container,
    the_path_of_a_create_container_hook_is_one_of_the_host,
    the_path_of_a_start_container_hook_is_one_of_the_container,
    the_mounts_are_made_when_the_first_hooks_run,
    the_root_is_not_changed_yet_when_create_container_hooks_run,
    a_create_container_hook_can_mount_into_the_container,
    a_read_only_root_can_still_be_written_to_by_the_first_hooks,
    a_masked_path_stays_masked_whatever_a_hook_mounts_there,
    the_program_does_not_run_before_the_start_container_hooks,
    the_program_has_been_executed_when_poststart_hooks_run,
    poststart_hooks_do_not_run_if_the_program_cannot_be_executed,
    poststart_hooks_are_done_when_start_returns,
    poststop_hooks_run_when_everything_is_gone,
    poststop_hooks_run_at_a_deletion_by_force,
    poststop_hooks_run_at_the_deletion_of_a_container_that_was_never_started,
    poststop_hooks_run_once_though_many_delete,
    hooks_are_those_of_the_time_of_create,
    the_state_on_standard_input_is_that_of_the_moment,
    the_pid_is_that_which_the_hook_sees,
    the_pid_is_the_same_inside_and_outside_without_a_pid_namespace,
    a_container_is_creating_while_the_hooks_of_its_creation_run,
    a_container_is_created_while_its_start_container_hooks_run,
    a_detached_run_returns_after_the_poststart_hooks,
], anyone: [
    an_ordinary_user_can_have_hooks,
]);

/// A bundle whose hooks of all kinds note their names, two of each.
fn with_all(t: &Case) -> (Notes, Bundle) {
    let (notes, mut bundle) = Notes::new(t, t.bundle());
    for kind in HOOKS {
        for i in 0..2 {
            bundle = bundle.hook(kind, &format!("echo {kind}{i} >>{}", notes.path("log")));
        }
    }
    (notes, bundle)
}

/// The notes of these hooks, whatever their order.
fn sorted(mut lines: Vec<String>) -> Vec<String> {
    lines.sort();
    lines
}

/// Their names.
fn names(kinds: &[&str]) -> Vec<String> {
    kinds.iter().flat_map(|kind| [format!("{kind}0"), format!("{kind}1")]).collect()
}

fn hooks_run_in_the_order_of_the_life_of_a_container(t: &Case) {
    let (notes, bundle) = with_all(t);
    let container = t.create(&bundle.args(&["/bin/sleep", "300"]));
    assert_eq!(notes.lines("log"), names(&HOOKS[..3]));
    container.start().ok();
    assert_eq!(notes.lines("log"), names(&HOOKS[..5]));
    container.kill("KILL").ok();
    container.wait_until_stopped();
    assert_eq!(notes.lines("log"), names(&HOOKS[..5]));
    container.delete().ok();
    assert_eq!(notes.lines("log"), names(&HOOKS));
}

fn all_hooks_run_in_one_run(t: &Case) {
    let (notes, bundle) = with_all(t);
    t.run(&bundle.sh("echo ran")).ok().prints("ran");
    assert_eq!(sorted(notes.lines("log")), sorted(names(&HOOKS)));
}

/// Notes the namespaces of a hook under its kind.
const NAMESPACES: &str = "for n in pid net ipc uts mnt; do readlink /proc/self/ns/$n; done";

fn namespaces_of(directory: &str) -> Vec<String> {
    let of = |kind| fs::read_link(format!("{directory}/{kind}")).expect("a namespace");
    ["pid", "net", "ipc", "uts", "mnt"].map(|kind| of(kind).display().to_string()).to_vec()
}

fn hooks_of_the_runtime_namespace_run_in_it(t: &Case) {
    let (notes, mut bundle) = Notes::new(t, t.bundle());
    let kinds = ["prestart", "createRuntime", "poststart", "poststop"];
    for kind in kinds {
        bundle = bundle.hook(kind, &format!("({NAMESPACES}) >{}", notes.path(kind)));
    }
    t.run(&bundle).ok();
    for kind in kinds {
        assert_eq!(notes.lines(kind), namespaces_of("/proc/self/ns"), "{kind}");
    }
}

fn create_container_hooks_run_in_the_namespaces_of_the_container(t: &Case) {
    let (notes, bundle) = Notes::new(t, t.bundle());
    let container =
        t.create(&bundle.hook("createContainer", &format!("({NAMESPACES}) >{}", notes.path("ns"))));
    assert_eq!(notes.lines("ns"), namespaces_of(&format!("/proc/{}/ns", container.pid())));
}

fn start_container_hooks_run_in_the_container(t: &Case) {
    let (notes, bundle) = Notes::new(t, t.bundle());
    let script = |name: &str| format!("({NAMESPACES}; hostname) >{}", notes.path(name));
    t.run(&bundle.hook("startContainer", &script("hook")).sh(&script("program"))).ok();
    assert_eq!(notes.lines("hook"), notes.lines("program"));
    assert_eq!(notes.lines("hook").last().map(String::as_str), Some("cask"));
}

/// A script that is a program by itself, with busybox as its interpreter.
fn make_program(path: &Path, busybox: &str, script: &str) {
    use std::os::unix::fs::PermissionsExt;
    fs::write(path, format!("#!{busybox} sh\n{script}\n")).expect("write");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("chmod");
}

fn the_path_of_a_create_container_hook_is_one_of_the_host(t: &Case) {
    let (notes, bundle) = Notes::new(t, t.bundle());
    let path = t.dir.join("only-on-the-host");
    make_program(&path, &t.host.busybox.display().to_string(), &format!("echo ran >{}", notes.path("log")));
    t.create(&bundle.set("/hooks/createContainer", json!([{"path": path}])));
    assert_eq!(notes.read("log"), "ran");
}

fn the_path_of_a_start_container_hook_is_one_of_the_container(t: &Case) {
    let (notes, bundle) = Notes::new(t, t.bundle());
    make_program(
        &bundle.in_rootfs("/opt/inside"),
        "/bin/busybox",
        &format!("echo ran >{}", notes.path("log")),
    );
    t.run(&bundle.set("/hooks/startContainer", json!([{"path": "/opt/inside"}]))).ok();
    assert_eq!(notes.read("log"), "ran");
}

fn the_mounts_are_made_when_the_first_hooks_run(t: &Case) {
    let (notes, bundle) = Notes::new(t, t.bundle());
    let root = bundle.in_rootfs("").display().to_string();
    let outside = format!("{PID}; grep {root} /proc/$pid/mountinfo >{}", notes.path("outside"));
    let inside = format!("grep {root} /proc/self/mountinfo >{}", notes.path("inside"));
    t.create(&bundle.hook("createRuntime", &outside).hook("createContainer", &inside));
    for note in ["outside", "inside"] {
        for mount in ["proc", "dev/pts", "sys", &notes.dir.display().to_string()[1..]] {
            let place = format!(" {}/{mount} ", root.trim_end_matches('/'));
            assert!(notes.read(note).contains(&place), "{place} from {note}: {}", notes.read(note));
        }
    }
}

fn the_root_is_not_changed_yet_when_create_container_hooks_run(t: &Case) {
    let (notes, bundle) = Notes::new(t, t.bundle());
    let seen = bundle.dir.join("config.json").display().to_string();
    t.create(&bundle.hook("createContainer", &format!("cp {seen} {}", notes.path("seen"))));
    assert!(notes.read("seen").contains("ociVersion"));
}

fn a_create_container_hook_can_mount_into_the_container(t: &Case) {
    let bundle = t.bundle();
    let opt = bundle.in_rootfs("/opt").display().to_string();
    let script = format!("mount -t tmpfs none {opt} && echo mounted >{opt}/mark");
    t.run(&bundle.hook("createContainer", &script).sh("cat /opt/mark")).ok().prints("mounted");
}

fn a_read_only_root_can_still_be_written_to_by_the_first_hooks(t: &Case) {
    let bundle = t.bundle().set("/root/readonly", json!(true));
    let file = bundle.in_rootfs("/etc/from-a-hook").display().to_string();
    let bundle = bundle.hook("createContainer", &format!("echo written >{file}"));
    t.run(&bundle.sh("cat /etc/from-a-hook; echo x 2>/dev/null >/etc/y || echo read-only"))
        .ok()
        .prints("written\nread-only");
}

fn a_masked_path_stays_masked_whatever_a_hook_mounts_there(t: &Case) {
    let bundle = t.bundle().set("/linux/maskedPaths", json!(["/opt"]));
    let opt = bundle.in_rootfs("/opt").display().to_string();
    let script = format!("mount -t tmpfs none {opt} && echo secret >{opt}/secret");
    t.run(&bundle.hook("createContainer", &script).sh("ls -A /opt; echo end")).ok().prints("end");
}

fn the_program_does_not_run_before_the_start_container_hooks(t: &Case) {
    let (notes, bundle) = Notes::new(t, t.bundle());
    let log = notes.path("log");
    let bundle = bundle.hook("startContainer", &format!("echo hook >>{log}"));
    t.run(&bundle.sh(&format!("echo program >>{log}"))).ok();
    assert_eq!(notes.lines("log"), ["hook", "program"]);
}

/// Takes the pid from the state.
const PID: &str = r#"pid=$(echo "$state" | sed 's/.*"pid": *\([0-9]*\).*/\1/')"#;

fn the_program_has_been_executed_when_poststart_hooks_run(t: &Case) {
    let (notes, bundle) = Notes::new(t, t.bundle());
    let bundle = bundle.hook("poststart", &format!("{PID}; cat /proc/$pid/comm >{}", notes.path("comm")));
    t.launch(&bundle.args(&["/bin/sleep", "300"]));
    assert_eq!(notes.read("comm"), "sleep");
}

fn poststart_hooks_do_not_run_if_the_program_cannot_be_executed(t: &Case) {
    let (notes, bundle) = Notes::new(t, t.bundle());
    let bundle = bundle.hook("poststart", &format!("echo >{}", notes.path("ran")));
    let program = bundle.in_rootfs("/opt/program");
    fs::copy(t.host.work.join("busybox"), &program).expect("copy");
    let container = t.create(&bundle.args(&["/opt/program"]));
    fs::remove_file(program).expect("remove");
    container.start().fails();
    assert!(!notes.has("ran"));
}

fn poststart_hooks_are_done_when_start_returns(t: &Case) {
    let (notes, bundle) = Notes::new(t, t.bundle().args(&["/bin/sleep", "300"]));
    let script = format!("{}; echo >{}", waiting(&notes), notes.path("done"));
    let container = t.create(&bundle.hook("poststart", &script));
    let start = t.runtime(&["start", &container.id]).spawn();
    eventually("the hook runs", || notes.has("here"));
    assert!(!notes.has("done"));
    notes.make("go");
    start.wait().ok();
    assert!(notes.has("done"));
}

fn poststop_hooks_run_when_everything_is_gone(t: &Case) {
    let (notes, bundle) = Notes::new(t, t.bundle());
    let id = t.id();
    let state = t.state_root.join(&id).display().to_string();
    let left = format!(
        "ls -d {state} >>{0}; find /sys/fs/cgroup -name {id} >>{0}; echo end >>{0}",
        notes.path("left")
    );
    let bundle = bundle.hook("poststop", &left);
    t.runtime(&t.command_line("create", &bundle, &[], &id)).run().ok();
    t.runtime(&["delete", &id]).run().ok();
    assert_eq!(notes.read("left"), "end");
}

/// The notes of the poststop hooks.
fn of_the_end(notes: &Notes) -> Vec<String> {
    notes.lines("log").into_iter().filter(|line| line.starts_with("poststop")).collect()
}

fn poststop_hooks_run_at_a_deletion_by_force(t: &Case) {
    let (notes, bundle) = with_all(t);
    let container = t.launch(&bundle.args(&["/bin/sleep", "300"]));
    assert_eq!(of_the_end(&notes), names(&[]));
    container.delete_by_force().ok();
    assert_eq!(of_the_end(&notes), names(&["poststop"]));
}

fn poststop_hooks_run_at_the_deletion_of_a_container_that_was_never_started(t: &Case) {
    let (notes, bundle) = with_all(t);
    t.create(&bundle).delete().ok();
    assert_eq!(of_the_end(&notes), names(&["poststop"]));
}

fn poststop_hooks_run_once_though_many_delete(t: &Case) {
    let (notes, bundle) = Notes::new(t, t.bundle());
    let bundle = bundle.hook("poststop", &format!("echo once >>{}", notes.path("log")));
    let line = t.command_line("run", &bundle.args(&["/bin/sleep", "300"]), &[], &t.id());
    let run = t.runtime(&line).spawn();
    let id = line.last().expect("an id").clone();
    let runs = || t.runtime(&["state", &id]).run().stdout.contains("\"running\"");
    eventually("it runs", runs);
    let calls: Vec<Running> = (0..6).map(|_| t.runtime(&["delete", "--force", &id]).spawn()).collect();
    calls.into_iter().for_each(|call| drop(call.wait()));
    run.wait();
    assert_eq!(notes.lines("log"), ["once"]);
}

fn hooks_are_those_of_the_time_of_create(t: &Case) {
    let (notes, bundle) = with_all(t);
    let container = t.create(&bundle);
    fs::write(bundle.dir.join("config.json"), "{}").expect("write");
    container.start().ok();
    container.wait_until_stopped();
    fs::remove_file(bundle.dir.join("config.json")).expect("remove");
    container.delete().ok();
    assert_eq!(sorted(notes.lines("log")), sorted(names(&HOOKS)));
}

/// A bundle whose hooks note what they read.
fn with_readers(t: &Case, bundle: Bundle) -> (Notes, Bundle) {
    let (notes, mut bundle) = Notes::new(t, bundle);
    for kind in HOOKS {
        bundle = bundle.hook(kind, &format!("echo \"$state\" >{}", notes.path(kind)));
    }
    (notes, bundle)
}

fn the_state_on_standard_input_is_that_of_the_moment(t: &Case) {
    let annotations = json!({"org.example.cask": "oak", "empty": ""});
    let (notes, bundle) = with_readers(t, t.bundle().set("/annotations", annotations.clone()));
    let bundle = bundle.args(&["/bin/sleep", "300"]);
    let container = t.launch(&bundle);
    container.delete_by_force().ok();
    let statuses = ["creating", "creating", "creating", "created", "running", "stopped"];
    for (kind, status) in HOOKS.iter().zip(statuses) {
        let state: Value = serde_json::from_str(&notes.read(kind)).expect(kind);
        assert_eq!(state["status"], status, "{kind}: {state}");
        assert_eq!(state["id"], container.id.as_str(), "{kind}: {state}");
        assert_eq!(state["bundle"], bundle.dir.display().to_string(), "{kind}: {state}");
        assert_eq!(state["annotations"], annotations, "{kind}: {state}");
        assert!(state["ociVersion"].is_string(), "{kind}: {state}");
    }
}

fn pids(notes: &Notes, kinds: &[&str]) -> Vec<i64> {
    let pid = |kind: &&str| -> i64 {
        let state: Value = serde_json::from_str(&notes.read(kind)).expect(kind);
        state["pid"].as_i64().unwrap_or_default()
    };
    kinds.iter().map(pid).collect()
}

fn the_pid_is_that_which_the_hook_sees(t: &Case) {
    let (notes, bundle) = with_readers(t, t.bundle());
    let container = t.launch(&bundle.args(&["/bin/sleep", "300"]));
    let pid = i64::from(container.pid());
    container.delete_by_force().ok();
    assert_eq!(pids(&notes, &HOOKS), [pid, pid, 1, 1, pid, 0]);
}

fn the_pid_is_the_same_inside_and_outside_without_a_pid_namespace(t: &Case) {
    let (notes, bundle) = with_readers(t, t.bundle().without_namespace("pid"));
    let container = t.launch(&bundle.args(&["/bin/sleep", "300"]));
    let pid = i64::from(container.pid());
    container.delete_by_force().ok();
    assert_eq!(pids(&notes, &HOOKS[..5]), [pid; 5]);
}

/// A hook that says that it runs and waits to be let go on.
fn waiting(notes: &Notes) -> String {
    format!("echo >{}; until [ -e {} ]; do sleep 0.05; done", notes.path("here"), notes.path("go"))
}

fn a_container_is_creating_while_the_hooks_of_its_creation_run(t: &Case) {
    for kind in ["prestart", "createRuntime", "createContainer"] {
        let (notes, bundle) = Notes::new(t, t.bundle());
        let id = t.id();
        let create =
            t.runtime(&t.command_line("create", &bundle.hook(kind, &waiting(&notes)), &[], &id)).spawn();
        eventually("the hook runs", || notes.has("here"));
        let state = t.runtime(&["state", &id]).run().ok().json();
        assert_eq!(state["status"], "creating", "{kind}");
        t.runtime(&["start", &id]).run().fails();
        notes.make("go");
        create.wait().ok();
        t.runtime(&["delete", &id]).run().ok();
        fs::remove_dir_all(&notes.dir).expect("remove the notes");
    }
}

fn a_container_is_created_while_its_start_container_hooks_run(t: &Case) {
    let (notes, bundle) = Notes::new(t, t.bundle());
    let container = t.create(&bundle.hook("startContainer", &waiting(&notes)));
    let start = t.runtime(&["start", &container.id]).spawn();
    eventually("the hook runs", || notes.has("here"));
    assert_eq!(container.status(), "created");
    container.start().fails();
    notes.make("go");
    start.wait().ok();
}

fn a_detached_run_returns_after_the_poststart_hooks(t: &Case) {
    let (notes, bundle) = with_all(t);
    let output = t.run_with(&bundle.args(&["/bin/sleep", "300"]), &["--detach"]);
    output.ok();
    assert!(notes.lines("log").contains(&"poststart1".to_string()));
}

fn an_ordinary_user_can_have_hooks(t: &Case) {
    t.become_ordinary_user();
    let (notes, bundle) = with_all(t);
    t.run(&bundle.sh("echo ran")).ok().prints("ran");
    assert_eq!(sorted(notes.lines("log")), sorted(names(&HOOKS)));
}
