//! The flags of `update`: one for each limit, with its place in `linux.resources`.

use super::flags::{Flag, ID, Kind, Verb, value};
use super::grammar::Given;
use super::values;
use super::{NewLimits, UpdateOptions};
use crate::error::{Error, Result};
use crate::spec::config::{BlockIo, Cpu, Memory, Pids, Resources};
use std::ffi::OsString;
use std::str::FromStr;

pub(super) const UPDATE: Verb = Verb {
    kind: Kind::Update,
    name: "update",
    about: "Change the limits of a container",
    usage: "[OPTIONS] ID",
    operands: &[ID],
    flags: FLAGS,
    notes: "\
What is not given stays as it is. If a limit is refused, all stay as they were.

A SIZE is in bytes, or with k, m, g, t or p: 64m is 67108864. -1 is no limit.
FILE has an object like linux.resources of config.json; device rules in it replace all
that were there.

Examples:
  tierce update --memory 512m --memory-swap 1g web
  tierce update --cpu-quota 50000 --cpu-period 100000 web      half a CPU
  echo '{\"pids\": {\"limit\": 100}}' | tierce update -r - web
",
};

const FLAGS: &[Flag] = &[
    value("r", "resources", "FILE", "Take the limits from this JSON file; - is stdin"),
    value("", "memory", "SIZE", "Most memory"),
    value("", "memory-reservation", "SIZE", "Memory that is not taken away as long as others have more"),
    value("", "memory-swap", "SIZE", "Most memory and swap together"),
    value("", "kernel-memory", "SIZE", "Most memory of the kernel (cgroup v1)"),
    value("", "kernel-memory-tcp", "SIZE", "Most memory of TCP buffers (cgroup v1)"),
    value("", "cpu-share", "N", "Relative share of CPU time, 2 to 262144 (1024 is usual)"),
    value("", "cpu-quota", "MICROSECONDS", "CPU time in each period"),
    value("", "cpu-period", "MICROSECONDS", "Length of a period, 1000 to 1000000"),
    value("", "cpu-burst", "MICROSECONDS", "CPU time that may be saved up for later periods"),
    value("", "cpu-idle", "0|1", "Run only when nobody else wants to"),
    value("", "cpu-rt-runtime", "MICROSECONDS", "Real-time CPU time in each period (cgroup v1)"),
    value("", "cpu-rt-period", "MICROSECONDS", "Length of a real-time period (cgroup v1)"),
    value("", "cpuset-cpus", "LIST", "CPUs, such as 0-3,8"),
    value("", "cpuset-mems", "LIST", "Memory nodes, such as 0"),
    value("", "pids-limit", "N", "Most processes and threads"),
    value("", "blkio-weight", "N", "Relative share of block I/O, 10 to 1000"),
    value("", "l3-cache-schema", "SCHEMA", "Cache of its class in resctrl, such as L3:0=7f0"),
    value("", "mem-bw-schema", "SCHEMA", "Memory bandwidth of its class, such as MB:0=20"),
];

/// Those that stand in no file of limits.
const SCHEMAS: [&str; 2] = ["l3-cache-schema", "mem-bw-schema"];

/// Where in a configuration stands what a flag changes.
const PLACES: &[(&str, &str)] = &[
    ("memory", "memory.limit"),
    ("memory-reservation", "memory.reservation"),
    ("memory-swap", "memory.swap"),
    ("kernel-memory", "memory.kernel"),
    ("kernel-memory-tcp", "memory.kernelTCP"),
    ("cpu-share", "cpu.shares"),
    ("cpu-quota", "cpu.quota"),
    ("cpu-period", "cpu.period"),
    ("cpu-burst", "cpu.burst"),
    ("cpu-idle", "cpu.idle"),
    ("cpu-rt-runtime", "cpu.realtimeRuntime"),
    ("cpu-rt-period", "cpu.realtimePeriod"),
    ("cpuset-cpus", "cpu.cpus"),
    ("cpuset-mems", "cpu.mems"),
    ("pids-limit", "pids.limit"),
    ("blkio-weight", "blockIO.weight"),
];

impl NewLimits {
    /// How the user calls what a configuration has at `linux.resources.…`.
    pub fn label(&self, path: &str) -> String {
        let place = path.strip_prefix("linux.resources.").unwrap_or(path);
        match (self, PLACES.iter().find(|(_, there)| *there == place)) {
            (NewLimits::File(file), _) => format!("{}: {place}", file.display()),
            (NewLimits::Stdin, _) => format!("standard input: {place}"),
            (NewLimits::Flags(_), Some((flag, _))) => format!("--{flag}"),
            (NewLimits::Flags(_), None) => path.into(),
        }
    }
}

/// The whole of the flags.
pub(super) fn options(id: String, given: &mut Given) -> Result<UpdateOptions> {
    let limits = limits(given)?;
    let mut one = One(given);
    Ok(UpdateOptions {
        id,
        limits,
        l3_cache_schema: one.read(SCHEMAS[0], list)?,
        mem_bw_schema: one.read(SCHEMAS[1], list)?,
    })
}

/// The new limits: from a file, or from the flags.
fn limits(given: &mut Given) -> Result<NewLimits> {
    let file = given.value("resources");
    let is_schema = |flag: &&Flag| SCHEMAS.contains(&flag.long);
    let schema = FLAGS.iter().filter(is_schema).any(|flag| given.has(flag));
    let flag = FLAGS.iter().skip(1).filter(|flag| !is_schema(flag)).find(|flag| given.has(flag));
    match (file, flag) {
        (Some(_), Some(flag)) => {
            Err(Error::new(format!("--resources and --{} exclude each other", flag.long)))
        }
        (None, None) if schema => Ok(NewLimits::Flags(Box::default())),
        (None, None) => Err(Error::new("no limit is given").hint("`tierce update --help` shows the flags")),
        (Some(file), None) if file == "-" => Ok(NewLimits::Stdin),
        (Some(file), None) => values::path("--resources", file).map(NewLimits::File),
        (None, Some(_)) => resources(given).map(|resources| NewLimits::Flags(Box::new(resources))),
    }
}

fn resources(given: &mut Given) -> Result<Resources> {
    let mut one = One(given);
    let memory = Memory {
        limit: one.read("memory", size)?,
        reservation: one.read("memory-reservation", size)?,
        swap: one.read("memory-swap", size)?,
        kernel: one.read("kernel-memory", size)?,
        kernel_tcp: one.read("kernel-memory-tcp", size)?,
        ..Memory::default()
    };
    let cpu = Cpu {
        shares: one.read("cpu-share", positive)?,
        quota: one.read("cpu-quota", limit)?,
        period: one.read("cpu-period", positive)?,
        burst: one.read("cpu-burst", number)?,
        idle: one.read("cpu-idle", number)?,
        realtime_runtime: one.read("cpu-rt-runtime", limit)?,
        realtime_period: one.read("cpu-rt-period", positive)?,
        cpus: one.read("cpuset-cpus", list)?,
        mems: one.read("cpuset-mems", list)?,
    };
    let pids = Pids { limit: one.read("pids-limit", number)? };
    let block_io = BlockIo { weight: one.read("blkio-weight", positive)?, ..BlockIo::default() };
    Ok(Resources {
        memory: some(memory),
        cpu: some(cpu),
        pids: some(pids),
        block_io: some(block_io),
        ..Resources::default()
    })
}

fn some<T: Default + PartialEq>(section: T) -> Option<T> {
    (section != T::default()).then_some(section)
}

struct One<'a>(&'a mut Given);

impl One<'_> {
    /// The value of a flag, if it is given; `read` says what it should be.
    fn read<T>(&mut self, flag: &str, read: fn(&str) -> Result<T, &'static str>) -> Result<Option<T>> {
        let Some(value) = self.0.value(flag) else { return Ok(None) };
        let wrong = |value: &OsString, why: &str| Error::new(format!("--{flag} {value:?} {why}"));
        let text = value.to_str().ok_or_else(|| wrong(&value, "is not UTF-8"))?;
        read(text).map(Some).map_err(|why| wrong(&value, why))
    }
}

/// A decimal number; -1 too, where the type has it.
fn number<T: FromStr>(text: &str) -> Result<T, &'static str> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    let number = if plain { text.parse().ok() } else { None };
    number.ok_or("is not a decimal number, or too large")
}

/// Where a configuration has 0 for "not set".
fn positive<T: FromStr + PartialEq + From<u8>>(text: &str) -> Result<T, &'static str> {
    number(text).and_then(|n| if n == T::from(0) { Err("would change nothing") } else { Ok(n) })
}

fn limit(text: &str) -> Result<i64, &'static str> {
    match number(text)? {
        0 => Err("would change nothing; -1 is no limit"),
        limit => Ok(limit),
    }
}

fn list(text: &str) -> Result<String, &'static str> {
    if text.is_empty() { Err("is empty") } else { Ok(text.into()) }
}

/// Bytes, with a suffix as Docker and runc take it: `k`, `kb` and `kib` are all 1024; fractions too.
fn size(text: &str) -> Result<i64, &'static str> {
    const WRONG: &str = "is not a size in bytes, with k, m, g, t or p";
    let lower = text.to_ascii_lowercase();
    let end = lower.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(lower.len());
    let (digits, suffix) = (lower[..end].trim_end(), &lower[end..]);
    let unit = suffix.strip_suffix("ib").or_else(|| suffix.strip_suffix('b')).unwrap_or(suffix);
    let power = match unit {
        "" if !suffix.ends_with("ib") => 0,
        "k" => 10,
        "m" => 20,
        "g" => 30,
        "t" => 40,
        "p" => 50,
        _ => return Err(WRONG),
    };
    if power == 0 && suffix.is_empty() && digits == "-1" {
        return Ok(-1);
    }
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let plain = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !plain(whole) || !plain(fraction) || digits.ends_with('.') {
        return Err(WRONG);
    }
    let whole: i64 = whole.parse().map_err(|_| "is too large")?;
    let bytes = whole.checked_mul(1 << power).ok_or("is too large")?;
    let part = format!("0.{fraction}0").parse::<f64>().map_err(|_| WRONG)?;
    match bytes.checked_add((part * (1u64 << power) as f64) as i64) {
        Some(0) => Err("would change nothing; -1 is no limit"),
        Some(bytes) => Ok(bytes),
        None => Err("is too large"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_those_of_docker() {
        for (text, bytes) in [
            ("4096", 4096),
            ("1b", 1),
            ("1k", 1 << 10),
            ("64M", 64 << 20),
            ("64mb", 64 << 20),
            ("2GiB", 2 << 30),
            ("1.5g", 3 << 29),
            ("2 t", 2 << 40),
            ("1p", 1 << 50),
            ("-1", -1),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in
            ["", "k", "ib", "1x", "-2", "-1k", "+1", "1.", ".5g", "1e3", "0x10", "1kk", "9000p", "0", "0m"]
        {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn numbers_are_decimal_and_of_their_type() {
        assert_eq!(number("-1"), Ok(-1i64));
        assert_eq!(number("0"), Ok(0u64));
        assert!(
            number::<u64>("-1").is_err() && number::<i64>("1k").is_err() && number::<i64>("--1").is_err()
        );
        assert!(positive::<u16>("0").is_err() && positive::<u16>("65536").is_err());
        assert!(limit("0").is_err());
    }

    #[test]
    fn every_flag_but_the_file_has_a_place() {
        for flag in FLAGS.iter().skip(1).filter(|flag| !SCHEMAS.contains(&flag.long)) {
            assert!(PLACES.iter().any(|(long, _)| *long == flag.long), "{}", flag.long);
        }
        let flags = NewLimits::Flags(Box::default());
        assert_eq!(flags.label("linux.resources.memory.limit"), "--memory");
        assert_eq!(NewLimits::Stdin.label("linux.resources.cpu.shares"), "standard input: cpu.shares");
    }
}
