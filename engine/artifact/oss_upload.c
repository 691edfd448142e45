/* SPDX-License-Identifier: Apache-2.0 */
/* Large files to OSS, in parts (parts.h): a multipart upload, which stays at the service, and costs, until it is put together or given up. */
#include "core/xml.h"
#include "engine/artifact/oss.h"
#include "engine/artifact/parts.h"

static int
begin(void *service, struct journal_upload *u, struct arena *a, struct err *e)
{
	struct cloud *c = service;
	struct http_answer ans;
	const struct http_header query[] = { { S("uploads"), STR_NONE } }, headers[] = { { S("Content-Type"), CLOUD_BINARY } };
	if (cloud_ask(c, &(struct cloud_request){ .method = "POST", .key = u->key, .query = query, .query_n = 1, .headers = headers, .headers_n = 1 }, a, &ans,
	              e) < 0)
		return -1;
	u->id = xml_find(ans.body, "UploadId", a);
	return u->id.n ? 0 : err_set(e, ERR_UNAVAILABLE, "%.*s: the answer to an upload has no UploadId", STR_ARG(cloud_place(c, u->key, a)));
}

static int
send_part(void *service, const struct journal_upload *u, const struct parts_piece *piece, struct journal_part *p, struct arena *a, struct err *e)
{
	struct cloud *c = service;
	struct http_answer ans;
	const struct http_header query[] = { { S("partNumber"), arena_fmt(a, "%u", piece->number) }, { S("uploadId"), u->id } };
	str sum;
	if (cloud_md5(piece->fd, piece->offset, piece->bytes, a, &sum, e) < 0)
		return -1;
	if (p->etag.n && str_eq(p->sum, sum)) {
		watch_had(c->site->watch, piece->bytes);
		return 0;
	}
	if (cloud_put(c, &(struct cloud_request){ .key = u->key, .query = query, .query_n = 2, .bytes = piece->bytes, .md5 = sum }, piece->fd, piece->offset, a,
	              &ans, e) < 0)
		return -1;
	*p = (struct journal_part){ sum, http_answer_header(&ans, "ETag") };
	return p->etag.n ? 0 : err_set(e, ERR_UNAVAILABLE, "%.*s: part %u has no ETag", STR_ARG(cloud_place(c, u->key, a)), piece->number);
}

/* The object is there before its sum is known: one that is wrong goes. */
static int
complete(void *service, const struct journal_upload *u, int fd, struct arena *a, struct err *e)
{
	struct cloud *c = service;
	struct http_answer ans;
	const struct http_header query[] = { { S("uploadId"), u->id } }, headers[] = { { S("Content-Type"), S("application/xml") } };
	struct cloud_request r = { .method = "POST", .key = u->key, .query = query, .query_n = 1, .headers = headers, .headers_n = 1 };
	struct err ours;
	if (parts_xml(u, "", a, &r.body, e) < 0)
		return err_wrap(e, "%.*s", STR_ARG(cloud_place(c, u->key, a)));
	if (cloud_ask(c, &r, a, &ans, e) < 0)
		return -1;
	if (oss_compare_crc(c, u->key, fd, 0, u->bytes, &ans, a, e) == 0)
		return 0;
	(void)!cloud_remove(c, u->key, &ours);
	return -1;
}

static int
give_up(void *service, const struct journal_upload *u, struct arena *a)
{
	struct http_answer ans;
	struct err e;
	const struct http_header query[] = { { S("uploadId"), u->id } };
	const struct cloud_request r = { .method = "DELETE", .key = u->key, .query = query, .query_n = 1, .fine = 404 };
	return cloud_ask(service, &r, a, &ans, &e);
}

static const struct parts_service parts = { .most = 10000, .begin = begin, .send = send_part, .complete = complete, .give_up = give_up };

int
oss_put_parts(struct cloud *c, str key, int fd, uint64_t bytes, struct err *e)
{
	return parts_put(c->site, &parts, c, key, fd, bytes, e);
}

void
oss_abandon(void *oss)
{
	struct cloud *c = oss;
	parts_abandon(c->site, &parts, c);
}
