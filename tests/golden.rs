//! The plan of each bundle of bundle-examples, and of what `tierce spec` writes, also with hooks, against
//! the files in tests/goldens. A plan is pure, so these are the same on every machine.
//!
//! `UPDATE_GOLDENS=1 cargo test --test golden` writes them anew; read the difference before it is
//! committed: it is what containers will see.

use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use tierce::command::spec::default_config;
use tierce::plan::cgroup::{self, Hierarchy, Manager, Room, Version};
use tierce::plan::print::{self, Line};
use tierce::plan::{self, Facts, Options};
use tierce::spec::bundle::{self, ConfigSource};
use tierce::spec::config::Spec;
use tierce::spec::validate;

/// How the cgroup hierarchies are mounted.
#[derive(Clone, Copy, PartialEq)]
enum Layout {
    /// v2 alone, as distributions have it today.
    Unified,
    /// v1 with its controllers, some of them together, and an empty v2 beside.
    Hybrid,
}

impl Layout {
    fn name(self) -> &'static str {
        match self {
            Layout::Unified => "v2",
            Layout::Hybrid => "hybrid",
        }
    }

    fn hierarchies(self) -> Vec<Hierarchy> {
        let own = "/user.slice/session-1.scope";
        match self {
            Layout::Unified => {
                vec![hierarchy(Version::V2, "/sys/fs/cgroup", "cpuset cpu io memory hugetlb pids", own)]
            }
            Layout::Hybrid => vec![
                hierarchy(Version::V1, "/sys/fs/cgroup/pids", "pids", own),
                hierarchy(Version::V1, "/sys/fs/cgroup/memory", "memory", own),
                hierarchy(Version::V1, "/sys/fs/cgroup/cpu,cpuacct", "cpu cpuacct", own),
                hierarchy(Version::V1, "/sys/fs/cgroup/cpuset", "cpuset", "/"),
                hierarchy(Version::V1, "/sys/fs/cgroup/devices", "devices", own),
                hierarchy(Version::V1, "/sys/fs/cgroup/freezer", "freezer", "/"),
                hierarchy(Version::V1, "/sys/fs/cgroup/systemd", "name=systemd", own),
                hierarchy(Version::V2, "/sys/fs/cgroup/unified", "", own),
            ],
        }
    }
}

fn hierarchy(version: Version, mount: &str, controllers: &str, own: &str) -> Hierarchy {
    let controllers = controllers.split_whitespace().map(String::from).collect();
    Hierarchy { mount: mount.into(), version, controllers, own: own.into(), room: Room::Below, unit: None }
}

/// Who calls.
#[derive(Clone, Copy, PartialEq)]
enum Caller {
    Root,
    /// uid and gid 1000, without capabilities.
    User,
}

fn facts(layout: Layout, caller: Caller) -> Facts {
    let (id, permitted_caps) = match caller {
        Caller::Root => (0, (1 << 41) - 1),
        Caller::User => (1000, 0),
    };
    Facts {
        uid: id,
        gid: id,
        permitted_caps,
        last_cap: 40,
        cgroup: cgroup::Facts { hierarchies: layout.hierarchies() },
        ..Facts::default()
    }
}

fn lines(spec: &Spec, layout: Layout, caller: Caller) -> Vec<Line> {
    lines_on(spec, &facts(layout, caller), caller)
}

fn lines_on(spec: &Spec, facts: &Facts, caller: Caller) -> Vec<Line> {
    lines_with(spec, facts, caller, Manager::Cgroupfs)
}

fn lines_with(spec: &Spec, facts: &Facts, caller: Caller, manager: Manager) -> Vec<Line> {
    let odd = validate::check(spec).unwrap_or_else(|e| panic!("{e}"));
    let options = Options {
        id: "ID".into(),
        bundle: "/bundle".into(),
        no_pivot: false,
        new_keyring: true,
        preserve_fds: 0,
        listen: None,
        cgroup_manager: manager,
        rootless: caller == Caller::User,
    };
    let plan = plan::container(spec, facts, &options).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!((odd, &plan.warnings[..]), (vec![], &[][..]), "an example is without warnings");
    print::lines(&plan)
}

fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn bundles() -> Vec<String> {
    let entries = fs::read_dir(top().join("bundle-examples")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let sorted: BTreeSet<_> = names.collect();
    sorted.into_iter().collect()
}

/// The length of a filter depends on the system calls that the machine has.
fn has_a_golden_here(bundle: &str) -> bool {
    bundle != "seccomp" || cfg!(target_arch = "x86_64")
}

/// Name of the golden and what it should be.
fn wanted() -> Vec<(String, String)> {
    let mut all = Vec::new();
    for name in bundles().into_iter().filter(|name| has_a_golden_here(name)) {
        let directory = top().join("bundle-examples").join(&name);
        let bundle =
            bundle::load(&directory, &ConfigSource::Bundle).unwrap_or_else(|e| panic!("{name}: {e}"));
        let caller = if name == "rootless" { Caller::User } else { Caller::Root };
        for layout in [Layout::Unified, Layout::Hybrid] {
            let lines = lines(&bundle.spec, layout, caller);
            all.push((format!("{name}.{}.txt", layout.name()), print::text(&lines)));
            if name == "limits" && layout == Layout::Unified {
                let lines = lines_with(&bundle.spec, &facts(layout, caller), caller, Manager::Systemd);
                all.push((format!("{name}.systemd.txt"), print::text(&lines)));
            }
            if name == "hello" && layout == Layout::Unified {
                let json = serde_json::to_string_pretty(&lines).unwrap() + "\n";
                all.push((format!("{name}.{}.json", layout.name()), json));
            }
        }
    }
    for (name, caller, rootless) in
        [("spec", Caller::Root, None), ("spec-rootless", Caller::User, Some((1000, 1000)))]
    {
        let spec: Spec = serde_json::from_value(default_config(rootless)).unwrap();
        all.push((format!("{name}.v2.txt"), print::text(&lines(&spec, Layout::Unified, caller))));
    }
    let spec: Spec = serde_json::from_value(with_hooks(default_config(None))).unwrap();
    all.push(("hooks.v2.txt".into(), print::text(&lines(&spec, Layout::Unified, Caller::Root))));
    for layout in [Layout::Unified, Layout::Hybrid] {
        let spec: Spec = serde_json::from_value(with_all_resources(layout)).unwrap();
        let text = print::text(&lines_on(&spec, &with_all_controllers(layout), Caller::Root));
        let host = text.lines().filter(|line| line.starts_with("host")).map(|line| format!("{line}\n"));
        all.push((format!("resources.{}.txt", layout.name()), host.collect()));
    }
    for (name, rdt) in classes() {
        let mut config = default_config(None);
        config["linux"]["intelRdt"] = rdt;
        let spec: Spec = serde_json::from_value(config).unwrap();
        let lines = lines(&spec, Layout::Unified, Caller::Root);
        let of_rdt: Vec<Line> =
            lines.into_iter().filter(|l| l.location.starts_with("linux.intelRdt")).collect();
        all.push((format!("{name}.v2.txt"), print::text(&of_rdt)));
    }
    all
}

fn with_all_controllers(layout: Layout) -> Facts {
    let mut facts = facts(layout, Caller::Root);
    match layout {
        Layout::Unified => facts.cgroup.hierarchies[0].controllers.push("rdma".into()),
        Layout::Hybrid => facts.cgroup.hierarchies.extend(
            ["blkio", "net_cls net_prio", "hugetlb", "rdma"].map(|controllers| {
                let mount = format!("/sys/fs/cgroup/{}", controllers.replace(' ', ","));
                hierarchy(Version::V1, &mount, controllers, "/")
            }),
        ),
    }
    facts
}

/// All that a hierarchy can limit; v1 has more.
fn with_all_resources(layout: Layout) -> Value {
    let mut config = default_config(None);
    let rates = json!([{"major": 8, "minor": 0, "rate": 1000}]);
    config["linux"]["resources"] = json!({
        "devices": [{"allow": false, "access": "rwm"}, {"allow": true, "type": "b", "major": 7, "access": "r"}],
        "memory": {"limit": 5000, "swap": 9000, "reservation": 4000, "checkBeforeUpdate": true},
        "cpu": {"shares": 512, "quota": 5000, "period": 10_000, "burst": 1000, "cpus": "0-1", "mems": "0", "idle": 1},
        "pids": {"limit": 0},
        "blockIO": {
            "weight": 500,
            "weightDevice": [{"major": 8, "minor": 16, "weight": 10}],
            "throttleReadBpsDevice": rates,
            "throttleWriteBpsDevice": rates,
            "throttleReadIOPSDevice": rates,
            "throttleWriteIOPSDevice": rates,
        },
        "hugepageLimits": [{"pageSize": "2MB", "limit": 4096}],
        "rdma": {"mlx5_1": {"hcaHandles": 3, "hcaObjects": 10_000}, "mlx4_0": {"hcaObjects": 1000}},
    });
    if layout == Layout::Unified {
        config["linux"]["resources"]["unified"] =
            json!({"io.max": "259:0 rbps=5\n253:0 wiops=6", "memory.high": "7"});
        return config;
    }
    let more = [
        ("swappiness", json!(10)),
        ("kernel", json!(6000)),
        ("kernelTCP", json!(7000)),
        ("disableOOMKiller", json!(true)),
        ("useHierarchy", json!(true)),
    ];
    let resources = &mut config["linux"]["resources"];
    for (key, value) in more {
        resources["memory"][key] = value;
    }
    resources["cpu"]["realtimePeriod"] = json!(1_000_000);
    resources["cpu"]["realtimeRuntime"] = json!(950_000);
    resources["network"] = json!({"classID": 1_048_577, "priorities": [{"name": "eth0", "priority": 500}]});
    config
}

/// Classes of resctrl; of these plans only the lines about them are kept.
fn classes() -> [(&'static str, Value); 4] {
    [
        ("rdt-own", json!({"l3CacheSchema": "L3:0=7f0;1=1f", "memBwSchema": "MB:0=20;1=70"})),
        (
            "rdt-shared",
            json!({"closID": "gold", "memBwSchema": "MB:0=20", "schemata": ["L3:0=7f0", "L2:0=f"]}),
        ),
        ("rdt-existing", json!({"closID": "gold", "enableMonitoring": true})),
        ("rdt-default", json!({"closID": "/", "l3CacheSchema": "L3:0=fff", "enableCMT": true})),
    ]
}

/// The examples have none, since they would need programs of the host.
fn with_hooks(mut config: Value) -> Value {
    let hook =
        |name: &str| json!([{"path": format!("/usr/libexec/{name}"), "args": [name, "a b"], "timeout": 5}]);
    config["hooks"] = json!({
        "prestart": hook("prestart"),
        "createRuntime": hook("create-runtime"),
        "createContainer": hook("create-container"),
        "startContainer": [{"path": "/sbin/ldconfig"}],
        "poststart": hook("poststart"),
        "poststop": hook("poststop"),
    });
    config
}

fn goldens() -> PathBuf {
    top().join("tests/goldens")
}

#[test]
fn plans_are_as_they_were() {
    let update = std::env::var_os("UPDATE_GOLDENS").is_some();
    let mut complaints = String::new();
    for (name, wanted) in wanted() {
        let path = goldens().join(&name);
        if update {
            fs::write(&path, wanted).unwrap();
            continue;
        }
        match fs::read_to_string(&path) {
            Ok(golden) if golden == wanted => {}
            Ok(golden) => complaints += &format!("\ntests/goldens/{name}:\n{}", diff(&golden, &wanted)),
            Err(e) => complaints += &format!("\ntests/goldens/{name}: {e}\n"),
        }
    }
    assert!(complaints.is_empty(), "{complaints}\nUPDATE_GOLDENS=1 makes the new lines (+) the goldens");
}

#[test]
fn every_golden_belongs_to_an_example() {
    let known: BTreeSet<_> = wanted().into_iter().map(|(name, _)| name).collect();
    for entry in fs::read_dir(goldens()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let bundle = name.split('.').next().unwrap();
        assert!(known.contains(&name) || !has_a_golden_here(bundle), "tests/goldens/{name}: of what?");
    }
}

#[test]
fn a_difference_shows_its_lines_and_what_is_around() {
    let old = "a\nb\nc\nd\ne\nf\ng\n";
    let new = "a\nb\nc\nD\ne\nf\nx\ng\n";
    assert_eq!(diff(old, new), "  c\n- d\n+ D\n  e\n  f\n+ x\n  g\n");
    assert_eq!(diff("a\nb\nc\nd\n", "b\nc\nd\ne\n"), "- a\n  b\n  ...\n  d\n+ e\n");
}

/// The lines that differ, by the longest common subsequence, each with one line around it.
fn diff(old: &str, new: &str) -> String {
    let (old, new): (Vec<_>, Vec<_>) = (old.lines().collect(), new.lines().collect());
    let mut longest = vec![vec![0; new.len() + 1]; old.len() + 1];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            longest[i][j] = match old[i] == new[j] {
                true => longest[i + 1][j + 1] + 1,
                false => longest[i + 1][j].max(longest[i][j + 1]),
            };
        }
    }
    let (mut i, mut j, mut marked) = (0, 0, Vec::new());
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            marked.push((' ', old[i]));
            (i, j) = (i + 1, j + 1);
        } else if j == new.len() || i < old.len() && longest[i + 1][j] >= longest[i][j + 1] {
            marked.push(('-', old[i]));
            i += 1;
        } else {
            marked.push(('+', new[j]));
            j += 1;
        }
    }
    with_context(&marked)
}

fn with_context(marked: &[(char, &str)]) -> String {
    let changed = |at: usize| marked.get(at).is_some_and(|(mark, _)| *mark != ' ');
    let near = |at: usize| changed(at) || changed(at + 1) || at > 0 && changed(at - 1);
    let mut text = String::new();
    let mut last = None;
    for (at, (mark, line)) in marked.iter().enumerate().filter(|(at, _)| near(*at)) {
        if last.is_some_and(|last| last + 1 < at) {
            text += "  ...\n";
        }
        text += &format!("{mark} {line}\n");
        last = Some(at);
    }
    text
}
