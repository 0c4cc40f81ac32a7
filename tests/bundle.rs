//! Where a configuration is read from, and what is said when that does not work.

use std::fs;
use std::path::Path;
use tierce::spec::bundle::{ConfigSource, load, load_process};
use tierce::spec::validate::check_process;

#[test]
fn invalid_utf8_and_huge_files_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("config.json");
    fs::write(&path, b"{\"a\": \"\xff\"}").unwrap();
    let name = path.canonicalize().unwrap().display().to_string();
    let error = load(dir.path(), &ConfigSource::Bundle).unwrap_err();
    assert_eq!(error.to_string(), format!("{name}: is not UTF-8 (at byte 7)"));
    fs::write(&path, vec![b' '; (16 << 20) + 1]).unwrap();
    let error = load(dir.path(), &ConfigSource::Bundle).unwrap_err();
    assert_eq!(error.to_string(), format!("{name}: is larger than 16 MiB"));
    let mut largest = br#"{"ociVersion": "1.0.0"}"#.to_vec();
    largest.resize(16 << 20, b' ');
    fs::write(&path, largest).unwrap();
    assert_eq!(load(dir.path(), &ConfigSource::Bundle).unwrap().spec.oci_version, "1.0.0");
}

#[test]
fn what_is_not_there_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let shown = dir.path().display();
    let error = load(dir.path(), &ConfigSource::Bundle).unwrap_err();
    let real = dir.path().canonicalize().unwrap();
    let expected = format!(
        "{}/config.json: ENOENT no such file or directory\nhint: `tierce spec -b {shown}` writes one",
        real.display()
    );
    assert_eq!(error.to_string(), expected);
    let error = load(&dir.path().join("none"), &ConfigSource::Bundle).unwrap_err();
    assert_eq!(error.to_string(), format!("bundle {shown}/none: ENOENT no such file or directory"));
    fs::write(dir.path().join("file"), "").unwrap();
    let error = load(&dir.path().join("file"), &ConfigSource::Bundle).unwrap_err();
    assert_eq!(error.to_string(), format!("bundle {shown}/file: ENOTDIR not a directory"));
    let error = load(dir.path(), &ConfigSource::File(dir.path().join("none"))).unwrap_err();
    assert_eq!(error.to_string(), format!("{shown}/none: ENOENT no such file or directory"));
}

#[test]
fn another_file_can_take_the_place_of_config_json() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("bundle")).unwrap();
    std::os::unix::fs::symlink("bundle", dir.path().join("link")).unwrap();
    let file = dir.path().join("other.json");
    fs::write(&file, r#"{"ociVersion": "1.0.0", "hostname": "web"}"#).unwrap();
    let source = ConfigSource::File(file.clone());
    let bundle = load(&dir.path().join("link"), &source).unwrap();
    assert_eq!(bundle.spec.hostname.as_deref(), Some("web"));
    assert_eq!(bundle.dir, dir.path().canonicalize().unwrap().join("bundle"));
    fs::write(&file, r#"{"hostname": 5, "root": {"path": "a"}}"#).unwrap();
    let expected = "2 mistakes\n  hostname: 5 is not a string\n  ociVersion: is missing or empty";
    let error = load(&dir.path().join("link"), &source).unwrap_err();
    assert_eq!(error.to_string(), format!("{}: {expected}", file.display()));
}

/// Runs itself once more, as only a process of its own has a standard input of its own.
#[test]
fn a_configuration_can_come_from_standard_input() {
    const CHILD: &str = "TIERCE_TEST_STANDARD_INPUT";
    if let Some(bundle) = std::env::var_os(CHILD) {
        match load(Path::new(&bundle), &ConfigSource::Stdin) {
            Ok(bundle) => println!("hostname is {:?}", bundle.spec.hostname),
            Err(error) => println!("error is {error}"),
        }
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    for (text, expected) in [
        (r#"{"ociVersion": "1.0.0", "hostname": "web"}"#, r#"hostname is Some("web")"#),
        ("{", "error is standard input: line 1 column 1: EOF while parsing an object"),
    ] {
        fs::write(dir.path().join("input"), text).unwrap();
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "a_configuration_can_come_from_standard_input", "--nocapture"])
            .env(CHILD, dir.path())
            .stdin(fs::File::open(dir.path().join("input")).unwrap())
            .output()
            .unwrap();
        let output = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.contains(expected), "{output}");
    }
}

#[test]
fn all_mistakes_of_a_process_json_are_listed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("process.json");
    fs::write(&path, r#"{"cwd": 1, "env": [1, "A"], "user": {"uid": "0"}}"#).unwrap();
    let expected = "5 mistakes\n  \
        cwd: 1 is not a string\n  \
        env[0]: 1 is not a string\n  \
        user.uid: \"0\" is not a whole number from 0 to 4294967295\n  \
        args: is missing or empty; its first entry is the program to run\n  \
        env[1]: has no \"=\"; an entry is NAME=value";
    assert_eq!(load_process(&path).unwrap_err().to_string(), format!("{}: {expected}", path.display()));
    fs::write(&path, r#"{"args": ["sh"], "cwd": "tmp"}"#).unwrap();
    let error = check_process(&load_process(&path).unwrap()).unwrap_err();
    assert_eq!(error.to_string(), r#"cwd: "tmp" is not absolute"#);
}

#[test]
fn what_is_ignored_is_told_to_who_asks_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let text = r#"{"ociVersion": "1.0.0", "root": {"path": "a"}, "hostnam": "web", "x": {"y": 1}, "zos": {"a": 1}, "windows": {},
        "process": {"args": ["sh"], "cwd": "/", "noNewPrivilege": true, "user": {"uid": 0, "addGids": 1}},
        "annotations": {"run.oci.no_such": "krun", "org.example.key": "v"},
        "linux": {"namespaces": [{"type": "mount"}, {"type": "pid", "paht": "/p"}]}}"#;
    fs::write(dir.path().join("config.json"), text).unwrap();
    let plan = |flags: &[&str]| {
        let mut tierce = std::process::Command::new(env!("CARGO_BIN_EXE_tierce"));
        let output = tierce.args(flags).arg("plan").current_dir(dir.path()).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    assert_eq!(plan(&[]), "");
    let mut lines: Vec<String> = plan(&["--debug"]).lines().map(str::to_owned).collect();
    lines.retain(|line| line.starts_with("tierce: debug: config.json: "));
    lines.sort();
    let told = |text: &str| format!("tierce: debug: config.json: {text}");
    let expected = [
        "annotations[\"run.oci.no_such\"]: has no effect",
        "hostnam: not known, ignored, did you mean hostname?",
        "linux.namespaces[1].paht: not known, ignored, did you mean path?",
        "process.noNewPrivilege: not known, ignored, did you mean noNewPrivileges?",
        "process.user.addGids: not known, ignored",
        "windows: of another system, ignored",
        "x: not known, ignored",
        "zos: of another system, ignored",
    ];
    assert_eq!(lines, expected.map(told));
}

#[test]
fn a_plan_shows_which_fds_are_sent_where() {
    let dir = tempfile::tempdir().unwrap();
    let text = r#"{"ociVersion": "1.0.0", "root": {"path": "a"}, "process": {"args": ["sh"], "cwd": "/"},
        "annotations": {"run.oci.pidfd_receiver": "/run/receiver"},
        "linux": {"namespaces": [{"type": "mount"}], "seccomp": {"defaultAction": "SCMP_ACT_ALLOW",
        "listenerPath": "/run/agent", "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_NOTIFY"}]}}}"#;
    fs::write(dir.path().join("config.json"), text).unwrap();
    let mut tierce = std::process::Command::new(env!("CARGO_BIN_EXE_tierce"));
    let output = tierce.args(["plan", "--format", "json"]).current_dir(dir.path()).output().unwrap();
    let lines: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let sent: Vec<_> = lines.as_array().unwrap().iter().filter(|line| line["action"] == "send").collect();
    let line = |by: &str, object: &str, location: &str| serde_json::json!({"by": by, "action": "send", "object": object, "location": location});
    let receiver = r#"annotations["run.oci.pidfd_receiver"]"#;
    let pidfd = line("host", "a pidfd of init to the socket /run/receiver", receiver);
    let listener =
        line("container", "the notification fd to the socket /run/agent", "linux.seccomp.listenerPath");
    assert_eq!(sent, [&pidfd, &listener]);
}
