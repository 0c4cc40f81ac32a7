//! Values of flags and operands. A value that is not understood is an error that names it, never
//! a default: `--user` with a name must not become user 0 (CVE-2026-30892 in crun).

use super::{CgroupManager, ExecUser, ListFormat, LogFormat, LogLevel, PlanFormat, Rootless, SubCgroup};
use crate::error::{Error, Result};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::Duration;

/// The first and last real-time signal as glibc counts them, which is what `kill -l` and Docker show.
const RTMIN: i32 = 34;
const RTMAX: i32 = 64;

fn unknown(what: &str, value: &OsStr, known: &str) -> Error {
    Error::new(format!("{what} {value:?} is not known; it can be {known}"))
}

/// UTF-8, or an error that says so.
pub(super) fn text(what: &str, value: OsString) -> Result<String> {
    value.into_string().map_err(|value| Error::new(format!("{what} {value:?} is not UTF-8")))
}

/// A path, which is any bytes, but not none.
pub(super) fn path(what: &str, value: OsString) -> Result<PathBuf> {
    if value.is_empty() {
        return Err(Error::new(format!("{what} is empty")));
    }
    Ok(value.into())
}

/// A decimal number without sign, blanks or needless zeros, as no program reads it otherwise.
fn decimal(value: &str) -> Option<u32> {
    let plain = value.bytes().all(|b| b.is_ascii_digit()) && (value == "0" || !value.starts_with('0'));
    if plain { value.parse().ok() } else { None }
}

/// A count.
pub(super) fn count(what: &str, value: &OsStr) -> Result<u32> {
    let number = value.to_str().and_then(decimal);
    number.ok_or_else(|| Error::new(format!("{what} {value:?} is not a decimal number")))
}

/// A user or group id; (uid_t)-1 means "no change" to the kernel (setuid(2)) and is none.
fn id(value: &str) -> Option<u32> {
    decimal(value).filter(|id| *id != u32::MAX)
}

/// A group id.
pub(super) fn gid(what: &str, value: &OsStr) -> Result<u32> {
    let gid = value.to_str().and_then(id);
    gid.ok_or_else(|| Error::new(format!("{what} {value:?} is not a numeric group id")))
}

/// `UID` or `UID:GID`.
pub(super) fn user(what: &str, value: &OsStr) -> Result<ExecUser> {
    let parsed = value.to_str().and_then(|text| match text.split_once(':') {
        None => Some(ExecUser { uid: id(text)?, gid: None }),
        Some((uid, gid)) => Some(ExecUser { uid: id(uid)?, gid: Some(id(gid)?) }),
    });
    parsed.ok_or_else(|| {
        Error::new(format!("{what} {value:?} is not UID or UID:GID, in decimal numbers below 4294967295"))
    })
}

/// `PATH` or `CONTROLLER[,CONTROLLER]:PATH`, below the container's cgroup.
pub(super) fn sub_cgroup(what: &str, value: OsString) -> Result<SubCgroup> {
    let text = text(what, value)?;
    let (controllers, path) = text.split_once(':').unwrap_or(("", &text));
    let refuse = |why: &str| Err(Error::new(format!("{what} {text:?}: {why}")));
    match () {
        () if path.is_empty() => refuse("has no path"),
        () if path.contains('\0') => refuse("holds a NUL byte"),
        () if path.split('/').any(|part| part == "..") => {
            refuse("`..` could lead out of the container's cgroup")
        }
        () if text.contains(':') && controllers.split(',').any(str::is_empty) => {
            refuse("a controller before `:` has no name")
        }
        () => {
            let named = controllers.split(',').filter(|c| !c.is_empty()).map(str::to_owned);
            Ok(SubCgroup { controllers: named.collect(), path: path.to_owned() })
        }
    }
}

/// `NAME=value`.
pub(super) fn variable(what: &str, value: OsString) -> Result<OsString> {
    match value.as_bytes().iter().position(|b| *b == b'=') {
        Some(1..) => Ok(value),
        _ => Err(Error::new(format!("{what} {value:?} is not NAME=VALUE"))),
    }
}

/// A signal by number (0 to 64) or by name, with or without `SIG`, in any case; `RTMIN+n` and
/// `RTMAX-n` too.
pub(super) fn signal(value: &OsStr) -> Result<i32> {
    let unknown = || {
        Error::new(format!("signal {value:?} is not known"))
            .hint("it is a name such as TERM or SIGTERM, or 0 to 64")
    };
    let text = value.to_str().ok_or_else(unknown)?.to_ascii_uppercase();
    if text.bytes().all(|b| b.is_ascii_digit()) {
        return text.parse().ok().filter(|n| (0..=RTMAX).contains(n)).ok_or_else(unknown);
    }
    let name = text.strip_prefix("SIG").unwrap_or(&text);
    real_time(name).or_else(|| named(name)).ok_or_else(unknown)
}

fn real_time(name: &str) -> Option<i32> {
    let within = |n: i32| (RTMIN..=RTMAX).contains(&n).then_some(n);
    let offset = |text: &str| decimal(text).and_then(|n| i32::try_from(n).ok());
    match name {
        "RTMIN" => Some(RTMIN),
        "RTMAX" => Some(RTMAX),
        _ => match (name.strip_prefix("RTMIN+"), name.strip_prefix("RTMAX-")) {
            (Some(up), _) => within(RTMIN.checked_add(offset(up)?)?),
            (_, Some(down)) => within(RTMAX.checked_sub(offset(down)?)?),
            (None, None) => None,
        },
    }
}

/// The numbers differ between architectures (signal(7)); nix has those of this one.
fn named(name: &str) -> Option<i32> {
    let name = match name {
        "CLD" => "CHLD",
        "IOT" => "ABRT",
        "POLL" => "IO",
        name => name,
    };
    let signal: nix::sys::signal::Signal = format!("SIG{name}").parse().ok()?;
    Some(signal as i32)
}

/// `--log`: a file name, or one of crun's forms.
pub(super) fn log_file(value: OsString) -> Result<PathBuf> {
    let bytes = value.as_bytes();
    for target in ["journald:", "syslog:"] {
        if bytes.starts_with(target.as_bytes()) {
            return Err(Error::not_supported_yet(format_args!("--log {}", value.to_string_lossy())));
        }
    }
    match bytes.strip_prefix(b"file:") {
        Some(path) => self::path("--log", OsStr::from_bytes(path).to_owned()),
        None => path("--log", value),
    }
}

/// `--log-format`
pub(super) fn log_format(value: &OsStr) -> Result<LogFormat> {
    match value.to_str() {
        Some("text") => Ok(LogFormat::Text),
        Some("json") => Ok(LogFormat::Json),
        _ => Err(unknown("--log-format", value, "text or json")),
    }
}

/// `--log-level`
pub(super) fn log_level(value: &OsStr) -> Result<LogLevel> {
    match value.to_str() {
        Some("error") => Ok(LogLevel::Error),
        Some("warning" | "warn") => Ok(LogLevel::Warning),
        Some("info") => Ok(LogLevel::Info),
        Some("debug") => Ok(LogLevel::Debug),
        _ => Err(unknown("--log-level", value, "error, warning, info or debug")),
    }
}

/// `--cgroup-manager`
pub(super) fn cgroup_manager(value: &OsStr) -> Result<CgroupManager> {
    match value.to_str() {
        Some("cgroupfs") => Ok(CgroupManager::Cgroupfs),
        Some("systemd") => Ok(CgroupManager::Systemd),
        Some("disabled") => Ok(CgroupManager::Disabled),
        _ => Err(unknown("--cgroup-manager", value, "cgroupfs, disabled or systemd")),
    }
}

/// `--rootless`
pub(super) fn rootless(value: &OsStr) -> Result<Rootless> {
    match value.to_str() {
        Some("true") => Ok(Rootless::True),
        Some("false") => Ok(Rootless::False),
        Some("auto") => Ok(Rootless::Auto),
        _ => Err(unknown("--rootless", value, "true, false or auto")),
    }
}

/// `--format` of `list`, `ps` and `stats`
pub(super) fn list_format(value: &OsStr) -> Result<ListFormat> {
    match value.to_str() {
        Some("table") => Ok(ListFormat::Table),
        Some("json") => Ok(ListFormat::Json),
        _ => Err(unknown("--format", value, "table or json")),
    }
}

/// `events --interval`: as Go writes durations, `1.5s`, `500ms` or `1m30s`.
pub(super) fn interval(value: &OsStr) -> Result<Duration> {
    let wrong = |why: &str| Error::new(format!("--interval {value:?} {why}"));
    let parsed = value.to_str().and_then(duration);
    match parsed.ok_or_else(|| wrong("is not a duration such as 5s, 500ms or 1m30s"))? {
        Duration::ZERO => Err(wrong("is not more than 0")),
        interval => Ok(interval),
    }
}

fn duration(text: &str) -> Option<Duration> {
    /// Longest first, where one is the beginning of another.
    const UNITS: [(&str, f64); 8] = [
        ("ns", 1e-9),
        ("us", 1e-6),
        ("µs", 1e-6),
        ("μs", 1e-6),
        ("ms", 1e-3),
        ("s", 1.0),
        ("m", 60.0),
        ("h", 3600.0),
    ];
    let mut rest = text;
    let mut sum = Duration::ZERO;
    while !rest.is_empty() || text.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, behind) = rest.split_at(end);
        let (unit, seconds) = UNITS.into_iter().find(|(unit, _)| behind.starts_with(unit))?;
        let part = Duration::try_from_secs_f64(number.parse::<f64>().ok()? * seconds).ok()?;
        sum = sum.checked_add(part)?;
        rest = &behind[unit.len()..];
    }
    Some(sum)
}

/// `plan --format`
pub(super) fn plan_format(value: &OsStr) -> Result<PlanFormat> {
    match value.to_str() {
        Some("text") => Ok(PlanFormat::Text),
        Some("json") => Ok(PlanFormat::Json),
        _ => Err(unknown("--format", value, "text or json")),
    }
}
