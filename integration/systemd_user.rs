//! `--systemd-cgroup` without root: the scope is one of the user's own systemd (systemd.special(7), user units).

use crate::harness::caller::runtime_dir;
use crate::harness::cgroups::join;
use crate::harness::host::Kind;
use crate::harness::prelude::*;
use crate::harness::units::{Slice, Whose};

cases!("systemd_user", root: [
    a_container_is_a_scope_of_the_user,
    limits_hold_in_a_scope_that_the_users_systemd_made,
    from_outside_of_the_users_units_systemd_moves_the_container,
    the_users_systemd_is_asked_itself_where_there_is_no_bus,
    a_program_that_is_executed_is_in_the_scope_of_the_user,
    a_scope_of_the_user_is_gone_after_a_delete,
    without_a_session_it_is_said_what_was_tried,
]);

/// Where systemd puts the user's units.
const MANAGER: &str = "/user.slice/user-1000.slice/user@1000.service";

const MIB: u64 = 1 << 20;

fn scope(id: &str) -> String {
    format!("it-{id}.scope")
}

fn path(slice: &str, id: &str) -> Value {
    json!(format!("{}:it:{id}", if slice.is_empty() { "user.slice" } else { slice }))
}

fn limited(t: &Case) -> Bundle {
    let resources = json!({"memory": {"limit": 32 * MIB, "swap": 32 * MIB}, "pids": {"limit": 20}});
    t.bundle().set("/linux/resources", resources)
}

fn sleeping(t: &Case, slice: &str) -> (String, Output) {
    let id = t.id();
    let bundle = limited(t).set("/linux/cgroupsPath", path(slice, &id)).args(&["/bin/sleep", "300"]);
    (id.clone(), t.runtime(&t.command_line("run", &bundle, &["--detach"], &id)).run())
}

fn delete(t: &Case, id: &str) {
    t.runtime(&["delete", "--force", id]).run().ok();
    assert!(!Whose::User.knows(&scope(id)));
}

fn cgroup_of(t: &Case, id: &str) -> String {
    let pid = t.runtime(&["state", id]).run().ok().json()["pid"].clone();
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).expect("its cgroup");
    text.trim().trim_start_matches("0::").to_string()
}

fn read(t: &Case, id: &str, file: &str) -> String {
    let path = join(&t.host.cgroups.hierarchies[0].mount, &cgroup_of(t, id)).join(file);
    fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display())).trim().to_string()
}

fn a_container_is_a_scope_of_the_user(t: &Case) {
    t.needs_systemd_of_user();
    let slice = Slice::new(t, Whose::User);
    let (id, output) = sleeping(t, "");
    output.ok();
    assert_eq!(cgroup_of(t, &id), format!("{MANAGER}/user.slice/{}", scope(&id)));
    assert_eq!(Whose::User.show(&scope(&id), "MemoryMax"), (32 * MIB).to_string());
    assert_eq!(read(t, &id, "memory.max"), (32 * MIB).to_string());
    let (other, output) = sleeping(t, &slice.inner("a"));
    output.ok();
    assert_eq!(
        cgroup_of(t, &other),
        format!("{MANAGER}/{}/{}/{}", slice.name, slice.inner("a"), scope(&other))
    );
    Whose::User.systemctl(&["daemon-reload"]);
    assert_eq!(read(t, &id, "pids.max"), "20");
    delete(t, &id);
    delete(t, &other);
}

fn limits_hold_in_a_scope_that_the_users_systemd_made(t: &Case) {
    t.needs_systemd_of_user();
    let dd = |size| ["/bin/dd", "if=/dev/zero", "of=/dev/null", size, "count=1"];
    t.run(&limited(t).args(&dd("bs=200M"))).exits(137);
    t.run(&limited(t).args(&dd("bs=2M"))).ok();
    let script = "(for i in $(seq 40); do sleep 300 & done; echo unlimited) 2>/dev/null || echo limited";
    t.run(&limited(t).sh(script)).ok().prints("limited");
}

/// As from a login over ssh, whose scope is the machine's.
fn from_outside_of_the_users_units_systemd_moves_the_container(t: &Case) {
    t.needs_systemd_of_user();
    t.call_from_login();
    let (id, output) = sleeping(t, "");
    output.ok();
    assert_eq!(cgroup_of(t, &id), format!("{MANAGER}/user.slice/{}", scope(&id)));
    assert_eq!(read(t, &id, "pids.max"), "20");
    delete(t, &id);
}

fn the_users_systemd_is_asked_itself_where_there_is_no_bus(t: &Case) {
    t.needs_systemd_of_user();
    if !t.is(Kind::Tierce) {
        t.skip("is about tierce's own client");
    }
    let id = t.id();
    let bundle = limited(t).set("/linux/cgroupsPath", path("", &id)).args(&["/bin/true"]);
    let directory = t.directory("runtime");
    fs::create_dir(directory.join("systemd")).expect("make a directory");
    std::os::unix::fs::symlink(runtime_dir().join("systemd/private"), directory.join("systemd/private"))
        .expect("make a link");
    let call = || t.runtime(&t.command_line("run", &bundle, &[], &id));
    t.call_from_login();
    call().env("XDG_RUNTIME_DIR", &directory).run().ok();
    let bus = format!("unix:path={}/bus", runtime_dir().display());
    call().env("XDG_RUNTIME_DIR", "/none").env("DBUS_SESSION_BUS_ADDRESS", bus).run().ok();
    assert!(!Whose::User.knows(&scope(&id)));
}

fn a_program_that_is_executed_is_in_the_scope_of_the_user(t: &Case) {
    t.needs_systemd_of_user();
    let id = t.id();
    let bundle = limited(t).set("/linux/cgroupsPath", path("", &id)).without_namespace("cgroup");
    let bundle = bundle.args(&["/bin/sleep", "300"]);
    t.runtime(&t.command_line("run", &bundle, &["--detach"], &id)).run().ok();
    let its = format!("0::{}", cgroup_of(t, &id));
    t.runtime(&["exec", &id, "/bin/cat", "/proc/self/cgroup"]).run().ok().prints(&its);
    // The kernel does not let a user move a process in there; systemd does.
    t.call_from_login();
    t.runtime(&["exec", &id, "/bin/cat", "/proc/self/cgroup"]).run().ok().prints(&its);
    delete(t, &id);
}

fn a_scope_of_the_user_is_gone_after_a_delete(t: &Case) {
    t.needs_systemd_of_user();
    let id = t.id();
    let bundle = limited(t).set("/linux/cgroupsPath", path("", &id)).sh("exit 3");
    for _ in 0..5 {
        t.runtime(&t.command_line("run", &bundle, &[], &id)).run().exits(3);
    }
    assert!(!Whose::User.knows(&scope(&id)));
    let (id, output) = sleeping(t, "");
    output.ok();
    delete(t, &id);
}

fn without_a_session_it_is_said_what_was_tried(t: &Case) {
    t.needs_systemd_of_user();
    t.call_from_login();
    let run = || t.runtime(&t.command_line("run", &limited(t), &[], &t.id()));
    let output = run().env("XDG_RUNTIME_DIR", "/none").run();
    output.fails();
    if t.is(Kind::Tierce) {
        output.says("--systemd-cgroup").says("/none/bus: ENOENT").says("/none/systemd/private: ENOENT");
        output.says("loginctl enable-linger");
        run().env("XDG_RUNTIME_DIR", "").run().fails().says("$XDG_RUNTIME_DIR, which is not set");
    }
    t.assert_no_side_effects();
}
