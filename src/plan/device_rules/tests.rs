use super::*;
use crate::plan::cgroup::Write;

fn entry(allow: bool, typ: &str, major: Option<i64>, minor: Option<i64>, access: &str) -> DeviceRule {
    DeviceRule { allow, typ: Some(typ.into()), major, minor, access: Some(access.into()) }
}

fn node(typ: &str, major: i64, minor: i64) -> Device {
    Device { typ: typ.into(), major: Some(major), minor: Some(minor), ..Device::default() }
}

fn lines(writes: &[Write]) -> Vec<String> {
    writes.iter().map(|w| format!("{} {}", w.file, w.value)).collect()
}

/// No nodes of `linux.devices`.
const NONE: Mknod = Mknod::Listed(&[]);

const DEFAULT_LINES: [&str; 8] = [
    "c 1:3 rwm",
    "c 1:5 rwm",
    "c 1:7 rwm",
    "c 1:8 rwm",
    "c 1:9 rwm",
    "c 5:0 rwm",
    "c 5:2 rwm",
    "c 136:* rwm",
];

#[test]
fn without_rules_the_defaults_are_allowed_and_nothing_else() {
    let policy = Policy::new(&[], NONE).unwrap();
    let writes = policy.v1_writes().unwrap();
    assert_eq!(writes[0].file, "devices.deny");
    assert_eq!(writes[0].value, "a");
    let values: Vec<_> = writes[1..].iter().map(|w| w.value.as_str()).collect();
    assert_eq!(values, DEFAULT_LINES);
    assert!(writes[1..].iter().all(|w| w.file == "devices.allow"));
    let deny_all = Policy::new(&[DeviceRule { access: Some("rwm".into()), ..DeviceRule::default() }], NONE);
    assert_eq!(deny_all, Ok(policy));
}

#[test]
fn what_the_defaults_repeat_is_written_once() {
    // As podman and docker write it.
    let policy = Policy::new(
        &[
            entry(false, "a", None, None, "rwm"),
            entry(true, "c", Some(1), Some(3), "rwm"),
            entry(true, "c", Some(136), None, "rwm"),
            entry(true, "c", Some(10), Some(200), "rw"),
            entry(true, "c", Some(10), Some(200), "m"),
            entry(false, "c", Some(10), Some(229), "rwm"),
        ],
        NONE,
    );
    let writes = policy.unwrap().v1_writes().unwrap();
    let mut expected = vec!["devices.deny a".to_string(), "devices.allow c 10:200 rwm".into()];
    expected.extend(DEFAULT_LINES.map(|line| format!("devices.allow {line}")));
    assert_eq!(lines(&writes), expected);
    assert_eq!(writes[1].location, "linux.resources.devices[3]");
    assert_eq!(writes[2].location, "linux.resources.devices (defaults)");
}

#[test]
fn nodes_that_are_listed_can_be_made_and_with_the_annotation_all() {
    let nodes = [node("c", 10, 200), node("p", 0, 0), node("b", 7, 0), node("c", 1, 3)];
    let extra = |mknod| {
        let writes = Policy::new(&[], mknod).unwrap().v1_writes().unwrap();
        writes[1..writes.len() - DEFAULT_LINES.len()].to_vec()
    };
    let listed = extra(Mknod::Listed(&nodes));
    assert_eq!(lines(&listed), ["devices.allow c 10:200 m", "devices.allow b 7:0 m"]);
    assert_eq!(listed[1].location, "linux.devices[2]");
    assert_eq!(lines(&extra(Mknod::Any)), ["devices.allow c *:* m", "devices.allow b *:* m"]);
    let all = Policy::new(&[entry(true, "a", None, None, "rwm")], Mknod::Listed(&nodes)).unwrap();
    assert!(all.allows_everything());
}

#[test]
fn a_privileged_container_needs_one_write_and_no_program() {
    let policy = Policy::new(&[entry(true, "a", None, None, "rwm")], NONE).unwrap();
    assert!(policy.allows_everything());
    assert_eq!(lines(&policy.v1_writes().unwrap()), ["devices.allow a"]);
    assert_eq!(policy.describe(), ["allow a *:* rwm"]);
}

#[test]
fn a_hole_in_a_wildcard_is_an_error_on_v1_only() {
    let policy = Policy::new(
        &[
            entry(false, "a", None, None, "rwm"),
            entry(true, "c", Some(10), None, "rw"),
            entry(false, "c", Some(10), Some(229), "w"),
        ],
        NONE,
    );
    let policy = policy.unwrap();
    let violation = policy.v1_writes().unwrap_err();
    assert_eq!(violation.path, "linux.resources.devices[2]");
    assert!(violation.text.contains("(c 10:229 w) to a wider rule (c 10:* rw)"), "{}", violation.text);
    assert!(run(&policy.program(), Kind::Char, 10, 229, Access::READ));
    assert!(!run(&policy.program(), Kind::Char, 10, 229, Access::WRITE));
    assert!(run(&policy.program(), Kind::Char, 10, 1, Access::WRITE));
}

#[test]
fn rules_are_not_joined_over_a_contrary_one() {
    let policy = Policy::new(
        &[
            entry(true, "c", Some(10), Some(1), "r"),
            entry(true, "c", Some(10), None, "w"),
            entry(false, "c", None, Some(1), "w"),
            entry(true, "c", Some(10), Some(1), "w"),
            entry(false, "c", Some(10), Some(1), "w"),
        ],
        NONE,
    );
    let code = policy.unwrap().program();
    assert!(run(&code, Kind::Char, 10, 1, Access::READ));
    assert!(!run(&code, Kind::Char, 10, 1, Access::WRITE));
    assert!(run(&code, Kind::Char, 10, 2, Access::WRITE));
}

#[test]
fn type_a_with_numbers_is_no_reset() {
    let policy = Policy::new(&[entry(true, "a", Some(8), Some(0), "r")], NONE).unwrap();
    assert_eq!(
        lines(&policy.v1_writes().unwrap())[..3],
        ["devices.deny a", "devices.allow c 8:0 r", "devices.allow b 8:0 r"]
    );
}

#[test]
fn all_mistakes_are_told() {
    let violations = Policy::new(
        &[
            entry(true, "u", Some(1), Some(1), "rwm"),
            entry(true, "c", Some(-2), None, "rwm"),
            entry(true, "c", None, Some(1 << 20), "rwm"),
            entry(true, "c", None, None, "rx"),
            entry(true, "c", None, None, ""),
        ],
        NONE,
    );
    let paths: Vec<_> = violations.unwrap_err().into_iter().map(|v| v.path).collect();
    let expected = [(0, "type"), (1, "major"), (2, "minor"), (3, "access"), (4, "access")];
    assert_eq!(paths, expected.map(|(i, field)| format!("linux.resources.devices[{i}].{field}")));
}

#[test]
fn random_rules_mean_the_same_reduced_on_v1_and_in_ebpf() {
    let mut random = Random(0x7469_6572_6365_3031);
    let (mut expressible, mut holes) = (0, 0);
    let nodes = [node("c", 3, 1), node("b", 1, 136), node("u", 136, 0), node("p", 1, 1)];
    for _ in 0..2000 {
        let config = random.rules();
        let mknod = if random.below(2) == 0 { Mknod::Any } else { Mknod::Listed(&nodes) };
        let policy = Policy::new(&config, mknod).unwrap();
        let code = policy.program();
        let v1 = policy.v1_writes().ok().map(|writes| V1::after(&writes));
        if v1.is_some() {
            expressible += 1
        } else {
            holes += 1
        }
        for (kind, major, minor) in devices() {
            for access in 1..=7 {
                let access = Access(access);
                let expected = reference(&config, mknod, kind, major, minor, access);
                let what = format!("{kind:?} {major}:{minor} {access} of {config:?}");
                assert_eq!(run(&code, kind, major, minor, access), expected, "eBPF: {what}");
                // The kernel asks for mknod alone.
                if let Some(v1) = v1.as_ref().filter(|_| access.0 & 1 == 0 || access.0 == 1) {
                    assert_eq!(v1.allows(kind, major, minor, access), expected, "v1: {what}");
                }
            }
        }
    }
    assert!(expressible > 500 && holes > 50, "{expressible} {holes}: one side was hardly tested");
}

fn devices() -> impl Iterator<Item = (Kind, u32, u32)> {
    let numbers = [0, 1, 3, 136];
    [Kind::Char, Kind::Block]
        .into_iter()
        .flat_map(move |k| numbers.into_iter().flat_map(move |a| numbers.map(|b| (k, a, b))))
}

/// xorshift64 (Marsaglia).
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 20) % n
    }

    fn number(&mut self) -> Option<i64> {
        [None, Some(-1), Some(1), Some(1), Some(1), Some(136)][self.below(6) as usize]
    }

    fn rules(&mut self) -> Vec<DeviceRule> {
        (0..self.below(7))
            .map(|_| {
                let access = Access(self.below(7) as u8 + 1).to_string();
                let access = if self.below(3) == 0 { "rwm" } else { &access };
                let typ = ["a", "b", "c", "c"][self.below(4) as usize];
                entry(self.below(2) == 0, typ, self.number(), self.number(), access)
            })
            .collect()
    }
}

/// The definition: for each bit the last rule that matches, of the configuration and the defaults.
fn reference(
    config: &[DeviceRule],
    mknod: Mknod,
    kind: Kind,
    major: u32,
    minor: u32,
    access: Access,
) -> bool {
    let is = |wanted: Option<i64>, number: u32| wanted.is_none_or(|w| w == -1 || w == i64::from(number));
    let letter = |kind| if kind == Kind::Char { "c" } else { "b" };
    [Access::READ, Access::WRITE, Access::MKNOD].into_iter().filter(|bit| access.meets(*bit)).all(|bit| {
        let by_default = DEFAULTS.iter().any(|(k, a, b, granted)| {
            *k == kind && a.is_none_or(|a| a == major) && b.is_none_or(|b| b == minor) && granted.meets(bit)
        });
        let can_be_made = match mknod {
            Mknod::Any => true,
            Mknod::Listed(nodes) => nodes.iter().any(|node| {
                let typ = if node.typ == "u" { "c" } else { &node.typ };
                let numbers = (Some(i64::from(major)), Some(i64::from(minor)));
                typ == letter(kind) && (node.major, node.minor) == numbers
            }),
        };
        let by_default = by_default || (bit == Access::MKNOD && can_be_made);
        let rule = config.iter().rfind(|rule| {
            let typ = rule.typ.as_deref().unwrap();
            (typ == "a" || typ == letter(kind))
                && is(rule.major, major)
                && is(rule.minor, minor)
                && rule.access.as_deref().unwrap().contains(&bit.to_string())
        });
        by_default || rule.is_some_and(|rule| rule.allow)
    })
}

/// The devices controller (security/device_cgroup.c): behaviour and exceptions.
struct V1 {
    allow: bool,
    exceptions: Vec<(char, String, String, String)>,
}

impl V1 {
    fn after(writes: &[Write]) -> V1 {
        let mut v1 = V1 { allow: true, exceptions: Vec::new() };
        for write in writes {
            let allow = write.file == "devices.allow";
            if write.value == "a" {
                v1 = V1 { allow, exceptions: Vec::new() };
                continue;
            }
            assert_ne!(allow, v1.allow, "takes an exception back: {write:?}");
            let parts: Vec<_> = write.value.split([' ', ':']).map(String::from).collect();
            let kind = parts[0].chars().next().unwrap();
            v1.exceptions.push((kind, parts[1].clone(), parts[2].clone(), parts[3].clone()));
        }
        v1
    }

    fn allows(&self, kind: Kind, major: u32, minor: u32, access: Access) -> bool {
        let letter = if kind == Kind::Char { 'c' } else { 'b' };
        let is = |pattern: &str, n: u32| pattern == "*" || pattern == n.to_string();
        let mut matching = self
            .exceptions
            .iter()
            .filter(|(k, a, b, _)| *k == letter && is(a, major) && is(b, minor))
            .map(|(_, _, _, granted)| Access::parse(granted).unwrap());
        match self.allow {
            true => !matching.any(|granted| granted.meets(access)),
            false => matching.any(|granted| access.without(granted) == Access(0)),
        }
    }
}

/// Interprets the instructions of `struct bpf_insn` that the programs are made of.
fn run(code: &[u64], kind: Kind, major: u32, minor: u32, access: Access) -> bool {
    let bpf_kind = if kind == Kind::Char { 2 } else { 1 };
    let context = [u32::from(access.0) << 16 | bpf_kind, major, minor];
    let mut registers = [0u64; 10];
    let mut pc = 0usize;
    for _ in 0..code.len() {
        let [opcode, both, o0, o1, i0, i1, i2, i3] = code[pc].to_ne_bytes();
        let (low, high) = (usize::from(both & 15), usize::from(both >> 4));
        let (dst, src) = if cfg!(target_endian = "little") { (low, high) } else { (high, low) };
        let (offset, imm) = (i16::from_ne_bytes([o0, o1]), u32::from_ne_bytes([i0, i1, i2, i3]));
        pc += 1;
        let word = registers[dst] as u32;
        match opcode {
            0x61 => {
                assert_eq!(src, 1, "loads from the context only");
                registers[dst] = context[offset as usize / 4].into();
            }
            0x4c => registers[dst] = u64::from(word | registers[src] as u32),
            0x54 => registers[dst] = (word & imm).into(),
            0x64 => registers[dst] = (word << imm).into(),
            0x74 => registers[dst] = (word >> imm).into(),
            0xb4 => registers[dst] = imm.into(),
            0xbc => registers[dst] = u64::from(registers[src] as u32),
            0x05 => pc += offset as usize,
            0x56 if word != imm => pc += offset as usize,
            0x16 if word == imm => pc += offset as usize,
            0x56 | 0x16 => {}
            0x95 => return registers[0] == 1,
            other => panic!("unknown opcode {other:#x}"),
        }
    }
    panic!("the program does not end");
}

fn shown(writes: &[crate::plan::cgroup::Write]) -> Vec<String> {
    writes.iter().map(|w| format!("{} {}", w.file.trim_start_matches("devices."), w.value)).collect()
}

#[test]
fn v1_rules_change_without_a_gap() {
    let of = |rules: serde_json::Value| {
        let rules: Vec<DeviceRule> = serde_json::from_value(rules).unwrap();
        Policy::new(&rules, NONE).unwrap().v1_writes().unwrap()
    };
    let closed = of(serde_json::json!([{"allow": false}]));
    let list: String = closed[1..].iter().map(|w| format!("{}\n", w.value)).collect();
    assert!(super::transition(&list, &closed).is_empty());
    let loop_too =
        of(serde_json::json!([{"allow": false}, {"allow": true, "type": "b", "major": 7, "access": "r"}]));
    let change = super::transition(&list, &loop_too);
    assert_eq!(shown(&change), ["allow b 7:* r"]);
    assert_eq!(super::way_back(&list, &change), [("devices.deny", Some("b 7:* r".into()))]);
    let back = super::transition(&format!("{list}b 7:* rw\n"), &loop_too);
    assert_eq!(shown(&back), ["deny b 7:* w"]);
    let open = of(serde_json::json!([{"allow": true}]));
    assert_eq!(shown(&super::transition(&list, &open)), ["allow a"]);
    assert_eq!(
        super::way_back("c 1:3 rwm\n", &open),
        [("devices.deny", Some("a".into())), ("devices.allow", Some("c 1:3 rwm".into())),]
    );
    assert_eq!(super::transition("a *:* rwm\n", &closed), closed);
    assert_eq!(super::way_back("a *:* rwm\n", &closed), [("devices.allow", None)]);
}
