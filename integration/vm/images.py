"""The images: what they are made of decides their name, so that a change makes new ones."""

import fcntl
import hashlib
import pathlib
import subprocess
import sys
import time

IMAGE = pathlib.Path(__file__).resolve().parent / "image"
TREES = ("userland", "uml", "qemu")


def directory(cache):
    """Where the images of this very definition are."""
    content = hashlib.sha256()
    for path in sorted(IMAGE.iterdir()):
        content.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return cache / content.hexdigest()[:12]


def make(cache, machines):
    """Makes what is missing; images of an older definition are removed."""
    if machines == {"host"}:
        return
    cache.mkdir(parents=True, exist_ok=True)
    # One at a time; whoever waited finds them made.
    with open(cache / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        make_missing(cache)


def make_missing(cache):
    target = directory(cache)
    if (target / "root.ext4").exists():
        return
    remove_others(cache, target)
    target.mkdir(parents=True, exist_ok=True)
    address = mirror()
    for tree in TREES:
        if not (target / tree).exists():
            build(tree, target / tree, address)
    build("disk", target)


def build(what, *arguments):
    began = time.monotonic()
    print(f"image: {what} … ", end="", flush=True)
    done = subprocess.run([IMAGE / "build", what, *arguments], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace")
    print(f"{time.monotonic() - began:.0f} s", flush=True)
    if done.returncode != 0:
        sys.exit(f"{done.stdout}\nvm.py: the image {what} could not be made")


def remove_others(cache, keep):
    for old in cache.glob("????????????"):
        if old != keep:
            subprocess.run(["rm", "-rf", "--one-file-system", old], check=True)


def mirror():
    """The first mirror of Debian's main archive that apt is configured with here; apt tells it of lists it has."""
    found = configured_mirror()
    if not found:
        subprocess.run(["apt-get", "update", "--quiet=2"], check=True)
        found = configured_mirror()
    return found or sys.exit("vm.py: apt is configured with no Debian mirror here")


def configured_mirror():
    wanted = "$(REPO_URI)|$(ORIGIN)|$(LABEL)|$(CREATED_BY)|$(COMPONENT)"
    listing = subprocess.run(["apt-get", "indextargets", "--format", wanted], check=True,
                             stdout=subprocess.PIPE, text=True).stdout
    for line in listing.splitlines():
        address, *kind = line.split("|")
        if kind == ["Debian", "Debian", "Packages", "main"]:
            return address
    return None
