/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tidegate backtest: an edited sensor and the one in force over the events that are stored, and what would be different. Both run in
 * this process (cli/tryout.h), from the same empty beginning; nothing is called. The daemon is asked for its sensor alone: events are
 * read from its state file, page by page, without a lock.
 */
#include "cli/backtest.h"

#include "cli/client.h"
#include "cli/command.h"
#include "cli/daemon.h"
#include "cli/firing_diff.h"
#include "cli/kinds.h"
#include "cli/output.h"
#include "cli/stored.h"
#include "cli/tryout.h"
#include "core/clock.h"
#include "core/log.h"
#include "sensors/spec.h"

/* ---- a side ----------------------------------------------------------------------------------------------------------------------- */

static void
fired(void *arg, struct firing *f)
{
	struct backtest_side *s = arg;
	firing_diff_add(&s->of->diff, s->side, f);
}

static void
decided(void *arg, str ns UNUSED, str sensor UNUSED, enum rows_how how UNUSED, const struct decision *d)
{
	struct backtest_side *s = arg;
	if (strcmp(d->verdict, "error") != 0 && strcmp(d->verdict, "dead-letter") != 0)
		return;
	if (!s->errors++)
		s->error = arena_fmt(s->of->arena, "event %.*s: %.*s", STR_ARG(d->event), STR_ARG(d->reason));
}

/* What both have around their sensor: ConfigMaps and the like. */
static void
add_others(struct objects *to, const struct manifest_set *m)
{
	for (size_t i = 0; i < m->objects.n; i++)
		if (strcmp(m->objects.p[i]->kind->name, "Sensor") != 0 && !m->objects.p[i]->kind->instance)
			objects_put(to, m->objects.p[i]);
}

static int
open_side(struct backtest *b, enum side side, struct object *sensor, const struct manifest_set *m, struct err *e)
{
	struct backtest_side *s = &b->sides[side];
	struct tryout_listener listener = { fired, decided, s, .brief = true };
	s->of = b;
	s->side = side;
	s->objects = objects_new(tidegate_kinds, tidegate_kinds_n);
	add_others(s->objects, m);
	if (sensor)
		objects_put(s->objects, sensor);
	return tryout_new(s->objects, b->since, &listener, &s->tryout, e);
}

static void
close_side(struct backtest_side *s)
{
	tryout_free(s->tryout);
	if (s->objects)
		objects_free(s->objects);
}

/* ---- events ------------------------------------------------------------------------------------------------------------------------ */

static void
take(void *arg, struct event *ev)
{
	struct backtest *b = arg;
	size_t wanted = 0;
	b->events++;
	for (size_t i = 0; i < ARRAY_LEN(b->sides); i++) {
		tryout_until(b->sides[i].tryout, ev->time);
		wanted += tryout_take(b->sides[i].tryout, ev);
	}
	b->taken += wanted > 0;
}

int
backtest_run(struct backtest *b, str state, str ns, str bus, struct err *e)
{
	if (stored_events(state, ns, bus, b->since, b->until, take, b, e) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(b->sides); i++)
		tryout_until(b->sides[i].tryout, b->until);
	return 0;
}

int
backtest_open(struct backtest *b, struct object *before, struct object *after, const struct manifest_set *others, struct err *e)
{
	b->arena = arena_new();
	return open_side(b, SIDE_BEFORE, before, others, e) < 0 || open_side(b, SIDE_AFTER, after, others, e) < 0 ? -1 : 0;
}

void
backtest_close(struct backtest *b)
{
	close_side(&b->sides[SIDE_BEFORE]);
	close_side(&b->sides[SIDE_AFTER]);
	firing_diff_free(&b->diff);
	arena_free(b->arena);
}

/* ---- the command ------------------------------------------------------------------------------------------------------------------- */

struct backtest_opts {
	struct cli_common common;
	const char *since, *until, *against, *sensor, *output;
	struct cli_int limit;
};

/* The one Sensor among the manifests, or that of the name. Borrowed. */
static int
find_sensor(const struct manifest_set *m, const char *name, struct object **out, struct err *e)
{
	size_t n = 0;
	for (size_t i = 0; i < m->objects.n; i++) {
		struct object *o = m->objects.p[i];
		if (strcmp(o->kind->name, "Sensor") != 0 || (name && !str_eq(o->name, str_c(name))))
			continue;
		*out = o;
		n++;
	}
	if (n == 1)
		return 0;
	if (name)
		return err_set(e, ERR_NOT_FOUND, "there is no Sensor %s among the manifests", name);
	return err_set(e, ERR_INVALID, n ? "there are %zu Sensors among the manifests: choose one by --sensor NAME" : "there is no Sensor among the manifests", n);
}

static int
read_set(const char *const *paths, size_t n, str ns, struct manifest_set *m, struct err *e)
{
	struct diags d;
	diags_init(&d);
	int rc = read_manifests(paths, n, ns, NULL, m, &d);
	if (d.v.n)
		print_findings(&d);
	if (rc == 0 && d.later)
		rc = -1;
	diags_free(&d);
	return rc < 0 ? err_set(e, ERR_INVALID, "the manifests are wrong") : 0;
}

/* What the daemon has in force, with one reference; NULL: no such sensor. */
static int
deployed(struct client *c, const struct object *edited, struct object **out, struct err *e)
{
	struct buf path CLEANUP(free_buf) = { 0 };
	struct val v;
	struct diags d;
	buf_add(&path, S("/api/v1/sensors/"));
	url_escape(&path, edited->ns);
	buf_addc(&path, '/');
	url_escape(&path, edited->name);
	*out = NULL;
	if (client_call(c, "GET", buf_str(&path), NULL, &v, e) < 0) {
		if (e->code == ERR_NOT_FOUND)
			return 0;
		return e->code == ERR_UNAVAILABLE ? err_wrap(e, "the sensor in force (--against FILE compares with a file instead)") : -1;
	}
	diags_init(&d);
	*out = object_decode(tidegate_kinds, tidegate_kinds_n, &v, STR_NONE, edited->ns, &d);
	if (!*out)
		print_findings(&d);
	diags_free(&d);
	return *out ? 0 : err_set(e, ERR_INTERNAL, "the sensor in force cannot be read");
}

/* From --against, else from the daemon. */
static int
find_before(struct client *c, const struct backtest_opts *o, const struct object *edited, struct object **out, struct err *e)
{
	struct manifest_set m = { 0 };
	if (!o->against)
		return deployed(c, edited, out, e);
	const char *path = o->against;
	int rc = read_set(&path, 1, c->ns, &m, e) < 0 || find_sensor(&m, str_z(c->arena, edited->name), out, e) < 0 ? -1 : 0;
	*out = rc == 0 ? object_ref(*out) : NULL;
	manifest_set_free(&m);
	return rc;
}

static int
compare(struct client *c, const struct backtest_opts *o, const struct manifest_set *m, struct backtest *b, struct err *e)
{
	struct object *before = NULL, *after;
	if (find_sensor(m, o->sensor, &after, e) < 0 || find_before(c, o, after, &before, e) < 0)
		return -1;
	const struct sensor_object *spec = after->spec;
	b->ns = arena_dup(c->arena, after->ns);
	b->name = arena_dup(c->arena, after->name);
	b->deployed = before;
	int rc = backtest_open(b, before, after, m, e);
	if (rc == 0)
		rc = backtest_run(b, c->state, after->ns, spec->spec.bus_name.n ? spec->spec.bus_name : S("default"), e);
	object_unref(before);
	return rc;
}

static int
set_times(struct backtest *b, const struct backtest_opts *o, struct err *e)
{
	int64_t now = clock_wall_ns();
	b->until = now;
	if (time_before(o->since ? o->since : "24h", now, &b->since, e) < 0 || (o->until && time_before(o->until, now, &b->until, e) < 0))
		return -1;
	return b->since < b->until ? 0 : err_set(e, ERR_INVALID, "--since is not before --until");
}

static int
run(const void *opts, char **args, int n)
{
	const struct backtest_opts *o = opts;
	struct backtest b = { 0 };
	struct manifest_set m = { 0 };
	struct client c CLEANUP(client_free);
	struct err e = { 0 };
	VEC(const char *) paths = { 0 };
	client_init(&c, &o->common);
	log_setup(LOG_ERROR + 1, LOG_LOGFMT); /* what goes wrong with events is counted and shown */
	for (int i = 0; i < n; i++)
		*VEC_PUSH(&paths) = args[i];
	int rc = set_times(&b, o, &e) < 0 || read_set(paths.p, paths.n, c.ns, &m, &e) < 0 || compare(&c, o, &m, &b, &e) < 0 ? -1 : 0;
	bool differs = rc == 0 && backtest_print(&b, o->output && strcmp(o->output, "json") == 0, o->limit.set ? (size_t)o->limit.v : 20);
	backtest_close(&b);
	manifest_set_free(&m);
	VEC_FREE(&paths);
	return rc < 0 ? cli_fail(&e) : differs ? EXIT_NEGATIVE : EXIT_DONE;
}

static const char *const outputs[] = { "text", "json", NULL };

const struct command command_backtest = {
	.name = "backtest",
	.args = "FILE|DIR...",
	.summary = "What an edited sensor would have done with the events of the last day.",
	.examples = "  tidegate backtest sensor.yaml                     # against the sensor in force, over the last 24 hours\n"
		    "  tidegate backtest sensor.yaml --since 168h -o json\n"
		    "  tidegate backtest new.yaml --against old.yaml --since 2026-01-31T00:00:00Z --until 2026-02-01T00:00:00Z\n",
	.doc = "Both sensors see the stored events of their bus, at the times when those came, from an empty beginning; nothing is called and the daemon\n"
	       "is not disturbed. Prints which firings come (+), go (-) and change (~), with what they would send. Exit code 0: nothing is different;\n"
	       "3: something is. ConfigMaps that a trigger's source names are given beside the Sensor; sources elsewhere are not read.",
	.options = (const struct cli_option[]){
		OPTION(struct backtest_opts, since, "since", 0, "WHEN", "From there on: a duration before now (24h), or a time."),
		OPTION(struct backtest_opts, until, "until", 0, "WHEN", "Up to there; now."),
		OPTION(struct backtest_opts, against, "against", 0, "FILE", "Compare with the sensor of that file, not with the one in force."),
		OPTION(struct backtest_opts, sensor, "sensor", 0, "NAME", "Which Sensor, where the manifests have several."),
		OPTION(struct backtest_opts, limit, "limit", 0, "N", "Show at most so many differences (20); all are counted. 0: all."),
		OPTION(struct backtest_opts, output, "output", 'o', "FORMAT", "text (default) or json.", .choices = outputs),
		{ 0 },
	},
	.size = sizeof(struct backtest_opts),
	.args_min = 1,
	.args_max = -1,
	.run = run,
};
