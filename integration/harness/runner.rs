//! Runs the cases, some at a time, and judges each.

use std::any::Any;
use std::cell::RefCell;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::case::{Case, CaseDef, Skip, parent_cgroup};
use super::cgroups::Version;
use super::child_process::become_subreaper;
use super::host::{Host, Kind};
use super::kernel_log::Kernel;
use super::options::Options;
use super::report::{Ends, Finished, Report, Verdict};
use super::rootfs;
use super::{PATIENCE, soon};
use crate::peers::{self, Expectation};

thread_local! {
    /// Where the last panic of this thread was.
    static PLACE: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Runs `cases`; whether none of them failed, and how each ended.
pub fn run(host: Host, cases: &[CaseDef], options: &Options) -> (bool, Ends) {
    let host: &'static Host = Box::leak(Box::new(host));
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        PLACE.with(|cell| *cell.borrow_mut() = place);
    }));
    rootfs::prepare(host).unwrap_or_else(|e| panic!("{}: {e}", host.work.display()));
    make_parent_cgroups(host);
    become_subreaper();
    println!("{} ({}), {} cases", host.runtime.display(), host.version, cases.len());
    let (next, report) =
        (AtomicUsize::new(0), Mutex::new(Report::new(options.verbose, options.report.as_deref())));
    let again = Mutex::new(Vec::new());
    let work = || {
        while let Some(def) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            let finished = one(host, def).judged_as(host.kind, options.security);
            match finished.failed() && options.again > 0 {
                true => again.lock().expect("lock").push((def, finished)),
                false => report.lock().expect("lock").add(finished),
            }
        }
    };
    // An attack that comes through on a peer may change what others look at.
    let alone = options.security && host.kind != Kind::Tierce;
    std::thread::scope(|scope| {
        (0..if alone { 1 } else { options.jobs }).for_each(|_| drop(scope.spawn(work)));
    });
    let mut report = report.into_inner().expect("lock");
    let again = again.into_inner().expect("lock");
    let few = again.len() <= options.again;
    for (def, finished) in again {
        let passed = few && one(host, def).passed();
        report.add(finished.after_another_run(passed));
    }
    report.left_behind(clean_up(host));
    (report.print(host.kind, options.security), report.ends())
}

fn one(host: &'static Host, def: &CaseDef) -> Finished {
    static NUMBER: AtomicUsize = AtomicUsize::new(1);
    let expectation = peers::expectation(host, def.name);
    let skip = |reason: &str| {
        Finished::new(def, Verdict::Skipped(reason.to_string()), String::new(), Duration::ZERO)
    };
    if def.needs_root && !host.is_root() {
        return skip("needs root");
    }
    if let Some(Expectation::NotRun(reason)) = expectation {
        return skip(reason);
    }
    let began = Instant::now();
    let kernel = Kernel::from_now_on();
    let case = Case::new(host, NUMBER.fetch_add(1, Ordering::Relaxed));
    let outcome = catch_unwind(AssertUnwindSafe(|| (def.body)(&case)));
    let left = case.finish();
    let verdict = judge(outcome, left, expectation);
    let mut transcript = case.transcript();
    case.clean();
    if matches!(verdict, Verdict::Failed(_)) {
        transcript.push_str(&kernel.said());
    }
    Finished::new(def, verdict, transcript, began.elapsed())
}

fn judge(
    outcome: Result<(), Box<dyn Any + Send>>,
    left: Vec<String>,
    expectation: Option<Expectation>,
) -> Verdict {
    let problem = match outcome {
        Err(payload) => match payload.downcast::<Skip>() {
            Ok(skip) => return Verdict::Skipped(skip.0),
            Err(payload) => Some(message(&*payload)),
        },
        Ok(()) if left.is_empty() => None,
        Ok(()) => Some(format!("left behind: {}", left.join(", "))),
    };
    match (problem, expectation) {
        (None, Some(Expectation::Fails(reason))) => {
            Verdict::Failed(format!("listed as failing in peers.rs ({reason}) but passed"))
        }
        (Some(_), Some(Expectation::Fails(reason))) => Verdict::Known(reason.to_string()),
        (Some(problem), _) => Verdict::Failed(problem),
        (None, _) => Verdict::Passed,
    }
}

fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("a panic without text");
    PLACE.with(|place| format!("{text}\n  at {}", place.borrow()))
}

/// Makes the cgroup above those of all containers: runtimes that start at the same moment must not
/// find it half made, as on v1 one without cpus is.
fn make_parent_cgroups(host: &Host) {
    for hierarchy in host.cgroups.hierarchies.iter().filter(|_| host.is_root()) {
        let dir = hierarchy.mount.join(parent_cgroup());
        fs::create_dir(&dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
        for file in ["cpuset.cpus", "cpuset.mems"] {
            if hierarchy.version == Version::V1 && dir.join(file).exists() {
                let value = fs::read(hierarchy.mount.join(file)).expect("read the cpuset");
                fs::write(dir.join(file), value).expect("write the cpuset");
            }
        }
    }
}

/// The first thing in `path` that is there, or itself.
fn first_file(path: &Path) -> Option<String> {
    let inside = fs::read_dir(path).ok().and_then(|mut entries| entries.next()?.ok());
    match inside {
        Some(entry) => first_file(&entry.path()),
        None => path.symlink_metadata().is_ok().then(|| path.display().to_string()),
    }
}

/// Removes what the cases had in common; what cannot be removed is somebody's leftover.
fn clean_up(host: &Host) -> Vec<String> {
    // A process that is just ending may still make a file.
    soon(PATIENCE, || fs::remove_dir_all(&host.work).is_ok() || !host.work.exists());
    let parents = host.cgroups.directories(&parent_cgroup()).into_iter().filter(|dir| dir.is_dir());
    let kept = parents.filter(|dir| fs::remove_dir(dir).is_err());
    let mut left: Vec<String> = kept.map(|dir| dir.display().to_string()).collect();
    left.extend(first_file(&host.work));
    left
}
