/* SPDX-License-Identifier: Apache-2.0 */
/* minio_record: the records of notifications: what they say of an object, and the events that are made of them. */
#include "sources/message.h"
#include "sources/minio.h"
#include "sources/s3_event.h"

str
minio_delivery(struct arena *a, str key, str etag, int64_t time)
{
	return arena_fmt(a, "object %lld %.*s %.*s", (long long)(time / NS_PER_MS), STR_ARG(etag), STR_ARG(key));
}

/* An object was written, as a listing would show it. What happens to its tags or locks leaves it as it was. */
static bool
is_written(str event)
{
	static const char *const names[] = { "s3:ObjectCreated:Put", "s3:ObjectCreated:Post", "s3:ObjectCreated:Copy",
		                             "s3:ObjectCreated:CompleteMultipartUpload" };
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (str_eq(event, str_c(names[i])))
			return true;
	return false;
}

/* When the object was written (ns): MinIO makes its sequencer of that, in hexadecimal digits. */
static bool
written_at(const struct val *object, struct arena *a, int64_t *time)
{
	str digits = val_get_str(object, "sequencer");
	char *end = NULL;
	if (!digits.n || digits.n > 16)
		return false;
	*time = strtoll(str_z(a, digits), &end, 16);
	return !*end && *time > 0;
}

str
minio_saw(struct minio_seen *seen, struct arena *a, const struct val *record)
{
	const struct val *object = val_path(record, "s3.object");
	str key = val_get_str(object, "key"), etag = val_get_str(object, "eTag");
	int64_t time;
	if (!key.n || !is_written(val_get_str(record, "eventName")) || !written_at(object, a, &time))
		return STR_NONE;
	etag = etag.p ? etag : S("");
	minio_seen_add(seen, key, etag, time);
	return minio_delivery(a, key, etag, time);
}

struct event *
minio_event(const struct minio_source *c, str records)
{
	struct message msg;
	message_begin(&msg);
	message_raw(&msg, "notification", records);
	message_metadata(&msg, &c->metadata);
	return message_end(&msg);
}

int
minio_wrap(struct source *s, struct arena *a, str body, str *out, struct err *e)
{
	struct val v;
	struct buf list CLEANUP(free_buf) = { 0 };
	if (json_read(a, body, &v, e) < 0)
		return -1;
	const struct val *records = val_get(&v, S("Records"));
	if (v.kind != VAL_MAP)
		return err_set(e, ERR_INVALID, "the body must be a record of a notification, or {\"Records\": [...]}");
	size_t n = val_is(records, VAL_LIST) ? records->n : 1;
	for (size_t i = 0; i < n; i++) {
		buf_add(&list, i ? S(",") : S("["));
		s3_record_json(&list, val_is(records, VAL_LIST) ? &records->items[i] : &v);
	}
	buf_add(&list, n ? S("]") : S("[]"));
	struct event *ev = minio_event(source_config(s), buf_str(&list));
	*out = arena_dup(a, ev->data);
	event_unref(ev);
	return 0;
}
