//! The tables of [`super::flags`] as a clap command: for one verb at a time, because building what
//! was not asked for costs more than all the rest of the parsing.

use super::flags::{Count, Flag, Operand, Takes};
use super::spelling::Spelled;
use crate::error::{Error, Result};
use clap::builder::OsStringValueParser;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches};
use std::ffi::OsString;

/// The flags and operands that were given.
pub(super) struct Given(ArgMatches);

impl Given {
    /// Whether a switch was set.
    pub(super) fn is_set(&self, switch: &str) -> bool {
        self.0.get_flag(switch)
    }

    /// Whether a flag was typed at all.
    pub(super) fn has(&self, flag: &Flag) -> bool {
        self.is_typed(flag.long)
    }

    /// The same, by its name.
    pub(super) fn is_typed(&self, flag: &str) -> bool {
        self.0.value_source(flag) == Some(ValueSource::CommandLine)
    }

    /// The last value of a flag, or an operand.
    pub(super) fn value(&mut self, name: &str) -> Option<OsString> {
        self.0.remove_one(name)
    }

    /// All values of a flag, or all that follows the last single operand.
    pub(super) fn values(&mut self, name: &str) -> Vec<OsString> {
        self.0.remove_many(name).map(Iterator::collect).unwrap_or_default()
    }
}

/// Reads arguments that [`super::spelling`] brought into one form.
///
/// # Errors
/// A flag that is not known, a value that is not there, an operand too few or too many.
pub(super) fn parse(flags: &[Flag], operands: &[Operand], spelled: Spelled) -> Result<Given> {
    if let Some(flag) = spelled.unknown {
        return Err(Error::new(format!("unknown flag {flag}")));
    }
    let args = spelled.flags.into_iter().chain(["--".into()]).chain(spelled.operands);
    let command = base("").args(flags.iter().map(flag)).args(operands.iter().map(operand));
    command.try_get_matches_from(args).map(Given).map_err(|e| refused(&e))
}

/// A clap command without the flags that clap would add.
pub(super) fn base(name: &'static str) -> clap::Command {
    clap::Command::new(name)
        .no_binary_name(true)
        .args_override_self(true)
        .disable_help_flag(true)
        .disable_version_flag(true)
}

/// A flag, as far as parsing needs it: [`super::spelling`] has replaced the letters.
pub(super) fn flag(flag: &Flag) -> Arg {
    let arg = Arg::new(flag.long).long(flag.long);
    match flag.takes {
        Takes::Nothing => arg.action(ArgAction::SetTrue),
        Takes::Value(_) => arg.action(ArgAction::Set).value_parser(OsStringValueParser::new()),
        Takes::Values(_) => arg.action(ArgAction::Append).value_parser(OsStringValueParser::new()),
    }
}

/// An operand.
pub(super) fn operand(operand: &Operand) -> Arg {
    let arg = Arg::new(operand.name).value_parser(OsStringValueParser::new());
    match operand.count {
        Count::One => arg.required(true),
        Count::Optional => arg,
        Count::Rest => arg.num_args(0..).action(ArgAction::Append),
    }
}

/// What clap found wrong, in our words.
fn refused(error: &clap::Error) -> Error {
    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.as_str(),
        Some(ContextValue::Strings(texts)) => texts.first().map(String::as_str).unwrap_or_default(),
        _ => "",
    };
    let arg = context(ContextKind::InvalidArg);
    let name = arg.split([' ', '=']).next().unwrap_or_default();
    match error.kind() {
        ErrorKind::UnknownArgument => Error::new(format!("argument {arg:?} is one too many")),
        ErrorKind::MissingRequiredArgument => {
            Error::new(format!("{} is missing", name.trim_matches(['<', '>'])))
        }
        ErrorKind::TooManyValues => {
            Error::new(format!("{name} is true or false, not {:?}", context(ContextKind::InvalidValue)))
        }
        _ => Error::new(format!("{name} needs a value")),
    }
}
