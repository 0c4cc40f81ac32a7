//! `linux.resources`: what is written to which file of which group.
#![no_main]

use libfuzzer_sys::{Corpus, fuzz_mutator, fuzz_target};
use serde_json::Value;
use std::collections::BTreeSet;
use tierce::plan::cgroup::unit::{self, Property};
use tierce::plan::cgroup::{
    self, Absent, CgroupPlan, Facts, Hierarchy, Manager, Present, Request, Room, Write,
};
use tierce::plan::device_rules::Mknod;
use tierce::spec::bundle;
use tierce::spec::config::Resources;
use tierce::spec::gvariant;
use tierce::spec::validate;
use tierce_fuzz::complaints::{about, is_one_line};
use tierce_fuzz::{machines, mutate};

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutate::json(data, size, max_size, seed)
});

fuzz_target!(|bytes: &[u8]| -> Corpus {
    let Ok(text) = std::str::from_utf8(bytes) else { return Corpus::Reject };
    let resources = match bundle::parse_resources(text, "standard input") {
        Ok(resources) => resources,
        Err(error) => {
            about(&error, "standard input", text);
            return Corpus::Keep;
        }
    };
    let whole = format!(r#"{{"linux":{{"resources":{text}}}}}"#);
    checked(&resources, text, &whole);
    // As `update` does it, with what is there already: any text stands for the content of the files.
    let present = resources
        .unified
        .iter()
        .flatten()
        .map(|(_, text)| Present { memory_limit: Present::memory(text), cpu_max: Present::cpu(text) });
    for present in present {
        let mut resources = resources.clone();
        present.complete(&mut resources);
        if let Ok(whole) = with_present(text, &present) {
            checked(&resources, &whole, &format!(r#"{{"linux":{{"resources":{whole}}}}}"#));
        }
    }
    Corpus::Keep
});

/// The document with the numbers that were there already beside its own, for them to be found there.
fn with_present(text: &str, present: &Present) -> serde_json::Result<String> {
    let mut document: Value = serde_json::from_str(text)?;
    let numbers = [present.memory_limit, present.cpu_max.map(|(quota, _)| quota)];
    document["present"] = serde_json::json!([numbers, present.cpu_max.map(|(_, period)| period)]);
    Ok(document.to_string())
}

fn checked(resources: &Resources, text: &str, whole: &str) {
    if let Err(error) = validate::check_resources(resources) {
        return about(&error, "config.json", whole);
    }
    // A member that nobody knows may have a number that no other reader takes.
    let Ok(document) = serde_json::from_str(text) else { return };
    let given = Given::of(resources, &document);
    for hierarchies in [machines::unified(Room::Below), machines::hybrid()] {
        for manager in [Manager::Cgroupfs, Manager::Systemd] {
            planned(resources, &hierarchies, manager, whole, &given);
        }
    }
}

fn planned(resources: &Resources, hierarchies: &[Hierarchy], manager: Manager, whole: &str, given: &Given) {
    let facts = Facts { hierarchies: hierarchies.to_vec() };
    let request = Request {
        cgroups_path: None,
        id: "ID",
        resources: Some(resources),
        manager,
        rootless: false,
        uid: 0,
        properties: &[],
        mknod: Mknod::Listed(&[]),
    };
    let plan = match (cgroup::plan(&facts, &request), cgroup::plan(&facts, &request)) {
        (Ok(one), Ok(other)) => {
            assert_eq!(one, other);
            one
        }
        (Err(one), Err(other)) => {
            assert_eq!(one, other);
            return about(&one, "config.json", whole);
        }
        (one, other) => panic!("{one:?} and {other:?}"),
    };
    every_number_is_given(&plan, given);
    no_limit_is_lost(&plan, resources);
    let properties = plan.unit.as_ref().map_or(&[][..], |unit| &unit.properties);
    properties.iter().for_each(|property| same_for_systemd(property, &plan));
    same_for_update(plan, resources, whole);
}

/// What the configuration says.
struct Given {
    numbers: BTreeSet<i128>,
    /// Lines of `unified`, and whole texts.
    texts: BTreeSet<String>,
}

impl Given {
    fn of(resources: &Resources, document: &Value) -> Given {
        let mut given = Given { numbers: BTreeSet::from([0, 1, 100_000]), texts: BTreeSet::new() };
        given.add(document);
        let memory = resources.memory.as_ref();
        if let Some((swap, limit)) = memory.and_then(|memory| memory.swap.zip(memory.limit)) {
            given.numbers.insert(i128::from(swap) - i128::from(limit));
        }
        given
    }

    fn add(&mut self, value: &Value) {
        match value {
            Value::Number(number) => {
                let number = number.as_i64().map(i128::from).or(number.as_u64().map(i128::from));
                self.numbers.extend(number);
            }
            Value::String(text) => {
                self.texts.insert(text.clone());
                self.texts.extend(text.lines().map(str::to_owned));
            }
            Value::Array(entries) => entries.iter().for_each(|entry| self.add(entry)),
            Value::Object(members) => members.values().for_each(|member| self.add(member)),
            Value::Null | Value::Bool(_) => {}
        }
    }
}

/// No number is written that the configuration does not have, but for weights, which have other scales.
fn every_number_is_given(plan: &CgroupPlan, given: &Given) {
    for write in plan.groups.iter().flat_map(|group| &group.writes) {
        is_one_line(&write.location);
        let instead = match &write.absent {
            Absent::Instead { file, value } => Some((file, value)),
            Absent::Refuse | Absent::Skip => None,
        };
        for (file, value) in [(&write.file, &write.value)].into_iter().chain(instead) {
            assert!(!file.contains(['/', '\0']), "a file elsewhere: {file:?}");
            let free = write.location.starts_with("linux.resources.unified") || given.texts.contains(value);
            if free || file.starts_with("devices.") {
                continue;
            }
            let weight = ["cpu.weight", "cpu.shares", "io.weight"].contains(&file.as_str());
            // The name of a device or an interface comes first.
            let named = ["rdma.max", "net_prio.ifpriomap"].contains(&file.as_str());
            let value = if named { value.split_once(' ').map_or("", |(_, numbers)| numbers) } else { value };
            let words = value.split([' ', '=', ':']).filter_map(|word| word.parse::<i128>().ok());
            for number in words {
                let scaled = weight && (1..=262_144).contains(&number);
                assert!(scaled || given.numbers.contains(&number), "{value:?} to {file}: whose {number}?");
            }
            if file == "cpu.weight" {
                assert!((1..=10_000).contains(&value.parse().unwrap_or(0)), "{value:?} to {file}");
            }
        }
    }
}

fn no_limit_is_lost(plan: &CgroupPlan, resources: &Resources) {
    let is_set = |value: Option<i64>| value.is_some_and(|value| value != 0);
    let is_some = |value: Option<u64>| value.is_some_and(|value| value != 0);
    let (memory, cpu) =
        (resources.memory.clone().unwrap_or_default(), resources.cpu.clone().unwrap_or_default());
    let pids = resources.pids.clone().unwrap_or_default();
    // A group that is idle has no weight for systemd.
    let weight = is_some(cpu.shares) && (plan.unit.is_none() || cpu.idle != Some(1));
    for (is_there, place) in [
        (is_set(memory.limit), "memory.limit"),
        (is_set(memory.swap), "memory.swap"),
        (is_set(memory.reservation), "memory.reservation"),
        (weight, "cpu.shares"),
        (is_set(cpu.quota), "cpu.quota"),
        (is_some(cpu.period) && !is_set(cpu.quota), "cpu.period"),
        (is_some(cpu.burst), "cpu.burst"),
        (cpu.idle.is_some(), "cpu.idle"),
        (pids.limit.is_some(), "pids.limit"),
    ] {
        let place = format!("linux.resources.{place}");
        let mut writes = plan.groups.iter().flat_map(|group| &group.writes);
        assert!(!is_there || writes.any(|write| write.location == place), "{place} is lost: {plan:?}");
    }
}

/// systemd is told the same number, of the last text that it can be told; a quota as the next whole per cent.
fn same_for_systemd(property: &Property, plan: &CgroupPlan) {
    let gvariant::Value::U64(told) = property.value else { return };
    let (file, expected): (_, fn(&str) -> Option<u64>) = match property.name.as_str() {
        "MemoryMax" => ("memory.max", amount),
        "MemoryLow" => ("memory.low", amount),
        "MemorySwapMax" => ("memory.swap.max", amount),
        "TasksMax" => ("pids.max", amount),
        "CPUQuotaPerSecUSec" => ("cpu.max", per_second),
        _ => return,
    };
    let writes = plan.groups.iter().flat_map(|group| &group.writes).filter(|write| write.file == file);
    assert_eq!(writes.filter_map(|write| expected(write.value.trim())).last(), Some(told), "{file}");
}

fn amount(text: &str) -> Option<u64> {
    if text == "max" { Some(u64::MAX) } else { text.parse().ok() }
}

fn per_second(text: &str) -> Option<u64> {
    let mut words = text.split_whitespace();
    let quota = amount(words.next()?)?;
    let period: u128 = words.next().map_or(Some(100_000), |word| word.parse::<u64>().ok().map(u128::from))?;
    if quota == u64::MAX {
        return Some(quota);
    }
    // Per cents of a CPU: 10 ms of a second.
    let exact = (u128::from(quota) * 1_000_000).checked_div(period)?;
    Some(u64::try_from((exact + 9_999) / 10_000 * 10_000).unwrap_or(u64::MAX))
}

/// `update` writes to groups that are there what a new container gets.
fn same_for_update(plan: CgroupPlan, resources: &Resources, whole: &str) {
    let weight = |write: &&Write| write.file != "cpu.weight";
    let values = |plan: &CgroupPlan| {
        let writes = plan.groups.iter().flat_map(|group| &group.writes).filter(weight);
        let writes = writes.filter(|write| !write.file.starts_with("devices."));
        writes.map(|write| (write.file.clone(), write.value.clone())).collect::<Vec<_>>()
    };
    let existing = |group: &cgroup::Group| {
        cgroup::Group::existing(&group.mount, group.version, &group.controllers, &group.path)
    };
    let groups = plan.groups.iter().map(existing).collect();
    match cgroup::update(groups, resources, false, false) {
        Ok(change) => {
            assert_eq!(values(&change), values(&plan));
            let writes: Vec<Write> = change.groups.iter().flat_map(|group| group.writes.clone()).collect();
            let changed = unit::changed(&writes, &writes);
            let back = unit::unchanged(&writes, &writes);
            assert!(back.iter().all(|property| changed.iter().any(|other| other.name == property.name)));
        }
        Err(error) => about(&error, "config.json", whole),
    }
}
