# For people; meson does the building. `make` alone says what there is.
BUILD ?= build
SEEDS ?= 2000
export CC

.PHONY: help build run test check check-format check-floors check-scripts check-lint check-variants check-aarch64 \
	bench fuzz soak coverage sim sim-check install clean

help:
	@echo 'make build     build the library and the program, $(BUILD)/weir'
	@echo 'make run       start every service on its default endpoint'
	@echo 'make test      run the tests'
	@echo 'make check     format, floors, linters, both compilers, sanitizers, valgrind, aarch64'
	@echo 'make bench     measure beside the peers, all that is claimed, or WORK="tls radio"; bench/README.md tells what'
	@echo 'make sim       run the scenarios of the simulator: SEEDS=2000 of each, or of SCENARIO=…'
	@echo 'make sim-check plant mistakes in a copy, and see the simulator find each'
	@echo 'make soak      clients at full speed, and everything back where it began: TIME=30 seconds'
	@echo 'make fuzz      inputs that nobody thought of, for two minutes or TIME=… seconds, to all targets or TARGET=…'
	@echo 'make coverage  the lines of src/ that the tests run, and the functions that none enters'
	@echo 'make install   install below /usr/local (or PREFIX=…, and DESTDIR=…)'
	@echo 'make clean     remove what was built'
	@echo 'Missing Debian packages are installed on the way.'

build:
	@scripts/setup build
	@scripts/build $(BUILD)

run: build
	@$(BUILD)/weir run

test:
	@scripts/setup build test
	@scripts/build $(BUILD) -Dtests=enabled $(OPTIONS)
	@scripts/test --build $(BUILD)

check: check-format check-floors check-scripts check-lint check-variants check-aarch64

check-setup:
	@scripts/setup build test check cross

check-format: check-setup
	scripts/check-format

check-floors:
	scripts/check-floors

check-scripts: check-setup
	shellcheck .ci/run $$(grep -l '^#!/bin/\(ba\)\?sh' scripts/*)

check-lint: check-setup
	scripts/check-lint

check-variants: check-setup
	scripts/variant build gcc
	scripts/check-install build-gcc
	scripts/variant build clang
	scripts/variant build asan
	scripts/variant build tsan
	scripts/variant test gcc
	scripts/variant test asan
	scripts/variant test tsan
	scripts/variant test valgrind

check-aarch64: check-setup
	scripts/test-aarch64

bench:
	@scripts/setup build test bench
	@scripts/build build-bench -Dbench=true
	@scripts/bench build-bench $(WORK)

sim:
	@scripts/setup build test
	@scripts/build $(BUILD) -Dtests=enabled
	@$(BUILD)/tests/sim/scenarios --seeds $(SEEDS) $(SCENARIO)

sim-check:
	@scripts/setup build test
	@scripts/sim-check

soak:
	@scripts/setup build test
	@scripts/build $(BUILD) -Dtests=enabled
	@scripts/soak --build $(BUILD) --time $(or $(TIME),30)

fuzz:
	@scripts/setup build fuzz
	@scripts/fuzz $(if $(TARGET),--target $(TARGET)) --time $(or $(TIME),120)

coverage:
	@scripts/setup build test check
	@scripts/coverage

install: build
	$(if $(PREFIX),meson configure $(BUILD) -Dprefix=$(PREFIX))
	DESTDIR=$(DESTDIR) meson install -C $(BUILD)
	@test -n '$(DESTDIR)' || test "$$(id -u)" != 0 || ldconfig

clean:
	rm -rf build build-*
