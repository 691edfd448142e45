/* SPDX-License-Identifier: Apache-2.0 */
#include "core/net/avro_registry.h"

#include "core/avro.h"
#include "core/clock.h"
#include "core/net/httpc.h"

enum { SLOTS = 256, HEAD = 5, NOT_KNOWN = 40403 /* error_code: there is no such schema */ };

struct entry {
	struct entry *next;
	uint32_t id;
	struct avro_schema *schema; /* NULL: `why`, until then */
	struct err why;
	int64_t until_ms;
};
struct avro_registry {
	str url, user, password, id;
	struct entry *slots[SLOTS];
	size_t n, bytes; /* of schemas */
};

bool
avro_registry_failed(const struct err *e)
{
	return e->code == ERR_UNAVAILABLE || e->code == ERR_UNAUTHENTICATED || e->code == ERR_DENIED;
}

struct avro_registry *
avro_registry_new(const struct peer_target *t)
{
	str url = peer_option(t, AVRO_REGISTRY_URL);
	if (!url.p)
		return NULL;
	struct avro_registry *r = MEM_NEW(struct avro_registry);
	while (url.n && url.p[url.n - 1] == '/')
		url.n--;
	*r = (struct avro_registry){ .url = url, .user = peer_option(t, AVRO_REGISTRY_USER), .password = peer_option(t, AVRO_REGISTRY_PASSWORD),
	                             .id = peer_option(t, AVRO_REGISTRY_ID) };
	return r;
}

/* ---- what is kept --------------------------------------------------------------------------------------------------- */

static void
forget_all(struct avro_registry *r)
{
	for (size_t i = 0; i < SLOTS; i++)
		while (r->slots[i]) {
			struct entry *e = r->slots[i];
			r->slots[i] = e->next;
			avro_schema_free(e->schema);
			free(e);
		}
	r->n = r->bytes = 0;
}

void
avro_registry_free(struct avro_registry *r)
{
	if (r)
		forget_all(r);
	free(r);
}

/* The entry of that id, a new one if there is none. */
static struct entry *
entry_of(struct avro_registry *r, uint32_t id)
{
	struct entry **slot = &r->slots[id % SLOTS];
	for (struct entry *e = *slot; e; e = e->next)
		if (e->id == id)
			return e;
	if (r->n >= AVRO_REGISTRY_KEPT || r->bytes >= AVRO_REGISTRY_BYTES)
		forget_all(r);
	struct entry *e = MEM_NEW(struct entry);
	*e = (struct entry){ .next = *slot, .id = id };
	*slot = e;
	r->n++;
	return e;
}

/* ---- asking --------------------------------------------------------------------------------------------------------- */

/* Any reason but the login may pass: the message is not to be lost for it. */
static int
unavailable(struct err *e)
{
	if (!avro_registry_failed(e))
		e->code = ERR_UNAVAILABLE;
	return -1;
}

static int
refused(const struct avro_registry *r, const struct http_answer *ans, struct arena *a, struct err *e)
{
	struct err ignored;
	struct val v = { .kind = VAL_NULL };
	int64_t code = 0;
	if (ans->status == 404 && json_read(a, ans->body, &v, &ignored) == 0 && val_get(&v, S("error_code")) &&
	    val_to_i64(val_get(&v, S("error_code")), &code) && code == NOT_KNOWN)
		return err_set(e, ERR_NOT_FOUND, "the registry has no such schema");
	enum err_code why = ans->status == 401 ? ERR_UNAUTHENTICATED : ans->status == 403 ? ERR_DENIED : ERR_UNAVAILABLE;
	return err_set(e, why, "schema registry %.*s: status %d: %.*s", STR_ARG(http_url_public(a, r->url)), ans->status,
	               STR_ARG(http_excerpt(a, ans->body)));
}

static int
ask(struct avro_registry *r, uint32_t id, struct arena *a, struct http_answer *ans, struct err *e)
{
	const struct http_header accept = { S("Accept"), S("application/vnd.schemaregistry.v1+json, application/json") };
	const struct http_call call = { .method = S("GET"), .url = arena_fmt(a, "%.*s/schemas/ids/%u", STR_ARG(r->url), id), .headers = &accept,
	                                .headers_n = 1, .timeout_ms = AVRO_REGISTRY_WAIT_MS, .max_response = 2 * AVRO_SCHEMA_MAX, .max_redirects = 3,
	                                .user = r->user, .password = r->password };
	struct err why;
	if (http_wait(&call, a, ans, &why) < 0) {
		err_set(e, why.code, "schema registry: %s", why.msg);
		return unavailable(e);
	}
	return ans->status == 200 ? 0 : refused(r, ans, a, e);
}

/* The schema in a good answer. */
static int
read_answer(const struct avro_registry *r, const struct http_answer *ans, struct arena *a, struct avro_schema **out, size_t *bytes, struct err *e)
{
	struct val v = { .kind = VAL_NULL };
	struct err why;
	if (json_read(a, ans->body, &v, &why) < 0 || !val_get_str(&v, "schema").p)
		return err_set(e, ERR_UNAVAILABLE, "schema registry %.*s: the answer has no schema", STR_ARG(http_url_public(a, r->url)));
	str type = val_get_str(&v, "schemaType"), text = val_get_str(&v, "schema");
	const struct val *references = val_get(&v, S("references"));
	if (type.n && !str_eq(type, S("AVRO")))
		return err_set(e, ERR_UNSUPPORTED, "it is of %.*s; Avro is served", STR_ARG(str_slice(type, 0, 40)));
	if (val_is(references, VAL_LIST) && references->n)
		return err_set(e, ERR_UNSUPPORTED, "it refers to other schemas, which is not served");
	*out = avro_schema_read(text, e);
	*bytes = text.n;
	return *out ? 0 : -1;
}

static int
fetch(struct avro_registry *r, struct entry *entry, struct err *e)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct http_answer ans = { 0 };
	size_t bytes = 0;
	if (ask(r, entry->id, a, &ans, e) < 0 || read_answer(r, &ans, a, &entry->schema, &bytes, e) < 0)
		return -1;
	r->bytes += bytes;
	return 0;
}

static const struct avro_schema *
schema_of(struct avro_registry *r, uint32_t id, struct err *e)
{
	struct entry *entry = entry_of(r, id);
	struct err why = { 0 };
	if (entry->schema)
		return entry->schema;
	if (clock_monotonic_ms() < entry->until_ms) {
		*e = entry->why;
		return NULL;
	}
	if (fetch(r, entry, &why) == 0)
		return entry->schema;
	if (avro_registry_failed(&why)) {
		*e = why;
		return NULL;
	}
	err_set(e, why.code, "schema %u: %s", id, why.msg);
	entry->why = *e;
	entry->until_ms = clock_monotonic_ms() + AVRO_REGISTRY_NO_MS;
	return NULL;
}

/* ---- messages ------------------------------------------------------------------------------------------------------- */

int
avro_registry_decode(struct avro_registry *r, str message, struct buf *out, struct err *e)
{
	const unsigned char *p = (const unsigned char *)message.p;
	if (message.n < HEAD || p[0])
		return err_set(e, ERR_INVALID, "avro: it does not begin with a byte 0 and the id of a schema");
	const struct avro_schema *s = schema_of(r, (uint32_t)p[1] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 8 | p[4], e);
	return s ? avro_decode(s, str_slice(message, HEAD, message.n), out, e) : -1;
}

int
avro_registry_encode(struct avro_registry *r, str json, struct buf *out, struct err *e)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct val v;
	int64_t id = 0;
	(void)str_to_i64(r->id, &id); /* a number of the manifest */
	if (json_read(a, json, &v, e) < 0)
		return -1;
	const struct avro_schema *s = schema_of(r, (uint32_t)id, e);
	if (!s)
		return -1;
	for (int shift = 32; shift >= 0; shift -= 8)
		buf_addc(out, shift == 32 ? 0 : (char)(id >> shift));
	return avro_encode(s, &v, out, e);
}
