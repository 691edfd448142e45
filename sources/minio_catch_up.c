/* SPDX-License-Identifier: Apache-2.0 */
/*
 * minio_catch_up: MinIO keeps no notifications for who is away, drops what a listener does not take in time, and may
 * hold a stream back. So the bucket is listed, page by page, and an object that was written since the last time, and
 * that no event was about, is told of as a record made from what a listing has. What was deleted meanwhile cannot be
 * seen, nor what was overwritten or deleted again.
 */
#include "core/log.h"
#include "core/net/httpc.h"
#include "sources/minio.h"
#include "sources/s3_event.h"
#include "core/net/s3_list.h"

enum { PAGES_MAX = 1000 };

struct catch_up {
	struct source *source;
	struct httpc *client;
	const str *region;
	struct minio_seen *seen;
	const struct catch_up_ops *ops;
	void *arg;
	bool under_way, again; /* and once more, since there was another gap */
	bool waiting; /* for room in the bus */
	bool limit_told;
	int64_t since, began; /* began: the server's time of the first page */
	str next; /* continuation token, owned */
	size_t pages;
};

struct catch_up *
catch_up_new(struct source *s, struct httpc *client, const str *region, struct minio_seen *seen,
             const struct catch_up_ops *ops, void *arg)
{
	struct catch_up *c = MEM_NEW(struct catch_up);
	*c = (struct catch_up){ .source = s, .client = client, .region = region, .seen = seen, .ops = ops, .arg = arg };
	return c;
}

void
catch_up_free(struct catch_up *c)
{
	str_disown(c->next);
	free(c);
}

/* ---- a page ------------------------------------------------------------------------------------------------------ */

static void ask(struct catch_up *c);

static void
end(struct catch_up *c, const struct err *e)
{
	str_disown(c->next);
	c->next = STR_NONE;
	c->pages = 0;
	if (c->again) { /* also where this one failed: it may have been on a connection that is no more */
		c->again = false;
		ask(c);
		return;
	}
	c->under_way = c->waiting = c->again = false;
	c->ops->done(c->arg, c->began, e);
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
	val_map_add(&object, S("key"), val_str(o->key));
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
	str second = time_rfc3339(a, o->modified);
	val_map_add(&record, S("eventTime"), val_str(arena_fmt(a, "%.*s.%03dZ", STR_ARG(str_slice(second, 0, second.n - 1)),
	                                                      (int)(o->modified / NS_PER_MS % 1000))));
	val_map_add(&record, S("eventName"), val_cstr(name_of(o)));
	val_map_add(&record, S("s3"), val_map_end(&s3, a));
	struct val v = val_map_end(&record, a);
	struct buf b CLEANUP(free_buf) = { 0 };
	s3_record_json(&b, &v);
	minio_seen_add(c->seen, o->key, o->etag, o->modified);
	c->ops->missed(c->arg, buf_str(&b), minio_delivery(a, o->key, o->etag, o->modified));
}

static void
tell_page(struct catch_up *c, const struct s3_page *p)
{
	const struct minio_source *config = source_config(c->source);
	for (size_t i = 0; i < p->n; i++) {
		const struct s3_object *o = &p->objects[i];
		bool wanted = str_ends(o->key, minio_suffix(config)) && is_wanted(config, name_of(o));
		if (wanted && o->modified > c->since - MINIO_OVERLAP && !minio_seen_has(c->seen, o->key, o->etag, o->modified))
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
	if (!c->pages)
		c->began = minio_server_time(c->source, ans);
	if (c->since)
		tell_page(c, &page);
	str_disown(c->next);
	c->next = page.next.n && c->since ? str_own(page.next) : STR_NONE;
	if (c->next.p && ++c->pages == PAGES_MAX) {
		err_set(&e, ERR_LIMIT, "listing the bucket: it has more than %d objects; of those behind them it is not known whether one was missed",
		        PAGES_MAX * S3_PAGE_MAX);
		if (!c->limit_told)
			log_warn("notifications may have been missed", "error", e.msg, NULL);
		c->limit_told = true;
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
	str prefix = sigv4_encode(a, minio_prefix(config), false);
	buf_addf(&q, "encoding-type=url&list-type=2&max-keys=%d&prefix=%.*s", c->since ? S3_PAGE_MAX : 1, STR_ARG(prefix));
	if (minio_request(c->source, *c->region, buf_str(&q), a, &call, &e) < 0)
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
