//! Reading a bundle: its `config.json`, or another file in its place, the `process.json` of `exec`
//! and the resources of `update`.

mod parse;
mod position;
mod unknown;

use crate::error::{Context, Error, Result};
use crate::log::{self, Level};
use crate::spec::config::{Process, Resources, Spec};
use crate::spec::validate;
use serde::Deserialize;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Larger files are refused: no container needs them, and they must not eat the host's memory.
const LARGEST: u64 = 16 << 20;

/// A bundle and its configuration, which is parsed but not yet validated.
#[derive(Debug, Clone)]
pub struct Bundle {
    /// The bundle directory: absolute and without symbolic links.
    pub dir: PathBuf,
    /// Its configuration.
    pub spec: Spec,
    /// The text of it.
    text: String,
}

impl Bundle {
    /// The configuration `text` of the bundle in the directory `dir`, an absolute path; errors call it `name`.
    ///
    /// # Errors
    /// Those of [`load`], but for the kernel's.
    pub fn parse(dir: PathBuf, text: String, name: &str) -> Result<Bundle> {
        let spec = parse::document(&text, validate::report_on).context(|| name)?;
        tell_unknown::<Spec>(&text, name);
        for system in spec.other_systems() {
            log::debug(format_args!("{name}: {system}: of another system, ignored"));
        }
        Ok(Bundle { dir, spec, text })
    }

    /// Adds to every mistake of the configuration where in its text that is, if people have written it.
    pub fn locate(&self, error: Error) -> Error {
        parse::locate(error, &self.text)
    }
}

/// Where the configuration of a bundle is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigSource {
    /// `config.json` in the bundle directory (bundle.md of the runtime-spec).
    Bundle,
    /// This file; a relative path is taken from the current directory.
    File(PathBuf),
    /// Standard input.
    Stdin,
}

/// Reads and parses the configuration of the bundle in the directory `bundle`.
///
/// # Errors
/// The kernel's, with the path; a JSON syntax error with its line and column; or all values of a
/// wrong type together with all that [`validate`] says about the others, as
/// [`crate::error::Cause::Invalid`].
pub fn load(bundle: &Path, source: &ConfigSource) -> Result<Bundle> {
    let dir = directory(bundle)?;
    let (name, text) = match source {
        ConfigSource::Bundle => {
            let path = dir.join("config.json");
            ("config.json".to_owned(), read_file(&path).map_err(|error| hint_at_spec(error, bundle))?)
        }
        ConfigSource::File(path) => (path.display().to_string(), read_file(path)?),
        ConfigSource::Stdin => {
            let name = "standard input".to_owned();
            let text = read(io::stdin().lock(), &name)?;
            (name, text)
        }
    };
    Bundle::parse(dir, text, &name)
}

/// With `--debug`: what of a configuration is ignored.
fn tell_unknown<T: for<'de> Deserialize<'de>>(text: &str, name: &str) {
    if !log::enabled(Level::Debug) {
        return;
    }
    for unknown in unknown::members::<T>(text) {
        let meant = unknown.near.map_or(String::new(), |near| format!(", did you mean {near}?"));
        log::debug(format_args!("{name}: {}: not known, ignored{meant}", unknown.path));
    }
}

/// Reads and parses a process.json, as `exec --process` takes it.
///
/// # Errors
/// Those of [`load`].
pub fn load_process(path: &Path) -> Result<Process> {
    parse_process(&read_file(path)?, &path.display().to_string())
}

/// The process that `text` describes; errors call it `name`.
///
/// # Errors
/// Those of [`load`], but for the kernel's.
pub fn parse_process(text: &str, name: &str) -> Result<Process> {
    let process = parse::document(text, validate::report_on_process).context(|| name)?;
    tell_unknown::<Process>(text, name);
    Ok(process)
}

/// Reads and parses resources, as `update --resources` takes them: from a file or from standard input.
///
/// # Errors
/// Those of [`load`].
pub fn load_resources(file: Option<&Path>) -> Result<Resources> {
    let (name, text) = match file {
        Some(path) => (path.display().to_string(), read_file(path)?),
        None => ("standard input".into(), read(io::stdin().lock(), "standard input")?),
    };
    parse_resources(&text, &name)
}

/// The resources that `text` describes; errors call it `name`.
///
/// # Errors
/// Those of [`load`], but for the kernel's.
pub fn parse_resources(text: &str, name: &str) -> Result<Resources> {
    let resources = parse::document(text, validate::report_on_resources).context(|| name)?;
    tell_unknown::<Resources>(text, name);
    Ok(resources)
}

fn directory(bundle: &Path) -> Result<PathBuf> {
    let what = || format!("bundle {}", bundle.display());
    let dir = bundle.canonicalize().context(what)?;
    match dir.metadata().context(what)?.is_dir() {
        true => Ok(dir),
        false => Err(Error::errno(what(), libc::ENOTDIR)),
    }
}

fn hint_at_spec(error: Error, bundle: &Path) -> Error {
    match error.as_errno() {
        Some(libc::ENOENT) => error.hint(format!("`tierce spec -b {}` writes one", bundle.display())),
        _ => error,
    }
}

fn read_file(path: &Path) -> Result<String> {
    let name = path.display().to_string();
    let file = File::open(path).context(|| name.as_str())?;
    read(file, &name)
}

fn read(from: impl Read, name: &str) -> Result<String> {
    // Room for most configurations, so that one read(2) gets them.
    let mut bytes = Vec::with_capacity(32 << 10);
    from.take(LARGEST + 1).read_to_end(&mut bytes).context(|| name)?;
    if bytes.len() as u64 > LARGEST {
        return Err(Error::new("is larger than 16 MiB").context(name));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Error::new(format!("is not UTF-8 (at byte {at})")).context(name)
    })
}
