//! The bundles of bundle-examples do what their READMEs say.

use std::os::unix::fs::chown;

use crate::harness::prelude::*;
use crate::harness::pty::Pty;

cases!("bundle_examples", root: [
    hello_sees_itself_only,
    shell_is_interactive,
    limits_hold,
    readonly_web_serves_and_changes_nothing,
    seccomp_refuses_one_call_and_kills_for_another,
], anyone: [
    rootless_is_root_inside_only,
    every_example_has_a_readme_of_five_lines,
]);

/// `BUNDLE_EXAMPLES`, where the test program was copied to another machine.
fn examples() -> PathBuf {
    let named = std::env::var_os("BUNDLE_EXAMPLES").map(PathBuf::from);
    named.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("bundle-examples"))
}

/// The configuration of an example, with the harness's own root filesystem, and its version of the
/// specification: Debian's crun does not know 1.3.0.
fn example(t: &Case, name: &str) -> Bundle {
    let text = fs::read_to_string(examples().join(name).join("config.json")).expect("config.json");
    let mut bundle = t.bundle();
    let version = bundle.config["ociVersion"].take();
    bundle.config = serde_json::from_str(&text).expect("JSON");
    bundle.set("/ociVersion", version)
}

fn copy(t: &Case, example: &str, file: &str, bundle: &Bundle) {
    let to = bundle.dir.join(file);
    fs::create_dir_all(to.parent().expect("a directory")).expect("make a directory");
    fs::copy(examples().join(example).join(file), &to).expect("copy");
    t.give(&to);
}

fn hello_sees_itself_only(t: &Case) {
    let bundle = example(t, "hello");
    fs::write(bundle.in_rootfs("/etc/motd"), "Hello\n").expect("write motd");
    let output = t.run(&bundle);
    let lines: Vec<Vec<&str>> = output.ok().stdout.lines().map(|l| l.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["Hello"]);
    assert_eq!(lines[1].join(" "), "host hello, user root, process 1 of these:");
    assert_eq!(lines[2], ["PID", "USER", "COMMAND"]);
    assert_eq!(lines[3], ["1", "root", "sh"]);
    assert_eq!(lines[4][1..], ["root", "ps"]);
    assert_eq!(lines.len(), 5);
}

fn shell_is_interactive(t: &Case) {
    let bundle = example(t, "shell");
    let pty = Pty::new(t, 24, 80);
    let line = t.command_line("run", &bundle, &[], &t.id());
    let running = t.runtime(&line).through_busybox(&["setsid", "-c"]).terminal(pty.slave()).spawn();
    pty.wait_for("root@shell:~# ");
    pty.type_text("echo $((6 * 7)); mkdir /new && rmdir /new && echo writable\n");
    pty.wait_for("\n42\n");
    pty.wait_for("\nwritable\n");
    // The shell survives an interrupted program.
    pty.type_text("sh -c 'echo here; sleep 60'\n");
    pty.wait_for("\nhere\n");
    pty.type_text("\x03");
    pty.type_text("exit 5\n");
    running.wait().exits(5);
}

fn limits_hold(t: &Case) {
    for controller in ["memory", "cpu", "pids"] {
        t.needs_controller(controller);
    }
    let bundle = example(t, "limits");
    copy(t, "limits", "show.sh", &bundle);
    let output = t.run(&bundle);
    let printed = &output.ok().stdout;
    assert!(printed.contains("\nended with status 137 "), "memory: {printed}");
    assert!(printed.contains("\n19 were started beside this shell\n"), "pids: {printed}");
    // Of the time on the wall, so that a busy machine changes nothing.
    let (user, real) = (seconds(&output.stderr, "user"), seconds(&output.stderr, "real"));
    assert!(user < 0.65 * real, "cpu: {user} s in {real} s");
    output.says("can't fork");
}

/// Of the line `user 0m 0.50s` that time(1) of busybox prints.
#[track_caller]
fn seconds(text: &str, name: &str) -> f64 {
    let line = text.lines().find_map(|l| l.strip_prefix(name)).expect("a line of time(1)");
    let (minutes, seconds) = line.trim().trim_end_matches('s').split_once("m ").expect("minutes");
    minutes.parse::<f64>().expect("minutes") * 60.0 + seconds.parse::<f64>().expect("seconds")
}

fn readonly_web_serves_and_changes_nothing(t: &Case) {
    let bundle = example(t, "readonly-web");
    copy(t, "readonly-web", "www/index.html", &bundle);
    let page = fs::read_to_string(bundle.dir.join("www/index.html")).expect("the page");
    // Only the mount stops uid 1000 from a change.
    chown(bundle.dir.join("www/index.html"), Some(1000), Some(1000)).expect("chown");
    t.run(&bundle).ok().prints(page.trim()).says("Read-only file system");
}

fn seccomp_refuses_one_call_and_kills_for_another(t: &Case) {
    let output = t.run(&example(t, "seccomp"));
    output.ok().prints("mkdir: status 1\nhostname: status 159 (128 + SIGSYS)");
    output.says("Operation not permitted").says("Bad system call");
}

fn rootless_is_root_inside_only(t: &Case) {
    t.become_ordinary_user();
    let (uid, gid) = t.caller();
    let bundle = example(t, "rootless")
        .set("/linux/uidMappings/0/hostID", json!(uid))
        .set("/linux/gidMappings/0/hostID", json!(gid))
        .without_cgroups_path();
    let output = t.run(&bundle);
    let words: Vec<&str> = output.ok().stdout.split_whitespace().collect();
    assert!(output.stdout.starts_with("Here I am root, process 1 on host rootless.\n"), "{}", output.stdout);
    assert_eq!(words[words.len() - 3..], ["0", &uid.to_string(), "1"]);
}

fn every_example_has_a_readme_of_five_lines(_: &Case) {
    for entry in fs::read_dir(examples()).expect("bundle-examples") {
        let directory = entry.expect("an entry").path();
        let readme = fs::read_to_string(directory.join("README.md")).expect("README.md");
        let name = directory.file_name().expect("a name").to_string_lossy().into_owned();
        assert_eq!(readme.lines().count(), 5, "lines of {name}/README.md");
        assert!(readme.starts_with(&format!("# {name}: ")), "{name}/README.md");
        assert!(
            readme.contains(&format!("bundle-examples/{name}")),
            "{name}/README.md does not say how to run it"
        );
    }
}
