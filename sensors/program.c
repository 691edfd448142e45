/* SPDX-License-Identifier: Apache-2.0 */
#include "sensors/program.h"

static str
problem(struct program *p, const struct val *at, const char *what, const char *why)
{
	str place = manifest_place(p->arena, p->object->file, at);
	return arena_fmt(p->arena, "%s%s%s (%.*s)", what, *what ? ": " : "", why, STR_ARG(place));
}

/* ---- dependencies -------------------------------------------------------------------------------------------------- */

static str
event_key(struct buf *b, str source, str event)
{
	b->n = 0;
	buf_add(b, source);
	buf_addc(b, 0);
	buf_add(b, event);
	return buf_str(b);
}

static void
index_dep(struct program *p, size_t i)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	str key = event_key(&b, p->deps[i].spec->source, p->deps[i].spec->event);
	size_t first = (size_t)(uintptr_t)map_get(&p->by_event, key);
	if (!first) {
		map_put(&p->by_event, arena_dup(p->arena, key), (void *)(uintptr_t)(i + 1));
		return;
	}
	while (p->deps[first - 1].next)
		first = p->deps[first - 1].next;
	p->deps[first - 1].next = i + 1;
}

static void
keep_checks(struct program *p, struct program_dep *d, struct checks *c)
{
	struct check *all = ARENA_ARRAY(p->arena, struct check, c->list.n);
	if (c->list.n)
		memcpy(all, c->list.p, c->list.n * sizeof *all);
	d->checks = all;
	d->checks_n = c->list.n;
	d->first_check = p->checks_n;
	p->checks_n += c->list.n;
	VEC_FREE(&c->list);
}

static void
add_dep(struct program *p, const struct dependency *spec)
{
	struct program_dep *d = &p->deps[p->deps_n];
	struct checks checks = { .arena = p->arena, .file = p->object->file };
	struct err e;
	d->spec = spec;
	if (transformer_compile(spec->transform, &checks, &d->transform, &e) < 0)
		d->problem = problem(p, spec->transform->src, "", e.msg);
	else if (filter_set_compile(spec, &checks, &d->filters, &e) < 0)
		d->problem = problem(p, spec->filters ? spec->filters->src : spec->src, "", e.msg);
	keep_checks(p, d, &checks);
	index_dep(p, p->deps_n++);
}

/* ---- triggers -------------------------------------------------------------------------------------------------------- */

/* What lint warns of must not run to a wrong result. */
static const char *
unserved(const struct trigger_spec *s)
{
	if (!s->template || !s->template->kind || !s->template->body)
		return "the trigger does nothing that can be served";
	if (!s->template->kind->fire)
		return "triggers of this kind are not served yet";
	return s->dlq ? unserved(s->dlq) : NULL;
}

static enum join_policy
policy_of(const struct trigger_template *t)
{
	if (t->join_key.n)
		return JOIN_KEY;
	return str_eq(t->join, S("fifo")) ? JOIN_FIFO : JOIN_LATEST;
}

/* Two states are of the same meaning if the conditions and the dependency's manifest are the same. */
static str
signature(struct program *p, const struct program_trigger *t, size_t dep)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	str cond = str_trim(t->spec->template->conditions);
	buf_add(&b, cond);
	for (size_t i = 0; !cond.n && i < p->deps_n; i++) {
		buf_addc(&b, '\n');
		buf_add(&b, p->deps[i].spec->name);
	}
	if (policy_of(t->spec->template) != JOIN_LATEST)
		buf_addf(&b, "\njoin %d %.*s", (int)policy_of(t->spec->template), STR_ARG(t->spec->template->join_key));
	buf_addc(&b, 0);
	if (p->deps[dep].spec->src)
		json_write_buf(&b, p->deps[dep].spec->src);
	return arena_fmt(p->arena, "%016llx", (unsigned long long)str_fnv64a(buf_str(&b)));
}

static int
read_resets(struct program *p, const struct trigger_template *t, struct join_rules *r, struct err *e)
{
	struct join_reset *resets = ARENA_ARRAY(p->arena, struct join_reset, t->resets.n);
	for (size_t i = 0; i < t->resets.n; i++) {
		const struct reset_by_time *by = t->resets.p[i].by_time;
		if (cron_parse(by->cron, 0, p->arena, &resets[i].cron, e) < 0 || tz_open(p->arena, by->timezone, &resets[i].zone, e) < 0)
			return err_wrap(e, "conditionsReset");
	}
	r->resets = resets;
	r->resets_n = t->resets.n;
	return 0;
}

static int
add_join(struct program *p, struct program_trigger *t, struct err *e)
{
	const struct trigger_template *spec = t->spec->template;
	struct join_rules r = { .cond = &t->cond, .deps_n = p->deps_n, .policy = policy_of(spec), .max = (size_t)spec->join_max,
		                .within_ns = spec->within.ns };
	if (read_resets(p, spec, &r, e) < 0)
		return -1;
	if (r.policy == JOIN_KEY && join_key_compile(spec->join_key, &t->key, e) < 0)
		return err_wrap(e, "joinKey");
	t->join = join_new(&r);
	t->join_max = r.max ? r.max : JOIN_MAX_DEFAULT;
	p->timed |= r.resets_n || r.within_ns;
	return 0;
}

static void
add_trigger(struct program *p, const struct trigger_spec *spec)
{
	struct program_trigger *t = &p->triggers[p->triggers_n++];
	struct err e;
	t->spec = spec;
	t->name = spec->template ? spec->template->name : S("");
	const char *later = unserved(spec);
	if (later) {
		t->problem = problem(p, spec->src, "", later);
		return;
	}
	str *names = ARENA_ARRAY(p->arena, str, p->deps_n);
	for (size_t i = 0; i < p->deps_n; i++)
		names[i] = p->deps[i].spec->name;
	if (condition_compile(p->arena, spec->template->conditions, names, p->deps_n, &t->cond, &e) < 0) {
		t->problem = problem(p, spec->template->src, "conditions", e.msg);
		return;
	}
	if (!t->cond.joins)
		return;
	if (add_join(p, t, &e) < 0) {
		t->problem = problem(p, spec->template->src, "", e.msg);
		return;
	}
	t->signatures = ARENA_ARRAY(p->arena, str, p->deps_n);
	for (size_t i = 0; i < p->deps_n; i++)
		if (condition_uses(&t->cond, i))
			t->signatures[i] = signature(p, t, i);
}

/* Time from one firing to the next. */
static int64_t
rate_of(const struct rate_limit *r)
{
	int64_t unit = str_eq(r->unit, S("Hour")) ? 3600 : str_eq(r->unit, S("Minute")) ? 60 : 1;
	return unit * NS_PER_SEC / r->requests;
}

static struct gather_rule
gather_of(const struct trigger_spec *s)
{
	if (s->batch)
		return (struct gather_rule){ .size = s->batch->size, .within_ns = s->batch->within.ns };
	if (s->debounce)
		return (struct gather_rule){ .quiet_ns = s->debounce->quiet.ns, .most_ns = s->debounce->most.ns,
			                     .last = !str_eq(s->debounce->events, S("all")) };
	return (struct gather_rule){ 0 };
}

static struct trigger_def
def_of(struct program *p, const struct trigger_spec *s, str name)
{
	struct trigger_def d = { .ns = p->object->ns, .sensor = p->object->name, .name = name, .kind = s->template->kind,
		                 .template = s->template->src, .parameters = s->parameters.p, .parameters_n = s->parameters.n,
		                 .retry = s->retry, .allow = s->policy && s->policy->status ? s->policy->status->allow : NULL,
		                 .labels = s->policy ? s->policy->k8s : NULL,
		                 .serial = s->at_least_once, .rate_every_ns = s->rate_limit ? rate_of(s->rate_limit) : 0 };
	d.gather = gather_of(s);
	d.many = s->batch || (s->debounce && !d.gather.last);
	if (s->dlq) {
		struct trigger_def *dlq = ARENA_NEW(p->arena, struct trigger_def);
		*dlq = def_of(p, s->dlq, arena_fmt(p->arena, "%.*s" FIRING_DLQ_NAME, STR_ARG(name)));
		dlq->is_dlq = true;
		dlq->many = d.many;
		dlq->gather = (struct gather_rule){ 0 };
		d.dlq = dlq;
	}
	return d;
}

struct trigger_def
program_def(struct program *p, const struct program_trigger *t)
{
	return def_of(p, t->spec, t->name);
}

/* ---- the whole -------------------------------------------------------------------------------------------------------- */

struct program *
program_new(struct object *sensor)
{
	struct program *p = MEM_NEW(struct program);
	p->object = object_ref(sensor);
	p->arena = arena_new();
	p->spec = &((const struct sensor_object *)sensor->spec)->spec;
	p->deps = ARENA_ARRAY(p->arena, struct program_dep, p->spec->dependencies.n);
	for (size_t i = 0; i < p->spec->dependencies.n; i++)
		add_dep(p, &p->spec->dependencies.p[i]);
	p->triggers = ARENA_ARRAY(p->arena, struct program_trigger, p->spec->triggers.n);
	for (size_t i = 0; i < p->spec->triggers.n; i++)
		add_trigger(p, &p->spec->triggers.p[i]);
	return p;
}

void
program_free(struct program *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->deps_n; i++) {
		transformer_free(&p->deps[i].transform);
		filter_set_free(&p->deps[i].filters);
	}
	for (size_t i = 0; i < p->triggers_n; i++) {
		join_free(p->triggers[i].join);
		expr_free(p->triggers[i].key);
	}
	map_free(&p->by_event);
	object_unref(p->object);
	arena_free(p->arena);
	free(p);
}

size_t
program_find(const struct program *p, str source, str event)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	return (size_t)(uintptr_t)map_get(&p->by_event, event_key(&b, source, event));
}

struct program_trigger *
program_trigger_named(const struct program *p, str name)
{
	for (size_t i = 0; i < p->triggers_n; i++)
		if (str_eq(p->triggers[i].name, name))
			return &p->triggers[i];
	return NULL;
}

size_t
program_dep_named(const struct program *p, str name)
{
	for (size_t i = 0; i < p->deps_n; i++)
		if (str_eq(p->deps[i].spec->name, name))
			return i;
	return SIZE_MAX;
}
