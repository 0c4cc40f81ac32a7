//! Help, the version, and what is still to come.

use super::*;

const COMMANDS: [&str; 17] = [
    "run", "create", "start", "state", "kill", "wait", "delete", "list", "exec", "ps", "stats", "events",
    "pause", "resume", "spec", "plan", "features",
];

#[test]
fn what_is_to_come_is_refused() {
    for verb in COMMANDS_TO_COME {
        for rest in ["", " x", " --help", " --format json x"] {
            assert_eq!(refused(&format!("{verb}{rest}")), format!("{verb}: not supported yet"));
        }
        assert_eq!(refused(&format!("help {verb}")), format!("{verb}: not supported yet"));
        assert!(!printed("--help").contains(&format!("\n  {verb} ")));
    }
    assert_eq!(refused("kill --regex x"), "kill: --regex: not supported yet");
    assert_eq!(refused("delete -r x"), "delete: --regex: not supported yet");
    for verb in ["kill", "delete"] {
        let help = printed(&format!("{verb} --help"));
        assert!(!help.contains("regex"), "{help}");
    }
}

/// go-runc splits these lines at blanks and looks at the first words.
#[test]
fn the_version_has_three_lines() {
    for flag in ["--version", "-v", "-V", "-version", "--root /r --version", "--version run x"] {
        let text = printed(flag);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 3, "{text}");
        assert_eq!(lines[0], format!("tierce version {}", env!("CARGO_PKG_VERSION")));
        let commit = lines[1].strip_prefix("commit: ").unwrap();
        assert!(commit == "unknown" || commit.bytes().all(|b| b.is_ascii_hexdigit()), "{commit}");
        assert_eq!(lines[2], "spec: 1.3.0");
    }
}

#[test]
fn help_is_there_for_every_command() {
    let program = printed("--help");
    for flag in ["-h", "-help", "help", "--root /r --help", "--help run", "help help"] {
        assert_eq!(printed(flag), program, "{flag}");
    }
    for verb in COMMANDS {
        assert!(program.contains(&format!("\n  {verb} ")), "{verb}");
        let help = printed(&format!("{verb} --help"));
        for line in [format!("help {verb}"), format!("{verb} -h"), format!("{verb} --nonsense --help")] {
            assert_eq!(printed(&line), help, "{line}");
        }
        assert!(help.contains(&format!("\nUsage: tierce {verb}")), "{help}");
        assert!(help.contains("\nExample"), "{help}");
    }
    for line in program.lines().chain(printed("exec --help").lines()).chain(printed("run --help").lines()) {
        assert!(line.chars().count() <= 110, "{line}");
    }
}

#[test]
fn examples_in_the_help_are_accepted() {
    let mut seen = 0;
    for verb in COMMANDS {
        let help = printed(&format!("{verb} --help"));
        let (_, examples) = help.split_once("Example").unwrap();
        for line in examples.lines().filter(|l| l.starts_with("  ")) {
            let commands = line.trim().split("  ").next().unwrap();
            for command in commands.split(['|', '&']) {
                let Some(args) = command.trim().strip_prefix("tierce ") else { continue };
                ok(args);
                seen += 1;
            }
        }
    }
    assert!(seen >= 20, "{seen}");
}
