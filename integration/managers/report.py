"""What came of it all: on the terminal, and as the table in README.md."""

import pathlib
import re
import subprocess

README = pathlib.Path(__file__).resolve().parent / "README.md"
TABLE = re.compile(r"(<!-- table: [^>]*-->\n).*?(<!-- end of table -->)", re.DOTALL)
SIGNS = {"passed": "✓", "unstable": "✓", "failed": "✗", "known": "✗", "skipped": "–", "absent": ""}


def show(outcomes):
    """What was not passed, and last what failed: that is where a reader of a log looks."""
    print()
    for outcome in outcomes:
        if outcome.verdict in ("skipped", "known"):
            print(f"{outcome.manager} {outcome.runtime}: {outcome.verdict}: {outcome.scenario}: {outcome.reason}")
    for outcome in outcomes:
        if outcome.verdict in ("failed", "unstable"):
            print(f"{outcome.verdict.upper():<8} {outcome.manager} {outcome.runtime} {outcome.chapter}::{outcome.scenario}")


def succeeded(outcomes):
    return bool(outcomes) and not any(outcome.verdict == "failed" for outcome in outcomes)


def closing_line(outcomes):
    """What a manager does not offer is no scenario of it."""
    def count(*verdicts):
        return sum(outcome.verdict in verdicts for outcome in outcomes)

    return f"{count('passed', 'unstable')} passed, {count('failed')} failed, {count('skipped', 'known')} skipped"


def write(outcomes, kinds):
    """The table, and below it the reason of everything that is not passed."""
    lines = [*table(outcomes, kinds), "", *differences(outcomes)]
    text = "\n".join(lines) + "\n"
    README.write_text(TABLE.sub(lambda found: found[1] + "\n" + text + "\n" + found[2], README.read_text()))


def table(outcomes, kinds):
    cells = {(o.chapter, o.scenario, o.manager, o.runtime): SIGNS[o.verdict] for o in outcomes}
    names = dict.fromkeys((o.chapter, o.scenario) for o in outcomes)
    chapters = dict.fromkeys(chapter for chapter, _ in names)
    yield "| | " + " | ".join(f"{kind.title}: tierce / {kind.peer}" for kind in kinds) + " |"
    yield "| --- |" + " --- |" * len(kinds)
    for chapter in chapters:
        yield f"| **{chapter}** |" + " |" * len(kinds)
        for _, name in (pair for pair in names if pair[0] == chapter):
            yield f"| {name} | " + " | ".join(cell(cells, chapter, name, kind) for kind in kinds) + " |"
    sums = [f"{passed(outcomes, kind, 'tierce')} / {passed(outcomes, kind, kind.peer)}" for kind in kinds]
    yield "| **passed** | " + " | ".join(sums) + " |"


def cell(cells, chapter, name, kind):
    both = [cells.get((chapter, name, kind.name, runtime), "") for runtime in ("tierce", kind.peer)]
    return " / ".join(both) if any(both) else ""


def passed(outcomes, kind, runtime):
    return sum(o.verdict in ("passed", "unstable") for o in outcomes if (o.manager, o.runtime) == (kind.name, runtime))


def differences(outcomes):
    seen = {}
    for outcome in outcomes:
        if outcome.verdict in ("skipped", "known", "failed"):
            who = outcome.manager if outcome.verdict == "skipped" else f"{outcome.manager} with {outcome.runtime}"
            reason = outcome.reason.splitlines()[0]
            seen.setdefault((outcome.verdict, who, reason), {})[outcome.scenario] = None
    words = {"skipped": "not shown", "known": "not passed", "failed": "failed"}
    yield "| | where | reason | scenarios |"
    yield "| --- | --- | --- | --- |"
    for (verdict, who, reason), names in sorted(seen.items()):
        yield f"| {words[verdict]} | {who} | {reason} | {'; '.join(names)} |"


def version(package):
    words = ["dpkg-query", "--show", "--showformat=${Version}", package]
    return subprocess.run(words, capture_output=True, text=True).stdout
