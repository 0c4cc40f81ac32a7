//! Hooks that fail, and what becomes of the container (runtime.md, "Lifecycle").

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::harness::prelude::*;

cases!("hook_failures", root: [
    a_failing_hook_of_the_creation_ends_it,
    a_failing_start_container_hook_ends_the_container,
    a_failing_poststart_hook_ends_the_container,
    a_failing_poststop_hook_is_a_warning,
    run_fails_with_each_hook_but_those_of_poststop,
    the_error_tells_the_status_of_the_hook,
    the_error_quotes_what_the_hook_wrote,
    the_quoted_output_is_bounded_and_escaped,
    a_missing_hook_is_named,
    a_hook_that_is_no_program_is_named,
    a_relative_path_is_refused,
    an_empty_path_is_refused,
    a_timeout_that_is_not_positive_is_refused,
    a_create_that_fails_after_its_hooks_runs_poststop_hooks,
    a_create_that_fails_before_its_hooks_runs_none,
    a_create_that_is_killed_takes_its_hook_along,
    a_run_that_is_interrupted_ends_its_hook,
    a_start_container_hook_whose_starter_is_killed_ends_with_it,
    a_container_without_a_process_has_no_start_container_hooks,
]);

/// A bundle in which the hook of this kind fails, and others of the kind and of later ones note that they
/// run.
fn failing(t: &Case, kind: &str) -> (Notes, Bundle) {
    let (notes, bundle) = Notes::new(t, t.bundle());
    let log = notes.path("log");
    let mut bundle = bundle.hook(kind, "exit 3");
    for later in HOOKS.iter().skip_while(|other| **other != kind) {
        bundle = bundle.hook(later, &format!("echo {later} >>{log}"));
    }
    (notes, bundle.sh(&format!("echo program >>{log}; sleep 300")))
}

fn a_failing_hook_of_the_creation_ends_it(t: &Case) {
    for kind in ["prestart", "createRuntime", "createContainer"] {
        let (notes, bundle) = failing(t, kind);
        t.try_create(&bundle, &[]).1.fails();
        t.assert_no_side_effects();
        assert_eq!(notes.lines("log"), ["poststop"], "{kind}");
        fs::remove_dir_all(&notes.dir).expect("remove the notes");
    }
}

fn a_failing_start_container_hook_ends_the_container(t: &Case) {
    let (notes, bundle) = failing(t, "startContainer");
    let container = t.create(&bundle);
    let pid = container.pid();
    container.start().fails();
    t.assert_no_side_effects();
    eventually("init is gone", || !Path::new(&format!("/proc/{pid}/ns/pid")).exists());
    assert_eq!(notes.lines("log"), ["poststop"]);
}

fn a_failing_poststart_hook_ends_the_container(t: &Case) {
    let (notes, bundle) = failing(t, "poststart");
    let container = t.create(&bundle.args(&["/bin/sleep", "300"]));
    container.start().fails();
    t.assert_no_side_effects();
    assert_eq!(notes.lines("log"), ["poststop"]);
}

fn a_failing_poststop_hook_is_a_warning(t: &Case) {
    let (notes, bundle) = failing(t, "poststop");
    let container = t.create(&bundle.hook("poststop", "exit 4"));
    container.delete().ok().says("exit status 3").says("exit status 4");
    t.assert_no_side_effects();
    assert_eq!(notes.lines("log"), ["poststop"]);
}

fn run_fails_with_each_hook_but_those_of_poststop(t: &Case) {
    for kind in HOOKS {
        let (notes, bundle) = failing(t, kind);
        let bundle = bundle.args(&["/bin/true"]);
        let output = t.run(&bundle);
        match kind {
            "poststop" => output.ok(),
            _ => output.fails(),
        };
        t.assert_no_side_effects();
        assert_eq!(notes.lines("log"), ["poststop"], "{kind}");
        fs::remove_dir_all(&notes.dir).expect("remove the notes");
    }
}

/// The error of a hook of each kind that runs this script.
fn errors(t: &Case, script: &str) -> Vec<Output> {
    let run = |kind: &&str| t.run(&t.bundle().hook(kind, "true").hook(kind, script));
    HOOKS[..5].iter().map(run).collect()
}

fn the_error_tells_the_status_of_the_hook(t: &Case) {
    for output in errors(t, "exit 42") {
        output.fails().says("42");
    }
}

fn the_error_quotes_what_the_hook_wrote(t: &Case) {
    for output in errors(t, "echo no such device >&2; exit 1") {
        output.fails().says("no such device");
    }
}

fn the_quoted_output_is_bounded_and_escaped(t: &Case) {
    let script = "head -c 300000 /dev/zero | tr '\\0' x >&2; printf '\\033[2Jlast\\nwords' >&2; exit 1";
    for output in errors(t, script) {
        output.fails().says("[2Jlast\\nwords");
        assert!(output.stderr.len() < 4000, "{} bytes", output.stderr.len());
        assert!(!output.stderr.contains('\u{1b}'), "{:?}", output.stderr);
    }
}

fn a_missing_hook_is_named(t: &Case) {
    for kind in &HOOKS[..5] {
        let bundle = t.bundle().hook_with(kind, "", json!({"path": "/no/such/hook"}));
        t.run(&bundle).fails().says("/no/such/hook");
        t.assert_no_side_effects();
    }
}

fn a_hook_that_is_no_program_is_named(t: &Case) {
    for kind in &HOOKS[..5] {
        let bundle = t.bundle().hook_with(kind, "", json!({"path": "/etc/passwd"}));
        t.run(&bundle).fails().says("/etc/passwd");
        t.assert_no_side_effects();
    }
}

/// `create` refuses a hook with these members before anything is made.
#[track_caller]
fn refused(t: &Case, members: &Value) {
    for kind in HOOKS {
        let (notes, bundle) = Notes::new(t, t.bundle());
        let bundle = bundle.hook("prestart", &format!("echo >{}", notes.path("ran")));
        let (_, output) = t.try_create(&bundle.hook_with(kind, "", members.clone()), &[]);
        output.fails();
        t.assert_no_side_effects();
        assert!(!notes.has("ran"), "{kind}");
        fs::remove_dir_all(&notes.dir).expect("remove the notes");
    }
}

fn a_relative_path_is_refused(t: &Case) {
    refused(t, &json!({"path": "bin/true"}));
}

fn an_empty_path_is_refused(t: &Case) {
    refused(t, &json!({"path": ""}));
}

fn a_timeout_that_is_not_positive_is_refused(t: &Case) {
    refused(t, &json!({"timeout": 0}));
    refused(t, &json!({"timeout": -1}));
}

/// The hooks of the creation and of the end note their names.
fn noting(t: &Case, bundle: Bundle) -> (Notes, Bundle) {
    let (notes, mut bundle) = Notes::new(t, bundle);
    for kind in ["createRuntime", "createContainer", "poststop"] {
        bundle = bundle.hook(kind, &format!("echo {kind} >>{}", notes.path("log")));
    }
    (notes, bundle)
}

fn a_create_that_fails_after_its_hooks_runs_poststop_hooks(t: &Case) {
    // More than fs.nr_open can ever be.
    let rlimits = json!([{"type": "RLIMIT_NOFILE", "soft": 1u64 << 40, "hard": 1u64 << 40}]);
    let (notes, bundle) = noting(t, t.bundle().set("/process/rlimits", rlimits));
    t.try_create(&bundle, &[]).1.fails();
    t.assert_no_side_effects();
    assert_eq!(notes.lines("log"), ["createRuntime", "createContainer", "poststop"]);
}

fn a_create_that_fails_before_its_hooks_runs_none(t: &Case) {
    let (notes, bundle) = noting(t, t.bundle().bind("/no/such/source", "/mnt", &["bind"]));
    t.try_create(&bundle, &[]).1.fails();
    t.assert_no_side_effects();
    assert_eq!(notes.read("log"), "");
}

/// A hook that says that it runs, by a note, and goes on for ever. It is found by its command line.
fn endless(notes: &Notes) -> String {
    format!("echo >{}; while :; do sleep 0.05; done", notes.path("here"))
}

fn a_create_that_is_killed_takes_its_hook_along(t: &Case) {
    for kind in ["createRuntime", "createContainer"] {
        let (notes, bundle) = Notes::new(t, t.bundle());
        let bundle = bundle.hook(kind, &endless(&notes));
        let bundle = bundle.hook("poststop", &format!("echo end >>{}", notes.path("log")));
        let id = t.id();
        let create = t.runtime(&t.command_line("create", &bundle, &[], &id)).spawn();
        eventually("the hook runs", || notes.has("here"));
        create.signal(Signal::SIGKILL);
        create.wait();
        t.runtime(&["delete", "--force", &id]).run().ok();
        assert_eq!(crate::harness::leftovers::find(t), [] as [&str; 0], "{kind}");
        assert_eq!(notes.lines("log"), ["end"], "{kind}");
        fs::remove_dir_all(&notes.dir).expect("remove the notes");
    }
}

fn a_run_that_is_interrupted_ends_its_hook(t: &Case) {
    for kind in &HOOKS[..5] {
        let (notes, bundle) = Notes::new(t, t.bundle().args(&["/bin/sleep", "300"]));
        let bundle = bundle.hook(kind, &endless(&notes));
        let bundle = bundle.hook("poststop", &format!("echo end >>{}", notes.path("log")));
        let run = t.runtime(&t.command_line("run", &bundle, &[], &t.id())).spawn();
        eventually("the hook runs", || notes.has("here"));
        run.signal(Signal::SIGTERM);
        run.wait().fails();
        t.assert_no_side_effects();
        assert_eq!(crate::harness::leftovers::find(t), [] as [&str; 0], "{kind}");
        assert_eq!(notes.lines("log"), ["end"], "{kind}");
        fs::remove_dir_all(&notes.dir).expect("remove the notes");
    }
}

fn a_start_container_hook_whose_starter_is_killed_ends_with_it(t: &Case) {
    let (notes, bundle) = Notes::new(t, t.bundle().sh("echo program"));
    let container = t.create(&bundle.hook("startContainer", &endless(&notes)));
    let start = t.runtime(&["start", &container.id]).spawn();
    eventually("the hook runs", || notes.has("here"));
    kill(Pid::from_raw(start.pid()), Signal::SIGKILL).expect("kill");
    start.wait();
    container.wait_until_stopped();
    assert_eq!(container.stdout(), "");
    container.delete().ok();
}

fn a_container_without_a_process_has_no_start_container_hooks(t: &Case) {
    let (notes, bundle) = Notes::new(t, t.bundle().unset("/process"));
    let bundle = bundle.hook("startContainer", &format!("echo >{}", notes.path("ran")));
    let (container, output) = t.try_create(&bundle, &[]);
    if output.status.success() {
        container.start().fails();
    }
    assert!(!notes.has("ran"));
}
