//! `update` of a container whose cgroup is a scope of systemd: both know of it.

use crate::harness::cgroups::join;
use crate::harness::host::Kind;
use crate::harness::prelude::*;
use crate::harness::units::Whose;

cases!("systemd_update", root: [
    new_limits_are_properties_of_the_scope,
    a_reload_undoes_no_new_limit,
    a_quota_stays_exact_when_something_else_is_changed,
    what_is_idle_no_longer_stays_so,
    new_cpus_are_properties_of_the_scope,
    what_systemd_refuses_is_put_back,
    what_the_kernel_refuses_is_not_told,
    the_scope_of_an_updated_container_is_gone_after_a_delete,
    the_scope_of_a_user_is_changed_by_the_user,
]);

const MIB: u64 = 1 << 20;

/// A container in a scope, with its directory in the cgroup filesystem.
struct Scope<'a> {
    t: &'a Case,
    id: String,
    whose: Whose,
    directory: PathBuf,
}

impl<'a> Scope<'a> {
    fn new(t: &'a Case, resources: &Value) -> Scope<'a> {
        t.needs_systemd();
        Scope::of(t, Whose::System, resources)
    }

    fn of(t: &'a Case, whose: Whose, resources: &Value) -> Scope<'a> {
        let id = t.id();
        // One of its own: systemd writes the files of a unit anew when it changes its neighbours.
        let slice = format!("{}.slice", id.replace('-', "_"));
        let bundle = t.bundle().set("/linux/cgroupsPath", json!(format!("{slice}:it:{id}")));
        let bundle = bundle.set("/linux/resources", resources.clone()).args(&["/bin/sleep", "300"]);
        t.runtime(&t.command_line("run", &bundle, &["--detach"], &id)).run().ok();
        let unit = format!("it-{id}.scope");
        let directory = join(&t.host.cgroups.hierarchies[0].mount, &whose.show(&unit, "ControlGroup"));
        Scope { t, id, whose, directory }
    }

    fn unit(&self) -> String {
        format!("it-{}.scope", self.id)
    }

    fn update(&self, resources: &Value) -> Output {
        let file = self.t.file(&format!("resources-{}", self.t.id()), &resources.to_string());
        self.t.runtime(&["update", "--resources", "-", &self.id]).stdin(&file).run()
    }

    fn file(&self, name: &str) -> String {
        let path = self.directory.join(name);
        fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display())).trim().to_string()
    }

    #[track_caller]
    fn shows(&self, expected: &[(&str, &str)]) {
        for (property, value) in expected {
            assert_eq!(self.whose.show(&self.unit(), property), *value, "{property} of {}", self.unit());
        }
    }

    /// Also makes systemd write its values once more, to which it is brought by some property.
    fn reload(&self) {
        self.whose.systemctl(&["daemon-reload"]);
        self.whose.systemctl(&["set-property", "--runtime", &self.unit(), "IOWeight=50"]);
    }

    fn delete(self) {
        self.t.runtime(&["delete", "--force", &self.id]).run().ok();
        assert!(!self.whose.knows(&self.unit()));
    }
}

fn before() -> Value {
    json!({
        "memory": {"limit": 64 * MIB, "reservation": 16 * MIB, "swap": 96 * MIB},
        "cpu": {"shares": 512, "quota": 50_000, "period": 100_000},
        "pids": {"limit": 20}
    })
}

fn after() -> Value {
    json!({
        "memory": {"limit": 80 * MIB, "reservation": 24 * MIB, "swap": 100 * MIB},
        "cpu": {"shares": 2048, "quota": 30_000, "period": 50_000},
        "pids": {"limit": 33},
        "unified": {"memory.high": "50331648"}
    })
}

const FILES: [&str; 7] =
    ["memory.max", "memory.low", "memory.high", "memory.swap.max", "cpu.max", "cpu.weight", "pids.max"];

fn new_limits_are_properties_of_the_scope(t: &Case) {
    let scope = Scope::new(t, &before());
    scope.update(&after()).ok();
    let weight = scope.file("cpu.weight");
    assert_ne!(weight, "100");
    scope.shows(&[
        ("MemoryMax", &(80 * MIB).to_string()),
        ("MemoryLow", &(24 * MIB).to_string()),
        ("MemorySwapMax", &(20 * MIB).to_string()),
        ("CPUWeight", &weight),
        ("CPUQuotaPerSecUSec", "600ms"),
        ("CPUQuotaPeriodUSec", "50ms"),
        ("TasksMax", "33"),
    ]);
    scope.update(&json!({"memory": {"limit": -1, "swap": -1}, "pids": {"limit": -1}})).ok();
    scope.shows(&[("MemoryMax", "infinity"), ("TasksMax", "infinity"), ("CPUQuotaPerSecUSec", "600ms")]);
    scope.delete();
}

fn a_reload_undoes_no_new_limit(t: &Case) {
    let scope = Scope::new(t, &before());
    scope.update(&after()).ok();
    let all = || FILES.map(|file| scope.file(file));
    let written = all();
    assert_eq!(written[2], "50331648");
    assert_eq!(written[4], "30000 50000");
    scope.reload();
    assert_eq!(all(), written);
    scope.delete();
}

/// systemd keeps whole per cents, and writes the quota whenever the weight is changed.
fn a_quota_stays_exact_when_something_else_is_changed(t: &Case) {
    let scope = Scope::new(t, &json!({"cpu": {"quota": 5500, "period": 100_000}}));
    assert_eq!(scope.file("cpu.max"), "5500 100000");
    scope.update(&json!({"cpu": {"shares": 512}})).ok();
    assert_eq!(scope.file("cpu.max"), "5500 100000");
    scope.update(&json!({"cpu": {"quota": 6500}})).ok();
    assert_eq!(scope.file("cpu.max"), "6500 100000");
    scope.delete();
}

fn what_is_idle_no_longer_stays_so(t: &Case) {
    let scope = Scope::new(t, &json!({"cpu": {"shares": 512}}));
    if !scope.directory.join("cpu.idle").exists() {
        scope.delete();
        t.skip("needs cpu.idle");
    }
    scope.update(&json!({"cpu": {"idle": 1}})).ok();
    assert_eq!(scope.file("cpu.idle"), "1");
    scope.reload();
    assert_eq!(scope.file("cpu.idle"), "1");
    scope.update(&json!({"cpu": {"idle": 0}})).ok();
    let weight = scope.file("cpu.weight");
    scope.reload();
    assert_eq!((scope.file("cpu.idle"), scope.file("cpu.weight")), ("0".into(), weight));
    scope.delete();
}

fn new_cpus_are_properties_of_the_scope(t: &Case) {
    t.needs_systemd();
    t.needs_controller("cpuset");
    let scope = Scope::new(t, &json!({"cpu": {"cpus": "0-1"}}));
    scope.update(&json!({"cpu": {"cpus": "1", "mems": "0"}})).ok();
    scope.shows(&[("AllowedCPUs", "1"), ("AllowedMemoryNodes", "0")]);
    scope.reload();
    assert_eq!(["cpuset.cpus", "cpuset.mems"].map(|file| scope.file(file)), ["1", "0"]);
    scope.update(&json!({"cpu": {"cpus": "1000"}})).fails();
    scope.shows(&[("AllowedCPUs", "1")]);
    assert_eq!(scope.file("cpuset.cpus"), "1");
    scope.delete();
}

/// The kernel takes a limit of no processes at all.
fn what_systemd_refuses_is_put_back(t: &Case) {
    let scope = Scope::new(t, &before());
    let (files, tasks) = (FILES.map(|file| scope.file(file)), scope.whose.show(&scope.unit(), "TasksMax"));
    let output = scope.update(&json!({
        "memory": {"limit": 80 * MIB, "swap": 100 * MIB},
        "unified": {"memory.high": "4194304", "pids.max": "0"}
    }));
    output.fails();
    if t.is(Kind::Tierce) {
        output.says("unified[\"pids.max\"]").says(&scope.unit()).says("TasksMax");
    }
    assert_eq!(FILES.map(|file| scope.file(file)), files);
    scope.shows(&[("TasksMax", &tasks), ("MemoryHigh", "infinity"), ("MemoryMax", &(64 * MIB).to_string())]);
    scope.delete();
}

fn what_the_kernel_refuses_is_not_told(t: &Case) {
    let scope = Scope::new(t, &before());
    let files = FILES.map(|file| scope.file(file));
    scope.update(&json!({"pids": {"limit": 33}, "unified": {"memory.high": "much"}})).fails();
    assert_eq!(FILES.map(|file| scope.file(file)), files);
    scope.shows(&[("TasksMax", "20")]);
    scope.delete();
}

/// With what systemd has written for it, too.
fn the_scope_of_an_updated_container_is_gone_after_a_delete(t: &Case) {
    let scope = Scope::new(t, &before());
    scope.update(&after()).ok();
    let fragments = Path::new("/run/systemd/transient").join(format!("{}.d", scope.unit()));
    scope.delete();
    assert!(!fragments.exists(), "{}", fragments.display());
    t.assert_no_side_effects();
}

fn the_scope_of_a_user_is_changed_by_the_user(t: &Case) {
    t.needs_systemd_of_user();
    let scope = Scope::of(t, Whose::User, &json!({"pids": {"limit": 20}}));
    scope.update(&json!({"pids": {"limit": 33}, "memory": {"limit": 80 * MIB}})).ok();
    scope.shows(&[("TasksMax", "33"), ("MemoryMax", &(80 * MIB).to_string())]);
    scope.reload();
    assert_eq!(scope.file("pids.max"), "33");
    scope.delete();
}
