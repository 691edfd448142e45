/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plays the files of tests/cron: CronWorkflows, a clock that is set, what people do meanwhile, and what must have come of it. The members of a step are
 * in the table at the end; they happen as they are written. A workflow is called "job 10:01", by the slot in its name.
 */
#include "tests/unit/cron_world.h"

#include <glob.h>

#include "cli/files.h"

struct play {
	struct world *w;
	const char *file;
	size_t step; /* from 1 */
};

/* Ends the test, and says where. */
#define WRONG(p, fmt, ...) fail_msg("%s, step %zu: " fmt, (p)->file, (p)->step, __VA_ARGS__)

/* ---- names ----------------------------------------------------------------------------------------------------- */

/* "job-1784109660": "job 10:01", with the seconds if there are any. */
static str
called(struct arena *a, str name)
{
	size_t dash = name.n;
	int64_t slot;
	while (dash && name.p[dash - 1] != '-')
		dash--;
	if (!dash || !str_to_i64(str_slice(name, dash, name.n), &slot))
		return name;
	str time = time_rfc3339(a, slot * NS_PER_SEC);
	return arena_fmt(a, "%.*s %.*s", STR_ARG(str_slice(name, 0, dash - 1)), STR_ARG(str_slice(time, 11, slot % 60 ? 19 : 16)));
}

struct listing {
	struct arena *arena;
	struct val_list all; /* "job 10:01 Running" */
	str sought, found;   /* the name of the workflow that is called so */
};

static int
list_all(sqlite3 *db, void *arg, struct err *e)
{
	struct listing *l = arg;
	sqlite3_stmt *q = store_prepare(db, "SELECT name, phase FROM workflow ORDER BY id", e);
	while (q && sqlite3_step(q) == SQLITE_ROW) {
		str name = arena_dup(l->arena, store_text(q, 0)), short_name = called(l->arena, name);
		val_list_add(&l->all, val_str(arena_fmt(l->arena, "%.*s %.*s", STR_ARG(short_name), STR_ARG(store_text(q, 1)))));
		if (str_eq(short_name, l->sought))
			l->found = name;
	}
	if (q)
		sqlite3_reset(q);
	return q ? 0 : -1;
}

static struct listing
look(struct play *p, str sought)
{
	struct listing l = { .arena = p->w->arena, .sought = sought };
	struct err e;
	settle(p->w);
	if (store_read_now(p->w->store, list_all, &l, &e) < 0)
		WRONG(p, "%s", e.msg);
	return l;
}

static str
name_of(struct play *p, str short_name)
{
	struct listing l = look(p, short_name);
	str name = l.found;
	(void)val_list_end(&l.all, p->w->arena);
	if (!name.n)
		WRONG(p, "there is no workflow %.*s", STR_ARG(short_name));
	return name;
}

/* ---- what is done ----------------------------------------------------------------------------------------------- */

static void
set_clock(struct play *p, const struct val *v)
{
	to(p->w, str_z(p->w->arena, val_text(v)));
}

static bool
is_of(const struct val *a, const struct val *b)
{
	return str_eq(val_get_str(a, "kind"), val_get_str(b, "kind")) && str_eq(val_get_str(val_get(a, S("metadata")), "name"), val_get_str(val_get(b, S("metadata")), "name"));
}

/* A manifest takes the place of the one that is called so. */
static void
put_manifest(struct play *p, const struct val *v)
{
	struct world *w = p->w;
	size_t i = 0;
	for (; i < w->n; i++) {
		struct val before;
		struct err e;
		if (json_read(w->arena, w->manifests[i], &before, &e) == 0 && is_of(&before, v))
			break;
	}
	assert_true(i < ARRAY_LEN(w->manifests));
	put_text(w, i, json_write(w->arena, v));
}

static void
delete_cron(struct play *p, const struct val *v)
{
	struct world *w = p->w;
	if (!objects_del(w->objects, &kind_cronworkflow, S("default"), val_text(v)))
		WRONG(p, "there is no CronWorkflow %.*s", STR_ARG(val_text(v)));
	size_t kept = 0;
	for (size_t i = 0; i < w->n; i++) {
		struct val o;
		struct err e;
		assert_int_equal(json_read(w->arena, w->manifests[i], &o, &e), 0);
		if (!str_eq(val_get_str(val_get(&o, S("metadata")), "name"), val_text(v)))
			w->manifests[kept++] = w->manifests[i];
	}
	w->n = kept;
	engine_objects_changed(w->engine);
	settle(w);
}

static void
restart_at(struct play *p, const struct val *v)
{
	restart(p->w, str_z(p->w->arena, val_text(v)));
}

static void
suspend_cron(struct play *p, const struct val *v)
{
	hold(p->w, str_z(p->w->arena, val_text(v)), true);
}

static void
resume_cron(struct play *p, const struct val *v)
{
	hold(p->w, str_z(p->w->arena, val_text(v)), false);
}

static void
order(struct play *p, const struct val *v, enum verb verb)
{
	const struct verb_options o = { 0 };
	struct world *w = p->w;
	w->done = false;
	engine_verb(w->engine, verb, S("default"), name_of(p, val_text(v)), &o, answered, w);
	while (!w->done)
		loop_turn(w->loop, 10);
	settle(w);
}

static void
let_succeed(struct play *p, const struct val *v)
{
	order(p, v, VERB_RESUME);
}

static void
let_fail(struct play *p, const struct val *v)
{
	order(p, v, VERB_STOP);
}

static void
submit_by_hand(struct play *p, const struct val *v)
{
	struct world *w = p->w;
	const struct submit_options o = { .ns = S("default"), .name = S("hand") };
	const struct val *manifest;
	struct diags d;
	struct err e;
	str name;
	diags_init(&d);
	if (workflow_from_kept(w->objects, S("cronwf"), S("default"), val_text(v), w->now, w->arena, &manifest, &e) < 0 ||
		engine_submit(w->engine, manifest, &o, w->arena, &name, NULL, NULL, &d, &e) < 0)
		WRONG(p, "%s", e.msg);
	diags_free(&d);
	settle(w);
}

/* ---- what must have come of it ---------------------------------------------------------------------------------- */

static bool agrees(const struct val *want, const struct val *got, struct arena *a);

static bool
members_agree(const struct val *want, const struct val *got, struct arena *a)
{
	for (uint32_t i = 0; i < want->n; i++)
		if (!agrees(&want->members[i].value, val_get(got, val_key(&want->members[i])), a))
			return false;
	return val_is(got, VAL_MAP);
}

static bool
items_agree(const struct val *want, const struct val *got, struct arena *a)
{
	for (uint32_t i = 0; i < want->n; i++)
		if (!agrees(&want->items[i], val_at(got, i), a))
			return false;
	return val_is(got, VAL_LIST) && got->n == want->n;
}

/* A map must be among what was got, a text that begins and ends with * within it; null: there is nothing. */
static bool
agrees(const struct val *want, const struct val *got, struct arena *a)
{
	const struct val plain = val_resolve(want);
	if (plain.kind == VAL_NULL)
		return !got || got->kind == VAL_NULL;
	if (plain.kind == VAL_MAP)
		return members_agree(want, got, a);
	if (plain.kind == VAL_LIST)
		return items_agree(want, got, a);
	str text = plain.kind == VAL_STR ? val_text(want) : S("");
	if (text.n > 2 && text.p[0] == '*' && text.p[text.n - 1] == '*')
		return val_is(got, VAL_STR) && str_find(val_text(got), str_slice(text, 1, text.n - 1), 0) != SIZE_MAX;
	return got && str_eq(json_write(a, &plain), json_write(a, got));
}

static void
must_agree(struct play *p, str of, const struct val *want, const struct val *got)
{
	struct arena *a = p->w->arena;
	if (!agrees(want, got, a))
		WRONG(p, "%.*s: not %s, but %s", STR_ARG(of), json_write(a, want).p, got ? json_write(a, got).p : "nothing");
}

static void
expect_workflows(struct play *p, const struct val *v)
{
	struct listing l = look(p, STR_NONE);
	const struct val got = val_list_end(&l.all, p->w->arena);
	must_agree(p, S("workflows"), v, &got);
}

static void
expect_crons(struct play *p, const struct val *v)
{
	for (uint32_t i = 0; i < v->n; i++)
		must_agree(p, val_key(&v->members[i]), &v->members[i].value, view(p->w, str_z(p->w->arena, val_key(&v->members[i]))));
}

static void
expect_children(struct play *p, const struct val *v)
{
	struct world *w = p->w;
	for (uint32_t i = 0; i < v->n; i++) {
		struct val got;
		struct err e;
		w->done = false;
		engine_get(w->engine, S("default"), name_of(p, val_key(&v->members[i])), true, answered, w);
		while (!w->done)
			loop_turn(w->loop, 10);
		assert_int_equal(json_read(w->arena, w->answer, &got, &e), 0);
		must_agree(p, val_key(&v->members[i]), &v->members[i].value, &got);
	}
}

static void
expect_why(struct play *p, const struct val *v)
{
	for (uint32_t i = 0; i < v->n; i++) {
		const struct val got = val_cstr(explained(p->w, str_z(p->w->arena, val_key(&v->members[i]))));
		must_agree(p, val_key(&v->members[i]), &v->members[i].value, &got);
	}
}

/* As many as are named. */
static void
expect_next(struct play *p, const struct val *v)
{
	struct world *w = p->w;
	for (uint32_t i = 0; i < v->n; i++) {
		const struct val *want = &v->members[i].value;
		struct val got;
		struct err e;
		if (engine_cron_slots(w->engine, S("default"), val_key(&v->members[i]), w->now, INT64_MAX, want->n, w->arena, &got, &e) < 0)
			WRONG(p, "%s", e.msg);
		must_agree(p, val_key(&v->members[i]), want, val_get(&got, S("local")));
	}
}

/* ---- a play ----------------------------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	void (*act)(struct play *p, const struct val *v);
} members[] = {
	{ "at", set_clock },            /* the clock goes there */
	{ "restart", restart_at },      /* killed, and back at that time */
	{ "put", put_manifest },        /* a manifest comes into force, or another one of that name does */
	{ "delete", delete_cron },      /* a CronWorkflow goes */
	{ "suspend", suspend_cron },    /* a CronWorkflow, by the verb */
	{ "resume", resume_cron },
	{ "succeed", let_succeed },     /* a workflow ends so */
	{ "fail", let_fail },
	{ "submit", submit_by_hand },   /* a workflow, called hand, from a CronWorkflow */
	{ "workflows", expect_workflows }, /* all there are, with their phases */
	{ "cron", expect_crons },       /* CronWorkflows as they are shown, those members that are named */
	{ "workflow", expect_children }, /* workflows, likewise */
	{ "why", expect_why },          /* what `explain schedule` says */
	{ "next", expect_next },        /* the next slots, in their zone */
};

static void
act(struct play *p, str name, const struct val *v)
{
	for (size_t i = 0; i < ARRAY_LEN(members); i++)
		if (str_eq(name, str_c(members[i].name))) {
			members[i].act(p, v);
			return;
		}
	WRONG(p, "there is no member %.*s", STR_ARG(name));
}

static void
play_steps(struct play *p, const struct val *steps)
{
	for (uint32_t i = 0; i < steps->n; i++) {
		const struct val *step = &steps->items[i];
		p->step = i + 1;
		for (uint32_t k = 0; k < step->n; k++)
			act(p, val_key(&step->members[k]), &step->members[k].value);
	}
}

/* The first document is the play, the others are in force from its beginning. */
static void
play(void **state, const char *file)
{
	struct world *w = *state;
	struct play p = { .w = w, .file = file };
	struct diags d;
	struct err e;
	struct val *docs;
	size_t n;
	str text;
	diags_init(&d);
	if (file_read(file, w->arena, &text, &e) < 0)
		fail_msg("%s", e.msg);
	if (yaml_read_all(w->arena, str_c(file), text, NULL, &docs, &n, &d) < 0)
		fail_msg("%s: %.*s", file, STR_ARG(d.v.p[0].text));
	diags_free(&d);
	to(w, str_z(w->arena, val_get_str(&docs[0], "from")));
	for (size_t i = 1; i < n; i++)
		put_manifest(&p, &docs[i]);
	play_steps(&p, val_get(&docs[0], S("steps")));
}

static void
play_file(void **state)
{
	const char *file = *state;
	void *world;
	setup(&world);
	play(&world, file);
	teardown(&world);
}

int
main(void)
{
	glob_t found;
	if (glob("tests/cron/*.yaml", 0, NULL, &found) != 0)
		return 1;
	struct CMUnitTest *tests = calloc(found.gl_pathc, sizeof *tests);
	for (size_t i = 0; i < found.gl_pathc; i++)
		tests[i] = (struct CMUnitTest){ .name = found.gl_pathv[i], .test_func = play_file, .initial_state = found.gl_pathv[i] };
	int failed = _cmocka_run_group_tests("plays", tests, found.gl_pathc, NULL, NULL);
	free(tests);
	globfree(&found);
	return failed;
}
