/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/topics.h"

static str
make_key(struct topics *t, str source, str subject)
{
	t->scratch.n = 0;
	buf_add(&t->scratch, source);
	buf_addc(&t->scratch, 0);
	buf_add(&t->scratch, subject);
	return buf_str(&t->scratch);
}

struct topic *
topics_find(struct topics *t, str source, str subject)
{
	return map_get(&t->by_key, make_key(t, source, subject));
}

static struct topic *
new_topic(struct topics *t, str key)
{
	struct topic *x = MEM_NEW(struct topic);
	char *bytes = mem_alloc(key.n);
	memcpy(bytes, key.p, key.n);
	x->key = (str){ bytes, key.n };
	map_put(&t->by_key, x->key, x);
	return x;
}

static size_t
place_of(const struct topic *x, const struct subscription *sub)
{
	size_t i = 0;
	while (i < x->members.n && x->members.p[i] != sub)
		i++;
	return i;
}

void
topics_add(struct topics *t, const struct bus_topic *topic, struct subscription *sub)
{
	str key = make_key(t, topic->source, topic->subject);
	struct topic *x = map_get(&t->by_key, key);
	if (!x)
		x = new_topic(t, key);
	/* One that comes twice comes at once: it is the last. */
	if (x->members.n == 0 || x->members.p[x->members.n - 1] != sub)
		*VEC_PUSH(&x->members) = sub;
}

void
topics_remove(struct topics *t, const struct bus_topic *topic, const struct subscription *sub)
{
	struct topic *x = topics_find(t, topic->source, topic->subject);
	size_t i = x ? place_of(x, sub) : 0;
	if (!x || i == x->members.n)
		return;
	memmove(&x->members.p[i], &x->members.p[i + 1], (--x->members.n - i) * sizeof *x->members.p);
}

void
topics_free(struct topics *t)
{
	struct map_slot *slot;
	for (size_t i = 0; (slot = map_next(&t->by_key, &i));) {
		struct topic *x = slot->value;
		VEC_FREE(&x->members);
		str_disown(x->key);
		free(x);
	}
	map_free(&t->by_key);
	buf_free(&t->scratch);
}
