# tierce: `make help` tells what can be made.
#
# The binary is linked statically: glibc by +crt-static, which takes an explicit --target (without
# one it would also be meant for build scripts and proc macros), libseccomp from Debian's libseccomp.a.

.NOTPARALLEL:
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
export PATH := $(PATH):$(HOME)/.cargo/bin

PREFIX ?= /usr/local
TARGET := $(or $(shell rustc -vV 2>/dev/null | sed -n 's/^host: //p'),$(shell uname -m)-unknown-linux-gnu)
TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)
BINARY := $(abspath $(TARGET_DIR)/$(TARGET)/release/tierce)
BUNDLES := hello shell limits readonly-web rootless seccomp

BUILD_PACKAGES := gcc libc6-dev binutils libseccomp-dev
BUNDLE_PACKAGES := busybox-static
TEST_PACKAGES := busybox-static util-linux procps iproute2 python3 strace uidmap kmod
FUZZ_PACKAGES := $(BUILD_PACKAGES) g++
BENCH_PACKAGES := busybox-static runc crun python3
MANAGER_PACKAGES := busybox-static python3 util-linux procps iproute2 iptables uidmap runc crun \
	podman netavark aardvark-dns slirp4netns fuse-overlayfs catatonit containerd docker.io tini docker-compose buildah
VM_PACKAGES := busybox-static python3 mmdebstrap e2fsprogs zstd xz-utils util-linux debian-archive-keyring

# In the shell, not in make: gcc may be installed by this very run. The same flags, once, whatever the
# caller has set: others would be another build of everything.
STATIC = LIBSECCOMP_LINK_TYPE=static LIBSECCOMP_LIB_PATH="$${LIBSECCOMP_LIB_PATH:-/usr/lib/$$(gcc -print-multiarch)}" \
	RUSTFLAGS="$(strip $(RUSTFLAGS) $(if $(findstring +crt-static,$(RUSTFLAGS)),,-C target-feature=+crt-static))"
CARGO_FLAGS := --locked --target $(TARGET)

.PHONY: help
help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand --tabs=12

.PHONY: run
run: build bundles ## install what the build needs, build, run bundle-examples/hello
ifeq ($(shell id -u),0)
	@id=hello-$$$$; echo "tierce run --bundle bundle-examples/hello $$id"; \
	$(BINARY) run --bundle bundle-examples/hello $$id
else
	@echo "not root: this is the rootless example"
	@$(run-rootless)
endif

.PHONY: rootless
rootless: build bundles ## run bundle-examples/rootless with your own ids
	@$(run-rootless)

# The same configuration with other host ids, on standard input.
run-rootless = sed -e "/uidMappings/s/1000/$$(id -u)/" -e "/gidMappings/s/1000/$$(id -g)/" \
	bundle-examples/rootless/config.json | \
	$(BINARY) run --bundle bundle-examples/rootless --config - rootless-$$$$

.PHONY: build
build: build-packages ## the static release binary
	@command -v cargo >/dev/null || { echo "cargo is missing: install Rust, see https://rustup.rs" >&2; exit 1; }
	@echo "cargo build --release $(CARGO_FLAGS), statically linked"
	@$(STATIC) cargo build --release $(CARGO_FLAGS)
	@headers=$$(LC_ALL=C readelf --wide --program-headers --dynamic $(BINARY)); \
	if grep -E 'INTERP|NEEDED' <<<"$$headers"; then echo "$(BINARY): is not statically linked" >&2; exit 1; fi
	@echo "$(BINARY) needs nothing else at run time"

.PHONY: bundles
bundles: bundle-packages $(BUNDLES:%=bundle-examples/%/rootfs/bin/busybox) ## the root filesystems of bundle-examples, from busybox

# busybox under all its names, and the directories and files that programs expect. It is made aside
# and moved, so that what is there is whole.
bundle-examples/%/rootfs/bin/busybox:
	@busybox=$$(command -v busybox) || { echo "busybox is missing (busybox-static)" >&2; exit 1; }; \
	rootfs=bundle-examples/$*/rootfs; \
	rm -rf $$rootfs $$rootfs.new; \
	mkdir -p $$rootfs.new/{bin,dev,etc,proc,root,sys,tmp,www}; \
	chmod 1777 $$rootfs.new/tmp; \
	cp "$$busybox" $$rootfs.new/bin/busybox; \
	for applet in $$($$busybox --list | grep -vx busybox); do echo "$$applet"; done | \
		(cd $$rootfs.new/bin && xargs -I NAME ln -s busybox NAME); \
	echo 'root:x:0:0:root:/root:/bin/sh' >$$rootfs.new/etc/passwd; \
	echo 'root:x:0:' >$$rootfs.new/etc/group; \
	echo 'Hello from a container that tierce made.' >$$rootfs.new/etc/motd; \
	mv $$rootfs.new $$rootfs
	@echo "made bundle-examples/$*/rootfs"

.PHONY: lint
lint: build-packages ## format, clippy, and `unsafe` in src/sys only
	cargo fmt --check
	cargo fmt --check --manifest-path fuzz/Cargo.toml
	@echo "cargo clippy --all-targets -- -D warnings"
	@$(STATIC) cargo clippy $(CARGO_FLAGS) --all-targets -- -D warnings
	@if grep -rnE --include='*.rs' '^([^/]|/[^/])*\b(unsafe|allow\(unsafe_code\))' src | \
		grep -vE '^src/sys/|\b(deny|forbid)\(unsafe_code\)'; \
	then echo "unsafe belongs into src/sys" >&2; exit 1; fi

.PHONY: test
test: test-packages lint build ## all tests: as root everything, else what needs no root
	@$(STATIC) RUNTIME=$(BINARY) .ci/test cargo test $(CARGO_FLAGS) --no-fail-fast

# How long each target runs: SECONDS=10 for a short one. FUZZ=name for one target alone.
SECONDS ?= 600

.PHONY: fuzz
fuzz: fuzz-packages ## fuzz the parsers and the plan, 10 minutes a target; FUZZ=name SECONDS=number SEED=number
	@fuzz/run "$(TARGET_DIR)" "$(SECONDS)" $(FUZZ)

.PHONY: peers
peers: bench-packages build-packages ## the integration suite with runc and with crun
	@$(STATIC) RUNTIME=runc cargo test $(CARGO_FLAGS) --test integration
	@$(STATIC) RUNTIME=crun cargo test $(CARGO_FLAGS) --test integration

# The peers first: what counts stands last.
.PHONY: security
PEERS ?= runc crun
security: test-packages build ## attacks on tierce, and on runc and crun if they are there (as root); SECURITY_FLAGS=--write
	@[ "$$(id -u)" = 0 ] || { echo "make security needs root" >&2; exit 1; }
	@for peer in $(PEERS); do \
		! command -v $$peer >/dev/null || \
		$(STATIC) RUNTIME=$$peer cargo test $(CARGO_FLAGS) --test integration -- --security $(SECURITY_FLAGS); \
	done
	@$(STATIC) RUNTIME=$(BINARY) .ci/test cargo test $(CARGO_FLAGS) --test integration -- --security $(SECURITY_FLAGS)

.PHONY: vm
vm: vm-packages $(if $(TEST),build-packages,build) ## the integration suite in all guests; GUEST=name TEST=words RUNTIME=runc
	@$(run-vm) $(if $(GUEST),--guest "$(GUEST)") $(if $(TEST),--test "$(TEST)") $(if $(RUNTIME),--runtime "$(RUNTIME)")

.PHONY: vm-write
vm-write: vm-packages build ## the same, and write what came of it: MATRIX.md and the table in README.md
	@$(run-vm) --write

.PHONY: vm-shell
vm-shell: vm-packages build ## a shell in a guest: GUEST=name
	@$(run-vm) --shell $(if $(GUEST),--guest "$(GUEST)")

# cargo says where the test program is. With TEST the runtime is the debug build that comes along with
# it, which is made in a fraction of the time.
run-vm = integration=$$($(STATIC) cargo test $(CARGO_FLAGS) --test integration --no-run 2>&1 | tee /dev/stderr | \
	sed -n 's/.*Executable .*(\(.*\))$$/\1/p'); \
	python3 integration/vm/vm.py --cache $(TARGET_DIR)/vm --integration "$$integration" \
	--tierce $(if $(TEST),$(TARGET_DIR)/$(TARGET)/debug/tierce,$(BINARY))

.PHONY: managers
managers: manager-packages build-debug ## what managers do, with tierce and with runc or crun; MANAGER=name TEST=words
	@$(run-managers) $(if $(MANAGER),--manager "$(MANAGER)") $(if $(TEST),--test "$(TEST)")

.PHONY: managers-write
managers-write: manager-packages build-debug ## the same, and write the table in integration/managers/README.md
	@$(run-managers) --write

# Podman as root and containerd in full, of the others what shows most.
.PHONY: managers-short
managers-short: manager-packages build-debug ## a part of it, with tierce alone
	@$(run-managers) --runtime tierce --short rootless,docker,buildah

run-managers = python3 integration/managers/managers.py --tierce $(TARGET_DIR)/$(TARGET)/debug/tierce

.PHONY: build-debug
build-debug: build-packages
	@$(STATIC) cargo build $(CARGO_FLAGS)

.PHONY: bench
bench: bench-packages build ## compare with runc and crun (as root); BENCH_FLAGS=--help
	python3 integration/bench/bench.py --tierce $(BINARY) $(BENCH_FLAGS)

.PHONY: bench-systemd
bench-systemd: vm-packages build ## compare the systemd cgroup drivers with crun's and runc's, in a guest
	@$(run-vm) --guest uml-systemd --program integration/bench/systemd.py

.PHONY: install
install: ## copy the binary to $(DESTDIR)$(PREFIX)/bin
	@test -x $(BINARY) || { echo "make build comes first" >&2; exit 1; }
	install -D -m 755 $(BINARY) $(DESTDIR)$(PREFIX)/bin/tierce

.PHONY: clean
clean: ## remove what was built
	rm -rf $(TARGET_DIR) $(BUNDLES:%=bundle-examples/%/rootfs)

.PHONY: build-packages bundle-packages test-packages fuzz-packages bench-packages vm-packages manager-packages
build-packages:
	@.ci/packages $(BUILD_PACKAGES)
bundle-packages:
	@.ci/packages $(BUNDLE_PACKAGES)
test-packages:
	@.ci/packages $(TEST_PACKAGES)
fuzz-packages:
	@.ci/packages $(FUZZ_PACKAGES)
manager-packages:
	@.ci/packages $(MANAGER_PACKAGES)
vm-packages:
	@.ci/packages $(VM_PACKAGES)
bench-packages:
	@.ci/packages $(BENCH_PACKAGES)
