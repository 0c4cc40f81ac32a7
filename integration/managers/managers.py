#!/usr/bin/env python3
"""Runs Podman, containerd, Docker and Buildah with tierce and with their usual runtime, and compares the effects.

Called by `make managers`; README.md beside this file tells what came of it.
"""

import argparse
import os
import pathlib
import sys

import buildah
import containerd
import docker
import machine
import podman
import report
import run

MANAGERS = [podman.Podman, podman.RootlessPodman, containerd.Containerd, docker.Docker, buildah.Buildah]
HERE = pathlib.Path(__file__).resolve()


def main():
    arguments = command_line()
    if os.geteuid() != 0:
        sys.exit("managers.py: needs root")
    if not arguments.inside:
        sys.exit(machine.run_inside(HERE, sys.argv[1:], {"tierce": arguments.tierce}))
    machine.become_init(lambda: run_all(arguments))


def run_all(arguments):
    kinds = chosen(arguments.manager)
    results = run.all(kinds, arguments)
    report.show(results)
    if arguments.write:
        report.write(results, kinds)
    print(report.closing_line(results), flush=True)
    return 0 if report.succeeded(results) else 1


def chosen(names):
    known = {manager.name: manager for manager in MANAGERS}
    if unknown := [name for name in names.split(",") if name and name not in known]:
        sys.exit(f"managers.py: no manager {unknown[0]}; there are {', '.join(known)}")
    return [manager for name, manager in known.items() if not names or name in names.split(",")]


def command_line():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tierce", type=pathlib.Path, required=True, help="the runtime under test")
    parser.add_argument("--manager", default="", help="a manager, or some with commas between; else all")
    parser.add_argument("--test", default="", help="only scenarios whose name contains one of these words")
    parser.add_argument("--runtime", default="", choices=["", "tierce", "peer"], help="with this one alone")
    parser.add_argument("--short", default="", help="of these managers only the scenarios that show most")
    parser.add_argument("--write", action="store_true", help="write the table in README.md")
    parser.add_argument("--verbose", action="store_true", help="how long each scenario took")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
