# Ringlet: what people type.
#
#   make run        installs liburing-dev if it is missing, builds, runs the tour
#   make test       everything that can fail
#   make bench      the benchmarks, beside raw C
#   make install    for C users: PREFIX=/usr/local DESTDIR=
#   make docs       the DocC archive, in .build/docs

SHELL := /bin/bash
.DEFAULT_GOAL := build

STAGE := $(CURDIR)/.build/stage
STAGE_PREFIX := $(STAGE)/usr
EXAMPLES := .build/examples
FLOOR := .build/floor

include CSupport/CRinglet/install.mk

.PHONY: build run test test-swift test-c test-sanitized test-asan test-tsan test-fuzz fuzz test-examples test-syscalls test-stress test-sandbox test-crash test-tour bench docs format clean deps stage examples

deps:
	@if ! pkg-config --exists liburing 2>/dev/null && [ ! -e /usr/include/liburing.h ]; then \
	    echo "installing liburing-dev"; \
	    if [ "$$(id -u)" = 0 ]; then elevate=; else elevate=sudo; fi; \
	    $$elevate apt-get update -qq && $$elevate apt-get install -y -qq liburing-dev pkg-config; \
	fi

build: deps
	swift build -c release --product ringlet

# The C library, installed into a folder of the build, and the C examples linked against it.
stage: deps
	$(MAKE) --no-print-directory install PREFIX=$(STAGE_PREFIX) DESTDIR=

examples: stage
	@mkdir -p $(EXAMPLES)
	@for source in Examples/C/*.c; do \
	    name=$$(basename $$source .c); \
	    PKG_CONFIG_PATH=$(STAGE_PREFIX)/lib/pkgconfig; export PKG_CONFIG_PATH; \
	    gcc -std=c11 -O2 -Wall -Wextra -Werror $$source -o $(EXAMPLES)/$$name \
	        $$(pkg-config --cflags --libs ringlet) -Wl,-rpath,$(STAGE_PREFIX)/lib || exit 1; \
	done

run: build examples
	.build/release/ringlet tour --c-example $(EXAMPLES)/tasks

test: deps docs test-swift test-c test-sanitized test-fuzz test-examples test-syscalls test-stress test-sandbox test-crash test-tour
	@echo "all tests passed"

# The whole suite on both kernels, on each rung of the fiber host, and with the ring cut down to what older
# kernels have.
SWIFT_TEST = Tests/run.sh

test-swift: deps
	swift build --build-tests
	$(SWIFT_TEST)
	RINGLET_KERNEL=emulated $(SWIFT_TEST)
	RINGLET_FIBER_HOST=nc $(SWIFT_TEST)
	RINGLET_FIBER_HOST=plain $(SWIFT_TEST)
	RINGLET_KERNEL_MASK=5.15 $(SWIFT_TEST)
	RINGLET_KERNEL_MASK=5.19 $(SWIFT_TEST)
	RINGLET_KERNEL_MASK=6.1 $(SWIFT_TEST)
	RINGLET_KERNEL_MASK=-recv $(SWIFT_TEST)
	RINGLET_KERNEL_MASK=6.1,-openat,-close,-read $(SWIFT_TEST)

test-c: stage
	$(MAKE) --no-print-directory -C Tests/C/context check
	$(MAKE) --no-print-directory -C Tests/C/context check-aarch64
	$(MAKE) --no-print-directory -C Tests/C/context check-asan
	$(MAKE) --no-print-directory -C Tests/C/context check-ubsan
	$(MAKE) --no-print-directory -C Tests/C/context check-valgrind
	$(MAKE) --no-print-directory -C Tests/C/ring check
	$(MAKE) --no-print-directory -C Tests/C/ring check-refused
	$(MAKE) --no-print-directory -C Tests/C/ring check-asan
	$(MAKE) --no-print-directory -C Tests/C/ring check-ubsan
	$(MAKE) --no-print-directory -C Tests/C/abi check PREFIX=$(STAGE_PREFIX)
	RINGLET_KERNEL=emulated $(MAKE) --no-print-directory -C Tests/C/abi check PREFIX=$(STAGE_PREFIX)

# The Swift suite under AddressSanitizer with its search for leaks, where the kernel is a program of ours and so
# looked at as well. `test-asan` and `test-tsan` are the long forms, on both kernels.
test-sanitized: deps
	RINGLET_KERNEL=emulated Tests/Sanitizers/run.sh address
	$(MAKE) --no-print-directory -C Tests/C/abi check-sanitized

test-asan test-tsan: deps
	Tests/Sanitizers/run.sh $(SANITIZER)
	RINGLET_KERNEL=emulated Tests/Sanitizers/run.sh $(SANITIZER)

# The fuzzers' seeds, and what they found earlier. `make fuzz SECONDS=600` looks for more.
test-fuzz: deps
	$(MAKE) --no-print-directory -C Tests/Fuzz SECONDS=0

fuzz: deps
	$(MAKE) --no-print-directory -C Tests/Fuzz SECONDS=$(or $(SECONDS),60)

test-asan: SANITIZER = address
test-tsan: SANITIZER = thread

test-examples: examples
	swift build --product HelloExample
	@[ "$$(.build/debug/HelloExample)" = "hello, ring" ] && echo "Examples/Swift/Hello: passed"
	swift build --product ActorsExample
	@[ "$$(.build/debug/ActorsExample | tail -1)" = "1 line, then 2" ] \
	    && echo "Examples/Swift/Actors: passed"
	swift build --product AsyncioExamples
	@[ "$$(.build/debug/AsyncioExamples | tail -1)" = "every example ran" ] \
	    && echo "Examples/Swift/FromAsyncio: passed"
	swift build --product GeventExamples
	@[ "$$(.build/debug/GeventExamples | tail -1)" = "every example ran" ] \
	    && echo "Examples/Swift/FromGevent: passed"
	swift build --product GreenletExamples
	@[ "$$(.build/debug/GreenletExamples | tail -1)" = "every example ran" ] \
	    && echo "Examples/Swift/FromGreenlet: passed"
	swift build --product IntrospectionExample
	@[ "$$(.build/debug/IntrospectionExample | tail -1)" = "every example ran" ] \
	    && echo "Examples/Swift/Introspection: passed"
	@for source in Examples/C/*.c; do \
	    name=$$(basename $$source .c); \
	    timeout 60 $(EXAMPLES)/$$name > $(EXAMPLES)/$$name.out || exit 1; \
	    echo "Examples/C/$$name: passed"; \
	done

# Two enters per echo at one connection, and one with a buffered writer; at fifty a turn serves many of them. The
# emulated ring makes the calls that an epoll server makes: a read, a write, and the wait. It asks epoll again about
# a descriptor that was silent for ten milliseconds, and under strace a round of fifty can take that long.
test-syscalls: build
	$(MAKE) --no-print-directory -C Benchmarks/Floor
	@for colour in fibers tasks; do \
	    server=".build/release/ringlet echo --port PORT --workers 1 --$$colour"; \
	    Benchmarks/Floor/check_syscalls.sh 2.05 1 "$$server" || exit 1; \
	    Benchmarks/Floor/check_syscalls.sh 0.25 50 "$$server" || exit 1; \
	    Benchmarks/Floor/check_syscalls.sh 1.05 1 "$$server --buffered" || exit 1; \
	    Benchmarks/Floor/check_syscalls.sh 0.25 50 "$$server --buffered" || exit 1; \
	    RINGLET_KERNEL=emulated Benchmarks/Floor/check_syscalls.sh 3.05 1 "$$server" || exit 1; \
	    RINGLET_KERNEL=emulated Benchmarks/Floor/check_syscalls.sh 2.3 10 "$$server" || exit 1; \
	done

# The seeds of a round that fails are printed; `ringlet stress --seed S --faults F` repeats it.
test-stress: build
	Tests/Stress/run.sh .build/release/ringlet
	.build/release/ringlet stress --seconds 15 --seed 1 --workers 2
	RINGLET_KERNEL=emulated .build/release/ringlet stress --seconds 10 --seed 3 --workers 2
	RINGLET_KERNEL_MASK=5.15 .build/release/ringlet stress --seconds 5 --seed 2 --workers 1
	.build/release/ringlet stress --seconds 10 --seed 4 --faults 1 --workers 2
	RINGLET_KERNEL=emulated .build/release/ringlet stress --seconds 10 --seed 5 --faults 2 --workers 3

# Where io_uring is refused, and where limits are low.
test-sandbox: build
	$(MAKE) --no-print-directory -C Benchmarks/Floor
	Tests/Sandbox/run.sh .build/release/ringlet $(FLOOR)/load

# What a crash says, in both builds: they have different frames.
test-crash: stage
	swift build --product CrashProgram
	swift build -c release --product CrashProgram
	Tests/Crash/run.sh .build/debug/CrashProgram .build/release/CrashProgram
	Tests/Crash/gdb.sh $(STAGE_PREFIX) .build/debug/CrashProgram .build/release/CrashProgram

test-tour: build examples
	.build/release/ringlet tour --connections 200 --c-example $(EXAMPLES)/tasks

bench: build
	$(MAKE) --no-print-directory -C Benchmarks

docs:
	swift package --disable-sandbox generate-documentation --target Ringlet \
	    --warnings-as-errors --output-path .build/docs

format:
	swift format --in-place --recursive Package.swift Sources Tests Examples/Swift

clean:
	rm -rf .build Benchmarks/.build
