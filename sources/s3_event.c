/* SPDX-License-Identifier: Apache-2.0 */
#include "sources/s3_event.h"

#include "core/base64.h"

/* ---- the shape of a record -------------------------------------------------------------------------------------------- */

enum member_kind { TEXT, NUMBER, TEXTS /* a map of texts */, MEMBERS };
struct member_shape {
	const char *name;
	enum member_kind kind;
	bool omit; /* if empty */
	const struct member_shape *members;
};

static const struct member_shape identity[] = { { "principalId", TEXT, false, NULL }, { 0 } };
static const struct member_shape bucket[] = {
	{ "name", TEXT, false, NULL }, { "ownerIdentity", MEMBERS, false, identity }, { "arn", TEXT, false, NULL }, { 0 } };
static const struct member_shape object[] = {
	{ "key", TEXT, false, NULL }, { "size", NUMBER, true, NULL }, { "eTag", TEXT, true, NULL }, { "contentType", TEXT, true, NULL },
	{ "userMetadata", TEXTS, true, NULL }, { "versionId", TEXT, true, NULL }, { "sequencer", TEXT, false, NULL }, { 0 } };
static const struct member_shape s3[] = {
	{ "s3SchemaVersion", TEXT, false, NULL }, { "configurationId", TEXT, false, NULL }, { "bucket", MEMBERS, false, bucket },
	{ "object", MEMBERS, false, object }, { 0 } };
static const struct member_shape source[] = { { "host", TEXT, false, NULL }, { "port", TEXT, false, NULL }, { "userAgent", TEXT, false, NULL }, { 0 } };
static const struct member_shape record_shape[] = {
	{ "eventVersion", TEXT, false, NULL }, { "eventSource", TEXT, false, NULL }, { "awsRegion", TEXT, false, NULL }, { "eventTime", TEXT, false, NULL },
	{ "eventName", TEXT, false, NULL }, { "userIdentity", MEMBERS, false, identity }, { "requestParameters", TEXTS, false, NULL },
	{ "responseElements", TEXTS, false, NULL }, { "s3", MEMBERS, false, s3 }, { "source", MEMBERS, false, source }, { 0 } };

static bool
is_empty(const struct val *v, enum member_kind kind)
{
	int64_t n;
	switch (kind) {
	case TEXT:
		return !val_is(v, VAL_STR) || !v->n;
	case NUMBER:
		return !v || !val_to_i64(v, &n) || n == 0;
	case TEXTS:
		return !val_is(v, VAL_MAP) || !v->n;
	case MEMBERS:
		return false;
	}
	return true;
}

static int
by_key(const void *a, const void *b)
{
	return str_cmp(val_key(a), val_key(b));
}

static void
add_texts(struct buf *b, const struct val *v)
{
	if (!val_is(v, VAL_MAP)) {
		buf_add(b, S("null"));
		return;
	}
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct member *sorted = ARENA_ARRAY(a, struct member, v->n);
	if (v->n) {
		memcpy(sorted, v->members, v->n * sizeof *sorted);
		qsort(sorted, v->n, sizeof *sorted, by_key);
	}
	buf_addc(b, '{');
	for (size_t i = 0; i < v->n; i++) {
		buf_add(b, i ? S(",") : S(""));
		json_quote(b, val_key(&sorted[i]), JSON_HTML);
		buf_addc(b, ':');
		json_quote(b, val_is(&sorted[i].value, VAL_STR) ? val_text(&sorted[i].value) : S(""), JSON_HTML);
	}
	buf_addc(b, '}');
}

static void
add_members(struct buf *b, const struct member_shape *shape, const struct val *v)
{
	bool first = true;
	buf_addc(b, '{');
	for (; shape->name; shape++) {
		const struct val *member = val_get(v, str_c(shape->name));
		int64_t n = 0;
		if (shape->omit && is_empty(member, shape->kind))
			continue;
		buf_addf(b, "%s\"%s\":", first ? "" : ",", shape->name);
		first = false;
		if (shape->kind == TEXT)
			json_quote(b, val_is(member, VAL_STR) ? val_text(member) : S(""), JSON_HTML);
		else if (shape->kind == NUMBER)
			buf_addf(b, "%lld", (long long)(val_to_i64(member, &n) ? n : 0));
		else if (shape->kind == TEXTS)
			add_texts(b, member);
		else
			add_members(b, shape->members, member);
	}
	buf_addc(b, '}');
}

void
s3_record_json(struct buf *b, const struct val *record)
{
	add_members(b, record_shape, record);
}

/* ---- keys ------------------------------------------------------------------------------------------------------------- */

str
s3_key_encode(struct arena *a, str key)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	for (size_t i = 0; i < key.n; i++) {
		char c = key.p[i];
		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("-_.~", c)))
			buf_addc(&b, c);
		else if (c == ' ')
			buf_addc(&b, '+');
		else
			buf_addf(&b, "%%%02X", (unsigned)(unsigned char)c);
	}
	return arena_dup(a, buf_str(&b));
}

str
s3_record_key(struct arena *a, const struct val *record)
{
	str key = val_get_str(val_path(record, "s3.object"), "key");
	return s3_key_decode(a, key.p ? key : S(""));
}

/* ---- what carries records --------------------------------------------------------------------------------------------- */

const struct schema s3_events_schema = { "S3Events", "Messages that are notifications of S3.", sizeof(struct s3_events), (const struct field[]){
	FIELD(struct s3_events, prefix, "prefix", 0, .doc = "What keys begin with."),
	FIELD(struct s3_events, suffix, "suffix", 0, .doc = "What keys end with."),
	FIELD_SRC(struct s3_events, src),
	{ 0 } } };

/* EventBridge says in words what records have a name for. */
static const struct {
	const char *type, *field, *value, *name;
} bridge_names[] = {
	{ "Object Created", "reason", "PutObject", "ObjectCreated:Put" },
	{ "Object Created", "reason", "POST Object", "ObjectCreated:Post" },
	{ "Object Created", "reason", "CopyObject", "ObjectCreated:Copy" },
	{ "Object Created", "reason", "CompleteMultipartUpload", "ObjectCreated:CompleteMultipartUpload" },
	{ "Object Deleted", "deletion-type", "Delete Marker Created", "ObjectRemoved:DeleteMarkerCreated" },
	{ "Object Deleted", "deletion-type", "Permanently Deleted", "ObjectRemoved:Delete" },
	{ "Object Restore Initiated", NULL, NULL, "ObjectRestore:Post" },
	{ "Object Restore Completed", NULL, NULL, "ObjectRestore:Completed" },
	{ "Object Restore Expired", NULL, NULL, "ObjectRestore:Delete" },
	{ "Object Tags Added", NULL, NULL, "ObjectTagging:Put" },
	{ "Object Tags Deleted", NULL, NULL, "ObjectTagging:Delete" },
	{ "Object ACL Updated", NULL, NULL, "ObjectAcl:Put" },
	{ "Object Storage Class Changed", NULL, NULL, "LifecycleTransition" },
	{ "Object Access Tier Changed", NULL, NULL, "IntelligentTiering" },
};

static str
bridge_name(const struct val *event, const struct val *detail)
{
	str type = val_get_str(event, "detail-type");
	for (size_t i = 0; i < ARRAY_LEN(bridge_names); i++)
		if (str_eq(type, str_c(bridge_names[i].type)) &&
		    (!bridge_names[i].field || str_eq(val_get_str(detail, bridge_names[i].field), str_c(bridge_names[i].value))))
			return str_c(bridge_names[i].name);
	return type;
}

static struct val
map_of(struct arena *a, const char *const names[], const struct val values[], size_t n)
{
	struct val_map m = { 0 };
	for (size_t i = 0; i < n; i++)
		val_map_add(&m, str_c(names[i]), values[i]);
	return val_map_end(&m, a);
}

static struct val
text_or_empty(str s)
{
	return val_str(s.p ? s : S(""));
}

/* An event of EventBridge as a record. */
static struct val
bridge_record(struct arena *a, const struct val *event)
{
	const struct val *detail = val_get(event, S("detail")), *o = val_get(detail, S("object")), *size = val_get(o, S("size"));
	str bucket_name = val_get_str(val_get(detail, S("bucket")), "name"), key = val_get_str(o, "key");
	struct val ip = text_or_empty(val_get_str(detail, "source-ip-address")), who = text_or_empty(val_get_str(detail, "requester"));
	struct val object_ = map_of(a, (const char *const[]){ "key", "size", "eTag", "versionId", "sequencer" },
		(struct val[]){ val_str(s3_key_encode(a, key.p ? key : S(""))), size ? *size : val_int(0), text_or_empty(val_get_str(o, "etag")),
		                text_or_empty(val_get_str(o, "version-id")), text_or_empty(val_get_str(o, "sequencer")) }, 5);
	struct val bucket_ = map_of(a, (const char *const[]){ "name", "arn" },
		(struct val[]){ text_or_empty(bucket_name), val_str(arena_fmt(a, "arn:aws:s3:::%.*s", STR_ARG(bucket_name))) }, 2);
	struct val s3_ = map_of(a, (const char *const[]){ "s3SchemaVersion", "bucket", "object" }, (struct val[]){ val_str(S("1.0")), bucket_, object_ }, 3);
	struct val user = map_of(a, (const char *const[]){ "principalId" }, &who, 1);
	struct val request = map_of(a, (const char *const[]){ "sourceIPAddress" }, &ip, 1);
	return map_of(a, (const char *const[]){ "eventVersion", "eventSource", "awsRegion", "eventTime", "eventName", "userIdentity", "requestParameters", "s3" },
		(struct val[]){ val_str(S("2.1")), val_str(S("aws:s3")), text_or_empty(val_get_str(event, "region")), text_or_empty(val_get_str(event, "time")),
		                text_or_empty(bridge_name(event, detail)), user, request, s3_ }, 8);
}

/* Text as JSON: as it is, or from base64, as bodies of messages come without jsonBody. */
static bool
read_text(struct arena *a, str text, struct val *out)
{
	struct err e;
	str bytes;
	if (json_read(a, text, out, &e) == 0 && out->kind == VAL_MAP)
		return true;
	return base64_decode(a, text, &bytes, &e) == 0 && json_read(a, bytes, out, &e) == 0 && out->kind == VAL_MAP;
}

enum { ENVELOPES = 4 };

/* The list of records in what was sent: 1; 0: AWS's test event; -1: it is something else. */
static int
find_records(struct arena *a, const struct val *sent, struct val *records, int depth)
{
	struct val inner;
	str text;
	if (val_is(sent, VAL_STR))
		return depth < ENVELOPES && read_text(a, val_text(sent), &inner) ? find_records(a, &inner, records, depth + 1) : -1;
	const struct val *list = val_get(sent, S("Records"));
	if (val_is(list, VAL_LIST) && list->n && val_get(&list->items[0], S("s3"))) {
		*records = *list;
		return 1;
	}
	if (str_eq(val_get_str(sent, "Event"), S("s3:TestEvent")))
		return 0;
	if (str_eq(val_get_str(sent, "source"), S("aws.s3")) && val_is(val_get(sent, S("detail")), VAL_MAP)) {
		struct val_list one = { 0 };
		val_list_add(&one, bridge_record(a, sent));
		*records = val_list_end(&one, a);
		return 1;
	}
	text = val_get_str(sent, "Message"); /* SNS */
	if (!text.p || depth >= ENVELOPES || !read_text(a, text, &inner))
		return -1;
	return find_records(a, &inner, records, depth + 1);
}

/* Ceph says keys as they are: encoded here, as all others have them. */
static const struct val *
with_encoded_key(struct arena *a, const struct val *record)
{
	const struct val *s3_ = val_get(record, S("s3")), *object_ = val_get(s3_, S("object"));
	str key = val_get_str(object_, "key");
	if (!key.p || !str_starts(val_get_str(record, "eventSource"), S("ceph:")))
		return record;
	struct val *encoded = ARENA_NEW(a, struct val);
	*encoded = val_str(s3_key_encode(a, key));
	return val_set(a, record, S("s3"), val_set(a, s3_, S("object"), val_set(a, object_, S("key"), encoded)));
}

static bool
key_passes(const struct s3_events *s, struct arena *a, const struct val *record)
{
	str key = s3_record_key(a, record);
	return (!s->prefix.n || str_starts(key, s->prefix)) && (!s->suffix.n || str_ends(key, s->suffix));
}

int
s3_events_unwrap(const struct s3_events *s, struct arena *a, str data, str *out)
{
	struct val event, records;
	struct err e;
	struct buf b CLEANUP(free_buf) = { 0 };
	size_t n = 0;
	if (json_read(a, data, &event, &e) < 0 || event.kind != VAL_MAP || !val_get(&event, S("body")))
		return -1;
	int found = find_records(a, val_get(&event, S("body")), &records, 0);
	if (found <= 0)
		return found;
	buf_add(&b, S("{\"notification\":["));
	for (size_t i = 0; i < records.n; i++) {
		const struct val *record = with_encoded_key(a, &records.items[i]);
		if (!key_passes(s, a, record))
			continue;
		buf_add(&b, n++ ? S(",") : S(""));
		s3_record_json(&b, record);
	}
	buf_addc(&b, ']');
	const struct val *metadata = val_get(&event, S("metadata"));
	if (metadata) {
		buf_add(&b, S(",\"metadata\":"));
		json_write_opts(&b, metadata, JSON_HTML);
	}
	buf_addc(&b, '}');
	*out = arena_dup(a, buf_str(&b));
	return n > 0;
}
