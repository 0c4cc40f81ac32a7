//! Calls of `exec`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::bundle::Bundle;
use super::case::Case;
use super::child_process::succeeds;
use super::container::Container;
use super::invocation::Output;

/// A container that waits.
#[track_caller]
pub fn idle<'c>(t: &'c Case, bundle: &Bundle) -> Container<'c> {
    t.launch(&bundle.clone().args(&["/bin/sleep", "300"]))
}

/// The command line `exec FLAGS ID ARGS`.
pub fn line<'a>(container: &'a Container, flags: &[&'a str], args: &[&'a str]) -> Vec<&'a str> {
    [&["exec"], flags, &[container.id.as_str()], args].concat()
}

/// A process.json of root with these arguments, and what `process` has beside them.
pub fn process_file(t: &Case, args: &[&str], mut process: Value) -> String {
    for (key, value) in [
        ("args", json!(args)),
        ("cwd", json!("/")),
        ("env", json!(["PATH=/bin"])),
        ("user", json!({"uid": 0, "gid": 0})),
    ] {
        process[key] = value;
    }
    t.file(&format!("process-{}.json", t.id()), &process.to_string()).display().to_string()
}

/// Executes a program.
#[track_caller]
pub fn exec(t: &Case, container: &Container, flags: &[&str], args: &[&str]) -> Output {
    t.runtime(&line(container, flags, args)).run()
}

/// Executes a shell with this script.
#[track_caller]
pub fn shell(t: &Case, container: &Container, flags: &[&str], script: &str) -> Output {
    exec(t, container, flags, &["/bin/sh", "-c", script])
}

/// Executes a program that lives on; gives its pid on the host.
#[track_caller]
pub fn detached(t: &Case, container: &Container, flags: &[&str]) -> i32 {
    let file = t.path(&format!("pid-{}", t.next_number()));
    let path = file.display().to_string();
    let flags = [flags, &["--detach", "--pid-file", &path]].concat();
    exec(t, container, &flags, &["/bin/sleep", "299"]).ok();
    pid_in(&file)
}

/// The pid in a file of `--pid-file`.
#[track_caller]
pub fn pid_in(file: &std::path::Path) -> i32 {
    let text = fs::read_to_string(file).expect("the file with the pid");
    text.parse().unwrap_or_else(|e| panic!("the pid {text:?}: {e}"))
}

/// A file of /proc/PID.
#[track_caller]
pub fn proc_file(pid: i32, name: &str) -> String {
    fs::read_to_string(format!("/proc/{pid}/{name}")).expect("a file of the process")
}

/// A fifo that only the calling user may open.
pub fn fifo(t: &Case, name: &str) -> PathBuf {
    let path = t.path(name);
    let made = succeeds(std::process::Command::new(&t.host.busybox).arg("mkfifo").arg(&path));
    assert!(made, "mkfifo");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("chmod");
    t.give(&path);
    path
}
