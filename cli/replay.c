/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tidegate replay, and emit --like: stored events that come in once more. Which events there are is read from the state file by the side
 * (stored.h); the daemon makes the new ones.
 */
#include "cli/again.h"

#include "cli/kinds.h"
#include "cli/output.h"
#include "cli/stored.h"
#include "core/clock.h"
#include "core/lang/sjson.h"
#include "sensors/spec.h"
#include "triggers/trigger.h"

/* ---- what emit and replay share -------------------------------------------------------------------------------------------------- */

/* The daemon makes it; its id in *made. */
static int
post_again(struct client *c, str id, str sensor, bool like, str data, str *made, struct err *e)
{
	struct buf path CLEANUP(free_buf) = { 0 };
	struct val_map m = { 0 };
	struct val answer;
	buf_add(&path, S("/tidegate/v1/events/"));
	url_escape(&path, c->ns);
	buf_addc(&path, '/');
	url_escape(&path, id);
	buf_add(&path, S("/again"));
	val_map_add_str(&m, S("sensor"), sensor);
	val_map_add(&m, S("like"), val_bool(like));
	if (data.p)
		val_map_add(&m, S("data"), val_str(data));
	struct val body = val_map_end(&m, c->arena);
	if (client_call(c, "POST", buf_str(&path), &body, &answer, e) < 0)
		return -1;
	*made = val_get_str(&answer, "id");
	return 0;
}

/* ---- emit --like ------------------------------------------------------------------------------------------------------------------- */

/* JSON if it is, else text. */
static struct val
value_of(struct arena *a, str text)
{
	struct val v;
	struct err e;
	return json_read(a, text, &v, &e) == 0 ? v : val_str(text);
}

/* *out: the changed data; absent if nothing is to be set. */
static int
change(struct arena *a, const struct event *ev, const struct cli_texts *sets, str *out, struct err *e)
{
	struct val data;
	*out = STR_NONE;
	if (!sets->n)
		return 0;
	if (json_read(a, ev->data, &data, e) < 0)
		return err_wrap(e, "the event's data is no JSON, so that nothing can be set in it");
	const struct val *v = &data;
	for (size_t i = 0; i < sets->n && v; i++) {
		str path, text;
		if (!cli_pair(sets->p[i], &path, &text))
			return err_set(e, ERR_INVALID, "--set %s: write it as path=value", sets->p[i]);
		struct val value = value_of(a, text);
		v = sjson_set(a, v, path, &value, e);
		if (!v)
			return err_wrap(e, "--set %s", sets->p[i]);
	}
	*out = json_write(a, v);
	return 0;
}

int
emit_like(struct client *c, const char *id, const struct cli_texts *sets, str *made, struct err *e)
{
	struct event *ev;
	str data;
	if (stored_event(c->state, c->ns, str_c(id), &ev, e) < 0)
		return -1;
	int rc = change(c->arena, ev, sets, &data, e) < 0 ? -1 : post_again(c, str_c(id), STR_NONE, true, data, made, e);
	event_unref(ev);
	return rc;
}

/* ---- replay: which events --------------------------------------------------------------------------------------------------------- */

struct replay_opts {
	struct cli_common common;
	const char *sensor, *since, *until;
	bool yes, dry_run;
};

struct chosen {
	str id, source, subject;
	int64_t time;
};
struct replay {
	struct client *client;
	const struct replay_opts *opts;
	VEC(struct object *) sensors; /* in force in the namespace, or the one that is named; one reference each */
	VEC(struct chosen) events;
};

static const struct sensor_spec *
spec_of(const struct object *o)
{
	return &((const struct sensor_object *)o->spec)->spec;
}

static bool
depends_on(const struct object *sensor, str source, str subject)
{
	const struct sensor_spec *s = spec_of(sensor);
	for (size_t i = 0; i < s->dependencies.n; i++)
		if (str_eq(s->dependencies.p[i].source, source) && str_eq(s->dependencies.p[i].event, subject))
			return true;
	return false;
}

static void
choose(struct replay *r, const struct event *ev)
{
	struct arena *a = r->client->arena;
	*VEC_PUSH(&r->events) = (struct chosen){ arena_dup(a, ev->id), arena_dup(a, ev->source), arena_dup(a, ev->subject), ev->time };
}

/* Of the named sensor's events; what came by a replay is left out. */
static void
choose_if_wanted(void *arg, struct event *ev)
{
	struct replay *r = arg;
	if (!event_ext(ev, EVENT_REPLAY_OF).p && depends_on(r->sensors.p[0], ev->source, ev->subject))
		choose(r, ev);
}

static int
choose_since(struct replay *r, int64_t since, int64_t until, struct err *e)
{
	str bus = spec_of(r->sensors.p[0])->bus_name;
	return stored_events(r->client->state, r->client->ns, bus.n ? bus : S("default"), since, until, choose_if_wanted, r, e);
}

static int
choose_ids(struct replay *r, char **ids, int n, struct err *e)
{
	for (int i = 0; i < n; i++) {
		struct event *ev;
		if (stored_event(r->client->state, r->client->ns, str_c(ids[i]), &ev, e) < 0)
			return -1;
		choose(r, ev);
		event_unref(ev);
	}
	return 0;
}

/* ---- replay: whom they reach -------------------------------------------------------------------------------------------------------- */

static int
add_sensor(struct replay *r, const struct val *manifest, struct err *e)
{
	struct diags d;
	diags_init(&d);
	struct object *o = object_decode(tidegate_kinds, tidegate_kinds_n, manifest, STR_NONE, r->client->ns, &d);
	diags_free(&d);
	if (!o)
		return err_set(e, ERR_INTERNAL, "a sensor in force cannot be read");
	*VEC_PUSH(&r->sensors) = o;
	return 0;
}

static int
read_sensors(struct replay *r, struct err *e)
{
	struct buf path CLEANUP(free_buf) = { 0 };
	struct val v;
	buf_add(&path, S("/api/v1/sensors/"));
	url_escape(&path, r->client->ns);
	if (r->opts->sensor) {
		buf_addc(&path, '/');
		url_escape(&path, str_c(r->opts->sensor));
	}
	if (client_call(r->client, "GET", buf_str(&path), NULL, &v, e) < 0)
		return -1;
	if (r->opts->sensor)
		return add_sensor(r, &v, e);
	const struct val *items = val_get(&v, S("items"));
	for (uint32_t i = 0; val_is(items, VAL_LIST) && i < items->n; i++)
		if (add_sensor(r, &items->items[i], e) < 0)
			return -1;
	return 0;
}

static bool
is_reached(const struct replay *r, const struct object *sensor)
{
	for (size_t i = 0; i < r->events.n; i++)
		if (depends_on(sensor, r->events.p[i].source, r->events.p[i].subject))
			return true;
	return false;
}

/* Triggers that act outside; those that only make workflows here are what a replay is for. */
static void
add_outside(const struct replay *r, struct buf *out)
{
	for (size_t i = 0; i < r->sensors.n; i++) {
		const struct sensor_spec *s = spec_of(r->sensors.p[i]);
		for (size_t k = 0; k < s->triggers.n && is_reached(r, r->sensors.p[i]); k++) {
			const struct trigger_template *t = s->triggers.p[k].template;
			if (t->kind && !t->kind->inside)
				buf_addf(out, "%s%.*s/%.*s (%s)", out->n ? ", " : "", STR_ARG(r->sensors.p[i]->name), STR_ARG(t->name), t->kind->kind);
		}
	}
}

static int
confirm(const struct replay *r, struct err *e)
{
	struct buf outside CLEANUP(free_buf) = { 0 };
	add_outside(r, &outside);
	if (!outside.n || r->opts->yes || r->opts->dry_run)
		return 0;
	return err_set(e, ERR_INVALID, "triggers that act outside may fire once more: %.*s; --yes if that is meant, --dry-run shows the events",
	               (int)(outside.n < 300 ? outside.n : 300), outside.p);
}

/* ---- replay ------------------------------------------------------------------------------------------------------------------------- */

static int
hand_in(struct replay *r, struct err *e)
{
	struct arena *a = r->client->arena;
	for (size_t i = 0; i < r->events.n; i++) {
		const struct chosen *x = &r->events.p[i];
		str made = S("-");
		if (!r->opts->dry_run && post_again(r->client, x->id, str_c(r->opts->sensor), false, STR_NONE, &made, e) < 0)
			return err_wrap(e, "event %.*s (%zu of %zu are replayed)", STR_ARG(x->id), i, r->events.n);
		printf("%.*s  %.*s/%.*s  %.*s  %.*s\n", STR_ARG(x->id), STR_ARG(x->source), STR_ARG(x->subject), STR_ARG(time_rfc3339(a, x->time)), STR_ARG(made));
		fflush(stdout);
	}
	return 0;
}

static int
choose_all(struct replay *r, char **ids, int n, struct err *e)
{
	int64_t since, until = clock_wall_ns();
	const struct replay_opts *o = r->opts;
	if (!o->since)
		return choose_ids(r, ids, n, e);
	if (time_before(o->since, until, &since, e) < 0 || (o->until && time_before(o->until, until, &until, e) < 0))
		return -1;
	return choose_since(r, since, until, e);
}

static int
run(const void *opts, char **args, int n)
{
	const struct replay_opts *o = opts;
	struct client c CLEANUP(client_free);
	struct replay r = { .client = &c, .opts = o };
	struct err e = { 0 };
	client_init(&c, &o->common);
	if (!n == !o->since)
		return cli_usage(&command_replay, "give ids of events, or --since");
	if (o->since && !o->sensor)
		return cli_usage(&command_replay, "--since replays the events of one sensor: add --sensor NAME");
	if (o->until && !o->since)
		return cli_usage(&command_replay, "--until goes with --since");
	int rc = read_sensors(&r, &e) < 0 || choose_all(&r, args, n, &e) < 0 || confirm(&r, &e) < 0 || hand_in(&r, &e) < 0 ? -1 : 0;
	for (size_t i = 0; i < r.sensors.n; i++)
		object_unref(r.sensors.p[i]);
	if (rc == 0 && !r.events.n)
		fprintf(stderr, "no events\n");
	VEC_FREE(&r.sensors);
	VEC_FREE(&r.events);
	return rc < 0 ? cli_fail(&e) : EXIT_DONE;
}

const struct command command_replay = {
	.name = "replay",
	.args = "[ID...]",
	.summary = "Hand stored events to the sensors once more.",
	.examples = "  tidegate replay 019c0b2a8d2f7a64b1c1a5f3f0f0a4d1\n"
		    "  tidegate replay 019c0b2a8d2f7a64b1c1a5f3f0f0a4d1 --sensor ci --yes\n"
		    "  tidegate replay --since 2h --sensor ci --dry-run    # which events that would be\n",
	.doc = "Each event comes in as a new one with an id of its own, which names the first (replayof), so that everything it causes happens again:\n"
	       "workflows are made, and targets outside are called with new firing ids. Where triggers that act outside may fire, --yes is needed.\n"
	       "With --since the events of one sensor are chosen, oldest first, without those that came by a replay. Prints the id, what it was and when\n"
	       "it came, and the new id.",
	.options = (const struct cli_option[]){
		OPTION(struct replay_opts, sensor, "sensor", 0, "NAME", "Only this sensor sees them."),
		OPTION(struct replay_opts, since, "since", 0, "WHEN", "The sensor's events from there on: a duration before now (2h), or a time."),
		OPTION(struct replay_opts, until, "until", 0, "WHEN", "With --since: up to there."),
		OPTION(struct replay_opts, yes, "yes", 'y', NULL, "Also where triggers that act outside may fire once more."),
		OPTION(struct replay_opts, dry_run, "dry-run", 0, NULL, "Print the events, and do nothing."),
		{ 0 },
	},
	.size = sizeof(struct replay_opts),
	.args_max = -1,
	.run = run,
};
