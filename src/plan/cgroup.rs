//! Which cgroups are made, and what is written to their files (config-linux.md, "Control groups";
//! the kernel's admin-guide/cgroup-v1 and cgroup-v2.rst).
//!
//! Every mounted hierarchy gets a group, v1, v2 and both at once (hybrid); a limit goes to the
//! hierarchy that has its controller. A controller that is missing is an error only if a limit
//! needs it.

mod former;
mod limits;
mod ownership;
pub mod unit;
mod update;
mod write;

pub use former::former;
pub use ownership::owner;
pub use update::{Present, update};
pub use write::{Absent, Write};

use super::device_rules::{Mknod, Policy};
use crate::error::{Error, Result, Violation};
use crate::spec::config::Resources;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use unit::{Property, Unit};

/// Generation of the cgroup interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Version {
    /// One hierarchy for each controller, or for several mounted together.
    V1,
    /// The unified hierarchy.
    V2,
}

/// The cgroup hierarchies of this machine.
#[derive(Debug, Default, Clone, Serialize)]
pub struct Facts {
    /// In the order of /proc/self/cgroup.
    pub hierarchies: Vec<Hierarchy>,
}

/// One mounted hierarchy.
#[derive(Debug, Clone, Serialize)]
pub struct Hierarchy {
    /// Where it is mounted.
    pub mount: PathBuf,
    /// v1 or v2.
    pub version: Version,
    /// v1: those of this mount, `name=systemd` included. v2: `cgroup.controllers` of the mount.
    pub controllers: Vec<String>,
    /// The group of the calling process in it (/proc/self/cgroup).
    pub own: String,
    /// Where a caller without root may make groups.
    pub room: Room,
    /// The caller without root is the only process of a unit of systemd that is its own: the controllers of
    /// that. Whether they are delegated only systemd knows.
    pub unit: Option<Vec<String>>,
}

/// Where a caller may make groups and enter them: of the v2 hierarchy, which can be delegated (cgroups(7),
/// "delegating a hierarchy to a less privileged user").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Room {
    /// Beside its own group; root, who is not asked about, everywhere.
    Beside,
    /// Below its own group, if at all.
    Below,
    /// Below its own group, which systemd has delegated to nobody else: the caller can step aside.
    Own,
}

/// The name of the group that the caller steps aside into.
pub const LEAF: &str = "tierce-caller";

/// Who makes the groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manager {
    /// We do, by mkdir(2).
    Cgroupfs,
    /// systemd does, as a scope, when asked over D-Bus.
    Systemd,
    /// Nobody: the container stays in the cgroups of the caller.
    Disabled,
}

/// What is wanted.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// `linux.cgroupsPath`
    pub cgroups_path: Option<&'a str>,
    /// The container's id.
    pub id: &'a str,
    /// `linux.resources`
    pub resources: Option<&'a Resources>,
    /// Who makes the groups.
    pub manager: Manager,
    /// Without privileges over the machine's cgroups: not root, or root of a user namespace only.
    pub rootless: bool,
    /// Effective uid of the caller.
    pub uid: u32,
    /// For systemd: properties of the unit that annotations name.
    pub properties: &'a [Property],
    /// Which device nodes may be made.
    pub mknod: Mknod<'a>,
}

/// All groups of a container.
#[derive(Debug, Default, Clone, PartialEq, Serialize)]
pub struct CgroupPlan {
    /// One for each hierarchy, v1 ones first.
    pub groups: Vec<Group>,
    /// The unit of systemd that the only group is of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<Unit>,
}

/// One group to make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Group {
    /// Mount point of the hierarchy.
    pub mount: PathBuf,
    /// v1 or v2.
    pub version: Version,
    /// See [`Hierarchy::controllers`].
    pub controllers: Vec<String>,
    /// Absolute inside the hierarchy.
    pub path: String,
    /// v2: controllers to enable in `cgroup.subtree_control` of every ancestor. Those that
    /// [`Group::needs`] must come, the others may be refused.
    pub enable: Vec<String>,
    /// In this order.
    pub writes: Vec<Write>,
    /// v2 only; on v1 the device rules are among the writes.
    pub devices: DeviceAccess,
    /// Go on without this group if we may not make it.
    pub optional: bool,
    /// `linux.cgroupsPath` names it, so that going on without it is worth a warning.
    pub named: bool,
    /// Of a caller without root: its own group, which processes come from. Such a caller needs
    /// delegation (cgroups(7)).
    pub caller: Option<String>,
    /// Before that, this process steps aside into a group [`LEAF`] beside this one, so that its own can
    /// pass controllers on.
    pub step_aside: bool,
    /// v2: the uid that may use it as its own (config-linux.md, "Cgroup ownership").
    pub owner: Option<u32>,
}

impl Group {
    /// Does a write need this controller?
    pub fn needs(&self, controller: &str) -> bool {
        self.writes.iter().any(|w| w.controller() == controller)
    }

    /// Is it below the caller's own group? That has processes, so it passes no controllers on
    /// (cgroup-v2.rst, "No Internal Process Constraint"); the root of all is an exception.
    pub fn is_below_caller(&self) -> bool {
        let below = |own: &String| own != "/" && Path::new(&self.path).starts_with(own);
        self.version == Version::V2 && self.caller.as_ref().is_some_and(below)
    }

    /// Where in config.json the writes come from that need this controller, or any.
    pub fn limits(&self, controller: Option<&str>) -> String {
        let wanted = |w: &&Write| controller.is_none_or(|c| w.controller() == c);
        let mut found: Vec<&str> = self.writes.iter().filter(wanted).map(|w| w.location.as_str()).collect();
        found.dedup();
        found.join(", ")
    }

    /// The directory of the group.
    pub fn directory(&self) -> PathBuf {
        directory(&self.mount, &self.path)
    }
}

/// The directory of the group `path` of a hierarchy.
pub fn directory(mount: &Path, path: &str) -> PathBuf {
    mount.join(path.trim_start_matches('/'))
}

/// What a v2 group may do with devices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DeviceAccess {
    /// Not restricted by this group.
    Inherited,
    /// Everything that the ancestors allow; programs of an earlier use are detached.
    Everything,
    /// By an eBPF program of type `BPF_PROG_TYPE_CGROUP_DEVICE`.
    Program {
        /// The rules, as `allow c 1:3 rwm`; the last one that matches counts.
        rules: Vec<String>,
        /// The same as eBPF instructions.
        code: Vec<u64>,
    },
}

/// Decides the groups, their limits and device rules.
pub fn plan(facts: &Facts, request: &Request) -> Result<CgroupPlan> {
    let none = Resources::default();
    let resources = request.resources.unwrap_or(&none);
    let mut planner = Planner::default();
    let mut unit = None;
    match request.manager {
        Manager::Cgroupfs => planner.groups(facts, request)?,
        Manager::Systemd => unit = Some(planner.unit(facts, request)?),
        Manager::Disabled => {}
    }
    if request.manager != Manager::Disabled {
        planner.devices(resources, request.mknod, request.rootless);
    }
    planner.limits(resources, |controller| match request.manager {
        Manager::Disabled => "cgroups are disabled".into(),
        Manager::Cgroupfs | Manager::Systemd => {
            format!("no mounted cgroup hierarchy has the {controller} controller")
        }
    });
    planner.unified(resources);
    if !planner.violations.is_empty() {
        return Err(Error::invalid(planner.violations));
    }
    let mut groups = planner.groups;
    if let (Some(unit), [group]) = (&mut unit, &mut groups[..]) {
        unit.limit(group);
        unit.annotate(request.properties);
        return Ok(CgroupPlan { groups, unit: Some(unit.clone()) });
    }
    for group in groups.iter_mut().filter(|_| request.rootless) {
        group.optional = group.writes.is_empty();
        if let Some(hierarchy) = facts.hierarchies.iter().find(|h| h.mount == group.mount) {
            group.place(hierarchy, request)?;
        }
    }
    Ok(CgroupPlan { groups, unit: None })
}

#[derive(Default)]
struct Planner {
    groups: Vec<Group>,
    violations: Vec<Violation>,
}

impl Planner {
    /// The group of a scope that systemd makes. Who has no root needs no delegation for it: the user's systemd
    /// has it, and gives the scope on.
    fn unit(&mut self, facts: &Facts, request: &Request) -> Result<Unit> {
        let hierarchy = unit::hierarchy(facts)?;
        let unit = Unit::new(request)?;
        let path = unit.path(hierarchy, request.uid);
        self.groups.push(Group { named: true, ..Group::new(hierarchy, path) });
        Ok(unit)
    }

    fn groups(&mut self, facts: &Facts, request: &Request) -> Result<()> {
        for hierarchy in &facts.hierarchies {
            let path = group_path(hierarchy, request, hierarchy.room == Room::Beside)?;
            self.groups.push(Group {
                named: request.cgroups_path.is_some(),
                caller: request.rootless.then(|| hierarchy.own.clone()),
                ..Group::new(hierarchy, path)
            });
        }
        self.groups.sort_by_key(|g| g.version == Version::V2);
        // On a hybrid machine v2 is for bookkeeping: its controllers stay as the machine has them,
        // unless a limit needs one.
        if let [only] = &mut self.groups[..]
            && only.version == Version::V2
            && !only.is_below_caller()
        {
            only.enable.clone_from(&only.controllers);
        }
        Ok(())
    }

    fn with_controller(&mut self, controller: &str) -> Option<&mut Group> {
        self.groups.iter_mut().find(|g| g.controllers.iter().any(|c| c == controller))
    }

    /// Hands the limits of each controller to the hierarchy that has it.
    fn limits(&mut self, resources: &Resources, missing: impl Fn(&str) -> String) {
        for section in limits::SECTIONS {
            let name = |version| if version == Version::V1 { section.v1 } else { section.v2 };
            match self.groups.iter_mut().find(|g| g.has(name(g.version))) {
                Some(group) => {
                    let writes = (section.writes)(group.version, resources, &mut self.violations);
                    group.require(name(group.version), &writes);
                    group.writes.extend(writes);
                }
                // v1 has a file for everything. What is skipped without its file lifts a limit.
                None => {
                    let writes = (section.writes)(Version::V1, resources, &mut Vec::new());
                    let wanted = writes.into_iter().filter(|write| write.absent != Absent::Skip);
                    let text = missing(section.v2);
                    self.violations
                        .extend(wanted.map(|write| Violation { path: write.location, text: text.clone() }));
                }
            }
        }
    }

    /// The v1 controller where there is one, else eBPF on v2. Without privileges over devices
    /// neither works, and neither is needed: the kernel then refuses mknod(2).
    fn devices(&mut self, resources: &Resources, mknod: Mknod, rootless: bool) {
        let policy = match Policy::new(&resources.devices, mknod) {
            Ok(policy) => policy,
            Err(violations) => return self.violations.extend(violations),
        };
        if rootless {
            return;
        }
        if let Some(group) = self.with_controller("devices") {
            match policy.v1_writes() {
                Ok(writes) => group.writes.extend(writes),
                Err(violation) => self.violations.push(violation),
            }
        } else if let Some(group) = self.groups.iter_mut().find(|g| g.version == Version::V2) {
            group.devices = if policy.allows_everything() {
                DeviceAccess::Everything
            } else {
                DeviceAccess::Program { rules: policy.describe(), code: policy.program() }
            };
        } else if !policy.allows_everything() {
            let text = "no cgroup hierarchy is mounted that could restrict devices".into();
            self.violations.push(Violation { path: "linux.resources.devices".into(), text });
        }
    }

    /// `linux.resources.unified`: files of v2, after all that we derive. Of a value with several lines,
    /// as of io.max, the kernel takes one at a time.
    fn unified(&mut self, resources: &Resources) {
        let Some(unified) = &resources.unified else { return };
        for (file, value) in unified {
            let path = format!("linux.resources.unified[{file:?}]");
            let controller = file.split('.').next().unwrap_or_default();
            let text = if file.contains(['/', '\0']) || controller.is_empty() || !file.contains('.') {
                "not the name of a cgroup file".into()
            } else if ACTIONS.contains(&file.as_str()) {
                "acts on processes, it is not a setting".into()
            } else {
                match self.groups.iter_mut().find(|g| g.version == Version::V2) {
                    None => "needs cgroup v2, which is not mounted".into(),
                    Some(group) if controller == "cgroup" || group.has(controller) => {
                        let lines = value.lines().filter(|line| !line.trim().is_empty());
                        let mut writes: Vec<_> = lines.map(|line| Write::new(file, line, &path)).collect();
                        if writes.is_empty() {
                            writes.push(Write::new(file, value, path));
                        }
                        group.require(controller, &writes);
                        group.writes.extend(writes);
                        continue;
                    }
                    Some(_) => format!("cgroup v2 does not have the {controller} controller here"),
                }
            };
            self.violations.push(Violation { path, text });
        }
    }
}

/// Files that are no settings: they would move the runtime itself, or keep init from being born.
const ACTIONS: [&str; 5] = ["cgroup.procs", "cgroup.threads", "cgroup.freeze", "cgroup.type", "cgroup.kill"];

impl Group {
    fn new(hierarchy: &Hierarchy, path: String) -> Group {
        Group::existing(&hierarchy.mount, hierarchy.version, &hierarchy.controllers, &path)
    }

    /// In a hierarchy where the caller needs delegation: whether the group is better off below the caller's.
    fn place(&mut self, hierarchy: &Hierarchy, request: &Request) -> Result<()> {
        if hierarchy.unit.as_ref().is_some_and(|controllers| self.may_lose(controllers)) {
            self.path = group_path(hierarchy, request, false)?;
        }
        let alone = hierarchy.room == Room::Own || hierarchy.unit.is_some();
        self.step_aside = alone && !self.optional && self.is_below_caller();
        Ok(())
    }

    /// What is beside a unit of systemd belongs to systemd, which takes controllers back from there as soon as no
    /// unit asks for them; memory and pids are asked for by all. A delegated unit keeps its own.
    fn may_lose(&self, unit: &[String]) -> bool {
        let mut needed = self.controllers.iter().filter(|c| self.needs(c));
        self.lost_beside_a_unit().is_some() && needed.all(|c| unit.contains(c))
    }

    /// A controller that a limit needs, and that systemd takes back from its own groups.
    pub fn lost_beside_a_unit(&self) -> Option<&str> {
        let stays = |c: &&String| ["memory", "pids"].contains(&c.as_str());
        self.controllers.iter().find(|c| self.needs(c) && !stays(c)).map(String::as_str)
    }

    fn has(&self, controller: &str) -> bool {
        self.controllers.iter().any(|c| c == controller)
    }

    fn require(&mut self, controller: &str, writes: &[Write]) {
        let enabled = self.enable.iter().any(|c| c == controller);
        if self.version == Version::V2 && controller != "cgroup" && !writes.is_empty() && !enabled {
            self.enable.push(controller.into());
        }
    }
}

/// Where the group is inside its hierarchy. As runc does: an absolute `cgroupsPath` from the root;
/// a relative one below the caller's group on v1, and beside it on v2, where a group with processes
/// cannot pass controllers on. Without root that may not be allowed: `beside`.
fn group_path(hierarchy: &Hierarchy, request: &Request, beside: bool) -> Result<String> {
    let parent = || hierarchy.own.rsplit_once('/').map_or("", |(parent, _)| parent);
    let beside = hierarchy.version == Version::V2 && (beside || !request.rootless);
    let base = || if beside { parent() } else { &hierarchy.own };
    let path = match request.cgroups_path.filter(|p| !p.is_empty()) {
        Some(path) if path.starts_with('/') => path.to_string(),
        Some(path) => format!("{}/{path}", base()),
        None if request.rootless => format!("{}/tierce-{}", base(), request.id),
        None => format!("/tierce-{}", request.id),
    };
    let parts: Vec<&str> = path.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    let wrong =
        |text: String| Err(Error::invalid(vec![Violation { path: "linux.cgroupsPath".into(), text }]));
    if parts.contains(&"..") {
        return wrong(format!("{path:?} contains `..`"));
    }
    if parts.is_empty() {
        return wrong(format!("{path:?} is the root of the hierarchy, which is not a container's"));
    }
    if path.contains(['\0', '\n']) {
        return wrong(format!("{path:?} contains a NUL or a newline"));
    }
    Ok(format!("/{}", parts.join("/")))
}

#[cfg(test)]
mod tests;
