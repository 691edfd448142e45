/* SPDX-License-Identifier: Apache-2.0 */
#include "core/net/s3_list.h"

#include "core/xml.h"

static int
hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

str
s3_key_decode(struct arena *a, str text)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	for (size_t i = 0; i < text.n; i++) {
		int high = text.p[i] == '%' && i + 2 < text.n ? hex_digit(text.p[i + 1]) : -1, low = high < 0 ? -1 : hex_digit(text.p[i + 2]);
		buf_addc(&b, low >= 0 ? (char)(high << 4 | low) : text.p[i] == '+' ? ' ' : text.p[i]);
		i += low >= 0 ? 2 : 0;
	}
	return arena_dup(a, buf_str(&b));
}

struct row {
	str key, etag, modified, size;
};

static int
read_object(struct arena *a, const struct row *r, struct s3_object *o, struct err *e)
{
	if (!r->key.n || !r->modified.n)
		return err_set(e, ERR_INVALID, "an object of the listing has no Key or no LastModified");
	if (time_parse_rfc3339(r->modified, &o->modified, e) < 0)
		return err_wrap(e, "LastModified of the listing");
	if (!str_to_i64(r->size, &o->size))
		o->size = 0;
	bool quoted = r->etag.n >= 2 && r->etag.p[0] == '"' && r->etag.p[r->etag.n - 1] == '"';
	o->etag = quoted ? str_slice(r->etag, 1, r->etag.n - 1) : r->etag.p ? r->etag : S("");
	o->key = s3_key_decode(a, r->key);
	return 0;
}

static int
read_objects(struct xml_reader *x, struct arena *a, struct s3_page *out, struct err *e)
{
	struct row r;
	const struct xml_field fields[] = { { "Key", &r.key }, { "ETag", &r.etag }, { "LastModified", &r.modified }, { "Size", &r.size } };
	int rc;
	while ((rc = xml_record(x, "Contents", fields, ARRAY_LEN(fields), a, e)) > 0) {
		if (out->n == S3_PAGE_MAX)
			return err_set(e, ERR_INVALID, "a page of the listing has more than %d objects", S3_PAGE_MAX);
		if (read_object(a, &r, &out->objects[out->n++], e) < 0)
			return -1;
	}
	return rc;
}

int
s3_list_read(struct arena *a, str xml, struct s3_page *out, struct err *e)
{
	struct xml_reader x = { .text = xml };
	str root;
	int kind = xml_next(&x, a, &root, e);
	*out = (struct s3_page){ 0 };
	if (kind < 0)
		return -1;
	if (kind != XML_OPEN || !str_eq(root, S("ListBucketResult")))
		return err_set(e, ERR_INVALID, "the answer is no listing of a bucket");
	out->objects = ARENA_ARRAY(a, struct s3_object, S3_PAGE_MAX);
	if (read_objects(&x, a, out, e) < 0)
		return -1;
	if (str_eq(xml_find(xml, "IsTruncated", a), S("true")))
		out->next = xml_find(xml, "NextContinuationToken", a);
	return 0;
}

str
s3_error_text(struct arena *a, str xml)
{
	str code = xml_find(xml, "Code", a), message = xml_find(xml, "Message", a);
	return code.n ? arena_fmt(a, "%.*s%s%.*s", STR_ARG(str_slice(code, 0, 100)), message.n ? ": " : "", STR_ARG(str_slice(message, 0, 200))) : STR_NONE;
}

int
s3_parts_add(struct buf *list, unsigned number, str etag, struct err *e)
{
	if (!etag.n)
		return err_set(e, ERR_UNAVAILABLE, "part %u has no ETag", number);
	buf_addf(list, "<Part><PartNumber>%u</PartNumber><ETag>", number);
	xml_escape(list, etag);
	buf_add(list, S("</ETag></Part>"));
	return 0;
}

str
s3_parts_body(const struct buf *list, const char *attributes, struct arena *a)
{
	return arena_fmt(a, "<CompleteMultipartUpload%s>%.*s</CompleteMultipartUpload>", attributes, STR_ARG(buf_str(list)));
}
