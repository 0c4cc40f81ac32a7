//! A configuration: read, checked, and planned for several machines.
#![no_main]

use libfuzzer_sys::{Corpus, fuzz_mutator, fuzz_target};
use std::sync::LazyLock;
use tierce::plan::{self, print};
use tierce::spec::bundle::{self, Bundle};
use tierce::spec::validate;
use tierce_fuzz::complaints::{about, is_one_line};
use tierce_fuzz::machines::{self, Machine};
use tierce_fuzz::mutate;

static MACHINES: LazyLock<Vec<Machine>> = LazyLock::new(machines::all);

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutate::json(data, size, max_size, seed)
});

fuzz_target!(|bytes: &[u8]| -> Corpus {
    let Ok(text) = std::str::from_utf8(bytes) else { return Corpus::Reject };
    // The same text is read as what `exec` and `update` take, too.
    match bundle::parse_process(text, "process.json") {
        Err(error) => about(&error, "process.json", text),
        Ok(process) => {
            if let Err(error) = validate::check_process(&process) {
                about(&error, "process.json", text);
            }
        }
    }
    let bundle = match Bundle::parse("/bundle".into(), text.to_owned(), "config.json") {
        Ok(bundle) => bundle,
        Err(error) => {
            about(&error, "config.json", text);
            return Corpus::Keep;
        }
    };
    match validate::check(&bundle.spec) {
        Err(error) => {
            about(&error, "config.json", text);
            about(&bundle.locate(error), "config.json", text);
            return Corpus::Keep;
        }
        Ok(warnings) => assert!(warnings.iter().all(|w| !w.path.is_empty() && !w.text.is_empty())),
    }
    for machine in MACHINES.iter() {
        planned(&bundle, machine, text);
    }
    Corpus::Keep
});

/// Plans twice: a plan depends on nothing else, and what is printed of it has a line for everything.
fn planned(bundle: &Bundle, machine: &Machine, text: &str) {
    let plan = || plan::container(&bundle.spec, &machine.facts, &machine.options);
    match (plan(), plan()) {
        (Ok(one), Ok(other)) => {
            assert!(machines::same_plan(&one, &other), "two plans");
            let lines = print::lines(&one);
            let printed = print::text(&lines);
            assert_eq!(printed.lines().count(), lines.len(), "{printed}");
            printed.lines().for_each(is_one_line);
        }
        (Err(one), Err(other)) => {
            assert_eq!(one, other);
            about(&one, "config.json", text);
        }
        (one, other) => panic!("{:?} and {:?}", one.err(), other.err()),
    }
}
