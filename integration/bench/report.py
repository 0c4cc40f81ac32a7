"""The text and the JSON of the results."""

import os
import statistics

from machine import run

ROWS = {
    "run": "run /bin/true",
    "run-seccomp": "run /bin/true, Docker's seccomp",
    "lifecycle": "create + start + delete",
    "create": "  create",
    "start": "  start",
    "delete": "  delete --force",
    "exec": "exec /bin/true",
}
SPAWNS = {"spawn-empty": "an empty static program alone", "spawn-true": "/bin/true alone, no container"}
WAYS = {"packed": "back to back", "spaced": "spaced"}


def spread(ms):
    """Tenth percentile, median, ninetieth percentile."""
    tenths = statistics.quantiles(ms, n=10, method="inclusive")
    return tenths[0], tenths[4], tenths[8]


def rows_of(times):
    """What was measured, in the order of the table."""
    measured = {row for _, row, _ in times}
    return [row for row in ROWS if row in measured]


def table(times, failures, names, way):
    print(f"\n{WAYS[way]}: median ms (tenth to ninetieth percentile)\n")
    print(f"{'':34}" + "".join(f"{name:>22}" for name in names))
    for row in rows_of(times):
        cells = ""
        for name in names:
            ms = times.get((name, row, way))
            text = "failed" if (name, row) in failures else "not supported"
            if ms:
                low, mid, high = spread(ms)
                text = f"{mid:.2f} ({low:.2f}-{high:.2f})"
            cells += f"{text:>22}"
        print(f"{ROWS[row]:34}{cells}")


def ratios(times, names, way):
    """Of the first participant to each other; of the peers to the floor."""
    pairs = [(names[0], other) for other in names[1:]]
    pairs += [(peer, "floor") for peer in names[1:-1] if names[-1] == "floor"]
    print(f"\n{WAYS[way]}: ratios of the medians\n")
    print(f"{'':34}" + "".join(f"{a + '/' + b:>16}" for a, b in pairs))
    for row in rows_of(times):
        cells = ""
        for a, b in pairs:
            pair = [statistics.median(times.get((name, row, way), [0])) for name in (a, b)]
            cells += f"{pair[0] / pair[1]:16.2f}" if all(pair) else f"{'-':>16}"
        print(f"{ROWS[row]:34}{cells}")


def report(times, failures, names):
    for (name, part), count in failures.items():
        print(f"left out, {count} failed: {name} {ROWS[part].strip()}")
    for way in WAYS:
        table(times, failures, names, way)
    for row, text in SPAWNS.items():
        mids = [f"{statistics.median(times['-', row, way]):.2f} {WAYS[way]}" for way in WAYS]
        print(f"\n{text}: {', '.join(mids)}", end="")
    print()
    for way in WAYS:
        if len(names) > 1:
            ratios(times, names, way)
    print(f"\nload average at the end: {os.getloadavg()[0]:.1f} (about 1 is from the benchmark itself)")


def header(runtimes, layout, args):
    uname = os.uname()
    print(f"kernel    {uname.release} {uname.machine}, {len(os.sched_getaffinity(0))} cpus")
    print(f"cgroups   {layout}")
    print(f"runs      {args.runs} rounds in random order; spaced: {args.idle_ms:g} ms idle before a command")
    for name, path in runtimes.items():
        version = run([path, "--version"]).splitlines()[0]
        print(f"{name:10}{version}; {binary(path)}")


def binary(path):
    with open(path, "rb") as file:
        linked = "dynamic" if b"ld-linux" in file.read(4096) else "static"
    return f"{os.path.getsize(os.path.realpath(path)) / 1e6:.2f} MB, {linked}"


def as_json(times):
    out = {}
    for (name, row, way), ms in times.items():
        p10, p50, p90 = (round(value, 4) for value in spread(ms))
        result = {"median_ms": p50, "p10_ms": p10, "p90_ms": p90, "min_ms": round(min(ms), 4), "runs": len(ms)}
        out.setdefault(WAYS[way], {}).setdefault(row, {})[name] = result
    return out
