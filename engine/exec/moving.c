/* SPDX-License-Identifier: Apache-2.0 */
/*
 * moving: transfers under way, and how far each is, for who asks. Each has a meter (core/meter.h), which its helpers write one after the other; nothing
 * is done here as bytes move. What is told of a place is where it is, never how one gets in.
 */
#include <unistd.h>

#include "core/metrics.h"
#include "core/net/httpc.h"
#include "engine/exec/exec.h"

int
moving_begin(struct executor *x, struct moving *m, struct err *e)
{
	list_init(&m->link);
	if (meter_new(&m->meter, &m->fd, e) < 0)
		return -1;
	list_add_tail(&x->moving, &m->link);
	return 0;
}

void
moving_end(struct executor *x, struct moving *m)
{
	struct meter_reading r;
	if (!m->meter)
		return;
	(void)meter_read(m->meter, &r);
	x->moved[m->out] += r.moved;
	list_del(&m->link);
	meter_free(m->meter);
	drop_fd(&m->fd);
	m->meter = NULL;
	m->child = NULL;
}

/* ---- what is told ---------------------------------------------------------------------------------------------------- */

static str
first_of(const struct val *place, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		str text = val_get_str(place, names[i]);
		if (text.n)
			return text;
	}
	return S("");
}

static str
address_of(const struct val *place)
{
	static const char *const names[] = { "endpoint" };
	const struct val *addresses = val_get(place, S("addresses"));
	str one = val_is(addresses, VAL_LIST) && addresses->n ? val_text(&addresses->items[0]) : STR_NONE;
	return one.n ? one : first_of(place, names, ARRAY_LEN(names));
}

/* "s3 minio:9000, box/a/b.tgz". A member that is made of a secret's text is a map here, and is none of these; a URL may have one in it. */
static str
place_text(struct arena *a, const struct val *located)
{
	static const char *const boxes[] = { "bucket", "container" }, *const keys[] = { "key", "blob", "path", "url", "repo" };
	if (!val_is(located, VAL_MAP) || !located->n)
		return S("");
	const struct val *place = &located->members[0].value;
	str driver = val_key(&located->members[0]), at = http_url_public(a, address_of(place)), box = first_of(place, boxes, ARRAY_LEN(boxes));
	str key = http_url_public(a, first_of(place, keys, ARRAY_LEN(keys)));
	return arena_fmt(a, "%.*s%s%.*s%s%.*s%s%.*s", STR_ARG(driver), at.n ? " " : "", STR_ARG(at), box.n ? at.n ? ", " : " " : "", STR_ARG(box),
		!key.n ? "" : box.n ? "/" : " ", STR_ARG(key));
}

/* It may be shown on a terminal. */
static str
reason_text(struct arena *a, const struct moving *m, const struct meter_reading *r)
{
	if (m->killed && r->attempt <= 1)
		return S("the process that moved it was killed");
	char *text = arena_alloc(a, sizeof r->reason, 1);
	memcpy(text, r->reason, sizeof r->reason);
	for (char *p = text; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 127)
			*p = ' ';
	return str_c(text);
}

static void
describe(const struct moving *m, struct arena *a, struct transfer_view *v)
{
	struct meter_reading r;
	bool whole = meter_read(m->meter, &r);
	const struct val *item = val_at(m->items, r.item);
	str raw = val_get_str(item, "raw");
	*v = (struct transfer_view){ .out = m->out, .waits = !m->child || !child_started(m->child), .done = !item };
	v->artifact = val_get_str(item, "name");
	v->place = raw.p ? S("raw") : place_text(a, val_get(item, S("place")));
	v->bytes = r.bytes;
	v->total = r.total;
	v->attempt = r.attempt + m->killed;
	v->reason = v->attempt > 1 && whole ? reason_text(a, m, &r) : S("");
}

bool
executor_transfer(struct executor *x, str ns, str workflow, str node_id, struct arena *a, struct transfer_view *v)
{
	LIST_EACH(&x->moving, struct moving, link, m)
		if (str_eq(m->workflow, workflow) && str_eq(m->node_id, node_id) && str_eq(m->ns, ns)) {
			describe(m, a, v);
			return true;
		}
	return false;
}

bool
executor_transfers(const struct executor *x, str ns, str workflow)
{
	LIST_EACH(&x->moving, struct moving, link, m)
		if (str_eq(m->workflow, workflow) && str_eq(m->ns, ns))
			return true;
	return false;
}

void
executor_measure(const struct executor *x)
{
	static const char *const ways[] = { "in", "out" };
	double running[2] = { 0 }, waiting[2] = { 0 }, moved[2] = { (double)x->moved[0], (double)x->moved[1] };
	struct meter_reading r;
	LIST_EACH(&x->moving, struct moving, link, m) {
		(void)meter_read(m->meter, &r);
		*(m->child && child_started(m->child) ? &running[m->out] : &waiting[m->out]) += 1;
		moved[m->out] += (double)r.moved;
	}
	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		metric_set(METRIC_TRANSFERS, running[i], ways[i], "running", NULL);
		metric_set(METRIC_TRANSFERS, waiting[i], ways[i], "waiting", NULL);
		metric_total(METRIC_TRANSFER_BYTES, moved[i], ways[i], NULL);
	}
}
