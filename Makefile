# Slipway. `make` builds both programs; `make check` runs the tests; CONTRIBUTING is docs/style.md.
BUILD ?= build
CC ?= cc
OPT ?= -O2 -g
WARN = -Wall -Wextra -Wshadow -Wconversion -Wmissing-prototypes -Wwrite-strings -Wvla -Werror
HARDEN = -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE
CFLAGS_ALL = -std=gnu17 -D_GNU_SOURCE $(OPT) $(WARN) $(HARDEN) -Ilib -I. -pthread $(SANITIZE) $(CFLAGS)
LDFLAGS_ALL = -pie -Wl,-z,relro,-z,now -pthread $(SANITIZE) $(LDFLAGS)
LIB_LIBS = -lcurl -ljansson -lyaml -larchive -lz -lcrypto
# The image's link: small libraries from their archives; of libarchive only what reads tar, so that libxml2 and ICU stay out.
ifdef LEAN
LIB_LIBS = -Wl,--as-needed -lcurl -l:libjansson.a -l:libyaml.a -l:libarchive.a -lcrypto -l:libz.so.1 -l:liblzma.so.5 -l:libzstd.so.1
endif
SERVICE_LIBS = -lmicrohttpd -lsqlite3

LIB_C := $(shell find lib -name '*.c')
ACTION_C := $(filter-out action/main.c,$(wildcard action/*.c))
SERVICE_C := $(filter-out service/main.c,$(wildcard service/*.c))
TEST_C := $(wildcard tests/unit/*.c tests/contract/*.c)
FUZZ_C := $(wildcard tests/fuzz/*.c)
# make Q= shows the whole commands.
Q = @
say = @printf '%5s %s\n'
objects = $(patsubst %.c,$(BUILD)/%.o,$(1))
ARCHIVES = $(BUILD)/action.a $(BUILD)/service.a $(BUILD)/lib.a
TESTS = $(patsubst tests/%.c,$(BUILD)/tests/%.t,$(TEST_C))
TOOLS = $(patsubst %.c,$(BUILD)/%,$(wildcard tests/tools/*.c))

.PHONY: all tests check asan ubsan tsan valgrind lint fuzz crash bench cover docs image install clean
.DELETE_ON_ERROR:
.SECONDARY:

all: $(BUILD)/slipway $(BUILD)/slipwayd

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(CC) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

$(BUILD)/lib.a: $(call objects,$(LIB_C))
$(BUILD)/action.a: $(call objects,$(ACTION_C))
$(BUILD)/service.a: $(call objects,$(SERVICE_C))
$(BUILD)/%.a:
	@mkdir -p $(@D)
	$(say) AR $@
	$(Q)rm -f $@ && ar rcs $@ $^

$(BUILD)/slipway: $(BUILD)/action/main.o $(BUILD)/action.a $(BUILD)/lib.a
	$(say) LD $@
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIB_LIBS)

$(BUILD)/slipwayd: $(BUILD)/service/main.o $(BUILD)/service.a $(BUILD)/lib.a
	$(say) LD $@
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIB_LIBS) $(SERVICE_LIBS)

$(BUILD)/tests/%.t: $(BUILD)/tests/%.o $(ARCHIVES)
	$(say) LD $@
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIB_LIBS) $(SERVICE_LIBS)
$(BUILD)/tests/%.o: CFLAGS_ALL += -Itests
# A server with a certificate.
$(BUILD)/tests/unit/http.t: LIB_LIBS += -lssl

$(BUILD)/tests/tools/%: $(BUILD)/tests/tools/%.o $(ARCHIVES)
	$(say) LD $@
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIB_LIBS) $(SERVICE_LIBS)

tests: $(TESTS) $(TOOLS)

# make check T=store runs only the tests whose name holds "store".
check: all tests
	BUILD=$(BUILD) scripts/run-tests $(T)

asan:
	$(MAKE) check BUILD=build/asan OPT='-O1 -g -fno-omit-frame-pointer' HARDEN= SANITIZE='-fsanitize=address,undefined -fno-sanitize-recover=all'
ubsan:
	$(MAKE) check BUILD=build/ubsan OPT='-O1 -g' HARDEN= SANITIZE='-fsanitize=undefined -fno-sanitize-recover=all'
tsan:
	$(MAKE) check BUILD=build/tsan OPT='-O1 -g' HARDEN= SANITIZE='-fsanitize=thread'

# make fuzz F=event S=60: one target for so many seconds; without F, all of them.
fuzz:
	scripts/fuzz $(or $(F),all) $(or $(S),60)

lint:
	scripts/lint
crash: all
	scripts/crash $(or $(N),60)
bench: all $(BUILD)/tests/tools/load
	BUILD=$(BUILD) scripts/bench
	BUILD=$(BUILD) scripts/docker-engine with scripts/bench-image
	BUILD=$(BUILD) scripts/bench-aws
cover:
	$(MAKE) check BUILD=build/cover OPT='-O0 -g --coverage' HARDEN= LDFLAGS=--coverage
	gcovr --object-directory build/cover -e tests --txt

compile_commands.json: FORCE
	bear -- $(MAKE) -B all tests
FORCE:

# Write the reference pages again from the tables of settings.
docs: $(BUILD)/tests/unit/docs.t
	UPDATE_DOCS=1 $<

# The action's image; make image ARCH=arm64 cross-compiles it.
image:
	docker build -t $(or $(IMAGE),slipway) $(if $(ARCH),--build-arg ARCH=$(ARCH)) -f Dockerfile .

PREFIX ?= /usr/local
install: all
	install -D -m 755 $(BUILD)/slipway $(DESTDIR)$(PREFIX)/bin/slipway
	install -D -m 755 $(BUILD)/slipwayd $(DESTDIR)$(PREFIX)/bin/slipwayd
	install -d $(DESTDIR)$(PREFIX)/share/doc/slipway/docs/targets
	install -m 644 README.md $(DESTDIR)$(PREFIX)/share/doc/slipway
	install -m 644 docs/*.md $(DESTDIR)$(PREFIX)/share/doc/slipway/docs
	install -m 644 docs/targets/*.md $(DESTDIR)$(PREFIX)/share/doc/slipway/docs/targets

clean:
	rm -rf build compile_commands.json

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
