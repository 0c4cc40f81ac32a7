//! The runtime's own file (CVE-2019-5736): what a container with all capabilities reaches of it through the
//! processes that enter the container.

use crate::harness::prelude::*;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

cases!("runtime_file", root: [
    a_container_cannot_change_the_file_of_the_runtime,
    the_file_of_a_caller_is_not_what_a_rootless_container_runs,
]);

/// Tries all that can be tried with the file behind `/proc/1/exe`, then holds it open until no process is executed
/// from it any more, when writing is no longer ETXTBSY, and tries that.
const ATTACK: &str = r#"
exe=/proc/1/exe
exec 3<$exe || exit
for attempt in "chmod 4777 $exe" "chown 1:1 $exe" "touch -d @0 $exe" "mount -o remount,bind,rw $exe" \
    "mount -o bind $exe /tmp/exe" "truncate -s 0 $exe"
do $attempt 2>/dev/null && echo "worked: $attempt"; done
echo tried
while [ -e /proc/1/root/waiting ]; do sleep 0.02; done
tries=0
while tries=$((tries + 1)); [ $tries -lt 1000 ]; do
    if echo overwritten 2>/dev/null >/proc/self/fd/3; then echo worked: write; break; fi
    case $(echo 2>&1 >/proc/self/fd/3) in *busy*) sleep 0.02 ;; *) break ;; esac
done
echo ended
"#;

/// The bytes, the mode, the owner and the time of last change.
fn look(path: &Path) -> (Vec<u8>, u32, u32, i64) {
    let meta = fs::metadata(path).expect("the copy of the runtime");
    (fs::read(path).expect("read it"), meta.mode(), meta.uid(), meta.mtime())
}

/// A copy of the runtime that belongs to the caller, and how a call goes through it.
fn copy(t: &Case) -> (PathBuf, String) {
    let copy = t.path("runtime");
    fs::copy(&t.host.runtime, &copy).expect("copy the runtime");
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).expect("chmod");
    t.give(&copy);
    let by_copy = format!("shift; exec {} \"$@\"", copy.display());
    (copy, by_copy)
}

/// A created container's init is the runtime itself; another process of the container attacks it.
pub(crate) fn a_container_cannot_change_the_file_of_the_runtime(t: &Case) {
    let all =
        ["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "SYS_ADMIN", "SYS_PTRACE", "SYS_CHROOT", "SETUID"];
    let all = all.map(|name| format!("CAP_{name}"));
    let bundle = t.bundle().capabilities(&all.each_ref().map(String::as_str)).args(&["/bin/sleep", "300"]);
    let bundle = bundle.writable();
    let (copy, by_copy) = copy(t);
    let before = look(&copy);
    let id = t.id();
    let call = |line: &[&str]| t.runtime(line).through_shell(&by_copy).run();
    fs::write(bundle.in_rootfs("/waiting"), "").expect("write");
    let line = t.command_line("create", &bundle, &[], &id);
    call(&line.iter().map(String::as_str).collect::<Vec<_>>()).ok();
    let attacker = call(&["exec", "--detach", &id, "/bin/sh", "-c", ATTACK]);
    attacker.ok();
    let said = || fs::read_to_string(&attacker.stdout_path).unwrap_or_default();
    eventually("the attempts", || said().contains("tried"));
    call(&["start", &id]).ok();
    fs::remove_file(bundle.in_rootfs("/waiting")).expect("remove");
    eventually("the end of the attack", || said().contains("ended"));
    assert!(look(&copy) == before, "the file of the runtime was changed: {}", said());
}

/// He is root inside, and the file is his.
fn the_file_of_a_caller_is_not_what_a_rootless_container_runs(t: &Case) {
    t.become_ordinary_user();
    let (copy, by_copy) = copy(t);
    let (bundle, id) = (t.bundle().args(&["/bin/sleep", "300"]), t.id());
    t.runtime(&t.command_line("create", &bundle, &[], &id)).through_shell(&by_copy).run().ok();
    let pid = &t.runtime(&["state", &id]).run().ok().json()["pid"];
    let file = |path: &Path| fs::metadata(path).map(|meta| (meta.dev(), meta.ino())).expect("a file");
    assert_ne!(file(Path::new(&format!("/proc/{pid}/exe"))), file(&copy));
}
