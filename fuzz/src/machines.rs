//! Machines and callers to plan for, as literals: nothing of the machine that fuzzes is looked at.

use tierce::plan::cgroup::{self, Hierarchy, Manager, Room, Version};
use tierce::plan::{Facts, Options, Plan, Sandbox, print};

/// A machine, and what the command line says.
pub struct Machine {
    pub facts: Facts,
    pub options: Options,
}

/// cgroup v2 for root; v1 beside an empty v2 for root; v2 with systemd; v2 for an ordinary user.
pub fn all() -> Vec<Machine> {
    let root = (1 << 41) - 1;
    vec![
        machine(unified(Room::Below), 0, root, Manager::Cgroupfs),
        machine(hybrid(), 0, root, Manager::Cgroupfs),
        machine(unified(Room::Below), 0, root, Manager::Systemd),
        machine(unified(Room::Own), 1000, 0, Manager::Cgroupfs),
    ]
}

fn machine(hierarchies: Vec<Hierarchy>, id: u32, permitted_caps: u64, manager: Manager) -> Machine {
    let facts = Facts {
        uid: id,
        gid: id,
        permitted_caps,
        last_cap: 40,
        cgroup: cgroup::Facts { hierarchies },
        ..Facts::default()
    };
    let options = Options {
        id: "ID".into(),
        bundle: "/bundle".into(),
        no_pivot: false,
        new_keyring: true,
        preserve_fds: 0,
        listen: None,
        cgroup_manager: manager,
        rootless: id != 0,
    };
    Machine { facts, options }
}

fn hierarchy(version: Version, mount: &str, controllers: &str, room: Room) -> Hierarchy {
    Hierarchy {
        mount: format!("/sys/fs/cgroup{mount}").into(),
        version,
        controllers: controllers.split_whitespace().map(String::from).collect(),
        own: "/user.slice/session-1.scope".into(),
        room,
        unit: None,
    }
}

/// v2 alone, with all controllers.
pub fn unified(room: Room) -> Vec<Hierarchy> {
    vec![hierarchy(Version::V2, "", "cpuset cpu io memory hugetlb pids rdma misc", room)]
}

/// v1 with all controllers, and v2 with none.
pub fn hybrid() -> Vec<Hierarchy> {
    let mut all = vec![hierarchy(Version::V2, "/unified", "", Room::Below)];
    let v1 = [
        "pids",
        "memory",
        "cpu cpuacct",
        "cpuset",
        "blkio",
        "devices",
        "freezer",
        "hugetlb",
        "rdma",
        "net_cls net_prio",
        "name=systemd",
    ];
    all.extend(v1.map(|controllers| {
        let mount = format!("/{}", controllers.replace(' ', ",").trim_start_matches("name="));
        hierarchy(Version::V1, &mount, controllers, Room::Below)
    }));
    all
}

/// Are two plans the same? Their arrays for execve(2) hold addresses, so they are compared part by part.
pub fn same_plan(one: &Plan, other: &Plan) -> bool {
    parts(one) == parts(other)
}

fn parts(plan: &Plan) -> (Vec<print::Line>, String) {
    let mut text = format!("{:?} {:?}", plan.id, plan.warnings);
    if let Sandbox::New(c) = &plan.sandbox {
        let around = (&c.namespaces, &c.cgroup, &c.root, &c.id_namespaces, &c.mount_label, &c.net_devices);
        let inside = (&c.mounts, &c.devices, &c.sysctls, &c.masked, &c.readonly, &c.hostname, &c.domainname);
        text += &format!("{around:?} {inside:?} {:?} {:?}", c.resctrl, c.pidfd_receiver);
    }
    if let Some(p) = &plan.process {
        let strings = (p.args.strings(), p.env.strings(), &p.candidates, &p.cwd, &p.cwd_in_root);
        text += &format!("{strings:?} {:?} {:?} {:?} {:?}", p.identity, p.scheduling, p.lsm, p.terminal);
        let program = p.seccomp.iter().flat_map(|filter| &filter.program);
        text.extend(program.map(|i| format!(" {} {} {} {}", i.code, i.jt, i.jf, i.k)));
    }
    (print::lines(plan), text)
}
