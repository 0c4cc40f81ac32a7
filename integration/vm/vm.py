#!/usr/bin/env python3
"""Runs the integration suite in guests: other kernels, cgroup v2, systemd, AppArmor, SELinux.

Called by `make vm` and `make vm-shell`; README.md beside this file tells how a guest comes to be.
"""

import argparse
import concurrent.futures
import os
import pathlib
import sys
import threading

import guests
import images
import matrix


def main():
    arguments = command_line()
    chosen = guests.chosen(arguments.guest)
    if os.geteuid() != 0:
        sys.exit("vm.py: the guests' images and machines need root")
    arguments.cache = arguments.cache.resolve()
    images.make(arguments.cache, {guest.machine for guest in chosen})
    if arguments.shell or arguments.program:
        if len(chosen) != 1:
            sys.exit(f"vm.py: that is in one guest, say which: {', '.join(guest.name for guest in chosen)}")
        sys.exit(chosen[0].shell(arguments) if arguments.shell else chosen[0].program(arguments, print))
    results = run_all(chosen, arguments)
    matrix.show(results)
    if arguments.write and not arguments.test:
        matrix.write(results)
    # The closing line is what other programs read.
    print(matrix.closing_line(results))
    sys.exit(0 if all(result.succeeded() for result in results) else 1)


def command_line():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cache", type=pathlib.Path, required=True, help="where images are kept")
    parser.add_argument("--tierce", type=pathlib.Path, required=True, help="the runtime under test")
    parser.add_argument("--integration", type=pathlib.Path, required=True, help="the test program")
    parser.add_argument("--guest", default="", help="a guest, or some with commas between; else all")
    parser.add_argument("--test", default="", help="only cases whose name contains one of these words")
    parser.add_argument("--runtime", default="", help="runc or crun of the guest, instead of tierce")
    parser.add_argument("--shell", action="store_true", help="a shell in the guest instead of the suite")
    parser.add_argument("--program", type=pathlib.Path, help="a Python program in the guest instead of the suite")
    parser.add_argument("--write", action="store_true", help="write MATRIX.md and the table in README.md")
    return parser.parse_args()


def run_all(chosen, arguments):
    """Two at a time, as a guest uses little more than one CPU; the slowest first."""
    several = len(chosen) > 1
    lock = threading.Lock()

    def run(guest):
        prefix = f"{guest.name:<13}| " if several else ""

        def tell(line):
            # Of many guests, only what needs to be read.
            if not several or not line.startswith("ok "):
                with lock:
                    print(prefix + line, flush=True)

        return guest.run(arguments, tell)

    slowest_first = sorted(chosen, key=lambda guest: -guest.minutes)
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        done = dict(zip((guest.name for guest in slowest_first), pool.map(run, slowest_first)))
    return [done[guest.name] for guest in chosen]


if __name__ == "__main__":
    main()
