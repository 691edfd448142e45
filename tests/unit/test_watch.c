/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names and looks: what is announced, when, and what a restart makes of it. The framework that source.h promises is played here: events
 * are lines of a text, rows a list that outlives the set, and both are counted as of one transaction.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/log.h"
#include "core/map.h"
#include "sources/watch.h"

static const int64_t start_of_time = 1784109600 * NS_PER_SEC;

struct row {
	str key, value;
};
struct source {
	struct loop *loop;
	bool paused;
	int until_paused; /* events until the bus is full; 0: never */
	struct buf events;
	VEC(struct row) rows;
	int transactions;
	int64_t read_fails;
};

struct world {
	struct source source;
	struct arena *arena;
	struct watch *watch;
	struct watch_look *look;
	struct kvs metadata;
	struct watch_options options;
	int idle;
	bool is_ready;
};

/* ---- the framework ------------------------------------------------------------------------------------------------- */

struct loop *source_loop(const struct source *s) { return s->loop; }
bool source_is_paused(const struct source *s) { return s->paused; }
/* For the server of webhooks, which comes along with the text of metadata. */
str source_ns(const struct source *s UNUSED) { return STR_NONE; }
str source_name(const struct source *s UNUSED) { return STR_NONE; }
str source_event_name(const struct source *s UNUSED) { return STR_NONE; }
struct sources *source_owner(const struct source *s UNUSED) { return NULL; }
struct webhook_servers *sources_webhooks(struct sources *ss UNUSED) { return NULL; }
void source_set_url(struct source *s UNUSED, str url UNUSED) { }
void source_count_failure(struct source *s UNUSED) { }
int
source_secret(struct source *s UNUSED, const struct secret_ref *ref UNUSED, struct arena *a UNUSED, str *out UNUSED, struct err *e)
{
	return err_set(e, ERR_NOT_FOUND, "there are no secrets");
}

void
source_emit(struct source *s, struct event *ev, void *token UNUSED)
{
	assert_false(s->paused);
	buf_add(&s->events, ev->data);
	buf_addc(&s->events, '\n');
	event_unref(ev);
	if (s->until_paused && --s->until_paused == 0)
		s->paused = true;
}

static void
set_row(struct source *s, const struct source_row *r)
{
	size_t i = 0;
	while (i < s->rows.n && !str_eq(s->rows.p[i].key, r->key))
		i++;
	if (i < s->rows.n) {
		str_disown(s->rows.p[i].key);
		str_disown(s->rows.p[i].value);
		s->rows.p[i] = s->rows.p[--s->rows.n];
	}
	if (r->value.p)
		*VEC_PUSH(&s->rows) = (struct row){ str_own(r->key), str_own(r->value) };
}

static void
clear_rows(struct source *s)
{
	for (size_t i = 0; i < s->rows.n; i++) {
		str_disown(s->rows.p[i].key);
		str_disown(s->rows.p[i].value);
	}
	VEC_FREE(&s->rows);
}

void
source_write_rows(struct source *s, bool anew, const struct source_row *rows, size_t n)
{
	s->transactions += anew || n;
	if (anew)
		clear_rows(s);
	for (size_t i = 0; i < n; i++)
		set_row(s, &rows[i]);
}

static int
by_key(const void *a, const void *b)
{
	return str_cmp(((const struct source_row *)a)->key, ((const struct source_row *)b)->key);
}

void
source_read_rows(struct source *s, void (*done)(void *arg, const struct source_row *rows, size_t n, const struct err *e), void *arg)
{
	struct source_row *rows = mem_alloc((s->rows.n + 1) * sizeof *rows);
	for (size_t i = 0; i < s->rows.n; i++)
		rows[i] = (struct source_row){ s->rows.p[i].key, s->rows.p[i].value };
	qsort(rows, s->rows.n, sizeof *rows, by_key);
	done(arg, rows, s->rows.n, NULL);
	free(rows);
}

/* ---- the world ----------------------------------------------------------------------------------------------------- */

static void
on_idle(void *arg)
{
	((struct world *)arg)->idle++;
}

static void
on_ready(void *arg, const struct err *e)
{
	assert_null(e);
	((struct world *)arg)->is_ready = true;
}

/* As a daemon that has just been started. */
static void
begin(struct world *w)
{
	struct err e;
	watch_free(w->watch);
	assert_int_equal(watch_match_new(STR_NONE, S("."), &w->options.match, &e), 0);
	w->watch = watch_new(&w->source, &w->options, on_idle, w);
	w->is_ready = false;
	watch_load(w->watch, on_ready);
	assert_true(w->is_ready);
}

static void
set(struct world *w, const char *type, unsigned rules, dur settle)
{
	w->options = (struct watch_options){ .directory = S("/in"), .place = S("there"), .type = str_c(type), .metadata = &w->metadata,
	                                     .rules = rules, .settle_ns = settle.ns };
	begin(w);
}

static int
setup(void **state)
{
	struct world *w = MEM_NEW(struct world);
	log_setup(LOG_ERROR, LOG_LOGFMT);
	w->arena = arena_new();
	w->source.loop = loop_new();
	loop_set_clock(w->source.loop, start_of_time);
	*state = w;
	return 0;
}

static int
teardown(void **state)
{
	struct world *w = *state;
	watch_free(w->watch);
	watch_look_free(w->look);
	clear_rows(&w->source);
	buf_free(&w->source.events);
	loop_free(w->source.loop);
	arena_free(w->arena);
	free(w);
	return 0;
}

static void
settle(struct world *w)
{
	for (int i = 0; i < 20; i++)
		loop_turn(w->source.loop, 0);
}

static void
pass(struct world *w, int64_t seconds)
{
	loop_set_clock(w->source.loop, loop_now(w->source.loop) + seconds * NS_PER_SEC);
	settle(w);
}

static struct watch_seen
file(const char *name, uint64_t id, int64_t size, int64_t mtime, enum watch_complete complete)
{
	return (struct watch_seen){ .name = str_c(name), .complete = complete,
	                            .stamp = { .id = id, .size = size, .mtime = mtime, .ctime = mtime, .mode = 0100644 } };
}

static void
sees(struct world *w, const char *name, uint64_t id, int64_t size, int64_t mtime, enum watch_complete complete)
{
	struct watch_seen seen = file(name, id, size, mtime, complete);
	struct err e;
	if (!w->look)
		w->look = watch_look_new();
	assert_int_equal(watch_look_add(w->look, &seen, &e), 0);
}

/* The look is over: what it announces. */
static void
compare(struct world *w)
{
	if (!w->look)
		w->look = watch_look_new();
	watch_compare(w->watch, w->look);
	w->look = NULL;
	settle(w);
}

static void
tell(struct world *w, enum watch_fact fact, struct watch_seen seen, bool is_there, bool maybe_old)
{
	struct err e;
	assert_int_equal(watch_tell(w->watch, fact, seen.name, is_there ? &seen : NULL, maybe_old, &e), 0);
	watch_announce(w->watch);
	settle(w);
}

/* What was announced since the last time: "op name" each, with spaces between. */
static void
assert_announced(struct world *w, const char *want)
{
	struct buf got CLEANUP(free_buf) = { 0 };
	str rest = buf_str(&w->source.events);
	while (rest.n) {
		str line = str_cut(&rest, '\n');
		struct val v;
		struct err e;
		assert_int_equal(json_read(w->arena, line, &v, &e), 0);
		str name = val_text(val_get(&v, S("name")));
		str op = val_text(val_get(&v, S("op")));
		buf_addf(&got, "%s%.*s %.*s", got.n ? " " : "", STR_ARG(op), STR_ARG(name));
	}
	w->source.events.n = 0;
	if (!str_eq(buf_str(&got), str_c(want)))
		fail_msg("announced \"%.*s\", not \"%s\"", STR_ARG(buf_str(&got)), want);
}

#define ALL "CREATE|WRITE|REMOVE|RENAME|CHMOD"
static const dur at_once = { 0 }, ten_seconds = { 10 * NS_PER_SEC };

/* ---- words --------------------------------------------------------------------------------------------------------- */

static void
test_types(void **state UNUSED)
{
	str unknown;
	assert_int_equal(watch_ops(S("CREATE|WRITE"), &unknown), 3);
	assert_null(unknown.p);
	assert_int_equal(watch_ops(S("REMOVE|RENAME|CHMOD"), &unknown), 28);
	assert_int_equal(watch_ops(S("CREATE|create"), &unknown), 1);
	assert_true(str_eq(unknown, S("create")));
}

static void
test_directories_are_cleaned_as_in_go(void **state)
{
	struct world *w = *state;
	static const char *const cases[][2] = { { "/in/", "/in" }, { "/", "/" }, { "//a//b/./c/", "/a/b/c" }, { "/a/b/../c", "/a/c" },
		{ "/..", "/" }, { "/a/..", "/" }, { "/a/../../b", "/b" }, { "/...", "/..." } };
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_true(str_eq(watch_clean(w->arena, str_c(cases[i][0])), str_c(cases[i][1])));
}

static void
test_a_path_may_have_directories(void **state)
{
	struct world *w = *state;
	str name;
	assert_true(str_eq(watch_place(w->arena, S("/in/"), S("x"), &name), S("/in")) && str_eq(name, S("x")));
	assert_true(str_eq(watch_place(w->arena, S("/in"), S("./a//b/x"), &name), S("/in/a/b")) && str_eq(name, S("x")));
	assert_true(str_eq(watch_place(w->arena, S("/"), S("x"), &name), S("/")) && str_eq(name, S("x")));
	assert_true(str_eq(watch_place(w->arena, S("/in//"), STR_NONE, &name), S("/in")) && !name.p);
}

static void
test_matches(void **state UNUSED)
{
	struct watch_match *m;
	struct err e;
	assert_int_equal(watch_match_new(S("a.txt"), STR_NONE, &m, &e), 0);
	assert_int_equal(watch_matches(m, S("a.txt"), &e), 1);
	assert_int_equal(watch_matches(m, S("xa.txt"), &e), 0);
	watch_match_unref(m);
	assert_int_equal(watch_match_new(STR_NONE, S("b+\\.csv"), &m, &e), 0);
	assert_int_equal(watch_matches(m, S("abb.csv.gz"), &e), 1);
	assert_int_equal(watch_matches(m, S("a.csv"), &e), 0);
	watch_match_unref(m);
	assert_int_equal(watch_match_new(STR_NONE, S("("), &m, &e), -1);
	assert_int_equal(e.code, ERR_INVALID);
}

/* ---- looks --------------------------------------------------------------------------------------------------------- */

static void
test_what_is_there_at_first_is_known(void **state)
{
	struct world *w = *state;
	set(w, ALL, 0, at_once);
	sees(w, "old", 1, 5, 1, WATCH_COMPLETE);
	compare(w);
	assert_announced(w, "");
	sees(w, "old", 1, 5, 1, WATCH_COMPLETE);
	sees(w, "new", 2, 5, 1, WATCH_COMPLETE);
	compare(w);
	assert_announced(w, "1 /in/new");
	assert_int_equal(watch_count(w->watch), 2);
}

static void
test_first_look_as_news(void **state)
{
	struct world *w = *state;
	set(w, ALL, WATCH_FIRST_IS_NEWS, at_once);
	sees(w, "b", 1, 5, 1, WATCH_COMPLETE);
	sees(w, "a", 2, 5, 1, WATCH_COMPLETE);
	compare(w);
	assert_announced(w, "1 /in/a 1 /in/b");
	begin(w);
	sees(w, "a", 2, 5, 1, WATCH_COMPLETE);
	sees(w, "b", 1, 5, 1, WATCH_COMPLETE);
	compare(w);
	assert_announced(w, "");
}

static void
test_changes(void **state)
{
	struct world *w = *state;
	set(w, ALL, 0, at_once);
	sees(w, "gone", 1, 5, 1, WATCH_COMPLETE);
	sees(w, "written", 2, 5, 1, WATCH_COMPLETE);
	sees(w, "moved", 3, 5, 7, WATCH_COMPLETE);
	sees(w, "replaced", 4, 5, 1, WATCH_COMPLETE);
	compare(w);
	sees(w, "written", 2, 5, 2, WATCH_COMPLETE);
	sees(w, "there", 3, 5, 7, WATCH_COMPLETE);
	sees(w, "replaced", 1, 6, 2, WATCH_COMPLETE); /* by a file with the id of the one that is gone */
	compare(w);
	assert_announced(w, "4 /in/gone 8 /in/moved 1 /in/there 3 /in/replaced 2 /in/written");
	assert_int_equal(watch_count(w->watch), 3);
}

static void
test_an_id_that_is_used_again_is_no_rename(void **state)
{
	struct world *w = *state;
	set(w, ALL, 0, at_once);
	sees(w, "a", 1, 5, 1, WATCH_COMPLETE);
	compare(w);
	sees(w, "b", 1, 5, 2, WATCH_COMPLETE);
	compare(w);
	assert_announced(w, "4 /in/a 1 /in/b");
}

static void
test_two_names_of_a_file_become_one(void **state)
{
	struct world *w = *state;
	set(w, ALL, 0, at_once);
	sees(w, "a", 1, 5, 1, WATCH_COMPLETE);
	sees(w, "b", 1, 5, 1, WATCH_COMPLETE);
	compare(w);
	sees(w, "c", 1, 5, 1, WATCH_COMPLETE);
	compare(w);
	assert_announced(w, "8 /in/a 1 /in/c 4 /in/b");
}

static void
test_permissions(void **state)
{
	struct world *w = *state;
	set(w, ALL, 0, at_once);
	sees(w, "a", 1, 5, 1, WATCH_COMPLETE);
	compare(w);
	struct watch_seen seen = file("a", 1, 5, 1, WATCH_COMPLETE);
	seen.stamp.mode = 0100600;
	struct err e;
	w->look = watch_look_new();
	assert_int_equal(watch_look_add(w->look, &seen, &e), 0);
	compare(w);
	assert_announced(w, "16 /in/a");
}

static void
test_only_what_was_asked_for(void **state)
{
	struct world *w = *state;
	set(w, "WRITE", WATCH_CONTENT_WRITTEN, at_once);
	compare(w);
	sees(w, "empty", 1, 0, 1, WATCH_COMPLETE);
	sees(w, "full", 2, 5, 1, WATCH_COMPLETE);
	compare(w);
	assert_announced(w, "2 /in/full");
	compare(w);
	assert_announced(w, "");
	begin(w);
	sees(w, "empty", 1, 0, 1, WATCH_COMPLETE);
	compare(w);
	assert_announced(w, "");
}

static void
test_rules_of_hdfs(void **state)
{
	struct world *w = *state;
	set(w, "RENAME|CREATE", WATCH_RENAMED_TO | WATCH_ALL_OPS | WATCH_FIRST_IS_NEWS, at_once);
	sees(w, "d/a", 1, 5, 1, WATCH_COMPLETE);
	compare(w);
	assert_announced(w, "1 /in/d/a");
	sees(w, "e/b", 1, 5, 1, WATCH_COMPLETE);
	compare(w);
	assert_announced(w, "8 /in/e/b");
}

static void
test_rules_of_sftp(void **state)
{
	struct world *w = *state;
	set(w, "CREATE|REMOVE", WATCH_CHANGE_CREATES, at_once);
	w->options.directory = STR_NONE;
	begin(w);
	compare(w);
	sees(w, "a", 0, 5, 1, WATCH_COMPLETE);
	compare(w);
	sees(w, "a", 0, 6, 1, WATCH_COMPLETE);
	compare(w);
	compare(w);
	assert_announced(w, "1 a 1 a 4 a");
}

static void
test_held_until_it_looks_the_same(void **state)
{
	struct world *w = *state;
	set(w, ALL, WATCH_CONTENT_WRITTEN, ten_seconds);
	compare(w);
	for (int size = 1; size < 4; size++) {
		sees(w, "a", 1, size, size, WATCH_NOT_SURE);
		compare(w);
		pass(w, 9);
	}
	assert_announced(w, "");
	assert_int_equal(watch_held(w->watch), 1);
	sees(w, "a", 1, 3, 3, WATCH_NOT_SURE);
	compare(w);
	assert_announced(w, "");
	pass(w, 1);
	sees(w, "a", 1, 3, 3, WATCH_NOT_SURE);
	compare(w);
	assert_announced(w, "3 /in/a");
	assert_int_equal(watch_held(w->watch), 0);
}

static void
test_held_as_long_as_it_has_a_writer(void **state)
{
	struct world *w = *state;
	set(w, ALL, 0, ten_seconds);
	compare(w);
	for (int i = 0; i < 5; i++) {
		sees(w, "a", 1, 3, 3, WATCH_INCOMPLETE);
		compare(w);
		pass(w, 60);
	}
	assert_announced(w, "");
	sees(w, "a", 1, 3, 3, WATCH_COMPLETE);
	compare(w);
	assert_announced(w, "1 /in/a");
}

static void
test_held_and_gone_again(void **state)
{
	struct world *w = *state;
	set(w, ALL, 0, ten_seconds);
	compare(w);
	sees(w, "a", 1, 3, 3, WATCH_INCOMPLETE);
	compare(w);
	compare(w);
	assert_announced(w, "");
	assert_int_equal(watch_count(w->watch), 0);
	assert_int_equal(watch_held(w->watch), 0);
}

/* ---- restarts ------------------------------------------------------------------------------------------------------ */

static void
test_what_came_while_down_is_announced_once(void **state)
{
	struct world *w = *state;
	set(w, ALL, 0, at_once);
	sees(w, "old", 1, 5, 1, WATCH_COMPLETE);
	sees(w, "gone", 2, 5, 1, WATCH_COMPLETE);
	compare(w);
	for (int i = 0; i < 2; i++) {
		begin(w);
		sees(w, "old", 1, 5, 1, WATCH_COMPLETE);
		sees(w, "new", 3, 5, 1, WATCH_COMPLETE);
		compare(w);
		assert_announced(w, i ? "" : "4 /in/gone 1 /in/new");
	}
}

static void
test_what_was_not_announced_yet_comes_after_a_restart(void **state)
{
	struct world *w = *state;
	set(w, ALL, 0, at_once);
	compare(w);
	w->source.until_paused = 2;
	for (int i = 0; i < 2; i++) {
		sees(w, "a", 1, 5, 1, WATCH_COMPLETE);
		sees(w, "b", 2, 5, 1, WATCH_COMPLETE);
		sees(w, "c", 3, 5, 1, WATCH_COMPLETE);
		compare(w);
		assert_announced(w, i ? "1 /in/c" : "1 /in/a 1 /in/b");
		w->source.paused = false;
		begin(w);
	}
}

static void
test_another_place_begins_anew(void **state)
{
	struct world *w = *state;
	set(w, ALL, 0, at_once);
	sees(w, "a", 1, 5, 1, WATCH_COMPLETE);
	compare(w);
	w->options.place = S("elsewhere");
	begin(w);
	sees(w, "b", 1, 5, 1, WATCH_COMPLETE);
	compare(w);
	assert_announced(w, "");
	begin(w);
	compare(w);
	assert_announced(w, "4 /in/b");
}

static void
test_a_text_is_kept_beside_the_names(void **state)
{
	struct world *w = *state;
	set(w, ALL, 0, at_once);
	assert_null(watch_kept(w->watch).p);
	watch_keep(w->watch, S("key"));
	sees(w, "a", 1, 5, 1, WATCH_COMPLETE);
	compare(w);
	begin(w);
	assert_true(str_eq(watch_kept(w->watch), S("key")));
	assert_int_equal(watch_count(w->watch), 1);
	/* Also where another set begins. */
	w->options.place = S("elsewhere");
	begin(w);
	compare(w);
	begin(w);
	assert_true(str_eq(watch_kept(w->watch), S("key")));
	assert_int_equal(watch_count(w->watch), 0);
}

/* ---- portions ------------------------------------------------------------------------------------------------------ */

static void
test_a_full_bus_is_waited_for(void **state)
{
	struct world *w = *state;
	set(w, ALL, 0, at_once);
	compare(w);
	int idle = w->idle;
	w->source.until_paused = 1;
	sees(w, "a", 1, 5, 1, WATCH_COMPLETE);
	sees(w, "b", 2, 5, 1, WATCH_COMPLETE);
	compare(w);
	assert_announced(w, "1 /in/a");
	assert_false(watch_is_idle(w->watch));
	assert_int_equal(w->idle, idle);
	w->source.paused = false;
	watch_resume(w->watch);
	settle(w);
	assert_announced(w, "1 /in/b");
	assert_int_equal(w->idle, idle + 1);
}

static void
test_many_come_in_portions(void **state)
{
	struct world *w = *state;
	char name[32];
	set(w, ALL, 0, at_once);
	compare(w);
	int before = w->source.transactions;
	for (int i = 0; i < 10 * WATCH_PORTION; i++) {
		snprintf(name, sizeof name, "%06d", i);
		sees(w, name, (uint64_t)i + 1, 5, 1, WATCH_COMPLETE);
	}
	compare(w);
	assert_int_equal(w->source.transactions - before, 10);
	assert_int_equal(w->source.rows.n, 10 * WATCH_PORTION + 1);
}

static void
test_names_are_limited(void **state)
{
	struct world *w = *state;
	struct err e;
	char name[32];
	struct watch_look *k = watch_look_new();
	for (int i = 0; i <= WATCH_NAMES_MAX; i++) {
		snprintf(name, sizeof name, "%d", i);
		struct watch_seen seen = file(name, (uint64_t)i + 1, 5, 1, WATCH_COMPLETE);
		assert_int_equal(watch_look_add(k, &seen, &e), i == WATCH_NAMES_MAX ? -1 : 0);
	}
	assert_int_equal(e.code, ERR_LIMIT);
	watch_look_free(k);
	k = watch_look_new();
	for (int i = 0; i <= WATCH_ENTRIES_MAX; i++)
		assert_int_equal(watch_look_count(k, &e), i == WATCH_ENTRIES_MAX ? -1 : 0);
	assert_int_equal(e.code, ERR_LIMIT);
	struct watch_seen seen = { .name = { arena_alloc(w->arena, WATCH_NAME_MAX + 1, 1), WATCH_NAME_MAX + 1 } };
	assert_int_equal(watch_look_add(k, &seen, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	watch_look_free(k);
}

/* ---- what the kernel says ------------------------------------------------------------------------------------------ */

static void
test_a_file_is_announced_when_it_is_closed(void **state)
{
	struct world *w = *state;
	set(w, ALL, WATCH_CONTENT_WRITTEN, ten_seconds);
	compare(w);
	tell(w, WATCH_MADE, file("a", 1, 0, 1, WATCH_NOT_SURE), true, false);
	assert_announced(w, "");
	tell(w, WATCH_CLOSED, file("a", 1, 9, 2, WATCH_NOT_SURE), true, false);
	assert_announced(w, "3 /in/a");
	tell(w, WATCH_CLOSED, file("a", 1, 9, 2, WATCH_NOT_SURE), true, false);
	assert_announced(w, ""); /* nothing was written */
	tell(w, WATCH_CLOSED, file("a", 1, 10, 3, WATCH_NOT_SURE), true, false);
	assert_announced(w, "2 /in/a");
	tell(w, WATCH_DELETED, file("a", 0, 0, 0, WATCH_NOT_SURE), false, false);
	assert_announced(w, "4 /in/a");
	assert_int_equal(watch_count(w->watch), 0);
}

static void
test_gone_before_it_was_looked_at(void **state)
{
	struct world *w = *state;
	set(w, ALL, WATCH_CONTENT_WRITTEN, ten_seconds);
	compare(w);
	struct watch_seen a = file("a", 0, 0, 0, WATCH_NOT_SURE);
	tell(w, WATCH_MADE, a, false, false);
	tell(w, WATCH_CLOSED, a, false, false);
	tell(w, WATCH_DELETED, a, false, false);
	tell(w, WATCH_CLOSED, a, false, false); /* by a writer that had it open when it was deleted */
	assert_announced(w, "1 /in/a 4 /in/a");
	begin(w);
	compare(w);
	assert_announced(w, "");
}

static void
test_moves(void **state)
{
	struct world *w = *state;
	set(w, ALL, WATCH_CONTENT_WRITTEN, ten_seconds);
	sees(w, "a", 1, 5, 1, WATCH_COMPLETE);
	sees(w, "over", 2, 5, 1, WATCH_COMPLETE);
	compare(w);
	tell(w, WATCH_MOVED_OUT, file("a", 0, 0, 0, WATCH_NOT_SURE), false, false);
	tell(w, WATCH_MOVED_IN, file("b", 1, 5, 1, WATCH_NOT_SURE), true, false);
	tell(w, WATCH_MOVED_IN, file("over", 3, 0, 1, WATCH_NOT_SURE), true, false);
	tell(w, WATCH_MOVED_IN, file("empty", 4, 0, 1, WATCH_NOT_SURE), true, false);
	assert_announced(w, "8 /in/a 3 /in/b 3 /in/over 1 /in/empty");
}

static void
test_what_a_look_has_seen_is_not_told_again(void **state)
{
	struct world *w = *state;
	set(w, ALL, WATCH_CONTENT_WRITTEN, ten_seconds);
	compare(w);
	sees(w, "a", 1, 5, 1, WATCH_COMPLETE);
	compare(w);
	assert_announced(w, "3 /in/a");
	struct watch_seen a = file("a", 1, 5, 1, WATCH_NOT_SURE);
	a.young = true;
	tell(w, WATCH_DELETED, a, true, true); /* of the one that had the name before */
	tell(w, WATCH_MADE, a, true, true);
	tell(w, WATCH_CLOSED, a, true, true);
	assert_announced(w, "");
	tell(w, WATCH_CLOSED, a, true, false); /* a second write, so soon that no time shows it */
	assert_announced(w, "2 /in/a");
}

static void
test_made_anew_behind_a_look(void **state)
{
	struct world *w = *state;
	set(w, ALL, WATCH_CONTENT_WRITTEN, ten_seconds);
	sees(w, "a", 1, 5, 1, WATCH_COMPLETE);
	compare(w);
	/* Deleted and made again before the queue was read. */
	struct watch_seen now = file("a", 1, 6, 2, WATCH_NOT_SURE);
	tell(w, WATCH_DELETED, now, true, false);
	tell(w, WATCH_MADE, now, true, false);
	tell(w, WATCH_CLOSED, now, true, false);
	assert_announced(w, "4 /in/a 3 /in/a");
}

static void
test_nobody_closes_it(void **state)
{
	struct world *w = *state;
	set(w, ALL, 0, ten_seconds);
	compare(w);
	tell(w, WATCH_MADE, file("a", 1, 5, 1, WATCH_NOT_SURE), true, false);
	tell(w, WATCH_STILL, file("a", 1, 5, 1, WATCH_INCOMPLETE), true, false);
	pass(w, 60);
	tell(w, WATCH_STILL, file("a", 1, 5, 1, WATCH_INCOMPLETE), true, false);
	assert_announced(w, "");
	tell(w, WATCH_STILL, file("a", 1, 5, 1, WATCH_COMPLETE), true, false);
	assert_announced(w, "1 /in/a");
	tell(w, WATCH_MADE, file("b", 2, 5, 1, WATCH_NOT_SURE), true, false);
	tell(w, WATCH_STILL, file("b", 2, 5, 1, WATCH_NOT_SURE), true, false);
	assert_announced(w, "");
	pass(w, 10);
	tell(w, WATCH_STILL, file("b", 2, 5, 1, WATCH_NOT_SURE), true, false);
	assert_announced(w, "1 /in/b");
}

static void
test_at_once(void **state)
{
	struct world *w = *state;
	set(w, ALL, WATCH_AT_ONCE, ten_seconds);
	compare(w);
	tell(w, WATCH_MADE, file("a", 1, 5, 1, WATCH_NOT_SURE), true, false);
	tell(w, WATCH_WRITTEN, file("a", 1, 5, 1, WATCH_NOT_SURE), true, false);
	tell(w, WATCH_WRITTEN, file("a", 1, 7, 1, WATCH_NOT_SURE), true, false);
	assert_announced(w, "1 /in/a 2 /in/a 2 /in/a");
}

static void
test_touched(void **state)
{
	struct world *w = *state;
	set(w, "CHMOD|WRITE", 0, at_once);
	sees(w, "a", 1, 5, 1, WATCH_COMPLETE);
	compare(w);
	tell(w, WATCH_TOUCHED, file("a", 1, 5, 9, WATCH_NOT_SURE), true, false);
	assert_announced(w, "16 /in/a");
	begin(w);
	sees(w, "a", 1, 5, 9, WATCH_COMPLETE);
	compare(w);
	assert_announced(w, ""); /* its new time is known */
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_types),
		TEST(test_directories_are_cleaned_as_in_go),
		TEST(test_a_path_may_have_directories),
		TEST(test_matches),
		TEST(test_what_is_there_at_first_is_known),
		TEST(test_first_look_as_news),
		TEST(test_changes),
		TEST(test_an_id_that_is_used_again_is_no_rename),
		TEST(test_two_names_of_a_file_become_one),
		TEST(test_permissions),
		TEST(test_only_what_was_asked_for),
		TEST(test_rules_of_hdfs),
		TEST(test_rules_of_sftp),
		TEST(test_held_until_it_looks_the_same),
		TEST(test_held_as_long_as_it_has_a_writer),
		TEST(test_held_and_gone_again),
		TEST(test_what_came_while_down_is_announced_once),
		TEST(test_what_was_not_announced_yet_comes_after_a_restart),
		TEST(test_another_place_begins_anew),
		TEST(test_a_text_is_kept_beside_the_names),
		TEST(test_a_full_bus_is_waited_for),
		TEST(test_many_come_in_portions),
		TEST(test_names_are_limited),
		TEST(test_a_file_is_announced_when_it_is_closed),
		TEST(test_gone_before_it_was_looked_at),
		TEST(test_moves),
		TEST(test_what_a_look_has_seen_is_not_told_again),
		TEST(test_made_anew_behind_a_look),
		TEST(test_nobody_closes_it),
		TEST(test_at_once),
		TEST(test_touched),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
