# The front door. Meson and Ninja do the work; tools/setup gets what they need. See `make help`.

PREFIX ?= /usr/local
DESTDIR ?=
JOBS ?= $(shell nproc)
FUZZ_SECONDS ?= 20
KEEP ?=
# SETUP=no: use what pkg-config finds, install and fetch nothing.
SETUP ?= yes

LLVM := $(shell tools/setup llvm-version)
MESON_FLAGS := --pkg-config-path=$(CURDIR)/.deps/root/lib/pkgconfig
CLANG := CC=clang-$(LLVM) CXX=clang++-$(LLVM)
SANITIZE := -Db_sanitize=address,undefined -Db_lundef=false -Dwerror=true

ifeq ($(SETUP),no)
setup = @:
else
setup = @tools/setup $(1)
endif

.PHONY: all
all: build/build.ninja
	@ninja -C build -j$(JOBS)

.PHONY: setup-build
setup-build:
	$(call setup,build)

build/build.ninja: | setup-build
	@meson setup build $(MESON_FLAGS) -Dprefix=$(PREFIX)
