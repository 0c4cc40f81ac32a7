#!/usr/bin/env python3
"""Compares the systemd cgroup drivers of tierce, crun and runc, in one interleaved run. For a machine with systemd as
its init and cgroup v2 alone: `make bench-systemd` runs it in a guest."""

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

LIMITS = {"memory": {"limit": 64 << 20}, "cpu": {"shares": 512, "quota": 50000, "period": 100000},
          "pids": {"limit": 100}}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tierce", required=True)
    parser.add_argument("--runs", type=int, default=20, help="rounds (%(default)s)")
    arguments = parser.parse_args()
    found = {"tierce": arguments.tierce, "crun": shutil.which("crun"), "runc": shutil.which("runc")}
    runtimes = {name: path for name, path in found.items() if path}
    with tempfile.TemporaryDirectory(prefix="bench-systemd-") as directory:
        bundle = make_bundle(directory, arguments.tierce)
        times = {(name, driver): [] for name in runtimes for driver in ("files", "systemd")}
        # The first of each is not counted: it reads the program from the disk.
        for number in range(arguments.runs + 1):
            for name, driver in random.sample(list(times), len(times)):
                times[name, driver].append(measure(directory, bundle, runtimes[name], name, driver, number))
    for counted in times.values():
        counted.pop(0)
    report(times, runtimes)


def make_bundle(directory, tierce):
    bundle = os.path.join(directory, "bundle")
    os.makedirs(f"{bundle}/rootfs/bin")
    for name in ("dev", "proc", "sys"):
        os.mkdir(f"{bundle}/rootfs/{name}")
    shutil.copy(shutil.which("busybox"), f"{bundle}/rootfs/bin/true")
    subprocess.run([os.path.abspath(tierce), "spec", "--bundle", bundle], check=True)
    return bundle


def configure(bundle, driver, container):
    with open(f"{bundle}/config.json", encoding="utf-8") as file:
        spec = json.load(file)
    spec["process"].update(args=["/bin/true"], terminal=False)
    spec["linux"]["resources"] = LIMITS
    spec["linux"]["cgroupsPath"] = f"system.slice:bench:{container}" if driver == "systemd" else f"/bench-{container}"
    with open(f"{bundle}/config.json", "w", encoding="utf-8") as file:
        json.dump(spec, file)


def measure(directory, bundle, runtime, name, driver, number):
    """Milliseconds of `run /bin/true` with limits for memory, CPU and processes."""
    container = f"{name}-{driver}-{number}"
    configure(bundle, driver, container)
    flags = ["--systemd-cgroup"] if driver == "systemd" else []
    call = [runtime, "--root", f"{directory}/state-{name}", *flags, "run", "--bundle", bundle, container]
    began = time.monotonic()
    subprocess.run(call, check=True, stdin=subprocess.DEVNULL)
    return (time.monotonic() - began) * 1000


def report(times, runtimes):
    medians = {key: statistics.median(list_) for key, list_ in times.items()}
    print("| `run /bin/true`, median ms | " + " | ".join(runtimes) + " | tierce/crun | tierce/runc |")
    print("|---" * (len(runtimes) + 3) + "|")
    for driver in ("files", "systemd"):
        row = [f"{medians[name, driver]:.1f}" for name in runtimes]
        row += [f"{medians['tierce', driver] / medians[peer, driver]:.2f}" if peer in runtimes else "-"
                for peer in ("crun", "runc")]
        print(f"| {driver} | " + " | ".join(row) + " |")
    print(f"{os.uname().release}, {len(next(iter(times.values())))} rounds")


if __name__ == "__main__":
    sys.exit(main())
