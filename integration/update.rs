//! `update`: other limits for a container that is there, and what comes of them.

use crate::harness::cgroups::{Version, join};
use crate::harness::host::Kind;
use crate::harness::limits;
use crate::harness::loop_device::LoopDevice;
use crate::harness::prelude::*;

cases!("update", root: [
    every_flag_changes_its_limit,
    a_size_may_have_a_suffix,
    every_limit_is_taken_from_a_file,
    what_is_not_given_stays,
    a_quota_and_its_period_can_be_changed_alone,
    memory_and_swap_are_raised_and_lowered_in_any_order,
    a_limit_can_be_lifted,
    limits_are_read_from_standard_input,
    a_created_container_is_updated,
    a_paused_container_is_updated,
    too_much_memory_ends_a_program_after_an_update,
    no_more_processes_can_be_started_after_an_update,
    a_running_program_moves_to_the_cpus_of_an_update,
    a_cpu_quota_holds_at_once,
    idle_and_shares_change_together,
    block_io_is_limited_by_an_update,
    device_rules_are_replaced,
    device_rules_are_replaced_without_a_gap,
    a_huge_page_limit_is_changed,
    unified_files_are_changed,
    a_later_exec_is_under_the_new_limits,
]);

const MIB: i64 = 1 << 20;

/// `update` with these resources on standard input.
fn with(t: &Case, container: &Container, resources: &Value) -> Output {
    let file = t.file(&format!("resources-{}", t.id()), &resources.to_string());
    t.runtime(&["update", "--resources", "-", &container.id]).stdin(&file).run()
}

fn flags(t: &Case, container: &Container, flags: &[&str]) -> Output {
    t.runtime(&[&["update"], flags, &[container.id.as_str()]].concat()).run()
}

fn idle(t: &Case) -> Container<'_> {
    t.launch(&t.bundle().args(&["/bin/sleep", "300"]))
}

fn version(t: &Case, controller: &str) -> Version {
    t.needs_controller(controller);
    t.host.cgroups.with_controller(controller).expect("just looked").version
}

/// A file of its cgroup, without white space around it.
fn file(t: &Case, container: &Container, controller: &str, names: [&str; 2]) -> String {
    let name = names[usize::from(version(t, controller) == Version::V2)];
    let path = t.cgroup_dir(controller, &container.cgroup_path()).join(name);
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    text.trim().to_string()
}

fn every_flag_changes_its_limit(t: &Case) {
    let container = idle(t);
    let mut seen = 0;
    for limit in limits::all() {
        let known = !t.is(Kind::Crun) || !["--cpu-burst", "--cpu-idle"].contains(&limit.flag[0]);
        let Some((before, expected)) = limit.shown(t, &container).filter(|_| known) else { continue };
        // There may be one memory node only.
        assert!(before != expected || limit.flag[0] == "--cpuset-mems", "{}", limit.flag[0]);
        flags(t, &container, &limit.flag).ok();
        assert_eq!(limit.shown(t, &container).expect("its file").0, expected, "{}", limit.flag[0]);
        seen += 1;
    }
    assert!(seen > 0, "no limit can be set here");
}

/// As Docker and runc take them.
fn a_size_may_have_a_suffix(t: &Case) {
    t.needs_controller("memory");
    let container = idle(t);
    for (size, bytes) in [("64m", 64 * MIB), ("98304K", 96 * MIB), ("1g", 1 << 30), ("1.5gb", 3 << 29)] {
        flags(t, &container, &["--memory", size, "--memory-swap", "-1"]).ok();
        let shown = file(t, &container, "memory", ["memory.limit_in_bytes", "memory.max"]);
        assert_eq!(shown, bytes.to_string(), "{size}");
    }
}

fn every_limit_is_taken_from_a_file(t: &Case) {
    let container = idle(t);
    // What is idle has no shares to be seen.
    let wanted = |l: &limits::Limit| l.shown(t, &container).is_some() && l.pointer != "/cpu/idle";
    let all: Vec<_> = limits::all().into_iter().filter(wanted).collect();
    let mut resources = json!({});
    for limit in &all {
        crate::harness::config::set(&mut resources, limit.pointer, limit.value.clone());
    }
    let file = t.file("resources.json", &resources.to_string());
    flags(t, &container, &["-r", &file.display().to_string()]).ok();
    for limit in all {
        let (shown, expected) = limit.shown(t, &container).expect("its file");
        let with_quota = if expected == "max 50000" { "20000 50000".to_string() } else { expected };
        assert_eq!(shown, with_quota, "{}", limit.pointer);
    }
}

fn what_is_not_given_stays(t: &Case) {
    t.needs_controller("pids");
    let sample = idle(t);
    let all: Vec<_> = limits::all().into_iter().filter(|l| l.shown(t, &sample).is_some()).collect();
    let mut bundle = t.bundle().args(&["/bin/sleep", "300"]);
    for limit in &all {
        bundle = bundle.set(&format!("/linux/resources{}", limit.pointer), limit.value.clone());
    }
    let container = t.launch(&bundle);
    let shown = || all.iter().map(|l| l.shown(t, &container).expect("its file").0).collect::<Vec<_>>();
    let before = shown();
    with(t, &container, &json!({})).ok();
    assert_eq!(shown(), before);
    // As Docker writes what is not given.
    let docker = json!({"memory": {"limit": 0}, "cpu": {"shares": 0, "cpus": ""}, "blockIO": {"weight": 0},
        "pids": {"limit": 56}});
    with(t, &container, &docker).ok();
    let after: Vec<_> = before.iter().map(|text| if text == "55" { "56" } else { text.as_str() }).collect();
    assert_eq!(shown(), after);
}

fn a_quota_and_its_period_can_be_changed_alone(t: &Case) {
    let v2 = version(t, "cpu") == Version::V2;
    let bundle = t.bundle().set("/linux/resources/cpu", json!({"quota": 30_000, "period": 60_000}));
    let container = t.launch(&bundle.args(&["/bin/sleep", "300"]));
    let shown = || match v2 {
        true => file(t, &container, "cpu", ["", "cpu.max"]),
        false => {
            ["cpu.cfs_quota_us", "cpu.cfs_period_us"].map(|f| file(t, &container, "cpu", [f, ""])).join(" ")
        }
    };
    flags(t, &container, &["--cpu-quota", "20000"]).ok();
    assert_eq!(shown(), "20000 60000");
    flags(t, &container, &["--cpu-period", "50000"]).ok();
    assert_eq!(shown(), "20000 50000");
    // More than is allowed now, and a period that is too short for the quota that is there.
    flags(t, &container, &["--cpu-quota", "900000", "--cpu-period", "1000000"]).ok();
    assert_eq!(shown(), "900000 1000000");
    flags(t, &container, &["--cpu-quota", "5000", "--cpu-period", "10000"]).ok();
    assert_eq!(shown(), "5000 10000");
}

fn memory_and_swap_are_raised_and_lowered_in_any_order(t: &Case) {
    let container = idle(t);
    let names = ["memory.memsw.limit_in_bytes", "memory.swap.max"];
    let v2 = version(t, "memory") == Version::V2;
    if !t.cgroup_dir("memory", &container.cgroup_path()).join(names[usize::from(v2)]).exists() {
        t.skip("needs swap accounting");
    }
    for (limit, swap) in [(64, 64), (128, 160), (32, 48), (256, 256), (48, 300), (200, 200)] {
        let sizes = [limit, swap].map(|mib| (mib * MIB).to_string());
        flags(t, &container, &["--memory", &sizes[0], "--memory-swap", &sizes[1]]).ok();
        let shown = file(t, &container, "memory", ["memory.limit_in_bytes", "memory.max"]);
        assert_eq!(shown, (limit * MIB).to_string());
        let expected = if v2 { swap - limit } else { swap };
        assert_eq!(file(t, &container, "memory", names), (expected * MIB).to_string(), "{limit}, {swap}");
    }
    // Swap alone, beside the memory that there is.
    with(t, &container, &json!({"memory": {"swap": 230 * MIB}})).ok();
    assert_eq!(file(t, &container, "memory", names), (if v2 { 30 } else { 230 } * MIB).to_string());
}

fn a_limit_can_be_lifted(t: &Case) {
    t.needs_controller("memory");
    let limited = json!({"memory": {"limit": 64 * MIB, "swap": 64 * MIB}, "pids": {"limit": 9},
        "cpu": {"quota": 20_000}});
    let container = t.launch(&t.bundle().set("/linux/resources", limited).args(&["/bin/sleep", "300"]));
    flags(
        t,
        &container,
        &["--memory", "-1", "--memory-swap", "-1", "--pids-limit", "-1", "--cpu-quota", "-1"],
    )
    .ok();
    let unlimited = |text: String| text == "max" || text.parse::<i64>().is_ok_and(|n| n > 1 << 60);
    assert!(unlimited(file(t, &container, "memory", ["memory.limit_in_bytes", "memory.max"])));
    assert_eq!(file(t, &container, "pids", ["pids.max", "pids.max"]), "max");
    let quota = file(t, &container, "cpu", ["cpu.cfs_quota_us", "cpu.max"]);
    assert!(["-1", "max 100000"].contains(&quota.as_str()), "{quota}");
}

fn limits_are_read_from_standard_input(t: &Case) {
    let container = idle(t);
    version(t, "pids");
    with(t, &container, &json!({"pids": {"limit": 31}})).ok();
    assert_eq!(file(t, &container, "pids", ["pids.max", "pids.max"]), "31");
}

fn a_created_container_is_updated(t: &Case) {
    t.needs_controller("pids");
    let container = t.create(&t.bundle().sh("(echo forked) 2>/dev/null; echo done; sleep 300"));
    flags(t, &container, &["--pids-limit", "1"]).ok();
    container.start().ok();
    container.wait_until_stopped();
    assert!(!container.stdout().contains("forked"), "{}", container.stdout());
}

/// The freezer is that of the container, by hand.
fn a_paused_container_is_updated(t: &Case) {
    t.needs_controller("pids");
    let container = idle(t);
    let freezer =
        t.host.cgroups.with_controller("freezer").map(|h| (h, "freezer.state", ["FROZEN", "THAWED"]));
    let unified = || t.host.cgroups.unified().map(|h| (h, "cgroup.freeze", ["1", "0"]));
    let (hierarchy, name, [freeze, thaw]) = freezer.or_else(unified).expect("a freezer");
    let file_of_it = join(&hierarchy.mount, &container.cgroup_path()).join(name);
    fs::write(&file_of_it, freeze).expect("freeze");
    let output = flags(t, &container, &["--pids-limit", "32", "--memory", "67108864", "--cpu-share", "512"]);
    fs::write(&file_of_it, thaw).expect("thaw");
    output.ok();
    assert_eq!(file(t, &container, "pids", ["pids.max", "pids.max"]), "32");
    assert_eq!(
        file(t, &container, "memory", ["memory.limit_in_bytes", "memory.max"]),
        (64 * MIB).to_string()
    );
    assert_eq!(container.status(), "running");
}

/// A container that runs `script` when it is told to.
fn told<'c>(t: &'c Case, script: &str) -> (Container<'c>, Notes) {
    let (notes, bundle) = Notes::new(t, t.bundle());
    let wait = format!("until [ -e {} ]; do usleep 10000; done; ", notes.path("go"));
    (t.launch(&bundle.sh(&format!("{wait}{script}"))), notes)
}

fn too_much_memory_ends_a_program_after_an_update(t: &Case) {
    t.needs_controller("memory");
    let hog = "dd if=/dev/zero of=/dev/null bs=100M count=1 2>/dev/null; echo dd: $?; ";
    let again = "until [ -e $0.2 ]; do usleep 10000; done; ";
    let (container, notes) = told(t, &format!("{hog}{}{hog}sleep 300", again.replace("$0.2", "/dev/shm/2")));
    notes.make("go");
    container.wait_for("dd: 0");
    flags(t, &container, &["--memory", "33554432", "--memory-swap", "33554432"]).ok();
    t.runtime(&["exec", &container.id, "touch", "/dev/shm/2"]).run().ok();
    container.wait_for("dd: 137");
}

fn no_more_processes_can_be_started_after_an_update(t: &Case) {
    t.needs_controller("pids");
    let (container, notes) =
        told(t, "for i in $(seq 40); do sleep 300 2>/dev/null & done 2>/dev/null; sleep 300");
    flags(t, &container, &["--pids-limit", "12"]).ok();
    notes.make("go");
    let read = |name: &str| file(t, &container, "pids", [name, name]);
    eventually("the kernel has refused a process", || !read("pids.events").ends_with(" 0"));
    assert!(read("pids.current").parse::<u32>().expect("a number") <= 12);
}

fn a_running_program_moves_to_the_cpus_of_an_update(t: &Case) {
    t.needs_controller("cpuset");
    let container = idle(t);
    let allowed = || {
        let status = fs::read_to_string(format!("/proc/{}/status", container.pid())).expect("its status");
        let line = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
        line.expect("the line").trim().to_string()
    };
    let before = allowed();
    if before == "0" {
        t.skip("needs a second CPU");
    }
    for cpus in ["0", "1", before.as_str()] {
        flags(t, &container, &["--cpuset-cpus", cpus]).ok();
        assert_eq!(allowed(), cpus);
    }
}

/// CPU time used, the periods in which the container wanted some, and those in which it had to wait for more.
fn consumed(t: &Case, container: &Container) -> [u64; 3] {
    let stat = file(t, container, "cpu", ["cpu.stat", "cpu.stat"]);
    let number = |key: &str| stat.lines().find_map(|line| line.strip_prefix(key)?.trim().parse::<u64>().ok());
    let used = number("usage_usec ").unwrap_or_else(|| {
        file(t, container, "cpuacct", ["cpuacct.usage", ""]).parse::<u64>().expect("a number") / 1000
    });
    [used, number("nr_periods ").expect("nr_periods"), number("nr_throttled ").expect("nr_throttled")]
}

/// The share of a CPU that it has had in 40 periods, by the kernel's own count of them; and whether it wanted more.
fn share(t: &Case, container: &Container) -> (f64, bool) {
    // What was allowed before holds to the end of its period.
    let before = consumed(t, container)[1];
    eventually("another period has begun", || consumed(t, container)[1] >= before + 2);
    let start = consumed(t, container);
    eventually("40 periods have gone by", || consumed(t, container)[1] >= start[1] + 40);
    let end = consumed(t, container);
    let [used, periods, throttled] = [0, 1, 2].map(|i| (end[i] - start[i]) as f64);
    (used / (periods * 100_000.0), throttled >= 0.9 * periods)
}

/// Never more than the quota; and no less, unless the machine is too busy to give what is allowed.
fn is_held(t: &Case, container: &Container, wanted: f64) {
    for _ in 0..4 {
        let (share, wants_more) = share(t, container);
        assert!(share <= wanted * 1.15, "{share} of a CPU, not {wanted}");
        if share >= wanted * 0.85 {
            return;
        }
        assert!(share > wanted * 0.575 || !wants_more, "{share} of a CPU, not {wanted}");
    }
    t.skip("the machine is too busy for a share of CPU time");
}

fn a_cpu_quota_holds_at_once(t: &Case) {
    t.needs_controller("cpu");
    let cpu = json!({"quota": 10_000, "period": 100_000});
    let container = t.launch(&t.bundle().set("/linux/resources/cpu", cpu).sh("while :; do :; done"));
    for (quota, wanted) in [("10000", 0.1), ("20000", 0.2), ("5000", 0.05)] {
        flags(t, &container, &["--cpu-quota", quota]).ok();
        is_held(t, &container, wanted);
    }
}

/// The kernel refuses shares for what is idle.
fn idle_and_shares_change_together(t: &Case) {
    t.needs_controller("cpu");
    let container = idle(t);
    if !t.cgroup_dir("cpu", &container.cgroup_path()).join("cpu.idle").exists() {
        t.skip("needs cpu.idle");
    }
    let shown = || {
        (
            file(t, &container, "cpu", ["cpu.idle", "cpu.idle"]),
            file(t, &container, "cpu", ["cpu.shares", "cpu.weight"]),
        )
    };
    with(t, &container, &json!({"cpu": {"idle": 1, "shares": 2048}})).ok();
    assert_eq!(shown().0, "1");
    with(t, &container, &json!({"cpu": {"idle": 0, "shares": 512}})).ok();
    let (idle, shares) = shown();
    assert!(idle == "0" && ["512", "59"].contains(&shares.as_str()), "{idle} {shares}");
}

fn block_io_is_limited_by_an_update(t: &Case) {
    let v1 = t.host.cgroups.with_controller("blkio").is_some();
    if !v1 {
        t.needs_controller("io");
    }
    let container = idle(t);
    let device = LoopDevice::new(t, MIB as u64);
    let entry = json!([{"major": device.major, "minor": device.minor, "rate": 5000}]);
    with(
        t,
        &container,
        &json!({"blockIO": {"throttleReadBpsDevice": entry, "throttleWriteIOPSDevice": entry}}),
    )
    .ok();
    let numbers = device.numbers();
    let lines = |controller, name: &str| file(t, &container, controller, [name, name]);
    if v1 {
        for kind in ["read_bps", "write_iops"] {
            let shown = lines("blkio", &format!("blkio.throttle.{kind}_device"));
            assert_eq!(shown, format!("{numbers} 5000"));
        }
    } else {
        assert_eq!(lines("io", "io.max"), format!("{numbers} rbps=5000 wbps=max riops=max wiops=5000"));
    }
}

/// Prints again and again which of two devices, that do not exist, could be opened.
const TRY: &str = "mknod /dev/a c 400 1; mknod /dev/b c 400 2; \
    may() { (eval exec \"<$1\") 2>&1 | grep -q 'No such device or address'; }; ";

fn rules(allowed: &[i64]) -> Value {
    let one = |minor: &i64| json!({"allow": true, "type": "c", "major": 400, "minor": minor, "access": "rw"});
    let mut list = vec![json!({"allow": false, "access": "rwm"})];
    list.extend(allowed.iter().map(one));
    json!(list)
}

fn device_rules_are_replaced(t: &Case) {
    let look = "echo \"$(may /dev/a && echo a)$(may /dev/b && echo b).\"";
    let bundle =
        t.bundle().capabilities(&["CAP_MKNOD"]).any_node().set("/linux/resources/devices", rules(&[1]));
    let container = t.launch(&bundle.sh(&format!("{TRY} echo ready; sleep 300")));
    container.wait_for("ready");
    let opens = || {
        let may = TRY.rsplit_once("2; ").expect("the function").1;
        let call = t.runtime(&["exec", &container.id, "/bin/sh", "-c", &format!("{may}{look}")]).run();
        call.ok().text().trim().to_string()
    };
    assert_eq!(opens(), "a.");
    with(t, &container, &json!({ "devices": rules(&[2]) })).ok();
    assert_eq!(opens(), "b.");
    with(t, &container, &json!({ "devices": [{"allow": true, "access": "rwm"}] })).ok();
    assert_eq!(opens(), "ab.");
    with(t, &container, &json!({ "devices": rules(&[1, 2]) })).ok();
    with(t, &container, &json!({ "pids": {"limit": -1} })).ok();
    assert_eq!(opens(), "ab.");
    with(t, &container, &json!({ "devices": rules(&[]) })).ok();
    assert_eq!(opens(), ".");
}

/// One device is allowed by all rules and another one by none: at no moment may that be otherwise.
fn device_rules_are_replaced_without_a_gap(t: &Case) {
    let watch = "echo ready; while :; do may /dev/a || echo too little; may /dev/b && echo too much; done";
    let bundle =
        t.bundle().capabilities(&["CAP_MKNOD"]).any_node().set("/linux/resources/devices", rules(&[1]));
    let container = t.launch(&bundle.sh(&format!("{TRY} {watch}")));
    container.wait_for("ready");
    for minor in 10..40 {
        with(t, &container, &json!({ "devices": rules(&[1, minor]) })).ok();
    }
    assert_eq!(container.stdout().trim(), "ready");
}

fn a_huge_page_limit_is_changed(t: &Case) {
    t.needs_controller("hugetlb");
    let container = idle(t);
    for limit in [4 * MIB, 0, 8 * MIB] {
        with(t, &container, &json!({"hugepageLimits": [{"pageSize": "2MB", "limit": limit}]})).ok();
        let shown = file(t, &container, "hugetlb", ["hugetlb.2MB.limit_in_bytes", "hugetlb.2MB.max"]);
        assert_eq!(shown, limit.to_string());
    }
}

fn unified_files_are_changed(t: &Case) {
    t.needs_v2_controller("pids");
    let container = idle(t);
    let files = json!({"pids.max": "71", "memory.high": "67108864", "cpu.max": "30000 90000"});
    with(t, &container, &json!({ "unified": files })).ok();
    for (name, value) in files.as_object().expect("an object") {
        let path = t.unified_dir(&container.cgroup_path()).join(name);
        assert_eq!(fs::read_to_string(path).expect("read").trim(), value.as_str().expect("text"), "{name}");
    }
}

fn a_later_exec_is_under_the_new_limits(t: &Case) {
    t.needs_controller("pids");
    let container = idle(t);
    flags(t, &container, &["--pids-limit", "2"]).ok();
    let script = "echo one; (echo two) 2>/dev/null; exit 0";
    t.runtime(&["exec", &container.id, "/bin/sh", "-c", script]).run().prints("one").says("can't fork");
}
