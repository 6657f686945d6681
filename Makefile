# One non-recursive Makefile: builds build/evalua, runs the demo, the tests, the benchmarks and the linters.
#
#   make              the program, build/evalua            make lint     layers, luacheck, clang-tidy, gcc and clang
#   make demo         two spelling checkers compared       make asan     all tests under ASan and UBSan
#   make check        all tests                            make install  PREFIX=/usr/local DESTDIR=
#   make bench        the measures, with their bars        make clean
#
# Objects of each variant (release, asan, clang, or any name) live below build/<variant>/. V=1 shows the commands.
# `demo`, `check`, `bench`, `lint` and `asan` first install the Debian packages that are missing; that is why they
# start this file again: nothing that needs a package is looked at before.

ifeq ($(origin CC),default)
CC         := gcc
endif
PKG_CONFIG ?= pkg-config
LUA        ?= lua5.4
PREFIX     ?= /usr/local
DESTDIR    ?=
VARIANT    ?= release
BUILD      ?= build
OUT        := $(BUILD)/$(VARIANT)
MAKE_ALL    = $(MAKE) --no-print-directory $(if $(findstring j,$(firstword -$(MAKEFLAGS))),,-j$(shell nproc))
NEED       := scripts/dev/install-packages.sh

PACKAGES   := lua5.4 lua5.4-cjson sqlite3 libuv libpcre2-8 libcrypto
# Only their headers are used: they are opened when first needed (runtime/io/http_library.h says why).
OPENED     := libcurl libmicrohttpd
ifeq ($(VARIANT),asan)
CFLAGS     ?= -O1 -g
SANITIZE   := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
else
CFLAGS     ?= -O2 -g
endif
WARNINGS   := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wwrite-strings

# Asked once, and only when something is compiled.
PACKAGE_CFLAGS = $(eval PACKAGE_CFLAGS := $$(shell $(PKG_CONFIG) --cflags $(PACKAGES) $(OPENED)))$(PACKAGE_CFLAGS)
PACKAGE_LIBS   = $(eval PACKAGE_LIBS := $$(shell $(PKG_CONFIG) --libs $(PACKAGES)) -lcsv -lm -ldl)$(PACKAGE_LIBS)
VERSION        = $(eval VERSION := $$(shell git describe --tags --always --dirty 2>/dev/null || echo 0.1.0))$(VERSION)
COMPILE        = $(CC) -std=c11 -D_GNU_SOURCE -Iruntime -I$(OUT) $(WARNINGS) $(SANITIZE) $(PACKAGE_CFLAGS) $(CFLAGS)

Q := $(if $(V),,@)

LAYERS   := base data store stats io engine lua
SOURCES  := $(foreach layer,$(LAYERS),$(wildcard runtime/$(layer)/*.c))
OBJECTS  := $(SOURCES:%.c=$(OUT)/%.o) $(OUT)/embedded.o
MAIN     := $(OUT)/runtime/main.o
EMBEDDED := $(sort $(wildcard stdlib/*.lua stdlib/*/*.lua stdlib/*/*/*.lua scripts/*.lua) $(wildcard runtime/store/*.sql))
UNIT     := $(patsubst %.c,$(OUT)/%,$(wildcard tests/unit/test_*.c tests/conformance/test_*.c))
BENCH    := $(patsubst %.c,$(OUT)/%,$(wildcard tests/bench/*.c))

.PHONY: all demo check bench lint asan install uninstall clean tests force
.DELETE_ON_ERROR:
all: $(BUILD)/evalua

ifeq ($(VARIANT),release)
$(BUILD)/evalua: $(OUT)/evalua
	$(Q)ln -sfn release/evalua $@
else
.PHONY: $(BUILD)/evalua
$(BUILD)/evalua: $(OUT)/evalua
endif

$(OUT)/evalua: $(MAIN) $(OBJECTS)
	@echo "LINK $@"
	$(Q)$(CC) $(CFLAGS) $(SANITIZE) $(LDFLAGS) -rdynamic -o $@ $^ $(PACKAGE_LIBS)

$(OUT)/%.o: %.c $(OUT)/flags
	@mkdir -p $(@D)
	@echo "CC   $<"
	$(Q)$(COMPILE) $(VERSION_FLAG) -MMD -MP -c -o $@ $<

# These files are written on every run, but only if they change: new flags rebuild everything, a new version only what
# mentions it, a file added to or taken from stdlib the embedded table.
define write_if_changed
@mkdir -p $(@D)
@printf '%s\n' '$(subst ','\'',$(1))' >$@.new; if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi
endef

$(OUT)/flags: force
	@$(PKG_CONFIG) --exists $(PACKAGES) $(OPENED) 2>/dev/null || $(NEED) --check build
	$(call write_if_changed,$(COMPILE))

VERSIONED := $(patsubst %.c,$(OUT)/%.o,$(shell grep -ls EVA_VERSION $(SOURCES) runtime/main.c /dev/null))
$(OUT)/version: force
	$(call write_if_changed,$(VERSION))
$(VERSIONED): $(OUT)/version
$(VERSIONED): VERSION_FLAG = -DEVA_VERSION='"$(VERSION)"'

$(OUT)/embedded.list: force
	$(call write_if_changed,$(EMBEDDED))
$(OUT)/embedded.c: scripts/dev/embed.lua $(EMBEDDED) $(OUT)/embedded.list
	@echo "EMBED $@"
	$(Q)$(LUA) scripts/dev/embed.lua $@ $(EMBEDDED)
$(OUT)/embedded.o: $(OUT)/embedded.c runtime/lua/embedded.h $(OUT)/flags
	$(Q)$(COMPILE) -c -o $@ $<

# Unit tests link what they use of every object but main.
$(OUT)/objects.a: $(OBJECTS)
	$(Q)rm -f $@ && ar rcs $@ $(OBJECTS)
$(OUT)/tests/%: tests/%.c $(OUT)/objects.a
	@mkdir -p $(@D)
	@echo "TEST $@"
	$(Q)$(COMPILE) -MMD -MP -MF $@.d -o $@ $< $(OUT)/objects.a $(LDFLAGS) $(PACKAGE_LIBS) -lcmocka
$(OUT)/tests/bench/http_bare: LDFLAGS += -lcurl
$(OUT)/tests/bench/%: tests/bench/%.c $(OUT)/flags
	@mkdir -p $(@D)
	@echo "CC   $<"
	$(Q)$(COMPILE) -MMD -MP -MF $@.d -o $@ $< $(LDFLAGS) $(PACKAGE_LIBS)

tests: $(BUILD)/evalua $(UNIT)

demo:
	@$(NEED) build demo
	@$(MAKE_ALL) all
	@EVALUA=$(abspath $(OUT)/evalua) examples/spelling/demo $(BUILD)/demo

check:
	@$(NEED) build demo check
	@$(MAKE_ALL) tests
	@VARIANT=$(VARIANT) BUILD=$(abspath $(BUILD)) tests/run $(TESTS)

asan:
	@$(MAKE) --no-print-directory check VARIANT=asan

bench:
	@$(NEED) build bench
	@$(MAKE_ALL) all $(BENCH)
	@EVALUA=$(abspath $(OUT)/evalua) BENCH_BUILD=$(abspath $(OUT))/tests/bench PEERS=$(PEERS) tests/bench/run $(ROWS)

lint:
	@$(NEED) build check lint
	@CC=gcc VARIANT=$(VARIANT) BUILD=$(BUILD) MAKE="$(MAKE_ALL)" scripts/dev/lint.sh

install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/doc/evalua
	install -m 755 $(OUT)/evalua $(DESTDIR)$(PREFIX)/bin/evalua
	install -m 644 README.md LICENSE $(DESTDIR)$(PREFIX)/share/doc/evalua

uninstall:
	rm -f $(DESTDIR)$(PREFIX)/bin/evalua
	rm -rf $(DESTDIR)$(PREFIX)/share/doc/evalua

clean:
	rm -rf $(BUILD)

-include $(wildcard $(OUT)/runtime/*.d $(OUT)/runtime/*/*.d $(OUT)/tests/*/*.d)
