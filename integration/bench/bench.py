#!/usr/bin/env python3
"""Measures container runtimes side by side: tierce, crun, runc and the floor (see README.md).

One interleaved run: each round does every measurement once, in random order, so that whatever else
the machine does falls on all alike. Needs root, gcc, libseccomp-dev and a static busybox.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True

import machine  # noqa: E402
from machine import PREFIX  # noqa: E402
import participants  # noqa: E402
from participants import HERE, Floor, Runtime  # noqa: E402
from report import ROWS, WAYS, as_json, header, report  # noqa: E402

MEASURED = ["run", "run-seccomp", "lifecycle", "exec"]
BURST = 3
LIFECYCLE = ["create", "start", "delete"]


def arguments():
    release = f"target/{os.uname().machine}-unknown-linux-gnu/release/tierce"
    top = os.path.dirname(os.path.dirname(HERE))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=40, help="rounds (default %(default)s, about 2 minutes)")
    parser.add_argument("--only", choices=MEASURED, help="one measurement instead of all")
    parser.add_argument("--idle-ms", type=float, default=50, help="before a spaced command (%(default)s)")
    parser.add_argument("--json", metavar="FILE", help="also write the results there")
    parser.add_argument("--tierce", metavar="PATH", default=os.path.join(top, release))
    parser.add_argument("--crun", metavar="PATH", default=shutil.which("crun"))
    parser.add_argument("--runc", metavar="PATH", default=shutil.which("runc"))
    parser.add_argument(
        "--cgroups", choices=["auto", "v1", "hybrid", "v2"], default="auto", help="the layout to measure on"
    )
    args = parser.parse_args()
    if args.runs < 2:
        parser.error("--runs: at least 2")
    return args


def find_runtimes(args):
    found = {}
    for name in ("tierce", "crun", "runc"):
        path = getattr(args, name)
        if path and os.access(path, os.X_OK):
            found[name] = os.path.abspath(path)
        else:
            print(f"not there: {name} ({path or 'not in $PATH'})")
    return found


def quietly(argv):
    """Status and stderr; the output goes where a container may hold it open."""
    with tempfile.TemporaryFile() as err:
        null = subprocess.DEVNULL
        status = subprocess.run(argv, stdin=null, stdout=null, stderr=err).returncode
        err.seek(0)
        return status, err.read().decode(errors="replace").strip()


def supported(runtime, row):
    """Does it once, unmeasured. A verb that fails is reported, and left out."""
    commands = runtime.start_sleeper() if row == "exec" else []
    commands = commands + [argv for _, argv in runtime.commands(row, f"{PREFIX}-try-{row}")]
    for argv in commands:
        status, err = quietly(argv)
        if status:
            last = err.splitlines()[-1] if err else "no message"
            print(f"not supported: {runtime.name} {ROWS[row]}: status {status}: {last}")
            return False
    return True


def make_plan(measurements, runs, idle_ms):
    """The lines that spawn.c reads: LABEL, IDLE_US, ARGV...; LABEL is `serial counts name part way`.

    Back to back means after itself: a burst of the same, of which the first does not count. It pays
    for what came before (a write to cgroup.procs, for one, is far cheaper right after another).
    """
    items = [(name, commands, way) for name, commands in measurements for way in WAYS]
    lines, serial = [], 0
    for round in range(runs + 1):
        random.shuffle(items)
        for name, commands, way in items:
            spaced = way == "spaced"
            idle = str(int(idle_ms * 1000)) if spaced else "0"
            for nth in range(1 if spaced else BURST):
                serial += 1
                counts = int(round > 0 and (spaced or nth > 0))  # the first round warms up
                for part, argv in commands(f"{PREFIX}-{serial}"):
                    lines.append("\t".join([f"{serial} {counts} {name} {part} {way}", idle, *argv]))
    return lines


def execute(tmp, lines):
    """Yields (serial, counts, name, part, way, microseconds, status) as spawn measures them."""
    plan, errors = f"{tmp}/plan", f"{tmp}/stderr"
    with open(plan, "w") as file:
        file.write("\n".join(lines) + "\n")
    with open(plan) as stdin, open(errors, "w") as stderr:
        # A session of its own: Ctrl-C is for this program alone, which then ends the other.
        spawn = subprocess.Popen(
            [f"{tmp}/spawn"],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            start_new_session=True,
        )
        try:
            for line in spawn.stdout:
                label, us, status = line.rstrip("\n").split("\t")
                serial, counts, name, part, way = label.split()
                yield serial, counts == "1", name, part, way, float(us), int(status)
            if spawn.wait():
                sys.exit(f"bench: spawn: {open(errors).read()}")
        finally:
            if spawn.poll() is None:
                os.killpg(spawn.pid, signal.SIGKILL)  # with the command that it waits for
                spawn.wait()


def collect(samples):
    """(name, row, way) -> milliseconds of what counts; and (name, row) -> number of failures."""
    times, failures, lifecycle = {}, {}, {}
    for serial, counts, name, part, way, us, status in samples:
        if status:
            failures[name, part] = failures.get((name, part), 0) + 1
            if part in LIFECYCLE:
                failures[name, "lifecycle"] = failures[name, part]
        if not counts:
            continue
        times.setdefault((name, part, way), []).append(us / 1000)
        if part in LIFECYCLE:
            key = (serial, name, way)
            lifecycle[key] = lifecycle.get(key, 0) + us / 1000
    for (_, name, way), ms in lifecycle.items():
        times.setdefault((name, "lifecycle", way), []).append(ms)
    return {k: v for k, v in times.items() if k[:2] not in failures}, failures


def clean_up(taking_part, tmp, controllers):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for participant in taking_part:
        for id in sorted(os.listdir(participant.root)):
            quietly(participant.delete(id))
    machine.remove_cgroups()
    machine.restore_subtree_control(controllers)
    shutil.rmtree(tmp, ignore_errors=True)


def measure(args, tmp, taking_part, controllers):
    runtimes = find_runtimes(args)
    layout = machine.private_mounts(args.cgroups, "crun" in runtimes)
    controllers.update(machine.subtree_control())
    os.environ["FLOOR_CGROUPS"] = machine.floor_cgroups()
    participants.compile_tools(tmp)
    with open(f"{HERE}/docker-seccomp.json") as file:
        profile = json.load(file)
    participants.compile_profile(tmp, profile)
    rootfs, spec = participants.make_rootfs(tmp), participants.default_spec(tmp, runtimes)
    header(runtimes, layout, args)
    taking_part += [Runtime(name, path, tmp, rootfs, spec, profile) for name, path in runtimes.items()]
    taking_part.append(Floor(f"{tmp}/floor", tmp, rootfs))

    rows = [row for row in MEASURED if args.only in (None, row)]
    able = [(p, row) for p in taking_part for row in rows if supported(p, row)]
    plan = [(p.name, lambda id, p=p, row=row: p.commands(row, id)) for p, row in able]
    for row, program in (("spawn-empty", f"{tmp}/empty"), ("spawn-true", f"{rootfs}/bin/true")):
        plan.append(("-", lambda id, row=row, program=program: [(row, [program])]))
    times, failures = collect(execute(tmp, make_plan(plan, args.runs, args.idle_ms)))
    names = [p.name for p in taking_part]
    report(times, failures, names)
    if args.json:
        with open(args.json, "w") as file:
            json.dump(as_json(times), file, indent=1)


def main():
    args, taking_part, controllers = arguments(), [], {}
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    tmp = tempfile.mkdtemp(prefix=f"{PREFIX}-")
    try:
        measure(args, tmp, taking_part, controllers)
    except KeyboardInterrupt:
        sys.exit("bench: interrupted")
    finally:
        clean_up(taking_part, tmp, controllers)


main()
