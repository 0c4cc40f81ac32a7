//! `tierce spec`: a config.json to start from.

use super::features::OCI_VERSION_MAX;
use super::json;
use crate::cli::{SpecOptions, SpecOutput};
use crate::error::{Context, Error, Result};
use crate::sys;
use serde_json::{Value, json};
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

/// What the program of the container may do as root: write to the audit log, signal anybody, listen
/// on ports below 1024 (capabilities(7)).
const CAPABILITIES: &[&str] = &["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"];

/// The configuration that `spec` writes, the same in substance as that of `runc spec`. With
/// `rootless`, the caller's uid and gid, it is one that needs no privileges: the caller is root in a
/// user namespace of its own, on the host's network and without cgroup settings.
pub fn default_config(rootless: Option<(u32, u32)>) -> Value {
    json!({
        "ociVersion": OCI_VERSION_MAX,
        "process": process(),
        "root": {"path": "rootfs", "readonly": true},
        "hostname": "tierce",
        "mounts": mounts(rootless.is_some()),
        "linux": linux(rootless),
    })
}

fn process() -> Value {
    json!({
        "terminal": true,
        "user": {"uid": 0, "gid": 0},
        "args": ["sh"],
        "env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"],
        "cwd": "/",
        "capabilities": {"bounding": CAPABILITIES, "effective": CAPABILITIES, "permitted": CAPABILITIES},
        "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}],
        "noNewPrivileges": true,
    })
}

fn mounts(rootless: bool) -> Value {
    let mount = |destination, typ, source, options: &[&str]| json!({"destination": destination, "type": typ, "source": source, "options": options});
    // sysfs belongs to the network namespace, and gid 5 (tty) is not mapped.
    let (sys, pts): (_, &[&str]) = match rootless {
        true => (mount("/sys", "none", "/sys", &["rbind", "nosuid", "noexec", "nodev", "ro"]), &[]),
        false => (mount("/sys", "sysfs", "sysfs", &["nosuid", "noexec", "nodev", "ro"]), &["gid=5"]),
    };
    let pts = [&["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"], pts].concat();
    json!([
        {"destination": "/proc", "type": "proc", "source": "proc"},
        mount("/dev", "tmpfs", "tmpfs", &["nosuid", "strictatime", "mode=755", "size=65536k"]),
        mount("/dev/pts", "devpts", "devpts", &pts),
        mount("/dev/shm", "tmpfs", "shm", &["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]),
        mount("/dev/mqueue", "mqueue", "mqueue", &["nosuid", "noexec", "nodev"]),
        sys,
        mount("/sys/fs/cgroup", "cgroup", "cgroup", &["nosuid", "noexec", "nodev", "relatime", "ro"]),
    ])
}

fn linux(rootless: Option<(u32, u32)>) -> Value {
    let namespaces = |types: &[&str]| types.iter().map(|t| json!({"type": t})).collect::<Vec<_>>();
    let mut linux = json!({
        "namespaces": namespaces(&["pid", "network", "ipc", "uts", "mount"]),
        "maskedPaths": [
            "/proc/acpi",
            "/proc/asound",
            "/proc/kcore",
            "/proc/keys",
            "/proc/latency_stats",
            "/proc/timer_list",
            "/proc/timer_stats",
            "/proc/sched_debug",
            "/sys/firmware",
            "/proc/scsi",
            "/sys/devices/virtual/tpm",
        ],
        "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
    });
    match rootless {
        Some((uid, gid)) => {
            let caller = |host: u32| json!([{"containerID": 0, "hostID": host, "size": 1}]);
            linux["uidMappings"] = caller(uid);
            linux["gidMappings"] = caller(gid);
            linux["namespaces"] = namespaces(&["pid", "ipc", "uts", "mount", "user"]).into();
        }
        None => linux["resources"] = json!({"devices": [{"allow": false, "access": "rwm"}]}),
    }
    linux
}

/// Writes the configuration to a new file.
///
/// # Errors
/// The file exists, or cannot be written.
pub fn run(options: &SpecOptions) -> Result<()> {
    let mut config = default_config(options.rootless.then(sys::process::effective_ids));
    if Path::new("/sys/fs/cgroup/cgroup.controllers").exists() {
        add_cgroup_namespace(&mut config);
    }
    let text = json::pretty(&config);
    match &options.output {
        SpecOutput::Stdout => {
            io::stdout().write_all(text.as_bytes()).context(|| "write the configuration to stdout")
        }
        SpecOutput::File(file) => write_new(&options.bundle.join(file), file, &text),
    }
}

/// On cgroup v2 alone a mounted cgroup filesystem would show the host's whole tree.
fn add_cgroup_namespace(config: &mut Value) {
    if let Some(namespaces) = config["linux"]["namespaces"].as_array_mut() {
        namespaces.push(json!({"type": "cgroup"}));
    }
}

fn write_new(path: &Path, name: &Path, text: &str) -> Result<()> {
    let what = || format!("write {}", path.display());
    let mut file = match OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
            return Err(Error::new(format!("File {} exists. Remove it first", name.display())));
        }
        Err(e) => return Err(Error::io(what(), &e)),
    };
    file.write_all(text.as_bytes()).context(what).inspect_err(|_| {
        // Half a configuration would stop the next attempt; the write error is the one to tell.
        let _ = fs::remove_file(path);
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn types(config: &Value) -> Vec<&str> {
        let namespaces = config["linux"]["namespaces"].as_array().unwrap();
        namespaces.iter().map(|n| n["type"].as_str().unwrap()).collect()
    }

    fn mount<'a>(config: &'a Value, destination: &str) -> &'a Value {
        let mounts = config["mounts"].as_array().unwrap();
        mounts.iter().find(|m| m["destination"] == destination).unwrap()
    }

    #[test]
    fn the_default_is_a_contained_shell() {
        let config = default_config(None);
        assert_eq!(config["ociVersion"], "1.3.0");
        assert_eq!(config["process"]["args"], json!(["sh"]));
        assert_eq!(config["process"]["noNewPrivileges"], true);
        assert_eq!(config["root"], json!({"path": "rootfs", "readonly": true}));
        assert_eq!(types(&config), ["pid", "network", "ipc", "uts", "mount"]);
        assert_eq!(config["linux"]["resources"]["devices"][0]["allow"], false);
        assert_eq!(mount(&config, "/sys")["type"], "sysfs");
        assert!(mount(&config, "/dev/pts")["options"].as_array().unwrap().contains(&json!("gid=5")));
        assert_eq!(config["linux"]["uidMappings"], Value::Null);
    }

    #[test]
    fn rootless_needs_no_privileges() {
        let config = default_config(Some((1000, 100)));
        assert_eq!(types(&config), ["pid", "ipc", "uts", "mount", "user"]);
        let map = |host: u32| json!([{"containerID": 0, "hostID": host, "size": 1}]);
        assert_eq!(config["linux"]["uidMappings"], map(1000));
        assert_eq!(config["linux"]["gidMappings"], map(100));
        assert_eq!(config["linux"]["resources"], Value::Null);
        assert_eq!(mount(&config, "/sys")["source"], "/sys");
        assert_eq!(mount(&config, "/sys")["options"][0], "rbind");
        assert!(!mount(&config, "/dev/pts")["options"].as_array().unwrap().contains(&json!("gid=5")));
    }

    #[test]
    fn both_are_configurations_to_others() {
        for rootless in [None, Some((1000, 100))] {
            let text = json::pretty(&default_config(rootless));
            let read: oci_spec::runtime::Spec = serde_json::from_str(&text).unwrap();
            assert_eq!(read.mounts().as_ref().unwrap().len(), 7);
            assert!(
                text.starts_with(
                    "{\n\t\"ociVersion\": \"1.3.0\",\n\t\"process\": {\n\t\t\"terminal\": true,"
                )
            );
        }
    }

    #[test]
    fn a_file_is_written_once() {
        let dir = tempfile::tempdir().unwrap();
        let options = SpecOptions {
            bundle: dir.path().to_owned(),
            rootless: false,
            output: SpecOutput::File("config.json".into()),
        };
        run(&options).unwrap();
        let written = fs::read_to_string(dir.path().join("config.json")).unwrap();
        assert!(written.starts_with("{\n\t\"ociVersion\""));
        let error = run(&options).unwrap_err();
        assert_eq!(error.to_string(), "File config.json exists. Remove it first");
        assert_eq!(fs::read_to_string(dir.path().join("config.json")).unwrap(), written);
        let options = SpecOptions { bundle: dir.path().join("none"), ..options };
        assert!(
            run(&options).unwrap_err().to_string().ends_with("config.json: ENOENT no such file or directory")
        );
    }
}
