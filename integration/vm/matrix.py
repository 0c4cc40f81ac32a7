"""What came of it all: chapter by guest, on the terminal, in MATRIX.md, and as a table in README.md."""

import collections
import dataclasses
import pathlib
import re

VERDICTS = ("passed", "failed", "skipped", "known", "unstable")
TOP = pathlib.Path(__file__).resolve().parents[2]
README_TABLE = re.compile(r"(<!-- kernels: [^>]*-->\n).*?(<!-- end of kernels -->)", re.DOTALL)


@dataclasses.dataclass
class Case:
    chapter: str
    name: str
    verdict: str
    reason: str


@dataclasses.dataclass
class Result:
    """Of one guest."""

    name: str
    title: str
    facts: dict = dataclasses.field(default_factory=dict)
    cases: list = dataclasses.field(default_factory=list)
    # What is wrong with the guest as a whole.
    problem: str = ""
    seconds: float = 0

    def read(self, files):
        """Takes over `facts`, `report` (a case per line, four fields with tabs between) and `status`."""
        for line in files.get("facts", "").splitlines():
            key, _, value = line.partition("=")
            self.facts[key] = value.strip()
        # Whoever built a kernel adds words of his own.
        self.facts["kernel"] = re.match(r"[0-9.]*", self.facts.get("kernel", "?"))[0]
        for line in files.get("report", "").splitlines():
            self.cases.append(Case(*line.split("\t")))
        status = files.get("status", "").strip()
        if not self.cases:
            self.problem = "no case was run"
        elif status not in ("0", "1") or (status == "1") != (self.count("failed") > 0):
            self.problem = f"the suite ended with {status or 'no status'}"
        elif any(case.verdict == "skipped" and not case.reason for case in self.cases):
            self.problem = "a case was skipped without a reason"

    def count(self, verdict, chapter=None):
        return sum(case.verdict == verdict and chapter in (None, case.chapter) for case in self.cases)

    def succeeded(self):
        return not self.problem and self.count("failed") == 0

    def cell(self, chapter):
        """The counts of one chapter, or of all, in the words of VERDICTS but the first."""
        passed, *others = (self.count(verdict, chapter) for verdict in VERDICTS)
        words = [str(passed)] + [f"{n} {verdict}" for n, verdict in zip(others, VERDICTS[1:]) if n]
        return ", ".join(words) if passed or any(others) else "-"


def rows(results):
    """The table: a line of names, a line for each chapter, a line of sums."""
    chapters = dict.fromkeys(case.chapter for result in results for case in result.cases)
    yield ["passed", *(result.name for result in results)]
    for chapter in chapters:
        yield [chapter, *(result.cell(chapter) for result in results)]
    yield ["all", *(result.cell(None) for result in results)]


def reasons(results):
    """`(guest, verdict, reason, names)` of what was not passed."""
    for result in results:
        grouped = collections.defaultdict(list)
        for case in result.cases:
            if case.verdict != "passed":
                grouped[case.verdict, case.reason].append(f"{case.chapter}::{case.name}")
        for (verdict, reason), names in sorted(grouped.items()):
            yield result.name, verdict, reason, names
        if result.problem:
            yield result.name, "failed", result.problem, ["the guest"]


def closing_line(results):
    """The sum in the words of the suite; a guest that did not do its work counts as a failed case."""
    passed, failed, skipped = (sum(result.count(verdict) for result in results) for verdict in VERDICTS[:3])
    passed += sum(result.count("unstable") for result in results)
    failed += sum(bool(result.problem) for result in results)
    return f"{passed} passed, {failed} failed, {skipped} skipped"


def show(results):
    """Failures come last, where a reader of the end of a log sees them."""
    table = list(rows(results))
    widths = [max(map(len, column)) for column in zip(*table)]
    print()
    for row in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
    print()
    for guest, verdict, reason, names in reasons(results):
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        if verdict not in ("failed", "unstable"):
            print(f"{guest}: {verdict}: {reason}: {names[0]}{more}")
    for result in results:
        print(f"{result.name}: {result.seconds:.0f} s, Linux {result.facts.get('kernel', '?')}, {result.title}")
    for guest, verdict, reason, names in reasons(results):
        if verdict in ("failed", "unstable"):
            for name in names:
                print(f"{verdict.upper()} {name} in {guest}: {reason}")


def write(results):
    """MATRIX.md beside this file, and the table in README.md."""
    markdown = ["# The suite in every guest", "",
                "Written by `make vm`. A number is of cases that passed; what did not pass is named, with its",
                "reason, below. `known` is a difference that `../PEERS.md` lists.", ""]
    markdown += table(rows(results)) + ["", "## The guests", ""]
    markdown += table([["", "what", "Linux", "cgroups", "LSMs", "init", "CPUs"], *map(facts, results)])
    markdown += ["", "## What did not pass", ""]
    markdown += table([["guest", "", "reason", "cases"], *(
        [guest, verdict, reason, "<br>".join(names)] for guest, verdict, reason, names in reasons(results))])
    (pathlib.Path(__file__).resolve().parent / "MATRIX.md").write_text("\n".join(markdown) + "\n")
    readme = TOP / "README.md"
    kernels = table([["Linux", "cgroups", "LSMs", "init", "cases passed", "not shown there"], *map(kernel, results)])
    lines = "\n".join(kernels) + "\n"
    readme.write_text(README_TABLE.sub(lambda found: found[1] + lines + found[2], readme.read_text()))


def kernel(result):
    """A line of README's table: where, how much was shown there, and what could not be."""
    missing = dict.fromkeys(case.reason.removeprefix("needs ") for case in result.cases if case.verdict == "skipped")
    passed, failed = result.count("passed"), result.count("failed") + bool(result.problem)
    return [*facts(result)[2:6], f"{passed}, {failed} failed" if failed else str(passed), "; ".join(missing)]


def facts(result):
    keys = ("kernel", "cgroups", "lsms", "init", "cpus")
    return [result.name, result.title, *(result.facts.get(key, "?") for key in keys)]


def table(lines):
    """Markdown."""
    first, *others = (["" if cell is None else cell.replace("|", "\\|") for cell in row] for row in lines)
    rule = ["---"] * len(first)
    return ["| " + " | ".join(row) + " |" for row in (first, rule, *others)]
