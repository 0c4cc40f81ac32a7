//! `--systemd-cgroup`: the container's cgroup is a scope of systemd (runc, docs/systemd.md; systemd.scope(5)).

use crate::harness::cgroups::join;
use crate::harness::host::Kind;
use crate::harness::prelude::*;
use crate::harness::units::{Slice, Whose};

cases!("systemd", root: [
    a_container_is_a_scope_in_its_slice,
    slices_nest_by_their_names,
    an_empty_slice_is_that_of_the_system,
    without_a_path_the_scope_has_the_name_of_the_container,
    the_limits_are_properties_of_the_scope,
    the_limits_hold,
    a_reload_of_systemd_undoes_no_limit,
    a_reload_of_systemd_undoes_no_device_rule,
    what_unified_says_is_a_property_too,
    cpus_are_properties_of_the_scope,
    an_annotation_is_a_property_of_the_scope,
    the_whole_container_is_accounted_to_its_scope,
    a_program_that_is_executed_is_in_the_scope,
    later_commands_need_no_flag,
    the_scope_is_gone_after_a_delete,
    a_scope_that_has_failed_is_gone_after_a_delete,
    the_scope_of_a_program_that_ended_is_forgotten,
    a_container_can_be_made_again_at_once,
    containers_that_are_made_at_the_same_time_have_scopes_of_their_own,
    the_scope_of_a_container_with_groups_of_its_own_goes,
    a_user_namespace_has_the_scope_for_itself,
    where_there_is_no_bus_systemd_is_asked_itself,
]);

const MIB: u64 = 1 << 20;

/// The scope of the container `id` of [`bundle`].
fn scope(id: &str) -> String {
    format!("it-{id}.scope")
}

fn path(slice: &str, id: &str) -> Value {
    json!(format!("{}:it:{id}", if slice.is_empty() { "system.slice" } else { slice }))
}

/// A container that sleeps, in the slice.
fn sleeping(t: &Case, slice: &str, change: impl FnOnce(Bundle) -> Bundle) -> (String, Output) {
    let id = t.id();
    let bundle = t.bundle().set("/linux/cgroupsPath", path(slice, &id)).args(&["/bin/sleep", "300"]);
    let output = t.runtime(&t.command_line("run", &change(bundle), &["--detach"], &id)).run();
    (id, output)
}

fn delete(t: &Case, id: &str) {
    t.runtime(&["delete", "--force", id]).run().ok();
}

fn cgroup_of(t: &Case, id: &str) -> String {
    let pid = t.runtime(&["state", id]).run().ok().json()["pid"].clone();
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).expect("its cgroup");
    text.trim().trim_start_matches("0::").to_string()
}

fn directory(t: &Case, cgroup: &str) -> PathBuf {
    join(&t.host.cgroups.hierarchies[0].mount, cgroup)
}

fn read(t: &Case, id: &str, file: &str) -> String {
    let path = directory(t, &cgroup_of(t, id)).join(file);
    fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display())).trim().to_string()
}

#[track_caller]
fn shows(unit: &str, expected: &[(&str, &str)]) {
    for (property, value) in expected {
        assert_eq!(Whose::System.show(unit, property), *value, "{property} of {unit}");
    }
}

fn a_container_is_a_scope_in_its_slice(t: &Case) {
    t.needs_systemd();
    let slice = Slice::new(t, Whose::System);
    let (id, output) = sleeping(t, &slice.name, |bundle| bundle);
    output.ok();
    let unit = scope(&id);
    assert_eq!(cgroup_of(t, &id), format!("/{}/{unit}", slice.name));
    shows(
        &unit,
        &[
            ("ActiveState", "active"),
            ("SubState", "running"),
            ("Slice", &slice.name),
            ("Transient", "yes"),
            ("Delegate", "yes"),
            ("DefaultDependencies", "no"),
            ("MemoryAccounting", "yes"),
            ("CPUAccounting", "yes"),
            ("IOAccounting", "yes"),
            ("TasksAccounting", "yes"),
        ],
    );
    assert!(Whose::System.show(&unit, "Description").contains(&id));
    delete(t, &id);
}

fn slices_nest_by_their_names(t: &Case) {
    t.needs_systemd();
    let slice = Slice::new(t, Whose::System);
    let (middle, inner) = (slice.inner("a"), slice.inner("a-b"));
    let (id, output) = sleeping(t, &inner, |bundle| bundle);
    output.ok();
    assert_eq!(cgroup_of(t, &id), format!("/{}/{middle}/{inner}/{}", slice.name, scope(&id)));
    let (root, output) = sleeping(t, "-.slice", |bundle| bundle);
    output.ok();
    assert_eq!(cgroup_of(t, &root), format!("/{}", scope(&root)));
    [id, root].iter().for_each(|id| delete(t, id));
}

fn an_empty_slice_is_that_of_the_system(t: &Case) {
    t.needs_systemd();
    let (id, output) = sleeping(t, "", |bundle| {
        let path =
            bundle.config["linux"]["cgroupsPath"].as_str().expect("a path").replace("system.slice", "");
        bundle.set("/linux/cgroupsPath", json!(path))
    });
    output.ok();
    assert_eq!(cgroup_of(t, &id), format!("/system.slice/{}", scope(&id)));
    delete(t, &id);
}

fn without_a_path_the_scope_has_the_name_of_the_container(t: &Case) {
    t.needs_systemd();
    let id = t.id();
    let bundle = t.bundle().without_cgroups_path().args(&["/bin/sleep", "300"]);
    t.runtime(&t.command_line("run", &bundle, &["--detach"], &id)).run().ok();
    let name = t.host.kind.name();
    assert_eq!(cgroup_of(t, &id), format!("/system.slice/{name}-{id}.scope"));
    delete(t, &id);
}

fn limits() -> Value {
    json!({
        "memory": {"limit": 64 * MIB, "reservation": 16 * MIB, "swap": 96 * MIB},
        "cpu": {"shares": 512, "quota": 50_000, "period": 100_000},
        "pids": {"limit": 20}
    })
}

fn the_limits_are_properties_of_the_scope(t: &Case) {
    t.needs_systemd();
    let (id, output) = sleeping(t, "", |bundle| bundle.set("/linux/resources", limits()));
    output.ok();
    let (max, low, swap) = ((64 * MIB).to_string(), (16 * MIB).to_string(), (32 * MIB).to_string());
    let weight = read(t, &id, "cpu.weight");
    shows(
        &scope(&id),
        &[
            ("MemoryMax", &max),
            ("MemoryLow", &low),
            ("MemorySwapMax", &swap),
            ("CPUWeight", &weight),
            ("CPUQuotaPerSecUSec", "500ms"),
            ("CPUQuotaPeriodUSec", "100ms"),
            ("TasksMax", "20"),
        ],
    );
    for (file, value) in
        [("memory.max", &*max), ("memory.low", &low), ("pids.max", "20"), ("cpu.max", "50000 100000")]
    {
        assert_eq!(read(t, &id, file), value, "{file}");
    }
    delete(t, &id);
    let unlimited = json!({"memory": {"limit": -1}, "pids": {"limit": -1}});
    let (id, output) = sleeping(t, "", |bundle| bundle.set("/linux/resources", unlimited));
    output.ok();
    shows(&scope(&id), &[("MemoryMax", "infinity"), ("TasksMax", "infinity")]);
    delete(t, &id);
}

fn the_limits_hold(t: &Case) {
    t.needs_systemd();
    let bundle = |t: &Case| t.bundle().without_cgroups_path().set("/linux/resources", limits());
    let dd = |size| ["/bin/dd", "if=/dev/zero", "of=/dev/null", size, "count=1"];
    t.run(&bundle(t).set("/linux/resources/memory/swap", json!(64 * MIB)).args(&dd("bs=200M"))).exits(137);
    t.run(&bundle(t).args(&dd("bs=2M"))).ok();
    let script = "(for i in $(seq 40); do sleep 300 & done; echo unlimited) 2>/dev/null || echo limited";
    t.run(&bundle(t).sh(script)).ok().prints("limited");
    let (id, output) = sleeping(t, "", |bundle| {
        bundle
            .set("/linux/resources/cpu", json!({"quota": 5000, "period": 100_000}))
            .sh("while :; do :; done")
    });
    output.ok();
    eventually("the kernel has held it back", || {
        !read(t, &id, "cpu.stat").lines().any(|line| line == "nr_throttled 0")
    });
    delete(t, &id);
}

fn reload() {
    Whose::System.systemctl(&["daemon-reload"]);
}

fn a_reload_of_systemd_undoes_no_limit(t: &Case) {
    t.needs_systemd();
    let mut wanted = limits();
    // Of these systemd knows nothing.
    wanted["unified"] = json!({"memory.high": "50331648", "cgroup.max.depth": "3", "cpu.max.burst": "2000"});
    let (id, output) = sleeping(t, "", |bundle| bundle.set("/linux/resources", wanted));
    output.ok();
    let files = [
        "memory.max",
        "memory.low",
        "memory.high",
        "memory.swap.max",
        "cpu.max",
        "cpu.weight",
        "pids.max",
        "cgroup.max.depth",
        "cpu.max.burst",
    ];
    let all = || files.map(|file| read(t, &id, file));
    let before = all();
    assert!(before.contains(&"50331648".to_string()) && before.contains(&"2000".to_string()), "{before:?}");
    reload();
    // Some unit or other makes systemd look at all of them again.
    Whose::System.systemctl(&["set-property", "--runtime", &scope(&id), "IOWeight=50"]);
    assert_eq!(all(), before);
    delete(t, &id);
}

fn a_reload_of_systemd_undoes_no_device_rule(t: &Case) {
    t.needs_systemd();
    let rules =
        json!([{"allow": false, "access": "rwm"}, {"allow": true, "type": "c", "major": 400, "access": "r"}]);
    let script = "for i in 400 401; do mknod /dev/d$i c $i 0; done; trap : USR1; \
                  echo ready; while :; do sleep 300 & wait; for i in 400 401; do cat /dev/d$i; done; echo tried; done";
    let id = t.id();
    let bundle = t.bundle().set("/linux/cgroupsPath", path("", &id)).set("/linux/resources/devices", rules);
    let bundle = bundle.capabilities(&["CAP_MKNOD"]).any_node().sh(&format!("exec 2>&1; {script}"));
    let line = t.runtime(&t.command_line("run", &bundle, &["--detach"], &id)).run();
    line.ok();
    let printed = || fs::read_to_string(&line.stdout_path).unwrap_or_default();
    eventually("the program waits", || printed().contains("ready"));
    reload();
    Whose::System.systemctl(&["set-property", "--runtime", &scope(&id), "IOWeight=50"]);
    t.runtime(&["kill", &id, "USR1"]).run().ok();
    eventually("the program has tried", || printed().contains("tried"));
    let output = printed();
    assert!(output.contains("d400': No such device or address"), "{output}");
    assert!(output.contains("d401': Operation not permitted"), "{output}");
    delete(t, &id);
}

fn what_unified_says_is_a_property_too(t: &Case) {
    t.needs_systemd();
    let unified = json!({
        "memory.high": "max", "memory.min": "4096", "cpu.weight": "77", "cpu.max": "max 50000", "pids.max": "33",
        "memory.oom.group": "1"
    });
    let (id, output) = sleeping(t, "", |bundle| bundle.set("/linux/resources/unified", unified));
    output.ok();
    shows(
        &scope(&id),
        &[
            ("MemoryHigh", "infinity"),
            ("MemoryMin", "4096"),
            ("CPUWeight", "77"),
            ("CPUQuotaPerSecUSec", "infinity"),
            ("CPUQuotaPeriodUSec", "50ms"),
            ("TasksMax", "33"),
            ("OOMPolicy", "kill"),
        ],
    );
    assert_eq!(read(t, &id, "memory.oom.group"), "1");
    delete(t, &id);
}

fn cpus_are_properties_of_the_scope(t: &Case) {
    t.needs_systemd();
    t.needs_controller("cpuset");
    let (id, output) =
        sleeping(t, "", |bundle| bundle.set("/linux/resources/cpu", json!({"cpus": "0", "mems": "0"})));
    output.ok();
    shows(&scope(&id), &[("AllowedCPUs", "0"), ("AllowedMemoryNodes", "0")]);
    reload();
    assert_eq!(read(t, &id, "cpuset.cpus"), "0");
    delete(t, &id);
    let wrong = json!({"cpus": "1000"});
    let (_, output) = sleeping(t, "", |bundle| bundle.set("/linux/resources/cpu", wrong));
    output.fails();
}

fn an_annotation_is_a_property_of_the_scope(t: &Case) {
    t.needs_systemd();
    let annotations = json!({
        "org.systemd.property.TimeoutStopUSec": "uint64 123000000",
        "org.systemd.property.RuntimeMaxSec": "7200",
        "org.systemd.property.Documentation": "['man:tierce(8)']",
        "org.systemd.property.After": "@as []",
        "org.systemd.property.SendSIGHUP": "true",
        "org.systemd.property.CollectMode": "'inactive'",
        "org.systemd.property.Description": "\"a barrel\"",
        "org.systemd.property.CPUWeight": "@t 55"
    });
    let (id, output) = sleeping(t, "", |bundle| bundle.set("/annotations", annotations));
    output.ok();
    shows(
        &scope(&id),
        &[
            ("TimeoutStopUSec", "2min 3s"),
            ("RuntimeMaxUSec", "2h"),
            ("Documentation", "\"man:tierce(8)\""),
            ("SendSIGHUP", "yes"),
            ("CollectMode", "inactive"),
            ("Description", "a barrel"),
            ("CPUWeight", "55"),
        ],
    );
    delete(t, &id);
    assert!(!Whose::System.knows(&scope(&id)));
}

/// What the runtime itself mounts and makes for the container, too: it must not be the caller's.
fn the_whole_container_is_accounted_to_its_scope(t: &Case) {
    t.needs_systemd();
    let slab = |mounts: u32| {
        let id = t.id();
        let bundle = (0..mounts).fold(t.bundle(), |bundle, n| {
            let destination = format!("/tmp/{n}");
            bundle.mount(json!({"type": "tmpfs", "source": "tmpfs", "destination": destination}))
        });
        let bundle = bundle.set("/linux/cgroupsPath", path("", &id)).args(&["/bin/sleep", "300"]);
        t.runtime(&t.command_line("create", &bundle, &[], &id)).run().ok();
        let stat = read(t, &id, "memory.stat");
        delete(t, &id);
        let slab = stat.lines().find_map(|line| line.strip_prefix("slab "));
        slab.expect("memory.stat").parse::<u64>().expect("a number")
    };
    let (few, many) = (slab(0), slab(80));
    assert!(many > few + 80 * 256, "{few} bytes without filesystems, {many} with 80");
}

fn a_program_that_is_executed_is_in_the_scope(t: &Case) {
    t.needs_systemd();
    let (id, output) = sleeping(t, "", |bundle| bundle.without_namespace("cgroup"));
    output.ok();
    let output = t.runtime(&["exec", &id, "/bin/cat", "/proc/self/cgroup"]).run();
    output.ok().prints(&format!("0::{}", cgroup_of(t, &id)));
    delete(t, &id);
}

fn later_commands_need_no_flag(t: &Case) {
    t.needs_systemd();
    let id = t.id();
    let bundle = t.bundle().set("/linux/cgroupsPath", path("", &id)).args(&["/bin/sleep", "300"]);
    t.runtime(&t.command_line("create", &bundle, &[], &id)).run().ok();
    t.call_with(&[]);
    t.runtime(&["start", &id]).run().ok();
    t.runtime(&["exec", &id, "/bin/true"]).run().ok();
    assert_eq!(t.runtime(&["state", &id]).run().ok().json()["status"], "running");
    t.runtime(&["kill", &id, "KILL"]).run().ok();
    eventually("it has stopped", || t.runtime(&["state", &id]).run().ok().json()["status"] == "stopped");
    t.runtime(&["delete", &id]).run().ok();
    assert!(!Whose::System.knows(&scope(&id)));
}

fn the_scope_is_gone_after_a_delete(t: &Case) {
    t.needs_systemd();
    let (id, output) = sleeping(t, "", |bundle| bundle);
    output.ok();
    delete(t, &id);
    assert!(!Whose::System.knows(&scope(&id)));
    t.assert_no_side_effects();
}

/// systemd keeps a failed unit where the annotation says so.
fn a_scope_that_has_failed_is_gone_after_a_delete(t: &Case) {
    t.needs_systemd();
    let (id, output) = sleeping(t, "", |bundle| {
        let annotations = json!({
            "org.systemd.property.CollectMode": "'inactive'",
            "org.systemd.property.RuntimeMaxUSec": "uint64 3000000",
            "org.systemd.property.TimeoutStopUSec": "uint64 1000"
        });
        bundle.set("/annotations", annotations)
    });
    output.ok();
    let unit = scope(&id);
    eventually("the unit has failed", || Whose::System.show(&unit, "ActiveState") == "failed");
    delete(t, &id);
    t.forgotten(Whose::System, &unit);
}

fn the_scope_of_a_program_that_ended_is_forgotten(t: &Case) {
    t.needs_systemd();
    for (program, status) in [("exit 0", 0), ("exit 3", 3)] {
        let id = t.id();
        let bundle = t.bundle().set("/linux/cgroupsPath", path("", &id)).sh(&format!("{program}; :"));
        t.runtime(&t.command_line("run", &bundle, &[], &id)).run().exits(status);
        assert!(!Whose::System.knows(&scope(&id)), "after {program}");
    }
}

fn a_container_can_be_made_again_at_once(t: &Case) {
    t.needs_systemd();
    let id = t.id();
    let bundle = t.bundle().set("/linux/cgroupsPath", path("", &id)).args(&["/bin/true"]);
    for _ in 0..10 {
        t.runtime(&t.command_line("run", &bundle, &[], &id)).run().ok();
    }
    for _ in 0..5 {
        t.runtime(&t.command_line("run", &bundle, &["--detach"], &id)).run().ok();
        delete(t, &id);
    }
}

fn containers_that_are_made_at_the_same_time_have_scopes_of_their_own(t: &Case) {
    t.needs_systemd();
    let slice = Slice::new(t, Whose::System);
    let ids: Vec<String> = (0..8).map(|_| t.id()).collect();
    let calls: Vec<_> = ids
        .iter()
        .map(|id| {
            let bundle =
                t.bundle().set("/linux/cgroupsPath", path(&slice.name, id)).args(&["/bin/sleep", "300"]);
            t.runtime(&t.command_line("run", &bundle, &["--detach"], id)).spawn()
        })
        .collect();
    calls.into_iter().for_each(|call| assert!(call.wait().status.success()));
    for id in &ids {
        assert_eq!(cgroup_of(t, id), format!("/{}/{}", slice.name, scope(id)));
    }
    let calls: Vec<_> = ids.iter().map(|id| t.runtime(&["delete", "--force", id]).spawn()).collect();
    calls.into_iter().for_each(|call| assert!(call.wait().status.success()));
    ids.iter().for_each(|id| assert!(!Whose::System.knows(&scope(id)), "{id}"));
}

fn the_scope_of_a_container_with_groups_of_its_own_goes(t: &Case) {
    t.needs_systemd();
    let mount =
        json!({"type": "cgroup", "source": "cgroup", "destination": "/sys/fs/cgroup", "options": ["rw"]});
    let script = "mkdir -p /sys/fs/cgroup/a/b && sleep 300 & echo $! >/sys/fs/cgroup/a/b/cgroup.procs; echo made; wait";
    let id = t.id();
    let bundle = t
        .bundle()
        .set("/linux/cgroupsPath", path("", &id))
        .mount(mount)
        .sh(&format!("mkdir -p /sys/fs/cgroup/a/b; {script}"));
    let output = t.runtime(&t.command_line("run", &bundle, &["--detach"], &id)).run();
    output.ok();
    eventually("the groups are there", || {
        fs::read_to_string(&output.stdout_path).unwrap_or_default().contains("made")
    });
    delete(t, &id);
    assert!(!Whose::System.knows(&scope(&id)));
    t.assert_no_side_effects();
}

fn a_user_namespace_has_the_scope_for_itself(t: &Case) {
    t.needs_systemd();
    let mount =
        json!({"type": "cgroup", "source": "cgroup", "destination": "/sys/fs/cgroup", "options": ["rw"]});
    let id = t.id();
    let bundle = t.bundle().user_namespace(100_000).mount(mount).set("/linux/cgroupsPath", path("", &id));
    let bundle = bundle.sh("mkdir /sys/fs/cgroup/a && cat /proc/self/cgroup");
    t.runtime(&t.command_line("run", &bundle, &[], &id)).run().ok().prints("0::/");
    assert!(!Whose::System.knows(&scope(&id)));
}

fn where_there_is_no_bus_systemd_is_asked_itself(t: &Case) {
    t.needs_systemd();
    if !t.is(Kind::Tierce) {
        t.skip("is about tierce's own client");
    }
    let id = t.id();
    let bundle = t.bundle().set("/linux/cgroupsPath", path("", &id)).args(&["/bin/true"]);
    let call = || t.runtime(&t.command_line("run", &bundle, &[], &id));
    call().env("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/none").run().ok();
    call().env("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/run/dbus/system%5fbus_socket").run().ok();
    assert!(!Whose::System.knows(&scope(&id)));
}
