//! Stage 1 from the outside: configurations that are right, odd or wrong, and the exact words for
//! the wrong ones. The cases are in `tests/data/spec`.

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use tierce::error::{Cause, Context, Result, Violation};
use tierce::spec::bundle::{Bundle, ConfigSource, load, load_process};
use tierce::spec::validate::{check, check_process};

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/spec").join(name)
}

/// Loads `text` as the config.json of a bundle.
fn load_text(text: &str) -> Result<Bundle> {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("config.json"), text).unwrap();
    load(dir.path(), &ConfigSource::Bundle)
}

/// Loads and checks as `create` does, and gives the warnings.
fn create(text: &str) -> Result<Vec<Violation>> {
    let bundle = load_text(text)?;
    check(&bundle.spec).map_err(|error| bundle.locate(error)).context(|| "config.json")
}

fn message(text: &str) -> String {
    create(text).expect_err(text).to_string()
}

/// One block of bad.txt or odd.txt.
struct Case {
    name: String,
    patch: Value,
    lines: Vec<String>,
}

fn cases(file: &str, marker: &str) -> Vec<Case> {
    let text = fs::read_to_string(data(file)).unwrap();
    let blocks = text.split("\n\n").filter_map(|block| block.strip_prefix("# "));
    blocks
        .map(|block| {
            let (name, rest) = block.split_once('\n').expect(block);
            let (patch, lines): (Vec<&str>, Vec<&str>) =
                rest.lines().partition(|line| !line.starts_with(marker));
            let patch = serde_json::from_str(&patch.join("\n")).expect(name);
            let lines = lines.iter().map(|line| line[marker.len()..].to_owned()).collect();
            Case { name: name.to_owned(), patch, lines }
        })
        .collect()
}

/// RFC 7396.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(members) = patch else { return *target = patch.clone() };
    if !target.is_object() {
        *target = Value::Object(Default::default());
    }
    for (key, patch) in members {
        match patch {
            Value::Null => drop(target.as_object_mut().unwrap().remove(key)),
            patch => merge(&mut target[key], patch),
        }
    }
}

fn patched(case: &Case) -> String {
    let mut config: Value = serde_json::from_str(&fs::read_to_string(data("base.json")).unwrap()).unwrap();
    merge(&mut config, &case.patch);
    config.to_string()
}

#[test]
fn every_mistake_is_named_with_its_path_its_value_and_what_would_be_right() {
    let cases = cases("bad.txt", "=> ");
    assert!(cases.len() >= 60, "{} cases", cases.len());
    for case in cases {
        let expected = match case.lines.as_slice() {
            [one] => format!("config.json: {one}"),
            all => format!("config.json: {} mistakes\n  {}", all.len(), all.join("\n  ")),
        };
        assert_eq!(message(&patched(&case)), expected, "{}", case.name);
    }
}

#[test]
fn what_is_odd_is_used_with_a_warning() {
    let cases = cases("odd.txt", "~> ");
    assert!(cases.len() >= 20, "{} cases", cases.len());
    for case in cases {
        let warnings = create(&patched(&case)).unwrap_or_else(|error| panic!("{}: {error}", case.name));
        let warnings: Vec<_> = warnings.iter().map(|w| format!("{}: {}", w.path, w.text)).collect();
        assert_eq!(warnings, case.lines, "{}", case.name);
    }
}

/// What managers and the specification write, and what of it is still refused.
const GOOD: &[(&str, &[&str])] = &[
    ("crio-container", &[]),
    ("crio-sandbox", &[]),
    ("docker-limits-tty", &[]),
    ("docker-plain", &[]),
    ("docker-privileged", &[]),
    ("podman-4-limits-read-only", &[]),
    ("podman-4-privileged", &[]),
    ("podman-4-userns", &[]),
    ("podman-5-init", &[]),
    ("podman-5-limits-read-only-tty", &[]),
    ("podman-5-privileged", &[]),
    ("podman-5-userns", &[]),
    ("specification-example", &[]),
    ("specification-minimal", &[]),
    ("specification-minimal-for-start", &[]),
    ("specification-net-devices", &[]),
    ("specification-rdma", &[]),
];

fn good(name: &str) -> String {
    fs::read_to_string(data("good").join(name).with_extension("json")).expect(name)
}

#[test]
fn of_what_managers_write_only_what_comes_later_is_refused() {
    for (name, later) in GOOD {
        let text = good(name).replace("0.5.0-dev", "1.0.0");
        let refused = match create(&text) {
            Ok(warnings) => {
                assert_eq!(warnings, [], "{name}");
                Vec::new()
            }
            Err(error) => match error.cause() {
                Cause::Invalid(violations) => violations.clone(),
                other => panic!("{name}: {other:?}"),
            },
        };
        assert!(refused.iter().all(|v| v.text.contains("not supported yet")), "{name}: {refused:?}");
        let paths: Vec<_> = refused.iter().map(|v| v.path.as_str()).collect();
        assert_eq!(paths, *later, "{name}");
    }
}

#[test]
fn every_good_sample_is_listed() {
    let files = fs::read_dir(data("good")).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<_> =
        files.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    found.retain(|name| !name.ends_with("-process"));
    found.sort();
    assert_eq!(found, GOOD.iter().map(|(name, _)| *name).collect::<Vec<_>>());
}

#[test]
fn oci_spec_reads_the_same_values() {
    for (name, _) in GOOD {
        let text = good(name);
        let theirs: oci_spec::runtime::Spec = serde_json::from_str(&text).expect(name);
        let ours = load_text(&text).expect(name).spec;
        assert_eq!(theirs.version(), &ours.oci_version, "{name}");
        assert_eq!(theirs.root().as_ref().unwrap().path(), Path::new(&ours.root.unwrap().path), "{name}");
        assert_eq!(theirs.hostname(), &ours.hostname, "{name}");
        let destinations = |mounts: &[oci_spec::runtime::Mount]| -> Vec<_> {
            mounts
                .iter()
                .map(|m| (m.destination().clone(), m.options().clone().unwrap_or_default()))
                .collect()
        };
        let our_mounts: Vec<_> = ours.mounts.into_iter().map(|m| (m.destination.into(), m.options)).collect();
        assert_eq!(destinations(theirs.mounts().as_deref().unwrap_or_default()), our_mounts, "{name}");
        match (theirs.process(), ours.process) {
            (None, None) => {}
            (Some(theirs), Some(ours)) => same_process(theirs, &ours, name),
            _ => panic!("{name}: process"),
        }
        match (theirs.linux(), ours.linux) {
            (None, None) => {}
            (Some(theirs), Some(ours)) => same_linux(theirs, &ours, name),
            // oci-spec fills in a Linux section where there is none.
            (Some(_), None) => assert!(!text.contains("\"linux\""), "{name}"),
            (None, Some(_)) => panic!("{name}: linux"),
        }
    }
}

fn same_process(theirs: &oci_spec::runtime::Process, ours: &tierce::spec::config::Process, name: &str) {
    assert_eq!(theirs.args(), &ours.args, "{name}");
    assert_eq!(theirs.env().clone().unwrap_or_default(), ours.env, "{name}");
    assert_eq!(theirs.cwd(), Path::new(&ours.cwd), "{name}");
    assert_eq!((theirs.user().uid(), theirs.user().gid()), (ours.user.uid, ours.user.gid), "{name}");
    assert_eq!(theirs.user().umask(), ours.user.umask, "{name}");
    assert_eq!(theirs.terminal().unwrap_or_default(), ours.terminal, "{name}");
    let limits: Vec<_> = theirs.rlimits().iter().flatten().map(|r| (r.soft(), r.hard())).collect();
    assert_eq!(limits, ours.rlimits.iter().map(|r| (r.soft, r.hard)).collect::<Vec<_>>(), "{name}");
}

fn same_linux(theirs: &oci_spec::runtime::Linux, ours: &tierce::spec::config::Linux, name: &str) {
    let paths: Vec<_> = theirs.namespaces().iter().flatten().map(|n| n.path().clone()).collect();
    let our_paths: Vec<_> = ours.namespaces.iter().map(|n| n.path.as_ref().map(PathBuf::from)).collect();
    assert_eq!(paths, our_paths, "{name}");
    let ids: Vec<_> = theirs.uid_mappings().iter().flatten().map(|m| (m.host_id(), m.size())).collect();
    assert_eq!(ids, ours.uid_mappings.iter().map(|m| (m.host_id, m.size)).collect::<Vec<_>>(), "{name}");
    let devices: Vec<_> = theirs.devices().iter().flatten().map(|d| (d.path().clone(), d.minor())).collect();
    let our_devices: Vec<_> =
        ours.devices.iter().map(|d| (PathBuf::from(&d.path), d.minor.unwrap())).collect();
    assert_eq!(devices, our_devices, "{name}");
    let memory = theirs.resources().as_ref().and_then(|r| r.memory().as_ref()?.limit());
    assert_eq!(memory, ours.resources.as_ref().and_then(|r| r.memory.as_ref()?.limit), "{name}");
    let rules = theirs.seccomp().iter().flat_map(|s| s.syscalls().iter().flatten());
    let rules: Vec<_> = rules.map(|r| (r.names().clone(), r.errno_ret())).collect();
    let our_rules = ours.seccomp.iter().flat_map(|s| &s.syscalls);
    assert_eq!(rules, our_rules.map(|r| (r.names.clone(), r.errno_ret)).collect::<Vec<_>>(), "{name}");
}

#[test]
fn null_is_absent_where_go_programs_write_it() {
    let text = r#"{"ociVersion": "1.0.0", "root": {"path": "rootfs"}, "mounts": null, "annotations": null, "hooks": null,
        "process": {"args": ["sh"], "cwd": "/", "env": null, "rlimits": null, "user": null, "capabilities": null},
        "linux": {"namespaces": null, "sysctl": null, "devices": null, "seccomp": null, "maskedPaths": null,
        "resources": {"devices": null, "memory": null, "unified": null, "blockIO": null}}}"#;
    assert_eq!(create(text).unwrap(), []);
}

#[test]
fn a_member_given_twice_is_a_mistake() {
    let text = r#"{"ociVersion": "1.0.0", "root": {"path": "a"}, "root": {"path": "b"}}"#;
    assert_eq!(message(text), "config.json: root: is given twice");
    let text = r#"{"ociVersion": "1.0.0", "root": {"path": "a"}, "annotations": {"k": "1", "k": "2"}}"#;
    assert_eq!(message(text), "config.json: annotations.k: is given twice");
    let text = r#"{"ociVersion": "1.0.0", "root": {"path": "a"},
        "process": {"args": ["sh"], "cwd": "/", "cwd": "tmp", "cwd": 5},
        "linux": {"namespaces": [{"type": "mount"}, {"type": "network", "type": "network"}],
        "sysctl": {"net.a": "1", "net.a": "2"}}, "annotations": {"k": "1", "k": "1"}}"#;
    let expected = "config.json: 6 mistakes\n  \
        process.cwd: is given twice (line 2 column 70)\n  \
        process.cwd: is given twice (line 2 column 70)\n  \
        linux.namespaces[1].type: is given twice (line 3 column 81)\n  \
        linux.sysctl[\"net.a\"]: is given twice (line 4 column 43)\n  \
        annotations.k: is given twice (line 4 column 81)\n  \
        process.cwd: 5 is not a string (line 2 column 70)";
    assert_eq!(message(text), expected);
}

#[test]
fn a_mistake_in_a_text_of_several_lines_has_a_line_and_a_column() {
    let text = "{\n  \"ociVersion\": \"1.0.0\",\n  \"root\": {\"path\": \"a\"},\n  \"process\": {\n    \
        \"args\": [\"sh\"], \"cwd\": \"tmp\",\n    \"user\": {\"umask\": 512}\n  },\n  \"hostname\": \"h\"\n}\n";
    let expected = "config.json: 3 mistakes\n  \
        process.cwd: \"tmp\" is not absolute (line 5 column 28)\n  \
        process.user.umask: 512 (0o1000) is above 511 (0o777) (line 6 column 23)\n  \
        hostname: \"h\" needs a uts namespace in linux.namespaces (line 8 column 15)";
    assert_eq!(message(text), expected);
    // What is not there is nowhere.
    assert_eq!(message("{\n\"ociVersion\": \"1.0.0\"\n}").lines().count(), 1);
    let of_one_line = text.replace('\n', " ");
    assert!(message(&of_one_line).contains("process.cwd: \"tmp\" is not absolute\n"));
}

/// Documents that are right by the schema and that other parsers have refused, or lost members of.
#[test]
fn nothing_of_the_schema_is_refused_by_the_parser() {
    for members in [
        r#""process": {"scheduler": {"policy": "SCHED_DEADLINE", "flags": ["SCHED_FLAG_RESET_ON_FORK",
            "SCHED_FLAG_DL_OVERRUN"], "runtime": 18446744073709551615}}"#,
        r#""process": {"execCPUAffinity": {"initial": "", "final": "0, 1-3"}}"#,
        r#""process": {"ioPriority": {"class": "IOPRIO_CLASS_IDLE"}}"#,
        r#""process": {"capabilities": {"bounding": ["CAP_OF_THE_FUTURE"]}}"#,
        r#""process": {"args": ["sh"], "cwd": "/"}"#,
        r#""process": {"rlimits": [{"type": "RLIMIT_NEW", "soft": 0, "hard": 18446744073709551615}]}"#,
        r#""linux": {"intelRdt": {"enableCMT": true, "enableMBM": false, "schemata": ["L3:0=f"]}}"#,
        r#""linux": {"namespaces": [{"type": "of-the-future"}], "devices": [{"path": "/dev/x"}]}"#,
        r#""linux": {"seccomp": {"defaultAction": "SCMP_ACT_NEW", "flags": ["SECCOMP_FILTER_FLAG_NEW"]}}"#,
        r#""linux": {"personality": {"domain": "LINUX64"}, "memoryPolicy": {"mode": "MPOL_NEW", "nodes": ""}}"#,
        r#""linux": {"netDevices": {"eth0": {"name": "container_eth0"}}, "timeOffsets": {"monotonic": {"secs": -1}}}"#,
        r#""solaris": {}, "windows": {"layerFolders": []}, "vm": {"kernel": {"path": "/k"}}, "zos": {}, "freebsd": {}"#,
    ] {
        let text = format!(r#"{{"ociVersion": "1.3.0", "root": {{"path": "a"}}, {members}}}"#);
        if let Err(error) = load_text(&text) {
            panic!("{text}: {error}");
        }
    }
}

#[test]
fn a_syntax_error_has_a_line_and_a_column() {
    let cases = [
        ("", "is empty"),
        (" \n", "is empty"),
        ("{]", "line 1 column 2: key must be a string"),
        ("{\"a\": 1\n  \"b\": 2}", "line 2 column 3: expected `,` or `}`"),
        ("{\"process\": {\"cwd\": 5,\n}}", "line 2 column 1: trailing comma (in process)"),
        ("{\"root\": {\"path\":", "line 1 column 17: EOF while parsing a value (in root.path)"),
        ("{\"mounts\": [{}, {\"type\": no}]}", "line 1 column 27: expected ident (in mounts[1].type)"),
        ("{} {}", "line 1 column 4: trailing characters"),
        ("[]", "is a list, not an object"),
        ("5", "5 is not an object"),
        ("null", "null is not an object"),
    ];
    for (text, expected) in cases {
        assert_eq!(message(text), format!("config.json: {expected}"), "{text:?}");
    }
}

#[test]
fn deep_nesting_is_an_error_and_not_the_end_of_the_stack() {
    let deep = |levels: usize| {
        let (open, close) = ("[".repeat(levels), "]".repeat(levels));
        format!(r#"{{"ociVersion": "1.0.0", "root": {{"path": "a"}}, "vm": {open}{close}}}"#)
    };
    assert_eq!(create(&deep(126)).unwrap(), []);
    let expected = "config.json: line 1 column 180: is nested deeper than 127 levels";
    assert_eq!(message(&deep(127)), expected);
    assert_eq!(message(&deep(1000)), expected);
    assert_eq!(message(&deep(1_000_000)), expected);
    // What is not known is skipped without recursion, whatever it is.
    assert_eq!(create(&deep(100_000).replace("vm", "unknown")).unwrap(), []);
}

#[test]
fn the_list_of_wrong_types_ends_somewhere() {
    let args = vec!["1"; 150].join(",");
    let text = format!(r#"{{"ociVersion": "1.0.0", "process": {{"args": [{args}]}}}}"#);
    let message = message(&text);
    assert!(
        message.starts_with("config.json: 101 mistakes\n  process.args[0]: 1 is not a string\n"),
        "{message}"
    );
    assert!(message.ends_with("\nhint: there may be more mistakes"), "{message}");
}

#[test]
fn sizes_have_a_limit() {
    let namespaces = r#""namespaces": [{"type": "user"}]"#;
    let text = |linux: String| {
        format!(r#"{{"ociVersion": "1.0.0", "root": {{"path": "a"}}, "linux": {{{linux}}}}}"#)
    };
    let maps = |count: usize| {
        let map: Vec<_> =
            (0..count).map(|i| format!(r#"{{"containerID": {i}, "hostID": {i}, "size": 1}}"#)).collect();
        let map = map.join(",");
        text(format!(r#"{namespaces}, "uidMappings": [{map}], "gidMappings": [{map}]"#))
    };
    assert_eq!(create(&maps(340)).unwrap(), []);
    let expected = "config.json: 2 mistakes\n  \
        linux.uidMappings: has 341 entries; the kernel takes 340\n  \
        linux.gidMappings: has 341 entries; the kernel takes 340";
    assert_eq!(message(&maps(341)), expected);
    let path = |length: usize| text(format!(r#""cgroupsPath": "/{}""#, "x".repeat(length - 1)));
    assert_eq!(create(&path(4096)).unwrap(), []);
    let start = format!("\"/{}\"...", "x".repeat(63));
    let expected = format!("config.json: linux.cgroupsPath: {start} (4097 bytes) is longer than 4096 bytes");
    assert_eq!(message(&path(4097)), expected);
}

#[test]
fn the_process_json_of_managers_is_right() {
    for name in ["podman-4-exec-process.json", "podman-5-exec-process.json"] {
        let process = load_process(&data("good").join(name)).expect(name);
        assert_eq!(check_process(&process).unwrap(), [], "{name}");
        assert_eq!(process.user.uid, 1000, "{name}");
        let theirs: oci_spec::runtime::Process =
            serde_json::from_str(&fs::read_to_string(data("good").join(name)).unwrap()).unwrap();
        same_process(&theirs, &process, name);
    }
}
