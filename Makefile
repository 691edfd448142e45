# SPDX-License-Identifier: Apache-2.0
# make            ./tidegate and its helpers
# make deps       install the Debian packages of docs/packages.txt (root or sudo), or print the command
# make demo       a git push starts a workflow, here and now
# make test       everything that needs only Debian's packages
# make help       the other targets

ifeq ($(origin CC),default)
CC = gcc
endif
PREFIX ?= /usr/local
B ?= build/$(notdir $(firstword $(CC)))$(if $(SAN),-san$(filter-out 1,$(SAN)))
WERROR ?= -Werror
PKGS = libuv sqlite3 yaml-0.1 libmicrohttpd libpcre2-8 libseccomp

# Bare machine: every target but the ones below calls `make deps` when a tool or library is missing.
NODEPS_GOALS = deps help clean format
ifneq ($(filter-out $(NODEPS_GOALS),$(or $(MAKECMDGOALS),all)),)
  ifneq ($(shell sh tests/tools/deps.sh check $(or $(MAKECMDGOALS),all) >/dev/null 2>&1 && echo ok),ok)
    $(info installing missing packages: sh tests/tools/deps.sh)
    DEPS_LOG := $(shell sh tests/tools/deps.sh install $(or $(MAKECMDGOALS),all) >&2 && echo ok)
    ifneq ($(DEPS_LOG),ok)
      $(error packages are missing: see above)
    endif
  endif
endif

# SAN=1: AddressSanitizer and UndefinedBehaviorSanitizer; SAN=thread: ThreadSanitizer
SANFLAGS = $(if $(SAN),$(if $(filter thread,$(SAN)),-fsanitize=thread,-fsanitize=address$(comma)undefined -fno-sanitize-recover=all) -fno-omit-frame-pointer -g)
comma = ,
OPT ?= $(if $(SAN),-O1,-O2)
WARN = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wcast-qual -Wwrite-strings -Wvla -Wundef \
       -Wformat=2 -Wimplicit-fallthrough -Wno-missing-field-initializers \
       $(if $(findstring clang,$(CC)),,-Wno-format-truncation) $(WERROR)
HARDEN = $(if $(SAN),,-D_FORTIFY_SOURCE=2 -fstack-protector-strong)
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
PKG_LIBS := $(shell pkg-config --libs $(PKGS) 2>/dev/null)
CFLAGS_ALL = -std=gnu17 -D_GNU_SOURCE -I. -I$(B) $(PKG_CFLAGS) $(WARN) $(OPT) -g $(HARDEN) $(SANFLAGS) -fPIE -fvisibility=hidden $(CFLAGS)
LDFLAGS_ALL = -pie -Wl,-z,relro,-z,now -Wl,--as-needed $(SANFLAGS) $(LDFLAGS)
LIBS = $(PKG_LIBS) -lm -ldl -lpthread

LIB_SRC := $(filter-out engine/shim/%,$(wildcard core/*.c core/*/*.c config/*.c bus/*.c sources/*.c sensors/*.c triggers/*.c engine/*.c engine/*/*.c api/*.c cli/*.c))
LIB_SRC := $(filter-out cli/main.c,$(LIB_SRC))
LIB_OBJ := $(LIB_SRC:%.c=$(B)/%.o)
UNIT_SRC := $(wildcard tests/unit/test_*.c)
UNIT_BIN := $(UNIT_SRC:tests/unit/%.c=$(B)/unit/%)
SHIM_SRC := $(wildcard engine/shim/*.c)
HELPER_SRC := $(wildcard engine/artifact/helper/*.c)
HELPER_OBJ := $(HELPER_SRC:%.c=$(B)/%.o)

Q = $(if $(V),,@)
say = $(if $(V),,@echo "  $(1)" "$(2)";)

all: $(B)/tidegate $(B)/tidegate-step $(B)/tidegate-jq $(B)/tidegate-artifact
	$(Q)ln -sf $(B)/tidegate tidegate; ln -sf $(B)/tidegate-step tidegate-step; ln -sf $(B)/tidegate-jq tidegate-jq; ln -sf $(B)/tidegate-artifact tidegate-artifact

$(B)/tidegate: $(B)/cli/main.o $(B)/lib.a
	$(call say,LD,$@) $(CC) $(LDFLAGS_ALL) -o $@ $(B)/cli/main.o $(B)/lib.a $(LIBS)
$(B)/lib.a: $(LIB_OBJ)
	$(call say,AR,$@) rm -f $@; ar rcs $@ $(LIB_OBJ)
# The step helper is started for every step: static and libc only, so that its start costs what exec costs.
$(B)/tidegate-step: $(SHIM_SRC) $(wildcard engine/shim/*.h)
	$(call say,LD,$@) mkdir -p $(@D); $(CC) -std=gnu17 -D_GNU_SOURCE -I. $(WARN) -O2 -g -static -o $@ $(SHIM_SRC)
# The jq helper, without sanitizers: its memory is limited. jq_text is the program's too, for the fuzzer.
$(B)/tidegate-jq: $(wildcard sensors/jq/*.[ch])
	$(call say,LD,$@) mkdir -p $(@D); $(CC) -std=gnu17 -D_GNU_SOURCE -I. $(WARN) -O2 -g -fstack-protector-strong -fPIE -pie -Wl,-z,relro,-z,now -o $@ $(wildcard sensors/jq/*.c) -ljq -lseccomp
# Moves artifacts: of the library what it needs, and none of the servers' libraries.
$(B)/tidegate-artifact: $(HELPER_OBJ) $(B)/lib.a
	$(call say,LD,$@) $(CC) $(LDFLAGS_ALL) -o $@ $(HELPER_OBJ) $(B)/lib.a $(LIBS)
$(B)/%.o: %.c
	$(call say,CC,$<) mkdir -p $(@D); $(CC) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<
LIBS_test_json = -ljansson
LIBS_test_httpc = -lcrypto
$(B)/unit/%: tests/unit/%.c $(B)/lib.a
	$(call say,LD,$@) mkdir -p $(@D); $(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -MMD -MP -MF $@.d -o $@ $< $(B)/lib.a $(LIBS) -lcmocka $(LIBS_$*)
-include $(LIB_OBJ:.o=.d) $(HELPER_OBJ:.o=.d) $(B)/cli/main.d $(UNIT_BIN:=.d)

deps:
	$(Q)sh tests/tools/deps.sh install test bench lint

# make unit: unit tests (UNIT_SRC="tests/unit/test_x.c": only these)
unit: $(UNIT_BIN) $(B)/tidegate-step $(B)/tidegate-jq $(B)/tidegate-artifact
	$(Q)sh tests/tools/run-unit.sh $(UNIT_BIN)

# make schedules: the clock, whole
# every zone's changes of twenty years against Python's zoneinfo, 2,000 specifications as the reference's parser reads them, and 100 kills around
# the firing second
schedules: all $(B)/unit/test_cron_zones $(B)/unit/test_cron $(B)/unit/test_cronworkflow
	$(Q)for t in test_cron_zones test_cron test_cronworkflow; do TIDEGATE_FULL=1 $(B)/unit/$$t >$(B)/schedules.log 2>&1 || { cat $(B)/schedules.log; exit 1; }; \
		grep -E '^[0-9]+ |PASSED' $(B)/schedules.log; done
	$(Q)TIDEGATE=$(CURDIR)/$(B)/tidegate TIDEGATE_FULL=1 python3 tests/tools/run-integration.py -v test_cron.

# make oracle: the vectors made anew with the real implementations, compared with those in tests/vectors; needs go and its modules
oracle:
	$(Q)sh tests/tools/oracle.sh $(B)/oracle

# make fuzz: every tests/fuzz/fuzz_*.c for FUZZ_SECONDS each; what was found before is replayed in make test
FUZZ_SECONDS ?= 20
FUZZ_SRC := $(wildcard tests/fuzz/fuzz_*.c)
FUZZ_REPLAY := $(FUZZ_SRC:tests/fuzz/%.c=$(B)/replay/%)
FUZZ_BIN := $(FUZZ_SRC:tests/fuzz/%.c=$(B)/fuzz/%)
$(B)/replay/%: tests/fuzz/%.c tests/fuzz/replay.c $(B)/lib.a
	$(call say,LD,$@) mkdir -p $(@D); $(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -MMD -MP -MF $@.d -o $@ $< tests/fuzz/replay.c $(B)/lib.a $(LIBS)
$(B)/fuzz/%: tests/fuzz/%.c $(B)/lib.a
	$(call say,LD,$@) mkdir -p $(@D); $(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -fsanitize=fuzzer -MMD -MP -MF $@.d -o $@ $< $(B)/lib.a $(LIBS)
-include $(FUZZ_REPLAY:=.d) $(FUZZ_BIN:=.d)
fuzz-replay: $(FUZZ_REPLAY)
	$(Q)sh tests/tools/run-fuzz.sh replay $(B)/replay $(FUZZ_REPLAY)
fuzz:
	$(Q)$(MAKE) CC=clang SAN=1 B=build/fuzz CFLAGS="-fsanitize=fuzzer-no-link $(CFLAGS)" fuzz-run
fuzz-run: $(FUZZ_BIN)
	$(Q)sh tests/tools/run-fuzz.sh fuzz $(B) $(FUZZ_SECONDS) $(FUZZ_BIN)

# make scenario: the engine's core against a simulated executor, in virtual time; with a crash at every commit; random workflows
SCENARIO_SRC = $(wildcard tests/scenario/*.c)
$(B)/scenario-runner: $(SCENARIO_SRC) $(wildcard tests/scenario/*.h) $(B)/lib.a
	$(call say,LD,$@) mkdir -p $(@D); $(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $(SCENARIO_SRC) $(B)/lib.a $(LIBS)
scenario: $(B)/scenario-runner
	$(Q)python3 tests/scenario/check-rules.py
	$(Q)$< tests/scenario/*.yaml && $< --crash-at-every-commit tests/scenario/*.yaml
	$(Q)for n in 1 3; do $< --calls $$n tests/scenario/*.yaml && $< --calls $$n --crash-at-every-commit tests/scenario/*.yaml || exit 1; done
	$(Q)python3 tests/model/check.py $< --seeds 30 && python3 tests/model/check.py $< --seeds 8 --first 100 --crash

# make model SEEDS=10000: random workflows, so many of each family, through the engine and through a model of it (tests/model)
# both come to the same, also when the process dies at each commit
SEEDS = 2000
model: $(B)/scenario-runner
	$(Q)python3 tests/model/check.py $< --seeds $(SEEDS) --crash

# what lint says of the manifests in tests/lint; make lint-golden writes what it says now as what it should say
lint-test: all
	$(Q)sh tests/tools/run-lint.sh check $(B)/tidegate
lint-golden: all
	$(Q)sh tests/tools/run-lint.sh golden $(B)/tidegate

# make conformance CASES=DIR: manifests people already have, judged (tests/conformance/run.py says how)
CASES ?= ../shared/conformance
conformance: all $(B)/images.yaml
	$(Q)test ! -f $(CASES)/events/filters.jsonl || $(B)/tidegate test $(CASES)/events/filters.jsonl
	$(Q)python3 tests/conformance/run.py $(CASES) --binary $(B)/tidegate --config $(B)/images.yaml -j2 $(CONFORMANCE)
$(B)/images.yaml: tests/images/settings.sh
	$(Q)mkdir -p $(@D); sh $< >$@

# quickest first
test: layers unit scenario docs-fresh fuzz-replay lint-test cli-test

# the kind of source that docs/new-source.md shows, in a daemon of its own: for the test of that page
NEW_SOURCE = $(B)/new-source
new-source: all
	$(Q)mkdir -p $(NEW_SOURCE)/sources
	$(Q)awk '/^```c$$/ { on = 1; next } /^```/ { on = 0 } on' docs/new-source.md >$(NEW_SOURCE)/udp.c
	$(Q)cp sources/sources.def $(NEW_SOURCE)/sources/; echo 'SOURCE(udp)' >>$(NEW_SOURCE)/sources/sources.def
	$(Q)$(CC) -I$(NEW_SOURCE) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $(NEW_SOURCE)/tidegate $(NEW_SOURCE)/udp.c sources/eventsource.c $(B)/cli/main.o $(B)/lib.a $(LIBS)
	$(Q)ln -sf $(CURDIR)/$(B)/tidegate-step $(CURDIR)/$(B)/tidegate-jq $(CURDIR)/$(B)/tidegate-artifact $(NEW_SOURCE)/

# make integration: what needs more time, and the counterparts that are not Debian packages
integration: all build/npm/.installed build/hera/.installed build/kafka/.installed build/s3/.installed build/sqs/.installed build/moto/.installed build/azurite/.installed build/pubsub/.installed build/signers/.installed \
             build/hdfs/.installed build/minio/.installed build/nsq/.installed build/gcs/.installed $(B)/unit/test_cron_zones
	$(Q)TIDEGATE_FULL=1 sh tests/tools/run-unit.sh $(B)/unit/test_cron_zones
	$(Q)TIDEGATE=$(CURDIR)/$(B)/tidegate TIDEGATE_FULL=1 python3 tests/tools/run-integration.py $(if $(V),-v)
# pinned by hash in the lock file; goes into build/, never into the tree
build/npm/.installed build/azurite/.installed: build/%/.installed: tests/integration/%/package.json tests/integration/%/package-lock.json
	$(call say,NPM,$@) mkdir -p $(@D); cp $^ $(@D); npm ci --prefix $(@D) --ignore-scripts --no-audit --no-fund --silent && touch $@
build/moto/.installed build/signers/.installed build/hera/.installed: build/%/.installed: tests/integration/%/requirements.txt
	$(call say,PIP,$@) mkdir -p $(@D); python3 -m venv --clear $(@D)/env && $(@D)/env/bin/pip install -q --disable-pip-version-check --require-hashes --no-deps -r $< && touch $@
build/pubsub/.installed: $(wildcard tests/integration/pubsub/*)
	$(call say,GO,$@) mkdir -p $(@D); cd tests/integration/pubsub && go build -mod=readonly -o $(CURDIR)/$(@D)/pstest . && touch $(CURDIR)/$@
# seven minutes of a processor, once: go keeps what it has compiled
build/minio/.installed: $(wildcard tests/integration/minio/*)
	$(call say,GO,$@) mkdir -p $(@D); cd tests/integration/minio && go build -mod=readonly -trimpath -ldflags '-s -w' -o $(CURDIR)/$(@D)/minio github.com/minio/minio && touch $(CURDIR)/$@
build/gcs/.installed: $(wildcard tests/integration/gcs/*)
	$(call say,GO,$@) mkdir -p $(@D); cd tests/integration/gcs && go build -mod=readonly -trimpath -ldflags '-s -w' -o $(CURDIR)/$(@D)/fake-gcs-server \
		github.com/fsouza/fake-gcs-server && touch $(CURDIR)/$@
build/nsq/.installed: $(wildcard tests/integration/nsq/*)
	$(call say,GO,$@) mkdir -p $(@D); cd tests/integration/nsq && go build -mod=readonly -o $(CURDIR)/$(@D)/ github.com/nsqio/nsq/apps/nsqd github.com/nsqio/nsq/apps/nsqlookupd && \
		touch $(CURDIR)/$@
# a Kafka broker, an S3 server and a server of SQS
build/%/.installed: tests/integration/%/pom.xml
	$(call say,MVN,$@) mkdir -p $(@D); mvn -q -B -f $< dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory=$(CURDIR)/$(@D)/libs && touch $@
# make check: test, and what else must hold before anything lands
check: test lint
layers:
	$(Q)sh tests/tools/layers.sh
cli-test: all
	$(Q)TIDEGATE=$(CURDIR)/$(B)/tidegate python3 tests/tools/run-integration.py $(if $(V),-v)

# make docs: docs/reference from the tables; make test fails if it is stale
$(B)/reference: tests/tools/reference.c $(B)/lib.a
	$(call say,LD,$@) mkdir -p $(@D); $(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $< $(B)/lib.a $(LIBS)
docs: $(B)/reference
	$(Q)$< docs/reference
docs-fresh: $(B)/reference
	$(Q)rm -rf $(B)/docs; $< $(B)/docs && diff -ru docs/reference $(B)/docs || { echo "docs/reference is stale: run make docs" >&2; exit 1; }

# make bench: each measure beside its limit or peer, as a ratio (BENCH="ingest react": only these)
BENCH_BIN = $(patsubst bench/%.c,$(B)/bench/%,$(wildcard bench/*.c))
$(B)/bench/%: bench/%.c $(B)/lib.a
	$(call say,LD,$@) mkdir -p $(@D); $(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $< $(B)/lib.a $(LIBS) $(LIBS_bench_$*)
LIBS_bench_json = -ljansson
LIBS_bench_mqtt_bare = -lpaho-mqtt3c
LIBS_bench_kafka = -lrdkafka
$(B)/bench/mark: bench/mark.c
	$(call say,LD,$@) mkdir -p $(@D); $(CC) -std=gnu17 -D_GNU_SOURCE $(WARN) -O2 -static -o $@ $<
# make bench-json: reading JSON, against jansson
bench-json: $(B)/bench/json
	$(Q)$<
bench: all $(BENCH_BIN)
	$(Q)TIDEGATE=$(CURDIR)/$(B)/tidegate BENCH_BIN=$(CURDIR)/$(B)/bench python3 bench/run.py $(BENCH)

demo: all
	$(Q)TIDEGATE=$(CURDIR)/$(B)/tidegate sh examples/git-push/demo.sh

# make tsan: the parts with more than one thread under ThreadSanitizer
tsan:
	$(Q)$(MAKE) SAN=thread UNIT_SRC="$(wildcard tests/unit/test_loop*.c tests/unit/test_store*.c tests/unit/test_peer.c tests/unit/test_feed.c tests/unit/test_aside.c)" unit

# make lint: static analysis; make format: lines that are changed and not committed, in the layout of .clang-format (tables are laid out by hand)
LINT_SRC = $(LIB_SRC) cli/main.c $(HELPER_SRC)
lint:
	$(Q)printf '%s\n' $(LINT_SRC) | xargs -P2 -n8 sh -c 'clang-tidy --quiet "$$@" -- -std=gnu17 -D_GNU_SOURCE -I. $(PKG_CFLAGS) 2>/dev/null' lint
	$(Q)cppcheck --quiet --std=c11 --enable=warning,portability --inline-suppr --suppressions-list=tests/tools/cppcheck.txt --error-exitcode=1 -I. core config bus sources sensors triggers engine api cli
format:
	$(Q)git clang-format --quiet --extensions c,h HEAD

# make install DESTDIR= PREFIX=/usr/local
install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/libexec/tidegate $(DESTDIR)$(PREFIX)/share/tidegate
	install -m 755 $(B)/tidegate $(DESTDIR)$(PREFIX)/bin/tidegate
	install -m 755 $(B)/tidegate-step $(DESTDIR)$(PREFIX)/libexec/tidegate/tidegate-step
	install -m 755 $(B)/tidegate-artifact $(DESTDIR)$(PREFIX)/libexec/tidegate/tidegate-artifact
	install -m 755 $(B)/tidegate-jq $(DESTDIR)$(PREFIX)/libexec/tidegate/tidegate-jq
	cp -R examples $(DESTDIR)$(PREFIX)/share/tidegate/

clean:
	rm -rf build tidegate tidegate-step tidegate-jq tidegate-artifact

help:
	@sed -n 's/^# make /make /p' Makefile

.PHONY: new-source model bench-json schedules oracle lint-test lint-golden fuzz fuzz-run fuzz-replay all deps unit test check integration conformance layers cli-test bench demo lint tsan format install clean help docs docs-fresh
