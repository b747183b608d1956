# Building and installing the C library. For the top-level Makefile to include; run in the
# repository's root.
#
#   make c-library                      builds both libraries into .build/c/out
#   make install PREFIX=… DESTDIR=…     installs header, libraries, pkg-config and CMake files
#
# The libraries contain the Swift runtime: whoever links them needs no Swift toolchain. These are
# steps of a makefile and not of Package.swift, because linker flags there would make the package
# unusable as a dependency.

PREFIX ?= /usr/local
DESTDIR ?=
SWIFT ?= swift
LD = ld
OBJCOPY ?= objcopy
STRIP ?= strip

RINGLET_VERSION := 0.1.0
RINGLET_SONAME := libringlet.so.0
RINGLET_C := CSupport/CRinglet

C_SCRATCH := .build/c
C_OUT := $(C_SCRATCH)/out
C_SHARED := $(C_OUT)/libringlet.so.$(RINGLET_VERSION)
C_STATIC := $(C_OUT)/libringlet.a
C_SWIFT_BUILD = $(SWIFT) build -c release --scratch-path $(C_SCRATCH) -Xswiftc -static-stdlib \
    --disable-local-rpath
C_SOURCES = Package.swift $(shell find Sources/Ringlet Sources/RingletC CSupport -type f)

# --static-swift-stdlib would have no effect on a library; -Xswiftc -static-stdlib has.
# nodelete: a language runtime with threads cannot be taken away by dlclose.
C_LINK = -Xlinker --version-script=$(CURDIR)/$(RINGLET_C)/ringlet.map \
    -Xlinker -soname -Xlinker $(RINGLET_SONAME) -Xlinker -z -Xlinker nodelete

SWIFT_STATIC = $(shell $(SWIFT) -print-target-info | sed -n \
    's/.*"runtimeResourcePath": "\(.*\)".*/\1/p')_static/linux
SWIFT_STATIC_LIBRARIES = -lswift_Concurrency -lswift_StringProcessing -lswift_RegexParser \
    -lswiftSynchronization -lswiftGlibc -lswift_Builtin_float -lswiftCore -ldispatch \
    -lBlocksRuntime
MACHINE := $(shell uname -m)

.PHONY: c-library install uninstall

c-library: $(C_SHARED) $(C_STATIC)

$(C_SHARED): $(C_SOURCES)
	@mkdir -p $(C_OUT)
	$(C_SWIFT_BUILD) --product ringlet-c $(C_LINK)
	$(STRIP) --strip-unneeded -o $@ $(C_SCRATCH)/release/libringlet-c.so

# One relocatable object, in which only the functions of the header stay visible: two static
# libraries of this kind, or this one and a program's own symbols, cannot clash. swiftrt.o registers
# the metadata of the image; without it everything links and runs, but `as?` fails in silence. The
# autolink entries name libraries for swiftc, which are inside already.
$(C_STATIC): $(C_SHARED)
	$(C_SWIFT_BUILD) --product ringlet-c-static
	$(LD) -r -o $(C_OUT)/ringlet.o --whole-archive $(C_SCRATCH)/release/libringlet-c-static.a \
	    --no-whole-archive $(SWIFT_STATIC)/$(MACHINE)/swiftrt.o -L$(SWIFT_STATIC) \
	    --start-group $(SWIFT_STATIC_LIBRARIES) --end-group
	$(OBJCOPY) --wildcard --keep-global-symbol='ringlet_*' --strip-debug \
	    --remove-section=.swift1_autolink_entries $(C_OUT)/ringlet.o
	rm -f $@
	$(AR) rcs $@ $(C_OUT)/ringlet.o

FILL = sed -e 's|@PREFIX@|$(PREFIX)|g' -e 's|@VERSION@|$(RINGLET_VERSION)|g'

install: c-library
	install -d $(DESTDIR)$(PREFIX)/include $(DESTDIR)$(PREFIX)/lib/pkgconfig \
	    $(DESTDIR)$(PREFIX)/lib/cmake/Ringlet $(DESTDIR)$(PREFIX)/share/ringlet
	install -m 644 Tools/gdb/ringlet-gdb.py $(DESTDIR)$(PREFIX)/share/ringlet/
	install -m 644 $(RINGLET_C)/include/ringlet.h $(DESTDIR)$(PREFIX)/include/
	install -m 755 $(C_SHARED) $(DESTDIR)$(PREFIX)/lib/
	ln -sf libringlet.so.$(RINGLET_VERSION) $(DESTDIR)$(PREFIX)/lib/$(RINGLET_SONAME)
	ln -sf $(RINGLET_SONAME) $(DESTDIR)$(PREFIX)/lib/libringlet.so
	install -m 644 $(C_STATIC) $(DESTDIR)$(PREFIX)/lib/
	$(FILL) $(RINGLET_C)/ringlet.pc.in > $(DESTDIR)$(PREFIX)/lib/pkgconfig/ringlet.pc
	$(FILL) $(RINGLET_C)/RingletConfig.cmake.in \
	    > $(DESTDIR)$(PREFIX)/lib/cmake/Ringlet/RingletConfig.cmake
	$(FILL) $(RINGLET_C)/RingletConfigVersion.cmake.in \
	    > $(DESTDIR)$(PREFIX)/lib/cmake/Ringlet/RingletConfigVersion.cmake

uninstall:
	rm -f $(DESTDIR)$(PREFIX)/include/ringlet.h $(DESTDIR)$(PREFIX)/lib/libringlet.a \
	    $(DESTDIR)$(PREFIX)/lib/libringlet.so $(DESTDIR)$(PREFIX)/lib/$(RINGLET_SONAME) \
	    $(DESTDIR)$(PREFIX)/lib/libringlet.so.$(RINGLET_VERSION) \
	    $(DESTDIR)$(PREFIX)/lib/pkgconfig/ringlet.pc
	rm -rf $(DESTDIR)$(PREFIX)/lib/cmake/Ringlet $(DESTDIR)$(PREFIX)/share/ringlet
