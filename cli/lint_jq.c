/* SPDX-License-Identifier: Apache-2.0 */
/* lint_jq: the jq programs of sensors, compiled by the helper that would run them. */
#include "cli/lint_jq.h"

#include "core/event.h"
#include "sensors/jq.h"
#include "sensors/sensor.h"
#include "sensors/spec.h"

struct jq_check {
	const struct object *sensor;
	const struct transform *transform;
	size_t dependency;
	bool done, failed;
	struct err e;
};

struct jq_checks {
	VEC(struct jq_check *) v;
	size_t open;
};

static void
answered(void *arg, str out UNUSED, const struct err *e)
{
	struct jq_check *c = arg;
	c->done = true;
	c->failed = e != NULL;
	if (e)
		c->e = *e;
}

static void
collect(struct jq_checks *all, const struct object *o, struct arena *a)
{
	const struct sensor_object *s = o->spec;
	for (size_t i = 0; i < s->spec.dependencies.n; i++) {
		const struct transform *t = s->spec.dependencies.p[i].transform;
		if (!t || !t->jq.n)
			continue;
		struct jq_check *c = ARENA_NEW(a, struct jq_check);
		*c = (struct jq_check){ .sensor = o, .transform = t, .dependency = i };
		*VEC_PUSH(&all->v) = c;
	}
}

static void
compile(struct jq_checks *all)
{
	struct loop *loop = loop_new();
	struct jq_pool *pool = jq_pool_new(loop);
	struct event *nothing = event_bare(); /* without data a program is only compiled */
	for (size_t i = 0; i < all->v.n; i++)
		jq_run(pool, all->v.p[i]->transform->jq, nothing, answered, all->v.p[i]);
	for (size_t i = 0; i < all->v.n; i++)
		while (!all->v.p[i]->done)
			loop_turn(loop, -1);
	jq_pool_free(pool);
	event_unref(nothing);
	loop_free(loop);
}

/* "syntax error, ... (Unix shell quoting issues?) at <top-level>, line 3": without what helps nobody here. The line; 0: none. */
static uint32_t
split_message(str *message)
{
	static const str place = { " at <top-level>, line ", 22 }, shell = { " (Unix shell quoting issues?)", 29 };
	int64_t line = 0;
	size_t at = str_find(*message, place, 0);
	if (at != SIZE_MAX) {
		if (!str_to_i64(str_slice(*message, at + place.n, message->n), &line))
			line = 0;
		*message = str_slice(*message, 0, at);
	}
	if (str_ends(*message, shell))
		*message = str_slice(*message, 0, message->n - shell.n);
	return line > 0 && line < UINT32_MAX ? (uint32_t)line : 0;
}

static void
report(const struct jq_check *c, struct diags *d)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	str path = arena_fmt(a, "spec.dependencies[%zu].transform.jq", c->dependency), message = str_c(c->e.msg);
	bool unknown = c->e.code != ERR_INVALID;
	uint32_t line = split_message(&message);
	d->file = c->sensor->file;
	struct diag *x = diag_add(d, unknown ? DIAG_WARNING : DIAG_ERROR, val_get(c->transform->src, S("jq")), path, "%s%.*s",
		unknown ? "could not be checked: " : "", STR_ARG(message));
	if (line)
		diag_into_text(d, x, line);
}

void
lint_jq(const struct manifest_set *set, struct diags *d)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct jq_checks all = { 0 };
	for (size_t i = 0; i < set->objects.n; i++)
		if (set->objects.p[i]->kind == &kind_sensor)
			collect(&all, set->objects.p[i], a);
	if (all.v.n)
		compile(&all);
	for (size_t i = 0; i < all.v.n; i++)
		if (all.v.p[i]->failed)
			report(all.v.p[i], d);
	VEC_FREE(&all.v);
}
