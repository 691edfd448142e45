/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names are families; a family holds its series by the text of their labels, which is what is printed anyway. Series stand
 * in one list in the order of their last report, so that what is out of date is found at its head without a search.
 *
 * Text format: prometheus.io/docs/instrumenting/exposition_formats (0.0.4).
 */
#include "engine/custom_metrics.h"

#include <math.h>

#include "core/lang/gofmt.h"
#include "core/map.h"
#include "core/metrics.h"

static const char *const kind_names[] = { "counter", "gauge", "histogram" };

struct family {
	char *name, *help;
	enum custom_kind kind;
	double *buckets;
	size_t buckets_n;
	struct map series; /* label text -> struct series */
};

struct series {
	struct link by_age;
	struct family *family;
	char *labels; /* `a="x",b="y"`, the key in the family */
	char *uid;    /* of the workflow that it goes with; NULL: it stays */
	int64_t since, updated;
	double value; /* of a histogram: the sum */
	uint64_t count, *in_bucket;
};

struct custom_metrics {
	struct map families; /* name -> struct family */
	struct link by_age;  /* oldest first */
	size_t series;
	int64_t ttl;
};

/* ---- labels ---------------------------------------------------------------------------------------------------- */

static int
by_key(const void *a, const void *b)
{
	const struct kv *x = a, *y = b;
	return str_cmp(x->key, y->key);
}

static void
add_escaped(struct buf *b, str s, bool quotes)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\n')
			buf_add(b, S("\\n"));
		else if (s.p[i] == '\\' || (quotes && s.p[i] == '"'))
			buf_addf(b, "\\%c", s.p[i]);
		else
			buf_addc(b, s.p[i]);
	}
}

static void
label_text(struct buf *b, const struct kvs *labels)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct kv *sorted = ARENA_ARRAY(a, struct kv, labels->n);
	if (labels->n)
		memcpy(sorted, labels->p, labels->n * sizeof *sorted);
	qsort(sorted, labels->n, sizeof *sorted, by_key);
	for (size_t i = 0; i < labels->n; i++) {
		buf_addf(b, "%s%.*s=\"", i ? "," : "", STR_ARG(sorted[i].key));
		add_escaped(b, sorted[i].value, true);
		buf_addc(b, '"');
	}
}

/* ---- families and series --------------------------------------------------------------------------------------- */

static void
series_free(struct custom_metrics *c, struct series *s)
{
	map_del(&s->family->series, str_c(s->labels));
	list_del(&s->by_age);
	c->series--;
	free(s->labels);
	free(s->uid);
	free(s->in_bucket);
	free(s);
}

static void
family_free(struct family *f)
{
	map_free(&f->series);
	free(f->name);
	free(f->help);
	free(f->buckets);
	free(f);
}

static struct family *
family_new(struct custom_metrics *c, const struct custom_metric *m)
{
	struct family *f = MEM_NEW(struct family);
	f->name = mem_text(m->name);
	f->help = mem_text(m->help);
	f->kind = m->kind;
	f->buckets_n = m->buckets_n;
	f->buckets = mem_alloc(m->buckets_n * sizeof *f->buckets + 1);
	if (m->buckets_n)
		memcpy(f->buckets, m->buckets, m->buckets_n * sizeof *f->buckets);
	map_put(&c->families, str_c(f->name), f);
	return f;
}

/* What a name means stays as it is as long as it has a series. */
static int
agrees(const struct family *f, const struct custom_metric *m, struct err *e)
{
	if (f->kind != m->kind)
		return err_set(e, ERR_INVALID, "metric '%s' is a %s already, it cannot be a %s as well", f->name,
			kind_names[f->kind], kind_names[m->kind]);
	if (!str_eq(m->help, str_c(f->help)))
		return err_set(e, ERR_INVALID, "metric '%s' has another help already: \"%s\"", f->name, f->help);
	if (f->buckets_n != m->buckets_n || (m->buckets_n && memcmp(f->buckets, m->buckets, m->buckets_n * sizeof *m->buckets)))
		return err_set(e, ERR_INVALID, "metric '%s' has other buckets already", f->name);
	return 0;
}

static void
touch(struct custom_metrics *c, struct series *s, int64_t now)
{
	s->updated = now;
	list_del(&s->by_age);
	list_add_tail(&c->by_age, &s->by_age);
}

static void
expire(struct custom_metrics *c, int64_t now)
{
	while (c->ttl && !list_empty(&c->by_age)) {
		struct series *s = LIST_FIRST(&c->by_age, struct series, by_age);
		if (s->updated > now - c->ttl)
			return;
		if (s->since) { /* it shows a time that still runs */
			touch(c, s, now);
			continue;
		}
		struct family *f = s->family;
		series_free(c, s);
		if (!f->series.n) {
			map_del(&c->families, str_c(f->name));
			family_free(f);
		}
	}
}

static struct series *
series_of(struct custom_metrics *c, struct family *f, const struct kvs *labels, struct err *e)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	label_text(&b, labels);
	struct series *s = map_get(&f->series, buf_str(&b));
	if (s)
		return s;
	if (c->series >= CUSTOM_SERIES_MAX) {
		(void)err_set(e, ERR_LIMIT, "metric '%s': there are %d series already", f->name, CUSTOM_SERIES_MAX);
		return NULL;
	}
	s = MEM_NEW(struct series);
	s->family = f;
	s->labels = mem_text(buf_str(&b));
	if (f->kind == CUSTOM_HISTOGRAM)
		s->in_bucket = mem_alloc((f->buckets_n + 1) * sizeof *s->in_bucket);
	map_put(&f->series, str_c(s->labels), s);
	c->series++;
	return s;
}

/* ---- reports --------------------------------------------------------------------------------------------------- */

static void
observe(struct series *s, double value)
{
	const struct family *f = s->family;
	size_t i = 0;
	while (i < f->buckets_n && value > f->buckets[i])
		i++;
	s->in_bucket[i]++;
	s->count++;
	s->value += value;
}

static void
take(struct series *s, str uid, const struct custom_metric *m)
{
	free(s->uid);
	s->uid = m->realtime ? mem_text(uid) : NULL;
	s->since = m->since;
	if (m->kind == CUSTOM_HISTOGRAM)
		observe(s, m->value);
	else if (m->kind == CUSTOM_COUNTER || m->operation == CUSTOM_ADD)
		s->value += m->value;
	else if (m->operation == CUSTOM_SUB)
		s->value -= m->value;
	else
		s->value = m->value;
}

static int
check(const struct custom_metric *m, struct err *e)
{
	struct arena *tmp CLEANUP(free_arena) = arena_new();
	if (metrics_has(arena_fmt(tmp, "argo_workflows_%.*s", STR_ARG(m->name))))
		return err_set(e, ERR_INVALID, "metric '%.*s': a metric of the daemon itself has that name", STR_ARG(m->name));
	if (m->buckets_n > CUSTOM_BUCKETS_MAX)
		return err_set(e, ERR_LIMIT, "metric '%.*s': more than %d buckets", STR_ARG(m->name), CUSTOM_BUCKETS_MAX);
	for (size_t i = 1; i < m->buckets_n; i++)
		if (!(m->buckets[i] > m->buckets[i - 1]))
			return err_set(e, ERR_INVALID, "metric '%.*s': buckets must ascend", STR_ARG(m->name));
	if (m->kind == CUSTOM_COUNTER && !(m->value >= 0))
		return err_set(e, ERR_INVALID, "metric '%.*s': a counter cannot fall", STR_ARG(m->name));
	return 0;
}

int
custom_metrics_report(struct custom_metrics *c, str uid, const struct custom_metric *m, int64_t now, struct err *e)
{
	expire(c, now);
	struct family *f = map_get(&c->families, m->name);
	if (check(m, e) || (f && agrees(f, m, e)))
		return -1;
	if (!f && c->series >= CUSTOM_SERIES_MAX)
		return err_set(e, ERR_LIMIT, "metric '%.*s': there are %d series already", STR_ARG(m->name), CUSTOM_SERIES_MAX);
	if (!f)
		f = family_new(c, m);
	struct series *s = series_of(c, f, &m->labels, e);
	if (!s)
		return -1;
	take(s, uid, m);
	touch(c, s, now);
	return 0;
}

void
custom_metrics_stop(struct custom_metrics *c, str uid)
{
	LIST_EACH(&c->by_age, struct series, by_age, s)
	{
		if (s->uid && str_eq(str_c(s->uid), uid))
			series_free(c, s);
	}
}

/* ---- writing --------------------------------------------------------------------------------------------------- */

static void
sample(struct buf *out, const struct family *f, const char *suffix, const char *labels, const char *le, double value)
{
	buf_addf(out, "argo_workflows_%s%s", f->name, suffix);
	if (*labels || le)
		buf_addf(out, "{%s%s%s%s%s}", labels, *labels && le ? "," : "", le ? "le=\"" : "", le ? le : "", le ? "\"" : "");
	buf_addc(out, ' ');
	if (isinf(value))
		buf_add(out, value > 0 ? S("+Inf") : S("-Inf"));
	else if (isnan(value))
		buf_add(out, S("NaN"));
	else
		go_format_float(out, value, 'g', -1);
	buf_addc(out, '\n');
}

static void
write_histogram(struct buf *out, const struct series *s)
{
	const struct family *f = s->family;
	uint64_t sum = 0;
	for (size_t i = 0; i < f->buckets_n; i++) {
		struct buf le CLEANUP(free_buf) = { 0 };
		go_format_float(&le, f->buckets[i], 'g', -1);
		sum += s->in_bucket[i];
		sample(out, f, "_bucket", s->labels, le.p, (double)sum);
	}
	sample(out, f, "_bucket", s->labels, "+Inf", (double)s->count);
	sample(out, f, "_sum", s->labels, NULL, s->value);
	sample(out, f, "_count", s->labels, NULL, (double)s->count);
}

static int
series_by_labels(const void *a, const void *b)
{
	return strcmp((*(const struct series *const *)a)->labels, (*(const struct series *const *)b)->labels);
}

static void
write_family(struct buf *out, const struct family *f, int64_t now, struct arena *a)
{
	buf_addf(out, "# HELP argo_workflows_%s ", f->name);
	add_escaped(out, str_c(f->help), false);
	buf_addf(out, "\n# TYPE argo_workflows_%s %s\n", f->name, kind_names[f->kind]);
	struct series **all = ARENA_ARRAY(a, struct series *, f->series.n);
	struct map_slot *slot;
	size_t n = 0;
	for (size_t i = 0; (slot = map_next(&f->series, &i));)
		all[n++] = slot->value;
	qsort(all, n, sizeof(struct series *), series_by_labels);
	for (size_t i = 0; i < n; i++) {
		if (f->kind == CUSTOM_HISTOGRAM)
			write_histogram(out, all[i]);
		else
			sample(out, f, "", all[i]->labels, NULL,
				all[i]->since ? (double)(now - all[i]->since) / 1e9 : all[i]->value);
	}
}

static int
families_by_name(const void *a, const void *b)
{
	return strcmp((*(const struct family *const *)a)->name, (*(const struct family *const *)b)->name);
}

void
custom_metrics_write(struct custom_metrics *c, int64_t now, struct buf *out)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	expire(c, now);
	struct family **all = ARENA_ARRAY(a, struct family *, c->families.n);
	struct map_slot *slot;
	size_t n = 0;
	for (size_t i = 0; (slot = map_next(&c->families, &i));)
		all[n++] = slot->value;
	qsort(all, n, sizeof(struct family *), families_by_name);
	for (size_t i = 0; i < n; i++)
		if (all[i]->series.n)
			write_family(out, all[i], now, a);
}

struct custom_metrics *
custom_metrics_new(int64_t ttl_ns)
{
	struct custom_metrics *c = MEM_NEW(struct custom_metrics);
	list_init(&c->by_age);
	c->ttl = ttl_ns;
	return c;
}

void
custom_metrics_free(struct custom_metrics *c)
{
	if (!c)
		return;
	LIST_EACH(&c->by_age, struct series, by_age, s)
		series_free(c, s);
	struct map_slot *slot;
	for (size_t i = 0; (slot = map_next(&c->families, &i));)
		family_free(slot->value);
	map_free(&c->families);
	free(c);
}
