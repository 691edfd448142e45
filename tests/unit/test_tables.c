/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All tables of all kinds: that they hold together (docs, offsets, defaults, a reason for each row without effect), and
 * that no field of the two formats is missing. The lists of fields in tests/vectors are walked side by side with the
 * tables, from the kinds down; what becomes of a field (served, refused, without effect) is counted and printed. Below a
 * field that is refused or without effect everything is; a table that several lead to counts by the best of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "api/bodies.h"
#include "cli/kinds.h"
#include "cli/test_file.h"
#include "core/field_kinds.h"
#include "core/map.h"
#include "sources/eventsource.h"
#include "triggers/trigger.h"

/* ---- the tables themselves ---------------------------------------------------------------------------------- */

struct tally {
	size_t schemas, rows, bad;
	struct map names; /* of schemas in one tree: they are headings and $defs */
	struct map seen;  /* by address */
	struct arena *arena;
};

static void
look_at(const struct schema *sc, void *arg)
{
	struct tally *t = arg;
	const char *wrong = schema_self_test(sc);
	union {
		const struct schema *in;
		void *out;
	} value = { .in = sc };
	const struct schema *other = map_put(&t->names, str_c(sc->name), value.out);

	if (wrong) {
		print_message("%s\n", wrong);
		t->bad++;
	}
	if (other && other != sc) {
		print_message("two tables are called %s\n", sc->name);
		t->bad++;
	}
	if (map_put(&t->seen, arena_fmt(t->arena, "%p", value.out), t))
		return;
	t->schemas++;
	EACH_FIELD(sc, f)
		t->rows += f->kind != FIELD_SRC_;
}

static void
look_at_tree(const struct schema *root, struct tally *t)
{
	schema_each(root, look_at, t);
	map_free(&t->names);
}

static void
tables_hold_together(void **state)
{
	struct tally t = { .arena = arena_new() };

	(void)state;
	for (size_t i = 0; i < tidegate_kinds_n; i++)
		look_at_tree(tidegate_kinds[i]->schema, &t);
	for (size_t i = 0; i < source_kinds_n; i++)
		look_at_tree(source_kinds[i]->schema, &t);
	for (size_t i = 0; i < trigger_kinds_n; i++)
		look_at_tree(trigger_kinds[i]->schema, &t);
	look_at_tree(&settings_schema, &t);
	look_at_tree(&test_case_schema, &t);
	for (size_t i = 0; request_bodies[i]; i++)
		look_at_tree(request_bodies[i], &t);
	print_message("%zu tables, %zu rows\n", t.schemas, t.rows);
	map_free(&t.seen);
	arena_free(t.arena);
	assert_int_equal(t.bad, 0);
}

/* A row must say which kind it is, its ops must be complete, and no two may share a key. */
static void
kinds_are_complete(void **state)
{
	(void)state;
	assert_int_equal(source_kinds_n, 35);
	assert_int_equal(trigger_kinds_n, 18);
	for (size_t i = 0; i < source_kinds_n; i++) {
		const struct source_ops *o = source_kinds[i];

		assert_non_null(o->schema);
		assert_true(o->doc && *o->doc);
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(o->kind, source_kinds[j]->kind);
	}
	for (size_t i = 0; i < trigger_kinds_n; i++) {
		assert_non_null(trigger_kinds[i]->schema);
		assert_true(trigger_kinds[i]->doc && *trigger_kinds[i]->doc);
		assert_ptr_equal(trigger_kind(str_c(trigger_kinds[i]->kind)), trigger_kinds[i]);
	}
}

/* ---- completeness ------------------------------------------------------------------------------------------- */

struct listed {
	str type, field, below;
	bool reached;
};
struct deferred {
	str type;
	const struct schema *schema;
	unsigned flags;
};
struct coverage {
	struct arena *arena;
	VEC(struct listed) list;
	struct map visited; /* "type schema" */
	VEC(struct deferred) later_ways; /* down from fields that are not served: gone when all others were */
	size_t fields, served, later, no_effect, missing;
};

static void
read_list(struct coverage *c, const char *path)
{
	FILE *f = fopen(path, "r");
	char line[256];

	if (!f)
		fail_msg("%s: run the tests from the top of the tree", path);
	while (fgets(line, sizeof line, f)) {
		str rest = str_trim(str_c(line)), type = str_cut(&rest, ' '), field = str_cut(&rest, ' ');

		if (!type.n || type.p[0] == '#')
			continue;
		*VEC_PUSH(&c->list) = (struct listed){ arena_dup(c->arena, type), arena_dup(c->arena, field),
			arena_dup(c->arena, rest), false };
	}
	fclose(f);
}

static const struct field *
find(const struct schema *sc, str name)
{
	EACH_FIELD(sc, f)
	{
		const struct field *found = f->flags & INLINE ? find(f->schema, name) : NULL;

		if (found)
			return found;
		if (f->kind != FIELD_SRC_ && !(f->flags & INLINE) && str_eq(str_c(f->name), name))
			return f;
	}
	return NULL;
}

/* Entries of an EventSource and bodies of triggers are decoded by their kind's own table. */
static const struct schema *
below(const struct listed *l, const struct field *f, unsigned *flags)
{
	const struct trigger_ops *trigger = str_eq(l->type, S("TriggerTemplate")) ? trigger_kind(l->field) : NULL;
	const struct source_ops *source = str_eq(l->type, S("EventSourceSpec")) ? source_kind(l->field) : NULL;

	if ((trigger && !trigger->fire) || (source && !source->start))
		*flags |= LATER;
	return f->schema ? f->schema : trigger ? trigger->schema : source ? source->schema : NULL;
}

static void visit(struct coverage *c, str type, const struct schema *sc, unsigned flags);

static void
check_field(struct coverage *c, struct listed *l, const struct schema *sc, unsigned flags)
{
	const struct field *f = find(sc, l->field);
	const struct schema *next = f ? below(l, f, &flags) : NULL;

	c->fields++;
	l->reached = true;
	if (!f || (!str_eq(l->below, S("-")) && !next && !(f->flags & STATUS))) {
		print_message("%.*s.%.*s: %s in table %s\n", STR_ARG(l->type), STR_ARG(l->field), f ?
			"nothing below it" : "missing", sc->name);
		c->missing++;
		return;
	}
	flags |= f->flags;
	if (flags & LATER)
		c->later++;
	else if (flags & (NOEFFECT | STATUS))
		c->no_effect++;
	else
		c->served++;
	if (!next || str_eq(l->below, S("-")))
		return;
	if (flags & (LATER | NOEFFECT | STATUS))
		*VEC_PUSH(&c->later_ways) = (struct deferred){ l->below, next, flags };
	else
		visit(c, l->below, next, flags);
}

static void
visit(struct coverage *c, str type, const struct schema *sc, unsigned flags)
{
	if (map_put(&c->visited, arena_fmt(c->arena, "%.*s %p", STR_ARG(type), (const void *)sc), c))
		return;
	for (size_t i = 0; i < c->list.n; i++)
		if (str_eq(c->list.p[i].type, type))
			check_field(c, &c->list.p[i], sc, flags);
}

static const struct schema *
root_of(const char *name)
{
	for (size_t i = 0; i < tidegate_kinds_n; i++)
		if (strcmp(tidegate_kinds[i]->name, name) == 0)
			return tidegate_kinds[i]->schema;
	for (size_t i = 0; request_bodies[i]; i++)
		if (strcmp(request_bodies[i]->name, name) == 0)
			return request_bodies[i];
	return NULL;
}

static void
check_list(const char *path, const char *const *roots)
{
	struct coverage c = { .arena = arena_new() };

	read_list(&c, path);
	for (; *roots; roots++) {
		assert_non_null(root_of(*roots));
		visit(&c, str_c(*roots), root_of(*roots), 0);
	}
	for (size_t i = 0; i < c.later_ways.n; i++)
		visit(&c, c.later_ways.p[i].type, c.later_ways.p[i].schema, c.later_ways.p[i].flags);
	for (size_t i = 0; i < c.list.n; i++)
		if (!c.list.p[i].reached) {
			print_message("%.*s.%.*s: no table leads there\n", STR_ARG(c.list.p[i].type), STR_ARG(c.list.p[i].field));
			c.missing++;
		}
	print_message("%s: %zu fields: %zu served, %zu later, %zu without effect, %zu missing\n", path, c.fields,
		c.served, c.later,
		c.no_effect, c.missing);
	assert_true(c.fields > 500);
	assert_int_equal(c.missing, 0);
	VEC_FREE(&c.list);
	VEC_FREE(&c.later_ways);
	map_free(&c.visited);
	arena_free(c.arena);
}

static void
no_workflow_field_is_missing(void **state)
{
	(void)state;
	check_list("tests/vectors/fields-workflows.txt",
		(const char *const[]){ "Workflow", "WorkflowTemplate", "ClusterWorkflowTemplate", "CronWorkflow",
			"WorkflowEventBinding", "WorkflowCreateRequest", "WorkflowLintRequest", "WorkflowSubmitRequest",
			"WorkflowResubmitRequest", "WorkflowResumeRequest", "WorkflowRetryRequest", "WorkflowSetRequest",
			"WorkflowStopRequest", "WorkflowSuspendRequest", "WorkflowTerminateRequest", "WorkflowTemplateCreateRequest",
			"ClusterWorkflowTemplateCreateRequest", "CreateCronWorkflowRequest", NULL });
}

static void
no_event_field_is_missing(void **state)
{
	(void)state;
	check_list("tests/vectors/fields-events.txt", (const char *const[]){ "EventSource", "Sensor", NULL });
}

/* Which metrics there are, and which there are not. */
static const struct {
	const char *name, *kind, *labels;
} metrics[] = {
#define METRIC(id, kind, name, labels, help) { name, #kind, labels },
#define HISTOGRAM(id, name, labels, help, ...) { name, "histogram", labels },
#define NOT_SERVED(name, why)
#include "core/metrics.def"
#undef METRIC
#undef HISTOGRAM
#undef NOT_SERVED
};
static const char *const not_served[] = {
#define METRIC(id, kind, name, labels, help)
#define HISTOGRAM(id, name, labels, help, ...)
#define NOT_SERVED(name, why) name,
#include "core/metrics.def"
};

static size_t
served_as(struct arena *a, const struct listed *l)
{
	size_t found = 0;
	for (size_t i = 0; i < ARRAY_LEN(metrics); i++) {
		if (!str_eq(str_c(metrics[i].name), arena_fmt(a, "argo_workflows_%.*s", STR_ARG(l->type))))
			continue;
		assert_true(str_eq(str_c(metrics[i].kind), l->field));
		assert_true(str_eq(str_c(*metrics[i].labels ? metrics[i].labels : "-"), l->below));
		found++;
	}
	return found;
}

static void
no_metric_is_missing(void **state)
{
	(void)state;
	struct coverage c = { .arena = arena_new() };
	read_list(&c, "tests/vectors/metrics-workflows.txt");
	assert_true(c.list.n > 30);
	for (size_t i = 0; i < c.list.n; i++) {
		size_t found = served_as(c.arena, &c.list.p[i]);
		for (size_t k = 0; k < ARRAY_LEN(not_served); k++)
			found += str_eq(c.list.p[i].type, str_c(not_served[k]));
		if (found != 1)
			fail_msg("%.*s is %zu times served or said not to be", STR_ARG(c.list.p[i].type), found);
	}
	VEC_FREE(&c.list);
	arena_free(c.arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tables_hold_together), cmocka_unit_test(kinds_are_complete),
		cmocka_unit_test(no_workflow_field_is_missing), cmocka_unit_test(no_event_field_is_missing),
		cmocka_unit_test(no_metric_is_missing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
