//! `process.selinuxLabel` and `linux.mountLabel`, on a kernel with SELinux and Debian's policy.

use std::process::Command;
use std::sync::{PoisonError, RwLock, RwLockWriteGuard};

use crate::harness::child_process::succeeds;
use crate::harness::executed::{idle, process_file};
use crate::harness::prelude::*;

cases!("selinux", root: [
    a_label_is_that_of_the_program,
    a_label_is_not_that_of_the_caller_without_one,
    a_label_works_with_no_new_privileges_and_without,
    exec_has_the_label_of_the_container,
    exec_has_the_label_of_its_flag,
    exec_has_the_label_of_its_process_file,
    a_label_that_the_policy_does_not_know_is_named,
    filesystems_of_the_container_have_the_mount_label,
    filesystems_of_the_kernel_have_their_own_labels,
    an_annotation_chooses_what_the_mount_label_is_for,
    an_option_of_the_mount_goes_before_the_mount_label,
    a_mount_label_that_the_policy_does_not_know_is_named,
    labels_without_selinux_are_refused,
    an_enforced_policy_allows_and_denies_by_the_label,
]);

const LABEL: &str = "system_u:system_r:container_t:s0:c1,c2";
const FILES: &str = "system_u:object_r:container_file_t:s0:c1,c2";
const CURRENT: &[&str] = &["/bin/sh", "-c", "tr -d '\\0' </proc/self/attr/current"];

fn enabled() -> bool {
    Path::new("/sys/fs/selinux/enforce").exists()
}

fn labelled(t: &Case) -> Bundle {
    if !enabled() {
        t.skip("needs SELinux");
    }
    t.bundle().set("/process/selinuxLabel", json!(LABEL))
}

fn exec(t: &Case, flags: &[&str], container: &Container, args: &[&str]) -> Output {
    t.runtime(&[&["exec"], flags, &[container.id.as_str()], args].concat()).run()
}

fn a_label_is_that_of_the_program(t: &Case) {
    let _permissive = permissive();
    t.run(&labelled(t).args(CURRENT)).ok().prints(LABEL);
}

fn a_label_is_not_that_of_the_caller_without_one(t: &Case) {
    let _permissive = permissive();
    let bundle = labelled(t).unset("/process/selinuxLabel");
    let caller = fs::read_to_string("/proc/self/attr/current").expect("read");
    t.run(&bundle.args(CURRENT)).ok().prints(caller.trim_end_matches('\0'));
}

fn a_label_works_with_no_new_privileges_and_without(t: &Case) {
    let _permissive = permissive();
    for value in [true, false] {
        let bundle = labelled(t).set("/process/noNewPrivileges", json!(value));
        t.run(&bundle.args(CURRENT)).ok().prints(LABEL);
    }
}

fn exec_has_the_label_of_the_container(t: &Case) {
    let _permissive = permissive();
    let container = idle(t, &labelled(t));
    exec(t, &[], &container, CURRENT).ok().prints(LABEL);
    exec(t, &["--process", &process_file(t, CURRENT, json!({}))], &container, &[]).ok().prints(LABEL);
}

const OTHER: &str = "system_u:system_r:container_t:s0:c3,c4";

fn exec_has_the_label_of_its_flag(t: &Case) {
    let _permissive = permissive();
    let container = idle(t, &labelled(t));
    exec(t, &["--process-label", OTHER], &container, CURRENT).ok().prints(OTHER);
}

fn exec_has_the_label_of_its_process_file(t: &Case) {
    let _permissive = permissive();
    let container = idle(t, &labelled(t));
    let file = process_file(t, CURRENT, json!({"selinuxLabel": OTHER}));
    exec(t, &["--process", &file], &container, &[]).ok().prints(OTHER);
}

fn a_label_that_the_policy_does_not_know_is_named(t: &Case) {
    let _permissive = permissive();
    let bundle = labelled(t).set("/process/selinuxLabel", json!("system_u:system_r:no_such_t:s0"));
    t.run(&bundle.args(CURRENT)).fails().says("no_such_t");
    t.assert_no_side_effects();
}

/// The label of a file of the container.
fn label_of(t: &Case, container: &Container, path: &str) -> String {
    let path = format!("/proc/{}/root{path}", container.pid());
    host(t, &format!("/usr/bin/stat --format %C {path}"))
}

/// What a script prints on the host.
#[track_caller]
fn host(t: &Case, script: &str) -> String {
    let output = t.path(&format!("host-{}", t.id()));
    let script = format!("({script}) >{} 2>&1", output.display());
    let done = succeeds(Command::new(&t.host.busybox).args(["sh", "-c", &script]));
    let text = fs::read_to_string(&output).unwrap_or_default();
    assert!(done, "{script}: {text}");
    text.trim().to_string()
}

/// The mode of the policy is one for all cases: the others here run while it is not enforced.
static MODE: RwLock<()> = RwLock::new(());

fn permissive() -> impl Drop {
    MODE.read().unwrap_or_else(PoisonError::into_inner)
}

/// While it is there, what the policy does not allow is denied, to every process of the machine, and
/// every denial is in the kernel's log.
struct Enforcing {
    _alone: RwLockWriteGuard<'static, ()>,
    limit: String,
}

const LIMIT: &str = "/proc/sys/kernel/printk_ratelimit";

impl Enforcing {
    fn new() -> Enforcing {
        let alone = MODE.write().unwrap_or_else(PoisonError::into_inner);
        let limit = fs::read_to_string(LIMIT).expect("read");
        fs::write(LIMIT, "0").expect("write");
        fs::write("/sys/fs/selinux/enforce", "1").expect("enforce the policy");
        Enforcing { _alone: alone, limit }
    }
}

impl Drop for Enforcing {
    fn drop(&mut self) {
        let _ = fs::write("/sys/fs/selinux/enforce", "0");
        let _ = fs::write(LIMIT, &self.limit);
    }
}

/// Of the policy only what it says of the container's label is of interest: that is entered before.
fn an_enforced_policy_allows_and_denies_by_the_label(t: &Case) {
    let script = "until [ -e /opt/go ]; do usleep 10000; done; exec 2>&1 >/dev/shm/said; \
                  read -r line </etc/group && echo read; read -r line </etc/secret || echo denied; echo end; sleep 300";
    let bundle = with_mount_label(t).sh(script);
    fs::write(bundle.in_rootfs("/etc/secret"), "the secret\n").expect("write");
    let root = bundle.in_rootfs("/").display().to_string();
    host(t, &format!("/usr/bin/chcon -R {FILES} {root} && /usr/bin/chcon -t shadow_t {root}/etc/secret"));
    let container = t.launch(&bundle);
    let said = format!("/proc/{}/root/dev/shm/said", container.pid());
    let said = || fs::read_to_string(&said).unwrap_or_default();
    let denied =
        |line: &str| line.contains(LABEL) && line.contains("shadow_t") && line.contains("permissive=0");
    let log = || host(t, "dmesg | grep 'avc:  denied'");
    {
        let _enforcing = Enforcing::new();
        fs::write(bundle.in_rootfs("/opt/go"), "").expect("write");
        eventually("the program has tried", || said().ends_with("end\n"));
        eventually("the denial is in the log", || log().lines().any(denied));
    }
    assert_eq!(said(), "read\ndenied\nend\n", "{}", log());
}

fn with_mount_label(t: &Case) -> Bundle {
    labelled(t).set("/linux/mountLabel", json!(FILES))
}

fn filesystems_of_the_container_have_the_mount_label(t: &Case) {
    let _permissive = permissive();
    let bundle = with_mount_label(t);
    let container = t.launch(&bundle.sh("touch /dev/shm/new; echo made; sleep 300"));
    container.wait_for("made");
    for path in ["/dev", "/dev/shm", "/dev/shm/new", "/dev/mqueue", "/dev/pts"] {
        assert_eq!(label_of(t, &container, path), FILES, "{path}");
    }
}

fn filesystems_of_the_kernel_have_their_own_labels(t: &Case) {
    let _permissive = permissive();
    let container = idle(t, &with_mount_label(t));
    for path in ["/proc", "/sys", "/sys/fs/cgroup"] {
        let label = label_of(t, &container, path);
        assert!(label != FILES && label.contains(":object_r:"), "{path}: {label}");
    }
}

fn an_annotation_chooses_what_the_mount_label_is_for(t: &Case) {
    let _permissive = permissive();
    let bundle =
        with_mount_label(t).set("/annotations", json!({"run.oci.mount_context_type": "rootcontext"}));
    let container = idle(t, &bundle);
    assert_eq!(label_of(t, &container, "/dev"), FILES);
    let mounts = fs::read_to_string(format!("/proc/{}/mountinfo", container.pid())).expect("read");
    let dev = mounts.lines().find(|line| line.contains(" /dev ")).expect("/dev");
    assert!(dev.contains("rootcontext="), "{dev}");
    let wrong = with_mount_label(t).set("/annotations", json!({"run.oci.mount_context_type": "anycontext"}));
    t.run(&wrong.args(&["/bin/true"])).fails().says("anycontext");
}

fn an_option_of_the_mount_goes_before_the_mount_label(t: &Case) {
    let _permissive = permissive();
    let own = "system_u:object_r:container_file_t:s0:c5,c6";
    let options = json!(["mode=755", format!("context=\"{own}\"")]);
    let mount = json!({"destination": "/run", "type": "tmpfs", "source": "tmpfs", "options": options});
    let container = idle(t, &with_mount_label(t).mount(mount));
    assert_eq!(label_of(t, &container, "/run"), own);
}

fn a_mount_label_that_the_policy_does_not_know_is_named(t: &Case) {
    let _permissive = permissive();
    let bundle = with_mount_label(t).set("/linux/mountLabel", json!("system_u:object_r:no_such_t:s0"));
    t.run(&bundle.args(CURRENT)).fails().says("no_such_t");
    t.assert_no_side_effects();
}

fn labels_without_selinux_are_refused(t: &Case) {
    if enabled() {
        t.skip("needs a kernel without SELinux");
    }
    let bundle = t.bundle().args(&["/bin/true"]);
    for path in ["/process/selinuxLabel", "/linux/mountLabel"] {
        t.run(&bundle.clone().set(path, json!(LABEL))).fails().says("selinux");
        t.assert_no_side_effects();
        t.run(&bundle.clone().set(path, json!(""))).ok();
    }
}
