//! `--help`, `help` and `--version`.

use super::flags::{COMMANDS, Count, Flag, GLOBAL, HELP, Takes, Verb};
use super::grammar;
use crate::command::features::OCI_VERSION_MAX;
use clap::Arg;

const TEMPLATE: &str = "{about}\n\nUsage: {usage}\n\n{before-help}{all-args}{after-help}";

const EXAMPLES: &str = "\
`tierce COMMAND --help` tells more about a command.

Examples:
  tierce run -b /srv/web web          run the bundle in /srv/web as container `web`
  tierce list                         what is there
  tierce exec web ps                  run another program in it
  tierce stats                        what all of them use
  tierce kill web                     ask it to end
  tierce plan -b /srv/web             show what would be done
  tierce --log web.log --debug run -b /srv/web web
";

/// The lines of `--version`, in the form that go-runc parses.
pub fn version() -> String {
    let (version, commit, spec) = (env!("CARGO_PKG_VERSION"), env!("TIERCE_COMMIT"), OCI_VERSION_MAX);
    format!("tierce version {version}\ncommit: {commit}\nspec: {spec}\n")
}

/// The help of the program.
pub(super) fn program() -> String {
    let mut commands = String::from("Commands:\n");
    for verb in COMMANDS {
        commands.push_str(&format!("  {:9} {}\n", verb.name, verb.about));
    }
    commands.push_str("  help      Show the help of a command");
    let command = grammar::base("tierce")
        .about("tierce runs OCI containers, without a daemon")
        .override_usage("tierce [GLOBAL OPTIONS] COMMAND ...")
        .before_help(commands)
        .after_help(EXAMPLES);
    render(command.next_help_heading("Global options"), GLOBAL)
}

/// The help of one command.
pub(super) fn command(verb: &Verb) -> String {
    let operands = verb.operands.iter().map(|operand| {
        let arg = grammar::operand(operand).help(operand.help);
        if operand.count == Count::Rest { arg.value_name(operand.name) } else { arg }
    });
    let command = grammar::base(verb.name)
        .about(verb.about)
        .override_usage(usage(verb))
        .args(operands)
        .after_help(verb.notes);
    render(command, verb.flags)
}

/// How a command is called, as one line.
pub(super) fn usage(verb: &Verb) -> String {
    format!("tierce {} {}", verb.name, verb.usage).trim_end().to_owned()
}

fn render(command: clap::Command, flags: &[Flag]) -> String {
    let shown = flags.iter().chain([&HELP]).filter(|f| !f.is_to_come()).map(documented);
    command.help_template(TEMPLATE).args(shown).render_help().to_string()
}

fn documented(flag: &Flag) -> Arg {
    let mut arg = grammar::flag(flag).help(flag.help);
    if let Some(letter) = flag.short.chars().next() {
        arg = arg.short(letter);
    }
    match flag.takes {
        Takes::Nothing => arg,
        Takes::Value(name) | Takes::Values(name) => arg.value_name(name),
    }
}
