"""Runs the scenarios: each manager with tierce and with its peer, one scenario after the other."""

import dataclasses
import importlib
import re
import shutil
import signal
import time
import traceback

import machine
import manager as managers

CHAPTERS = ["lifecycle", "limits", "confinement", "sharing", "images"]
# A scenario that takes longer hangs.
PATIENCE = 120


@dataclasses.dataclass
class Scenario:
    chapter: str
    name: str
    body: object


@dataclasses.dataclass
class Outcome:
    manager: str
    runtime: str
    scenario: str
    chapter: str
    # passed, failed, skipped, known (the peer does not pass, for a known reason), absent (not offered by the manager)
    verdict: str
    reason: str = ""
    seconds: float = 0


def scenarios(arguments, short):
    """Of all chapters, in the order of the files."""
    for chapter in CHAPTERS:
        module = importlib.import_module(f"scenarios.{chapter}")
        for name, body in vars(module).items():
            if name.startswith("_") or getattr(body, "__module__", "") != module.__name__:
                continue
            chosen = not arguments.test or any(word in f"{chapter}::{name}" for word in arguments.test.split())
            if chosen and (not short or name in module.SHORT):
                yield Scenario(chapter, name.replace("_", " "), body)


def all(chosen, arguments):
    place = machine.Machine(arguments.inside)
    managers.write_image(place.directory / "image.tar")
    signal.signal(signal.SIGALRM, too_long)
    outcomes = []
    for kind in chosen:
        runtimes = {"tierce": place.directory / "tierce", kind.peer: shutil.which(kind.peer)}
        for runtime, path in runtimes.items():
            if arguments.runtime and (arguments.runtime == "tierce") != (runtime == "tierce"):
                continue
            short = kind.name in arguments.short.split(",")
            manager = kind(place, runtime, path, own_directory(place, kind, runtime))
            outcomes += one(manager, scenarios(arguments, short), arguments.verbose)
    return outcomes


def own_directory(place, kind, runtime):
    directory = place.directory / f"{kind.name}-{runtime}"
    directory.mkdir(mode=0o755)
    return directory


def one(manager, chosen, verbose):
    """The scenarios of one manager with one runtime; the last is that nothing is left."""
    before, start = manager.machine.left(), time.monotonic()
    outcomes = []

    def judge(scenario):
        outcome = judged(scenario, manager)
        if outcome.verdict == "failed" and scenario.chapter != "manager":
            outcome = once_more(outcome, scenario, manager)
        outcomes.append(outcome)
        if outcome.verdict != "absent":
            tell(outcome, verbose)
        return outcome.verdict

    if judge(Scenario("manager", "starts", lambda m: m.set_up())) == "passed":
        for scenario in chosen:
            judge(scenario)
    judge(Scenario("manager", "ends and leaves nothing behind", lambda m: leaves_nothing(m, before)))
    print(f"{manager.name} with {manager.runtime}: {time.monotonic() - start:.0f} s", flush=True)
    return outcomes


def once_more(first, scenario, manager):
    """Managers wait for things in seconds of their own: what fails once and passes then is named, not hidden."""
    second = judged(scenario, manager)
    if second.verdict == "passed":
        second.verdict, second.reason = "unstable", first.reason
    return second


def tell(outcome, verbose):
    label = outcome.verdict.upper() if outcome.verdict in ("failed", "unstable") else outcome.verdict
    took = f" ({outcome.seconds:.1f} s)" if verbose else ""
    reason = f": {outcome.reason}" if outcome.reason else ""
    name = f"{outcome.manager} {outcome.runtime} {outcome.chapter}::{outcome.scenario}"
    print(f"{label:<8} {name}{took}{reason}", flush=True)


def judged(scenario, manager):
    outcome = Outcome(manager.name, manager.runtime, scenario.name, scenario.chapter, "passed")
    start = time.monotonic()
    try:
        if scenario.name in manager.impossible:
            raise managers.Skip(manager.impossible[scenario.name])
        signal.alarm(PATIENCE)
        try:
            scenario.body(manager)
        finally:
            signal.alarm(PATIENCE)
            if scenario.chapter != "manager":
                manager.clean()
    except managers.Skip as reason:
        outcome.verdict, outcome.reason = "skipped", str(reason)
    except managers.NotOffered as reason:
        outcome.verdict, outcome.reason = "absent", str(reason)
    except managers.Failure as reason:
        outcome.verdict, outcome.reason = "failed", str(reason)
    except Exception:
        outcome.verdict, outcome.reason = "failed", traceback.format_exc(limit=-3)
    finally:
        signal.alarm(0)
    outcome.seconds = time.monotonic() - start
    return with_peer(outcome, manager)


def with_peer(outcome, manager):
    """A known failure of the peer must be one."""
    always, sometimes = (known.get(outcome.scenario) for known in (manager.peer_fails, manager.peer_sometimes))
    if manager.runtime == "tierce" or not (always or sometimes):
        return outcome
    if outcome.verdict == "failed":
        outcome.verdict, outcome.reason = "known", always or sometimes
    elif outcome.verdict == "passed" and always:
        outcome.verdict, outcome.reason = "failed", f"passed, though it is known to fail: {always}"
    return outcome


def too_long(*_):
    raise managers.Failure(f"takes longer than {PATIENCE} s")


def leaves_nothing(manager, before):
    manager.tear_down()

    def left():
        now = manager.machine.left()
        things = [f"{kind} {thing}" for kind in now for thing in sorted(now[kind] - before[kind])]
        return [thing for thing in things if not any(re.match(pattern, thing) for pattern in manager.keeps)]

    try:
        managers.eventually("an end of all", lambda: not left(), 10)
    except managers.Failure:
        raise managers.Failure("left behind:\n" + "\n".join(left())) from None
