//! One mount, from lines: destination, type, source, and an option on each further one.
#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};
use serde_json::{Value, json};
use std::sync::LazyLock;
use tierce::plan::mounts::{Mount, Source, known_options};
use tierce::plan::{self, Sandbox, print};
use tierce::spec::config::Spec;
use tierce::spec::validate;
use tierce::sys::mount::MountAttr;
use tierce_fuzz::complaints::{about, is_one_line};
use tierce_fuzz::machines::{self, Machine};

static MACHINES: LazyLock<Vec<Machine>> = LazyLock::new(machines::all);

fuzz_target!(|bytes: &[u8]| -> Corpus {
    let Ok(text) = std::str::from_utf8(bytes) else { return Corpus::Reject };
    let mut lines = text.split('\n');
    let mut optional = || lines.next().filter(|line| !line.is_empty());
    let (destination, typ, source) = (optional().unwrap_or(""), optional(), optional());
    let options: Vec<&str> = lines.collect();
    let mount = json!({"destination": destination, "type": typ, "source": source, "options": options});
    for user_namespace in [false, true] {
        let document = document(&mount, user_namespace);
        let spec: Spec = serde_json::from_value(document.clone()).expect("a configuration");
        let text = document.to_string();
        if let Err(error) = validate::check(&spec) {
            about(&error, "config.json", &text);
            continue;
        }
        for machine in MACHINES.iter() {
            planned(&spec, machine, &text, &options, user_namespace);
        }
    }
    Corpus::Keep
});

fn document(mount: &Value, user_namespace: bool) -> Value {
    let mut namespaces = vec![json!({"type": "mount"}), json!({"type": "pid"}), json!({"type": "cgroup"})];
    let mut linux = json!({});
    if user_namespace {
        namespaces.push(json!({"type": "user"}));
        for key in ["uidMappings", "gidMappings"] {
            linux[key] = json!([{"containerID": 0, "hostID": 1000, "size": 1}]);
        }
    }
    linux["namespaces"] = json!(namespaces);
    json!({
        "ociVersion": "1.2.0",
        "root": {"path": "rootfs"},
        "process": {"args": ["a"], "cwd": "/"},
        "mounts": [mount],
        "linux": linux,
    })
}

fn planned(spec: &Spec, machine: &Machine, text: &str, options: &[&str], user_namespace: bool) {
    let plan = match plan::container(spec, &machine.facts, &machine.options) {
        Ok(plan) => plan,
        Err(error) => return about(&error, "config.json", text),
    };
    let again = plan::container(spec, &machine.facts, &machine.options).expect("the same plan");
    assert!(machines::same_plan(&plan, &again), "two plans");
    print::text(&print::lines(&plan)).lines().for_each(is_one_line);
    let Sandbox::New(container) = &plan.sandbox else { panic!("no container") };
    let [mount] = &container.mounts[..] else { panic!("{} mounts", container.mounts.len()) };
    let target = mount.target.full.to_bytes();
    assert!(!target.starts_with(b"/") && !target.split(|b| *b == b'/').any(|part| part == b".."));
    same(mount.attr, attributes(options, ""));
    if !user_namespace {
        same(mount.recursive_attr, attributes(options, "r"));
    }
    nothing_is_lost(mount, options, &plan.warnings);
}

fn same(is: MountAttr, should: MountAttr) {
    assert_eq!((is.set, is.clear), (should.set, should.clear), "set and clear");
}

/// What mount_setattr(2) is to do: of each property the last option that names it counts.
fn attributes(options: &[&str], prefix: &str) -> MountAttr {
    let names = [
        (libc::MOUNT_ATTR_RDONLY, "ro", "rw"),
        (libc::MOUNT_ATTR_NOSUID, "nosuid", "suid"),
        (libc::MOUNT_ATTR_NODEV, "nodev", "dev"),
        (libc::MOUNT_ATTR_NOEXEC, "noexec", "exec"),
        (libc::MOUNT_ATTR_NODIRATIME, "nodiratime", "diratime"),
        (0x20_0000, "nosymfollow", "symfollow"),
    ];
    let mut attr = MountAttr::default();
    let own: Vec<&str> = options.iter().filter_map(|option| option.strip_prefix(prefix)).collect();
    for (bit, on, off) in names {
        match own.iter().rfind(|option| **option == on || **option == off) {
            Some(last) if *last == on => attr.set |= bit,
            Some(_) => attr.clear |= bit,
            None => {}
        }
    }
    let times = ["atime", "noatime", "strictatime", "nostrictatime", "relatime", "norelatime"];
    if let Some(last) = own.iter().rfind(|option| times.contains(*option)) {
        attr.clear |= 0x70;
        attr.set |= match *last {
            "noatime" => libc::MOUNT_ATTR_NOATIME,
            "strictatime" => libc::MOUNT_ATTR_STRICTATIME,
            _ => 0,
        };
    }
    attr
}

/// What is no option goes to the filesystem, or there is a warning.
fn nothing_is_lost(mount: &Mount, options: &[&str], warnings: &[String]) {
    let known = known_options();
    let plain = |option: &&&str| !known.contains(*option) && !option.contains(['=', ',', '"', '\\']);
    for option in options.iter().filter(plain).filter(|option| !option.is_empty()) {
        let there = match &mount.source {
            Source::Filesystem(filesystem) if filesystem.fstype.as_c_str() != c"cgroup2" => {
                filesystem.parameters.iter().any(|p| p.key.to_bytes() == option.as_bytes())
            }
            Source::Remount(Some(parameters)) => {
                parameters.iter().any(|p| p.key.to_bytes() == option.as_bytes())
            }
            Source::Filesystem(_) | Source::Bind(_) | Source::CgroupV1(_) | Source::Remount(None) => {
                let shown = format!("{option:?}");
                warnings.iter().any(|warning| warning.contains(&shown))
            }
        };
        assert!(there, "{option:?} is lost: {mount:?}");
    }
}
