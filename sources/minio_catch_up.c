/* SPDX-License-Identifier: Apache-2.0 */
/*
 * minio_catch_up: MinIO keeps no notifications for who is away. After each connection the bucket is listed, page by page, and an object
 * that was written since the last event, and that no event was about, is told of as a record made from what a listing has. What was deleted meanwhile
 * cannot be seen, nor what was overwritten or deleted again.
 *
 * Whether an event was about it is looked up by key and ETag in a table of the last ones, where two that meet push each other out: then the
 * object is told of once more, which is better than never. The same finding has the same delivery id, so it is one event.
 */
#include "core/log.h"
#include "core/net/httpc.h"
#include "sources/minio.h"
#include "sources/s3_event.h"
#include "sources/s3_list.h"

/* The clocks of a cluster differ, and an event is sent a moment after its object was written. */
#define OVERLAP (60 * NS_PER_SEC)
#define SLACK (2 * NS_PER_SEC)
enum { SEEN = 4096, PAGES_MAX = 1000 };

struct catch_up {
	struct source *source;
	struct httpc *client;
	const struct catch_up_ops *ops;
	void *arg;
	bool under_way, again; /* and once more, since there was another gap */
	bool waiting; /* for room in the bus */
	int64_t since;
	str next; /* continuation token, owned */
	size_t pages;
	struct seen {
		uint64_t object;
		int64_t time;
	} seen[SEEN];
};

struct catch_up *
catch_up_new(struct source *s, struct httpc *client, const struct catch_up_ops *ops, void *arg)
{
	struct catch_up *c = MEM_NEW(struct catch_up);
	c->source = s;
	c->client = client;
	c->ops = ops;
	c->arg = arg;
	return c;
}

void
catch_up_free(struct catch_up *c)
{
	str_disown(c->next);
	free(c);
}

/* FNV-1a */
static uint64_t
hash(uint64_t h, str s)
{
	for (size_t i = 0; i < s.n; i++)
		h = (h ^ (unsigned char)s.p[i]) * 0x100000001b3;
	return (h ^ 0xff) * 0x100000001b3;
}

static uint64_t
object_of(str key, str etag)
{
	return hash(hash(0xcbf29ce484222325, key), etag);
}

void
catch_up_saw(struct catch_up *c, str key, str etag, int64_t time)
{
	uint64_t object = object_of(key, etag);
	struct seen *s = &c->seen[object % SEEN];
	if (s->object != object || s->time < time)
		*s = (struct seen){ object, time };
}

static bool
was_seen(const struct catch_up *c, const struct s3_object *o)
{
	uint64_t object = object_of(o->key, o->etag);
	const struct seen *s = &c->seen[object % SEEN];
	return s->object == object && s->time + SLACK >= o->modified;
}

/* ---- a page ----------------------------------------------------------------------------------------------------------- */

static void ask(struct catch_up *c);

static void
end(struct catch_up *c, const struct err *e)
{
	str_disown(c->next);
	c->next = STR_NONE;
	c->pages = 0;
	if (c->again && !e) {
		c->again = false;
		ask(c);
		return;
	}
	c->under_way = c->waiting = c->again = false;
	c->ops->done(c->arg, e);
}

/* An upload in parts shows by its ETag. */
static const char *
name_of(const struct s3_object *o)
{
	return str_find_char(o->etag, '-', 0) == SIZE_MAX ? "s3:ObjectCreated:Put" : "s3:ObjectCreated:CompleteMultipartUpload";
}

static bool
is_wanted(const struct minio_source *config, const char *name)
{
	for (size_t i = 0; i < config->events.n; i++) {
		str e = config->events.p[i];
		bool open = str_ends(e, S("*"));
		if (open ? str_starts(str_c(name), str_slice(e, 0, e.n - 1)) : str_eq(e, str_c(name)))
			return true;
	}
	return false;
}

static void
tell(struct catch_up *c, const struct s3_object *o)
{
	const struct minio_source *config = source_config(c->source);
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct val_map object = { 0 }, bucket = { 0 }, s3 = { 0 }, record = { 0 };
	val_map_add(&object, S("key"), val_str(s3_key_encode(a, o->key)));
	val_map_add(&object, S("size"), val_int(o->size));
	val_map_add(&object, S("eTag"), val_str(o->etag));
	val_map_add(&bucket, S("name"), val_str(config->bucket->name));
	val_map_add(&bucket, S("arn"), val_str(arena_fmt(a, "arn:aws:s3:::%.*s", STR_ARG(config->bucket->name))));
	val_map_add(&s3, S("s3SchemaVersion"), val_str(S("1.0")));
	val_map_add(&s3, S("configurationId"), val_str(S("tidegate-listing")));
	val_map_add(&s3, S("bucket"), val_map_end(&bucket, a));
	val_map_add(&s3, S("object"), val_map_end(&object, a));
	val_map_add(&record, S("eventVersion"), val_str(S("2.0")));
	val_map_add(&record, S("eventSource"), val_str(S("minio:s3")));
	val_map_add(&record, S("awsRegion"), val_str(config->region.p ? config->region : S("")));
	val_map_add(&record, S("eventTime"), val_str(time_rfc3339_nano(a, o->modified)));
	val_map_add(&record, S("eventName"), val_cstr(name_of(o)));
	val_map_add(&record, S("s3"), val_map_end(&s3, a));
	struct val v = val_map_end(&record, a);
	struct buf b CLEANUP(free_buf) = { 0 };
	s3_record_json(&b, &v);
	c->ops->missed(c->arg, buf_str(&b), arena_fmt(a, "listing %016llx %lld", (unsigned long long)object_of(o->key, o->etag), (long long)o->modified));
}

static void
tell_page(struct catch_up *c, const struct s3_page *p)
{
	const struct minio_source *config = source_config(c->source);
	for (size_t i = 0; i < p->n; i++) {
		const struct s3_object *o = &p->objects[i];
		if (o->modified > c->since - OVERLAP && str_ends(o->key, minio_suffix(config)) && is_wanted(config, name_of(o)) && !was_seen(c, o))
			tell(c, o);
	}
}

static int
read_answer(struct arena *a, const struct http_answer *ans, struct s3_page *p, struct err *e)
{
	if (ans->status == 200)
		return s3_list_read(a, ans->body, p, e) < 0 ? err_wrap(e, "listing the bucket") : 0;
	minio_refused(a, ans->status, ans->body, e);
	return err_wrap(e, "listing the bucket");
}

static void
answered(void *arg, const struct http_answer *ans, const struct err *failure)
{
	struct catch_up *c = arg;
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct s3_page page;
	struct err e;
	if (failure || read_answer(a, ans, &page, &e) < 0) {
		end(c, failure ? failure : &e);
		return;
	}
	tell_page(c, &page);
	str_disown(c->next);
	c->next = page.next.n ? str_own(page.next) : STR_NONE;
	if (c->next.p && ++c->pages == PAGES_MAX) {
		err_set(&e, ERR_LIMIT, "listing the bucket: it has more than %d objects; of those behind them it is not known whether one was missed",
		        PAGES_MAX * S3_PAGE_MAX);
		log_warn("notifications may have been missed", "error", e.msg, NULL);
		end(c, NULL);
	} else if (!c->next.p) {
		end(c, NULL);
	} else {
		ask(c);
	}
}

/* In order of names, as the signature wants them. */
static void
ask(struct catch_up *c)
{
	const struct minio_source *config = source_config(c->source);
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct buf q CLEANUP(free_buf) = { 0 };
	struct http_call call;
	struct err e;
	c->waiting = source_is_paused(c->source);
	if (c->waiting)
		return;
	if (c->next.p)
		buf_addf(&q, "continuation-token=%.*s&", STR_ARG(sigv4_encode(a, c->next, false)));
	buf_addf(&q, "encoding-type=url&list-type=2&max-keys=%d&prefix=%.*s", S3_PAGE_MAX, STR_ARG(sigv4_encode(a, minio_prefix(config), false)));
	if (minio_request(c->source, buf_str(&q), a, &call, &e) < 0)
		end(c, &e);
	else
		httpc_send(c->client, &call, answered, c);
}

void
catch_up_begin(struct catch_up *c, int64_t since)
{
	c->again = c->under_way;
	if (c->under_way)
		return;
	c->under_way = true;
	c->since = since;
	c->pages = 0;
	ask(c);
}

void
catch_up_go_on(struct catch_up *c)
{
	if (c->under_way && c->waiting)
		ask(c);
}
