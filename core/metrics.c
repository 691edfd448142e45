/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A metric is a row of metrics.def; its series (one for each set of label values) hang in a small hash table. The labels
 * are manifests' names and status codes; should they grow beyond SERIES_MAX all the same, the rest shares one series.
 *
 * Text format: prometheus.io/docs/instrumenting/exposition_formats (0.0.4).
 */
#include "core/metrics.h"

#include <math.h>

#define LABELS_MAX 8
#define BOUNDS_MAX 16
#define BUCKETS 256 /* of the hash table */
#define SERIES_MAX 10000

enum kind { counter, gauge, histogram };
static const char *const kind_names[] = { "counter", "gauge", "histogram" };

struct series {
	struct series *next;
	uint32_t hash;
	char *values[LABELS_MAX];
	double value; /* of a histogram: the sum */
	uint64_t count, in_bucket[BOUNDS_MAX];
};

static const struct metric {
	enum kind kind;
	const char *name, *labels, *help;
	const double *bounds; /* of a histogram, ascending */
	size_t bounds_n;
} metrics[] = {
#define METRIC(id, kind, name, labels, help) { kind, name, labels, help, NULL, 0 },
#define HISTOGRAM(id, name, labels, help, ...) \
	{ histogram, name, labels, help, (const double[]){ __VA_ARGS__ }, ARRAY_LEN(((const double[]){ __VA_ARGS__ })) },
#define NOT_SERVED(name, why)
#include "core/metrics.def"
#undef METRIC
#undef HISTOGRAM
#undef NOT_SERVED
};

/* The process's own state, as the metrics are the process's. */
static struct {
	struct series *buckets[BUCKETS];
	size_t n;
} table[METRIC_COUNT];

static size_t
label_count(enum metric_id id)
{
	size_t n = 0;
	for (const char *p = metrics[id].labels; *p; p++)
		n += *p == ',';
	return *metrics[id].labels ? n + 1 : 0;
}

static bool
has_values(const struct series *s, const char *const *values, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(s->values[i], values[i]) != 0)
			return false;
	return true;
}

static struct series *
find(enum metric_id id, va_list ap)
{
	const char *values[LABELS_MAX];
	size_t n = 0;
	for (const char *v; (v = va_arg(ap, const char *)); n++) {
		assert(n < LABELS_MAX);
		values[n] = v;
	}
	assert(n == label_count(id));
	for (size_t i = 0; i < n && table[id].n >= SERIES_MAX; i++)
		values[i] = "other";

	uint32_t hash = 0;
	for (size_t i = 0; i < n; i++)
		hash = hash * 31 + str_fnv32a(str_c(values[i]));
	struct series **head = &table[id].buckets[hash % BUCKETS];
	for (struct series *s = *head; s; s = s->next)
		if (s->hash == hash && has_values(s, values, n))
			return s;

	struct series *s = MEM_NEW(struct series);
	*s = (struct series){ .next = *head, .hash = hash };
	for (size_t i = 0; i < n; i++) {
		size_t size = strlen(values[i]) + 1;
		s->values[i] = mem_alloc(size);
		memcpy(s->values[i], values[i], size);
	}
	table[id].n++;
	return *head = s;
}

void
metric_add(enum metric_id id, double by, ...)
{
	va_list ap;
	va_start(ap, by);
	find(id, ap)->value += by;
	va_end(ap);
}

void
metric_set(enum metric_id id, double to, ...)
{
	assert(metrics[id].kind == gauge);
	va_list ap;
	va_start(ap, to);
	find(id, ap)->value = to;
	va_end(ap);
}

void
metric_total(enum metric_id id, double total, ...)
{
	assert(metrics[id].kind == counter);
	va_list ap;
	va_start(ap, total);
	find(id, ap)->value = total;
	va_end(ap);
}

void
metric_clear(enum metric_id id)
{
	const size_t labels = label_count(id);
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct series *s; (s = table[id].buckets[i]);) {
			table[id].buckets[i] = s->next;
			for (size_t k = 0; k < labels; k++)
				free(s->values[k]);
			free(s);
		}
	table[id].n = 0;
}

void
metric_observe(enum metric_id id, double value, ...)
{
	const struct metric *m = &metrics[id];
	assert(m->kind == histogram && m->bounds_n <= BOUNDS_MAX);
	va_list ap;
	va_start(ap, value);
	struct series *s = find(id, ap);
	va_end(ap);
	s->value += value;
	s->count++;
	for (size_t i = 0; i < m->bounds_n; i++)
		if (value <= m->bounds[i]) {
			s->in_bucket[i]++;
			break;
		}
}

/* ---- text format -------------------------------------------------------------------------------------------- */

static void
write_number(struct buf *out, double v)
{
	if (v == trunc(v) && fabs(v) < 1e15)
		buf_addf(out, "%.0f\n", v);
	else
		buf_addf(out, "%.9g\n", v);
}

static void
write_escaped(struct buf *out, const char *s)
{
	for (; *s; s++) {
		if (*s == '\n')
			buf_add(out, S("\\n"));
		else {
			if (*s == '"' || *s == '\\')
				buf_addc(out, '\\');
			buf_addc(out, *s);
		}
	}
}

/* name<suffix>{label="value",...,le="..."} and a space. */
static void
write_head(struct buf *out, const struct metric *m, const struct series *s, const char *suffix, const char *le)
{
	buf_add(out, str_c(m->name));
	buf_add(out, str_c(suffix));
	char sep = '{';
	str labels = str_c(m->labels);
	for (size_t i = 0; labels.n; i++) {
		str name = str_cut(&labels, ',');
		buf_addc(out, sep);
		buf_addf(out, "%.*s=\"", STR_ARG(name));
		write_escaped(out, s->values[i]);
		buf_addc(out, '"');
		sep = ',';
	}
	if (le) {
		buf_addf(out, "%cle=\"%s\"", sep, le);
		sep = ',';
	}
	buf_add(out, sep == ',' ? S("} ") : S(" "));
}

static void
write_histogram(struct buf *out, const struct metric *m, const struct series *s)
{
	uint64_t so_far = 0;
	for (size_t i = 0; i < m->bounds_n; i++) {
		char le[32];
		snprintf(le, sizeof le, "%g", m->bounds[i]);
		so_far += s->in_bucket[i];
		write_head(out, m, s, "_bucket", le);
		buf_addf(out, "%llu\n", (unsigned long long)so_far);
	}
	write_head(out, m, s, "_bucket", "+Inf");
	buf_addf(out, "%llu\n", (unsigned long long)s->count);
	write_head(out, m, s, "_sum", NULL);
	write_number(out, s->value);
	write_head(out, m, s, "_count", NULL);
	buf_addf(out, "%llu\n", (unsigned long long)s->count);
}

bool
metrics_has(str name)
{
	for (size_t i = 0; i < METRIC_COUNT; i++)
		if (str_eq(name, str_c(metrics[i].name)))
			return true;
	return false;
}

void
metrics_write(struct buf *out)
{
	for (size_t id = 0; id < METRIC_COUNT; id++) {
		const struct metric *m = &metrics[id];
		buf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", m->name, m->help, m->name, kind_names[m->kind]);
		for (size_t b = 0; b < BUCKETS; b++)
			for (const struct series *s = table[id].buckets[b]; s; s = s->next) {
				if (m->kind == histogram) {
					write_histogram(out, m, s);
				} else {
					write_head(out, m, s, "", NULL);
					write_number(out, s->value);
				}
			}
	}
}
