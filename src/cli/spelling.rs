//! One spelling for all: `-b X`, `-bX`, `-bundle X`, `-bundle=X` and `--bundle X` all become
//! `--bundle=X`, as Go's flag package and getopt_long(3) between them understand it.
//!
//! containerd writes `-no-subreaper`; Podman gives some switches twice. A value that was joined to its
//! flag may begin with a dash.

use super::flags::{Flag, HELP, Takes};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// Where the flags end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flags {
    /// Only at `--`: operands may stand between them.
    Anywhere,
    /// At the first operand: the rest belongs to somebody else.
    First,
}

/// Arguments in one spelling.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Spelled {
    /// `--flag` or `--flag=value`.
    pub(super) flags: Vec<OsString>,
    /// Not touched: everything from the first operand on ([`Flags::First`]), or all operands.
    pub(super) operands: Vec<OsString>,
    /// The first flag that is not known, as it was written, without its value.
    pub(super) unknown: Option<String>,
    /// Whether `--help` was among the flags.
    pub(super) help: bool,
}

/// Brings `args` into one spelling, knowing the flags in `known`.
pub(super) fn spell(known: &[Flag], place: Flags, args: Vec<OsString>) -> Spelled {
    let mut args = args.into_iter();
    let mut spelled = Spelled::default();
    while let Some(arg) = args.next() {
        let bytes = arg.as_bytes();
        if bytes == b"--" {
            spelled.operands.extend(args);
            break;
        }
        if bytes == b"-" || !bytes.starts_with(b"-") {
            spelled.operands.push(arg);
            if place == Flags::First {
                spelled.operands.extend(args);
                break;
            }
            continue;
        }
        spelled.flag(known, arg, &mut args);
    }
    spelled
}

impl Spelled {
    fn flag(&mut self, known: &[Flag], arg: OsString, following: &mut impl Iterator<Item = OsString>) {
        let bytes = arg.as_bytes();
        let dashes = if bytes.starts_with(b"--") { 2 } else { 1 };
        let (name, value) = match bytes.iter().position(|b| *b == b'=') {
            Some(at) => (&bytes[..at], Some(OsStr::from_bytes(&bytes[at + 1..]))),
            None => (bytes, None),
        };
        let word = name.get(dashes..).unwrap_or_default();
        let long =
            if dashes == 2 || word.len() > 1 { find(known, |f| f.long.as_bytes() == word) } else { None };
        match long {
            Some(flag) => self.known(flag, value.map(OsStr::to_owned), following),
            None if dashes == 1 => self.cluster(known, &bytes[1..], following),
            None => self.unknown(name),
        }
    }

    /// `-dt`, `-b/dir`, `-b=/dir`: letters, the last of which may take a value.
    fn cluster(&mut self, known: &[Flag], letters: &[u8], following: &mut impl Iterator<Item = OsString>) {
        for (at, letter) in letters.iter().enumerate() {
            let Some(flag) = find(known, |f| f.short.as_bytes().contains(letter)) else {
                let written = if at == 0 { letters } else { &letters[at..=at] };
                return self
                    .unknown(&[b"-", written.split(|b| *b == b'=').next().unwrap_or_default()].concat());
            };
            let rest = &letters[at + 1..];
            let value = match rest.strip_prefix(b"=") {
                Some(value) => Some(value),
                None if flag.takes != Takes::Nothing && !rest.is_empty() => Some(rest),
                None => None,
            };
            let last = value.is_some();
            self.known(flag, value.map(|v| OsString::from_vec(v.to_vec())), following);
            if last {
                break;
            }
        }
    }

    fn unknown(&mut self, written: &[u8]) {
        self.unknown.get_or_insert_with(|| String::from_utf8_lossy(written).into_owned());
    }

    fn known(
        &mut self,
        flag: &Flag,
        value: Option<OsString>,
        following: &mut impl Iterator<Item = OsString>,
    ) {
        let mut spelling = OsString::from("--");
        spelling.push(flag.long);
        if flag.takes == Takes::Nothing {
            match value.as_deref().map(truth) {
                None | Some(Some(true)) => self.on(flag, spelling),
                Some(Some(false)) => self.off(flag, &spelling),
                Some(None) => {
                    spelling.push("=");
                    spelling.push(value.unwrap_or_default());
                    self.flags.push(spelling);
                }
            }
            return;
        }
        if let Some(value) = value.or_else(|| following.next()) {
            spelling.push("=");
            spelling.push(value);
        }
        self.flags.push(spelling);
    }

    fn on(&mut self, flag: &Flag, spelling: OsString) {
        match flag.long == HELP.long {
            true => self.help = true,
            false => self.flags.push(spelling),
        }
    }

    /// `--flag=false` takes an earlier `--flag` back.
    fn off(&mut self, flag: &Flag, spelling: &OsStr) {
        match flag.long == HELP.long {
            true => self.help = false,
            false => self.flags.retain(|f| f != spelling),
        }
    }
}

fn find(known: &[Flag], wanted: impl Fn(&Flag) -> bool) -> Option<&Flag> {
    known.iter().find(|f| wanted(f)).or_else(|| wanted(&HELP).then_some(&HELP))
}

/// The value of a switch, as Go's strconv.ParseBool takes it.
fn truth(value: &OsStr) -> Option<bool> {
    match value.to_str()?.to_ascii_lowercase().as_str() {
        "1" | "t" | "true" => Some(true),
        "0" | "f" | "false" => Some(false),
        _ => None,
    }
}
