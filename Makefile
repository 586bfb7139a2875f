# The front door. Meson and Ninja do the work; tools/setup gets what they need. `make help` lists
# the doors; what is behind them stands in HACKING.md.

PREFIX ?= /usr/local
DESTDIR ?=
JOBS ?= $(shell nproc)
FUZZ_SECONDS ?= 20
SOAK_SECONDS ?= 3600
SOAK_DAYS ?= 30
SIM_SEEDS ?= 1000
KEEP ?=
# SETUP=no: install and fetch nothing, use what pkg-config finds.
SETUP ?= yes

LLVM := $(shell tools/setup llvm-version)
CLANG := env CC=clang-$(LLVM) CXX=clang++-$(LLVM)
MESON := meson setup --pkg-config-path=$(CURDIR)/.deps/root/lib/pkgconfig
# Meson says a lot; it is wanted when something went wrong. $(1): environment, $(2): folder and options.
configure = echo "configuring $(firstword $(2))"; \
    text=$$($(1) $(MESON) $(2) 2>&1) || { printf '%s\n' "$$text"; exit 1; }
SANITIZERS := -Dbuildtype=debugoptimized -Db_sanitize=address,undefined -Db_lundef=false \
    -Dwerror=true
NINJA := ninja -j$(JOBS) --quiet
MAKE_QUIETLY := $(MAKE) --no-print-directory

.PHONY: all demo test bench soak sim lint asan fuzz install clean distclean help \
    setup-build setup-demo setup-test check-lint check-gcc check-asan check-fuzz check-lab

all: build/build.ninja ## Build build/kith and libkith (what is missing is installed first)
	@ninja -C build -j$(JOBS)

help: ## Say what can be made
	@sed -n 's/^\([a-z]*\):[^#]*## /\1\t/p' Makefile | expand -t 12
	@echo
	@echo 'PREFIX=/usr/local DESTDIR= JOBS=N FUZZ_SECONDS=20 SOAK_SECONDS=3600 SOAK_DAYS=30'
	@echo 'SIM_SEEDS=1000 KEEP=1 (demo) SETUP=no (install nothing)'

setup-build setup-demo setup-test:
	@[ "$(SETUP)" = no ] || tools/setup $(@:setup-%=%)

# Ninja builds in parallel; the steps here follow each other.
.NOTPARALLEL:

# Three build folders: gcc as users build it, clang with sanitizers, clang with libFuzzer.
build/build.ninja: | setup-build
	@$(call configure,,build -Dprefix=$(PREFIX))

build-asan/build.ninja: | setup-test
	@$(call configure,$(CLANG),build-asan $(SANITIZERS))

build-fuzz/build.ninja: | setup-test
	@$(call configure,$(CLANG),build-fuzz $(SANITIZERS) -Dfuzz=true)

demo: setup-demo all ## Build a whole private network on this machine and show it (KEEP=1 keeps it)
	@KITH=$(CURDIR)/build/kith KEEP=$(KEEP) tests/lab/demo

# Every part runs, whatever the part before it said; the total decides.
PARTS := lint gcc asan fuzz lab
test: setup-test ## Check and test everything; the last line is the total
	@rm -rf build/test-counts
	@for part in $(PARTS); do \
	    printf '\n== %s\n' $$part; \
	    $(MAKE_QUIETLY) FUZZ_SECONDS=$(TEST_FUZZ_SECONDS) check-$$part || :; \
	done
	@echo
	@tools/run-tests total $(PARTS)
TEST_FUZZ_SECONDS ?= 5

check-lint: build-asan/build.ninja
	@$(NINJA) -C build-asan include/kith/errors.h # clang-tidy reads the headers that are made, too
	@tools/run-tests tap lint -- tools/lint

# Warnings are errors from here on in this build folder: whoever runs the tests is a developer.
check-gcc: build/build.ninja
	@[ -f build/.strict ] || { meson configure build -Dwerror=true >/dev/null && touch build/.strict; }
	@tools/run-tests case gcc 'gcc builds everything without a warning' -- $(NINJA) -C build
	@tools/run-tests programs gcc build

check-asan: build-asan/build.ninja
	@tools/run-tests case asan 'clang builds everything without a warning' -- $(NINJA) -C build-asan
	@tools/run-tests programs asan build-asan

check-fuzz: build-fuzz/build.ninja
	@tools/run-tests case fuzz 'the fuzz targets build' -- $(NINJA) -C build-fuzz
	@tools/run-tests fuzz fuzz build-fuzz $(FUZZ_SECONDS)

check-lab:
	@tools/run-tests lab lab

lint: setup-test check-lint ## Check formatting, layers, and what clang-tidy finds

asan: setup-test check-asan ## Run the tests under ASan and UBSan, built with clang

fuzz: setup-test check-fuzz ## Run each fuzz target for FUZZ_SECONDS

bench: setup-demo all ## Measure; results go to build/bench/*.json
	@tools/run-tests bench build

# Both halves run, whatever the first says. Their short forms belong to `make test`.
LONG := tools/run-tests long soak
soak: setup-demo all ## Let nodes live long, simulated and real: nothing grows; results go to build/soak/*.json
	@rm -rf build/soak build/test-counts/soak && mkdir -p build/soak
	@$(LONG) 'sim/soak_test, $(SOAK_DAYS) days' 14400 -- env KITH_SOAK_DAYS=$(SOAK_DAYS) \
	    KITH_SOAK_JSON=build/soak/sim.json build/tests/sim/soak_test || :
	@$(LONG) 'lab/soak.sh, $(SOAK_SECONDS) s' $$(($(SOAK_SECONDS) * 2 + 600)) -- env KITH_SOAK_SECONDS=$(SOAK_SECONDS) \
	    KITH=$(CURDIR)/build/kith KITH_SOAK_JSON=$(CURDIR)/build/soak/lab.json tests/lab/soak.sh || :
	@tools/run-tests total soak

# JOBS of them at a time, each with so many seeds in a row. `make test` has the first 20.
SIM_ROW := 25
sim: setup-demo all ## Try the laws of the mesh on SIM_SEEDS towns of whole nodes
	@rm -rf build/test-counts/sim
	@tools/run-tests long sim 'sim/laws_test, $(SIM_SEEDS) seeds' $$(($(SIM_SEEDS) * 20 + 600)) -- sh -c \
	    'seq 1 $(SIM_ROW) $(SIM_SEEDS) | xargs -P$(JOBS) -I SEED env KITH_SEED=SEED KITH_SEEDS=$(SIM_ROW) build/tests/sim/laws_test' || :
	@tools/run-tests total sim

install: ## Install under PREFIX (DESTDIR is honoured), with a systemd unit
	@[ -x build/kith ] || $(MAKE_QUIETLY) all
	@meson configure build -Dprefix=$(PREFIX)
	@DESTDIR=$(DESTDIR) meson install -C build
	@[ -n "$(DESTDIR)" ] || [ "$$(id -u)" != 0 ] || ldconfig

clean: ## Remove what was built
	@rm -rf build build-asan build-fuzz

distclean: clean ## Remove what was fetched, too
	@rm -rf .deps
