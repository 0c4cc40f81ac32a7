//! The unit of systemd that the container's cgroup is, where systemd makes it (`--systemd-cgroup`): its name, and
//! its properties (org.freedesktop.systemd1(5), systemd.resource-control(5)).

use super::{Absent, Facts, Group, Hierarchy, Request, Version, Write};
use crate::error::{Error, Result, Violation};
use crate::spec::annotations;
use crate::spec::config::Spec;
use crate::spec::gvariant::Value;
use serde::{Deserialize, Serialize};

/// A transient scope to be made.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Unit {
    /// `tierce-web.scope`
    pub name: String,
    /// The slice that it is in.
    pub slice: String,
    /// Whose systemd makes it.
    pub manager: UnitManager,
    /// In order, each name once. Without the process, which is not known yet.
    pub properties: Vec<Property>,
}

/// Whose systemd.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UnitManager {
    /// The machine's, process 1.
    System,
    /// That of the user who calls.
    User,
}

/// A property of a unit.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Property {
    /// As on the bus.
    pub name: String,
    /// With the type that systemd expects.
    pub value: Value,
    /// Where in config.json it comes from, if it comes from there.
    pub location: String,
}

impl Property {
    fn new(name: &str, value: Value, location: &str) -> Property {
        Property { name: name.into(), value, location: location.into() }
    }
}

/// The properties that annotations name.
pub fn annotated(spec: &Spec) -> Vec<Property> {
    let all = annotations::systemd_properties(spec);
    // The bad ones have been refused long before.
    all.filter_map(|(key, property)| {
        let (name, value) = property.ok()?;
        Some(Property { name, value, location: format!("annotations[{key:?}]") })
    })
    .collect()
}

/// systemd collects a scope when its last process has ended, but keeps a failed one, unless this says otherwise:
/// nothing may be left whenever this program is killed.
const COLLECT: (&str, &str) = ("CollectMode", "inactive-or-failed");

impl Unit {
    /// The unit that the request asks for; without what follows from the limits.
    pub(super) fn new(request: &Request) -> Result<Unit> {
        let wrong = |text: String| Error::invalid(vec![Violation { path: "linux.cgroupsPath".into(), text }]);
        let manager = if request.rootless { UnitManager::User } else { UnitManager::System };
        let (slice, name) = names(request.cgroups_path, request.id, manager).map_err(wrong)?;
        let on = |name| Property::new(name, Value::Bool(true), "");
        let mut unit = Unit { name, slice: slice.clone(), manager, properties: Vec::new() };
        unit.set(Property::new("Description", Value::string(format!("tierce container {}", request.id)), ""));
        unit.set(Property::new("Slice", Value::string(slice), "linux.cgroupsPath"));
        unit.set(on("Delegate"));
        for name in ["CPUAccounting", "IOAccounting", "MemoryAccounting", "TasksAccounting"] {
            unit.set(on(name));
        }
        // It is no part of the machine's boot or shutdown, whose order these would put it into.
        unit.set(Property::new("DefaultDependencies", Value::Bool(false), ""));
        unit.set(Property::new(COLLECT.0, Value::string(COLLECT.1), ""));
        Ok(unit)
    }

    /// The group that systemd will make. The part above a user's units is known from where the caller is, or has
    /// the name that systemd gives it; in the end the process is asked where it is.
    pub(super) fn path(&self, hierarchy: &Hierarchy, uid: u32) -> String {
        let above = match self.manager {
            UnitManager::System => String::new(),
            UnitManager::User => {
                // In a user namespace the uid says nothing.
                let end = hierarchy.own.find(".service/").filter(|_| hierarchy.own.contains("/user@"));
                match end {
                    Some(end) => format!("{}.service", &hierarchy.own[..end]),
                    None => format!("/user.slice/user-{uid}.slice/user@{uid}.service"),
                }
            }
        };
        format!("{above}{}/{}", slice_path(&self.slice), self.name)
    }

    /// The limits that systemd knows: what it does not know of it would undo when it is reloaded.
    pub(super) fn limit(&mut self, group: &mut Group) {
        // A weight means nothing beside `idle`, and a group that is idle takes none.
        if group.writes.iter().any(|w| w.file == "cpu.idle" && w.value.trim() == "1") {
            group.writes.retain(|w| w.file != "cpu.weight");
        }
        for property in properties(&group.writes) {
            self.set(property);
        }
    }

    /// What annotations say comes last.
    pub(super) fn annotate(&mut self, properties: &[Property]) {
        properties.iter().for_each(|property| self.set(property.clone()));
    }

    /// Does systemd forget the unit when its last process has ended, whatever comes of it?
    pub fn collects(&self) -> bool {
        let is = |p: &Property| p.name == COLLECT.0 && p.value == Value::string(COLLECT.1);
        self.properties.iter().any(is)
    }

    fn set(&mut self, property: Property) {
        self.properties.retain(|p| p.name != property.name);
        self.properties.push(property);
    }
}

/// The one hierarchy on which systemd can be asked for a group.
pub(super) fn hierarchy(facts: &Facts) -> Result<&Hierarchy> {
    match &facts.hierarchies[..] {
        [only] if only.version == Version::V2 => Ok(only),
        _ => Err(Error::new("--systemd-cgroup needs cgroup v2 alone, which is not what is mounted in /sys/fs/cgroup")
            .hint("without the flag tierce makes the cgroups by itself, on v1 too; `systemd.unified_cgroup_hierarchy=1` on the kernel's command line is v2 alone")),
    }
}

/// The slice and the name of the scope that `slice:prefix:name` asks for.
fn names(path: Option<&str>, id: &str, manager: UnitManager) -> Result<(String, String), String> {
    let default = match manager {
        UnitManager::System => "system.slice",
        UnitManager::User => "user.slice",
    };
    let Some(path) = path else {
        let name = format!("tierce-{}.scope", escape(id));
        return checked_name(name).map(|name| (default.into(), name));
    };
    let parts: Vec<&str> = path.split(':').collect();
    let [slice, prefix, name] = parts[..] else {
        return Err(format!("{path:?} is not slice:prefix:name, as it has to be with --systemd-cgroup"));
    };
    let slice = match slice {
        "" => default,
        "-" => "-.slice",
        slice => slice,
    };
    check_slice(slice).map_err(|why| format!("{path:?}: the slice {slice:?} {why}"))?;
    if name.ends_with(".slice") {
        return Err(format!("{path:?}: {name:?} is a slice, and systemd puts no processes into slices"));
    }
    if name.is_empty() {
        return Err(format!("{path:?} has no name after the last colon"));
    }
    let name = if prefix.is_empty() { format!("{name}.scope") } else { format!("{prefix}-{name}.scope") };
    checked_name(name).map(|name| (slice.into(), name)).map_err(|why| format!("{path:?}: {why}"))
}

/// The characters of systemd.unit(5).
fn is_unit_character(c: u8) -> bool {
    c.is_ascii_alphanumeric() || b":-_.\\".contains(&c)
}

/// Longest name of a unit, in bytes.
const LONGEST: usize = 255;

fn checked_name(name: String) -> Result<String, String> {
    if let Some(c) = name.chars().find(|c| !u8::try_from(*c).is_ok_and(is_unit_character)) {
        return Err(format!("{name:?} has a {c:?}, which the name of a unit must not have"));
    }
    match name.len() > LONGEST {
        true => Err(format!("{name:?} has {} bytes, and the name of a unit at most {LONGEST}", name.len())),
        false => Ok(name),
    }
}

/// As systemd-escape(1) does it, of what a container id may have.
fn escape(id: &str) -> String {
    let escaped = |c: char| match u8::try_from(c) {
        Ok(byte) if is_unit_character(byte) => c.to_string(),
        _ => format!("\\x{:02x}", u32::from(c)),
    };
    id.chars().map(escaped).collect()
}

fn check_slice(slice: &str) -> Result<(), String> {
    let Some(stem) = slice.strip_suffix(".slice") else { return Err("does not end in .slice".into()) };
    if stem.contains('/') {
        return Err("has a slash; `a-b.slice` is in `a.slice`".into());
    }
    if stem != "-" && stem.split('-').any(str::is_empty) {
        return Err("has a dash with nothing before or after it".into());
    }
    checked_name(slice.into()).map(drop)
}

/// `/a.slice/a-b.slice` for `a-b.slice`; nothing for the root `-.slice`.
fn slice_path(slice: &str) -> String {
    let stem = slice.strip_suffix(".slice").unwrap_or(slice);
    let ends = stem.match_indices('-').map(|(at, _)| at).chain([stem.len()]);
    if stem == "-" { String::new() } else { ends.map(|end| format!("/{}.slice", &stem[..end])).collect() }
}

/// The files that systemd writes after the start, in an order in which each can be written after the others.
pub const FILES: &[&str] = &[
    "memory.min",
    "memory.low",
    "memory.high",
    "memory.max",
    "memory.swap.max",
    "memory.zswap.max",
    "pids.max",
    "cpu.weight",
    "cpu.idle",
    "cpu.max",
    "io.weight",
    "io.bfq.weight",
    "cpuset.cpus",
    "cpuset.mems",
];

/// What is to be told to systemd when a unit that has started was changed, and `there` is in its files now.
pub fn changed(writes: &[Write], there: &[Write]) -> Vec<Property> {
    let mut found = properties(writes);
    // Only at the start can it be set, and systemd writes its file only then.
    found.retain(|property| property.name != "OOMPolicy");
    // systemd has no other way to say that a group is idle no longer.
    let is_busy = |write: &&Write| write.file == "cpu.idle" && write.value == "0";
    if let Some(write) = writes.iter().find(is_busy)
        && found.iter().all(|property| property.name != "CPUWeight")
        && let Some(weight) = there.iter().find(|write| write.file == "cpu.weight")
        && let Some(weight) = amount(&weight.value)
    {
        found.push(Property::new("CPUWeight", Value::U64(weight), &write.location));
    }
    found
}

/// What is to be told to take that back, when `before` was in its files.
pub fn unchanged(writes: &[Write], before: &[Write]) -> Vec<Property> {
    let told = changed(writes, before);
    let mut found = properties(before);
    found.retain(|property| told.iter().any(|other| other.name == property.name));
    found
}

/// The properties that say to systemd what these writes say to the kernel. systemd writes them too, at the start
/// and whenever it is reloaded; other files it leaves alone.
pub fn properties(writes: &[Write]) -> Vec<Property> {
    let mut found: Vec<Property> = Vec::new();
    for write in writes {
        let (file, value) = match &write.absent {
            // systemd knows weights by the scale of this one only.
            Absent::Instead { file, value } if file == "io.weight" => (file, value),
            _ => (&write.file, &write.value),
        };
        for (name, value) in of_write(file, value.trim()).unwrap_or_default() {
            found.retain(|p| p.name != name);
            found.push(Property::new(name, value, &write.location));
        }
    }
    found
}

/// None for what systemd does not know, and for a value that is not for the kernel either.
fn of_write(file: &str, value: &str) -> Option<Vec<(&'static str, Value)>> {
    let name = match file {
        "memory.max" => "MemoryMax",
        "memory.high" => "MemoryHigh",
        "memory.low" => "MemoryLow",
        "memory.min" => "MemoryMin",
        "memory.swap.max" => "MemorySwapMax",
        "memory.zswap.max" => "MemoryZSwapMax",
        "pids.max" => "TasksMax",
        "cpu.weight" => "CPUWeight",
        "io.weight" => "IOWeight",
        "cpuset.cpus" => return Some(vec![("AllowedCPUs", bits(value)?)]),
        "cpuset.mems" => return Some(vec![("AllowedMemoryNodes", bits(value)?)]),
        "cpu.idle" => return (value == "1").then(|| vec![("CPUWeight", Value::U64(0))]),
        "cpu.max" => return cpu_max(value),
        "memory.oom.group" => {
            let policy = match value {
                "0" => "continue",
                "1" => "kill",
                _ => return None,
            };
            return Some(vec![("OOMPolicy", Value::string(policy))]);
        }
        _ => return None,
    };
    let value = if file == "io.weight" { value.strip_prefix("default ").unwrap_or(value) } else { value };
    Some(vec![(name, Value::U64(amount(value)?))])
}

fn amount(value: &str) -> Option<u64> {
    if value == "max" { Some(u64::MAX) } else { value.parse().ok() }
}

/// systemd keeps a quota as a whole per cent of a CPU in the unit's file, and what is below is lost when it is
/// reloaded: it gets the next higher one, and the file the exact one.
const PERCENT: u128 = 10_000;
const SECOND: u128 = 1_000_000;

fn cpu_max(value: &str) -> Option<Vec<(&'static str, Value)>> {
    let mut words = value.split_whitespace();
    let (quota, period) = (amount(words.next()?)?, words.next().unwrap_or("100000").parse::<u64>().ok()?);
    let per_second = match quota {
        u64::MAX => u64::MAX,
        // More than can be told is more than there is: no limit.
        quota => {
            let exact = (u128::from(quota) * SECOND).checked_div(period.into())?;
            u64::try_from(exact.div_ceil(PERCENT) * PERCENT).unwrap_or(u64::MAX)
        }
    };
    Some(vec![("CPUQuotaPeriodUSec", Value::U64(period)), ("CPUQuotaPerSecUSec", Value::U64(per_second))])
}

/// A list such as `0-3,8` as a mask of bits, the first one lowest.
fn bits(list: &str) -> Option<Value> {
    /// More than the kernel's largest NR_CPUS.
    const MOST: usize = 1 << 16;
    let mut mask: Vec<u8> = Vec::new();
    for part in list.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (first.parse::<usize>().ok()?, last.parse::<usize>().ok()?);
        if first > last || last >= MOST {
            return None;
        }
        for bit in first..=last {
            if mask.len() <= bit / 8 {
                mask.resize(bit / 8 + 1, 0);
            }
            mask[bit / 8] |= 1 << (bit % 8);
        }
    }
    Some(Value::Array("y".into(), mask.into_iter().map(Value::Byte).collect()))
}

#[cfg(test)]
mod tests;
