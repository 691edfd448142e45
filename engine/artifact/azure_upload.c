/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Large files to Azure, in blocks (parts.h), of which a list makes the blob. An upload is no thing of its own there: blocks without a list lie with their
 * blob's name, whoever sent them, for a week after the last of them. So the names of ours begin with what no other upload has.
 */
#include "core/base64.h"
#include "core/random.h"
#include "core/xml.h"
#include "engine/artifact/azure.h"
#include "engine/artifact/parts.h"

/* ---- sending --------------------------------------------------------------------------------------------------------- */

static int
begin(void *service UNUSED, struct journal_upload *u, struct arena *a, struct err *e UNUSED)
{
	u->id = random_suffix(a, 12);
	return 0;
}

/* Names of blocks are of one length within a blob. */
static str
block_name(const struct journal_upload *u, unsigned number, struct arena *a)
{
	return base64_encode(a, arena_fmt(a, "%.*s-%06u", STR_ARG(u->id), number - 1));
}

static int
send_block(void *service, const struct journal_upload *u, const struct parts_piece *piece, struct journal_part *p, struct arena *a, struct err *e)
{
	struct cloud *c = service;
	struct http_answer ans;
	str name = block_name(u, piece->number, a), sum;
	const struct http_header query[] = { { S("blockid"), name }, { S("comp"), S("block") } };
	if (cloud_md5(piece->fd, piece->offset, piece->bytes, a, &sum, e) < 0)
		return -1;
	if (p->etag.n && str_eq(p->sum, sum)) {
		watch_had(c->site->watch, piece->bytes);
		return 0;
	}
	const struct cloud_request r = { .key = u->key, .query = query, .query_n = ARRAY_LEN(query), .bytes = piece->bytes, .md5 = sum };
	if (cloud_put(c, &r, piece->fd, piece->offset, a, &ans, e) < 0)
		return -1;
	*p = (struct journal_part){ sum, name };
	return 0;
}

static int
complete(void *service, const struct journal_upload *u, int fd, struct arena *a, struct err *e)
{
	struct buf list CLEANUP(free_buf) = { 0 };
	struct http_answer ans;
	const struct http_header query[] = { { S("comp"), S("blocklist") } };
	struct http_header headers[] = { { S("Content-Type"), S("application/xml") }, { S("x-ms-blob-content-type"), CLOUD_BINARY },
		{ S("x-ms-blob-content-md5"), STR_NONE } };
	struct cloud_request r = { .method = "PUT", .key = u->key, .query = query, .query_n = ARRAY_LEN(query), .headers = headers, .headers_n = ARRAY_LEN(headers) };
	for (unsigned i = 1; i <= journal_parts_of(u); i++)
		buf_addf(&list, "<Latest>%.*s</Latest>", STR_ARG(block_name(u, i, a)));
	r.body = arena_fmt(a, "<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList>%.*s</BlockList>", STR_ARG(buf_str(&list)));
	return cloud_md5(fd, 0, u->bytes, a, &headers[2].value, e) < 0 ? -1 : cloud_ask(service, &r, a, &ans, e);
}

/* ---- what is there --------------------------------------------------------------------------------------------------- */

/* The names of all blocks without a list, of whoever; absent: there are none. */
static int
list_blocks(struct cloud *c, str key, struct arena *a, str *out, struct err *e)
{
	struct http_answer ans;
	const struct http_header query[] = { { S("blocklisttype"), S("uncommitted") }, { S("comp"), S("blocklist") } };
	const struct cloud_request r = { .method = "GET", .key = key, .query = query, .query_n = ARRAY_LEN(query), .fine = 404 };
	if (cloud_ask(c, &r, a, &ans, e) < 0)
		return -1;
	*out = ans.status == 404 ? STR_NONE : ans.body;
	return 0;
}

/* 1: *name is that of the next. */
static int
next_block(struct xml_reader *x, struct arena *a, str *name, struct err *e)
{
	const struct xml_field fields[] = { { "Name", name } };
	*name = STR_NONE;
	return x->text.n ? xml_record(x, "Block", fields, ARRAY_LEN(fields), a, e) : 0;
}

static bool
is_ours(const struct journal_upload *u, str name, struct arena *a, int64_t *number)
{
	str text;
	struct err e;
	return base64_decode(a, name, &text, &e) == 0 && str_starts(text, u->id) && text.n > u->id.n && text.p[u->id.n] == '-' &&
	       str_to_i64(str_slice(text, u->id.n + 1, text.n), number) && *number >= 0;
}

/*
 * Whoever made the blob meanwhile has thrown away the blocks that it is not of. Who may write and not read believes the journal; what is missing shows with
 * the list.
 */
static int
look(void *service, struct journal_upload *u, struct arena *a, struct err *e)
{
	struct xml_reader x = { 0 };
	struct journal_part *known = u->parts;
	uint64_t n = journal_parts_of(u);
	str name = STR_NONE;
	int rc = list_blocks(service, u->key, a, &x.text, e);
	if (rc < 0)
		return e->code == ERR_DENIED ? 0 : -1;
	u->parts = ARENA_ARRAY(a, struct journal_part, n);
	memset(u->parts, 0, n * sizeof *u->parts);
	while (rc == 0 && (rc = next_block(&x, a, &name, e)) == 1) {
		int64_t i;
		if (is_ours(u, name, a, &i) && (uint64_t)i < n)
			u->parts[i] = known[i];
		rc = 0;
	}
	return rc;
}

/* ---- giving up ------------------------------------------------------------------------------------------------------- */

/* What a shared access signature says itself; one that a policy of the container says it for is not known. */
static bool
may_delete(const struct azure *z)
{
	str rest = z->account.sas;
	while (rest.n) {
		str one = str_cut(&rest, '&');
		if (str_starts(one, S("sp=")))
			return str_find_char(one, 'd', 3) != SIZE_MAX;
	}
	return !z->account.sas.n;
}

/* Whether all blocks are ours, and there is one. */
static int
all_are_ours(struct cloud *c, const struct journal_upload *u, struct arena *a, bool *out)
{
	struct xml_reader x = { 0 };
	struct err e;
	str name = STR_NONE;
	int64_t number;
	bool others = false;
	unsigned n = 0;
	int rc = list_blocks(c, u->key, a, &x.text, &e);
	for (; rc == 0 && (rc = next_block(&x, a, &name, &e)) == 1; n++, rc = 0)
		others = others || !is_ours(u, name, a, &number);
	*out = n && !others;
	return rc;
}

/*
 * An empty list makes an empty blob and throws all blocks away; then that goes, too. Not where there is a blob, which would be another one then, or where
 * somebody else is sending: his list throws ours away. What stays so is gone in a week.
 */
static int
give_up(void *service, const struct journal_upload *u, struct arena *a)
{
	struct azure *z = service;
	struct http_answer ans;
	struct err e;
	bool only;
	const struct http_header query[] = { { S("comp"), S("blocklist") } };
	const struct http_header fresh[] = { { S("Content-Type"), S("application/xml") }, { S("If-None-Match"), S("*") } };
	const struct cloud_request empty = { .method = "PUT", .key = u->key, .query = query, .query_n = 1, .headers = fresh, .headers_n = ARRAY_LEN(fresh),
		.body = S("<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList></BlockList>"), .fine = 409 };
	if (all_are_ours(&z->cloud, u, a, &only) < 0)
		return -1;
	if (!only || !may_delete(z))
		return 0;
	if (cloud_ask(&z->cloud, &empty, a, &ans, &e) < 0)
		return -1;
	const struct http_header same[] = { { S("If-Match"), http_answer_header(&ans, "ETag") } };
	const struct cloud_request gone = { .method = "DELETE", .key = u->key, .headers = same, .headers_n = 1, .fine = 404 };
	return ans.status == 409 ? 0 : cloud_ask(&z->cloud, &gone, a, &ans, &e);
}

static const struct parts_service parts = { .most = JOURNAL_PARTS_MAX, .begin = begin, .look = look, .send = send_block, .complete = complete,
	.give_up = give_up };

int
azure_put_blocks(struct azure *z, str key, int fd, uint64_t bytes, struct err *e)
{
	return parts_put(z->cloud.site, &parts, z, key, fd, bytes, e);
}

void
azure_abandon(void *azure)
{
	struct azure *z = azure;
	parts_abandon(z->cloud.site, &parts, z);
}
