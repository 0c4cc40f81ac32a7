//! A new instance of a filesystem: its options become parameters of fsconfig(2), or data of mount(2).

use super::options::Parsed;
use super::{Classic, Filesystem, Parameter, overlay};
use crate::error::{Error, Result};
use crate::plan::c_string;
use crate::sys::mount::STRING_MAX as LONGEST;
use libc::MOUNT_ATTR_RDONLY as RDONLY;
use std::path::Path;

/// Types without a device below: read-only is an attribute of the mount, never of the superblock,
/// which may be shared with the host (cgroup v1).
const PSEUDO: &[&str] =
    &["proc", "sysfs", "tmpfs", "ramfs", "devpts", "mqueue", "devtmpfs", "cgroup", "cgroup2", "securityfs"];

/// mount(2) takes one page with a NUL byte at its end, and ignores what is beyond.
const PAGE: usize = 4095;

pub(super) fn filesystem(
    fstype: &str,
    source: Option<&str>,
    parsed: &Parsed,
    location: &str,
    bundle: &Path,
) -> Result<Filesystem> {
    if fstype.is_empty() || fstype == "none" {
        return Err(Error::new(format!(
            "{location}.type: is missing; name a filesystem, or add `bind` or `rbind` to the options"
        )));
    }
    let mut data = words(fstype, &parsed.data);
    if fstype == "overlay" {
        data = overlay::absolute(&data, bundle);
    }
    let apart = if fstype == "overlay" { overlay::one_by_one(&data, LONGEST) } else { data.clone() };
    let source = source.filter(|s| !s.is_empty());
    let parameters = parameters(fstype, source, parsed, &apart, location)?;
    let long = parameters.iter().any(|p| p.value.as_ref().is_some_and(|v| v.count_bytes() > LONGEST));
    // A long path of an overlay can go by fd.
    let only = parsed.iversion || long && fstype != "overlay";
    let classic = match only || long || apart != data {
        true => classic(fstype, source, parsed, &data, only, location)?,
        false => None,
    };
    let told = |key: &str| parameters.iter().any(|p| p.key.to_bytes() == key.as_bytes());
    let mode_of_target = fstype == "tmpfs" && !told("mode");
    let owner_of_target = parsed.copy_up && !told("uid") && !told("gid");
    Ok(Filesystem {
        fstype: c_string(location, fstype)?,
        classic,
        parameters,
        mode_of_target,
        owner_of_target,
        copy_up: parsed.copy_up,
        no_symlinks: matches!(fstype, "proc" | "sysfs"),
        root_label: None,
    })
}

/// What fsconfig(2) is told.
pub(super) fn parameters(
    fstype: &str,
    source: Option<&str>,
    parsed: &Parsed,
    words: &[String],
    location: &str,
) -> Result<Vec<Parameter>> {
    let mut parameters = Vec::new();
    let mut add = |key: &str, value: Option<&str>| -> Result<()> {
        let c = |text: &str| c_string(&format!("{location}.options"), text);
        parameters.push(Parameter { key: c(key)?, value: value.map(c).transpose()? });
        Ok(())
    };
    if let Some(source) = source {
        add("source", Some(source))?;
    }
    let device = !fstype.is_empty() && !PSEUDO.contains(&fstype);
    if device && parsed.attr.set & RDONLY != 0 {
        add("ro", None)?;
    }
    if device && parsed.remount && parsed.attr.clear & RDONLY != 0 {
        add("rw", None)?;
    }
    for flag in &parsed.flags {
        add(flag, None)?;
    }
    for word in words {
        match word.split_once('=') {
            Some((key, value)) => add(key, Some(unquoted(value)))?,
            // devpts is always a new instance since Linux 4.7, but still knows the word.
            None => add(word, None)?,
        }
    }
    Ok(parameters)
}

/// The arguments of mount(2), if they fit.
fn classic(
    fstype: &str,
    source: Option<&str>,
    parsed: &Parsed,
    words: &[String],
    only: bool,
    location: &str,
) -> Result<Option<Classic>> {
    let data = words.join(",");
    if data.len() > PAGE {
        if !only {
            return Ok(None);
        }
        return Err(Error::new(format!(
            "{location}.options: {} bytes; with iversion, or a value of more than {LONGEST}, the kernel takes {PAGE}",
            data.len()
        )));
    }
    let has = |flag: &str| parsed.flags.iter().any(|f| f == flag);
    let named = [
        ("sync", libc::MS_SYNCHRONOUS),
        ("dirsync", libc::MS_DIRSYNC),
        ("mand", libc::MS_MANDLOCK),
        ("lazytime", 1 << 25),
    ];
    let mut flags: u64 = named.iter().filter(|(name, _)| has(name)).map(|(_, flag)| flag).sum();
    if !PSEUDO.contains(&fstype) && parsed.attr.set & RDONLY != 0 {
        flags |= libc::MS_RDONLY;
    }
    if parsed.iversion {
        flags |= libc::MS_I_VERSION;
    }
    let source = c_string(&format!("{location}.source"), source.unwrap_or("none"))?;
    Ok(Some(Classic { source, flags, data: c_string(&format!("{location}.options"), &data)?, only }))
}

/// The single options: they may come joined by commas, of which those in quotes separate nothing, nor
/// those behind a backslash in the paths of an overlay.
pub(super) fn words(fstype: &str, data: &[String]) -> Vec<String> {
    let mut words = vec![String::new()];
    for text in data {
        let (mut quoted, mut escaped) = (false, false);
        for c in text.chars() {
            match c {
                ',' if !quoted && !escaped => words.push(String::new()),
                _ => words.last_mut().expect("never empty").push(c),
            }
            quoted ^= c == '"' && !escaped;
            escaped = fstype == "overlay" && c == '\\' && !escaped;
        }
        words.push(String::new());
    }
    words.retain(|word| !word.is_empty());
    words
}

/// `context="a,b"` is quoted for mount(2) only.
fn unquoted(value: &str) -> &str {
    value.strip_prefix('"').and_then(|v| v.strip_suffix('"')).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::super::options::parse;
    use super::*;

    fn planned(fstype: &str, options: &[&str]) -> Filesystem {
        let options: Vec<_> = options.iter().map(|o| (*o).to_owned()).collect();
        filesystem(fstype, Some("none"), &parse(&options), "mounts[0]", Path::new("/b")).unwrap()
    }

    fn told(fs: &Filesystem) -> Vec<String> {
        let one = |p: &Parameter| match &p.value {
            Some(value) => format!("{}={}", p.key.to_str().unwrap(), value.to_str().unwrap()),
            None => p.key.to_str().unwrap().to_owned(),
        };
        fs.parameters.iter().map(one).collect()
    }

    #[test]
    fn what_is_no_option_is_data_for_the_filesystem() {
        let fs = planned("tmpfs", &["nosuid", "mode=755", "size=64m", "sync"]);
        assert_eq!(told(&fs), ["source=none", "sync", "mode=755", "size=64m"]);
        assert!(fs.classic.is_none());
    }

    #[test]
    fn commas_separate_but_for_those_in_quotes() {
        let fs = planned("tmpfs", &["mode=755,size=64m", "context=\"a:s0:c1,c2\",uid=5"]);
        assert_eq!(told(&fs), ["source=none", "mode=755", "size=64m", "context=a:s0:c1,c2", "uid=5"]);
    }

    #[test]
    fn paths_of_an_overlay_begin_in_the_bundle() {
        let fs = planned("overlay", &["lowerdir=a:/b\\:c", "upperdir=up\\,per", "workdir=/w"]);
        let expected = ["source=none", "lowerdir=/b/a:/b\\:c", "upperdir=/b/up\\,per", "workdir=/w"];
        assert_eq!(told(&fs), expected);
        assert!(fs.classic.is_none());
    }

    #[test]
    fn many_layers_go_one_by_one() {
        let list = format!("/{}:/x\\:y::/data", "l".repeat(250));
        let fs = planned("overlay", &[&format!("lowerdir={list}")]);
        assert_eq!(told(&fs)[2..], ["lowerdir+=/x:y", "datadir+=/data"]);
        let classic = fs.classic.unwrap();
        assert_eq!((classic.data.to_str().unwrap(), classic.only), (&*format!("lowerdir={list}"), false));
        let fs = planned("overlay", &[&format!("lowerdir=/{}", "l/".repeat(3000))]);
        assert!(fs.classic.is_none());
    }

    #[test]
    fn mount_takes_what_fsconfig_cannot() {
        let fs = planned("tmpfs", &["iversion", "sync", "size=1m,mode=700"]);
        let classic = fs.classic.unwrap();
        assert!(classic.only);
        assert_eq!(classic.flags, libc::MS_I_VERSION | libc::MS_SYNCHRONOUS);
        assert_eq!(classic.data.as_c_str(), c"size=1m,mode=700");
        let fs = planned("9p", &[&format!("aname={}", "a".repeat(256))]);
        assert!(fs.classic.unwrap().only);
        let options = [format!("aname={}", "a".repeat(5000))];
        let e = filesystem("9p", None, &parse(&options), "mounts[0]", Path::new("/b")).unwrap_err();
        assert!(e.to_string().starts_with("mounts[0].options: 5006 bytes;"), "{e}");
    }
}
