/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/artifact/parts.h"

#include "core/net/s3_list.h"
#include "engine/artifact/cloud.h"

/* Goes on in the next process; so everything of it is in the journal, too. */
struct sending {
	const struct artifact_site *site;
	const struct parts_service *s;
	void *service;
	int fd;
	struct journal_upload u;
	struct arena *arena;
};

static int
begin(struct sending *x, struct err *e)
{
	if (x->s->begin(x->service, &x->u, x->arena, e) < 0)
		return -1;
	journal_begin(x->site, &x->u, x->arena);
	return 0;
}

static int
send_part(struct sending *x, unsigned number, struct err *e)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct journal_part *p = &x->u.parts[number - 1], now = *p;
	uint64_t offset = (number - 1) * x->u.part, left = x->u.bytes - offset;
	const struct parts_piece piece = { number, x->fd, offset, left < x->u.part ? left : x->u.part };
	if (x->s->send(x->service, &x->u, &piece, &now, a, e) < 0)
		return -1;
	if (now.etag.p == p->etag.p) /* it was there */
		return 0;
	*p = (struct journal_part){ arena_dup(x->arena, now.sum), arena_dup(x->arena, now.etag) };
	journal_part(x->site, &x->u, number, p, a);
	return 0;
}

static int
send_all(struct sending *x, struct err *e)
{
	int rc = 0;
	for (unsigned i = 1; rc == 0 && i <= journal_parts_of(&x->u); i++)
		rc = send_part(x, i, e);
	return rc < 0 ? -1 : x->s->complete(x->service, &x->u, x->fd, x->arena, e);
}

static int
send_rest(struct sending *x, struct err *e)
{
	return x->s->look && x->s->look(x->service, &x->u, x->arena, e) < 0 ? -1 : send_all(x, e);
}

/* What was sent is paid for until it is given up. */
static void
give_up(void *arg, const struct journal_upload *u)
{
	struct sending *x = arg;
	if (x->s->give_up(x->service, u, x->arena) == 0)
		journal_end(x->site, u->id, x->arena);
}

/* The service may have given up by itself what is taken up, or have other parts than we think: then all of it is sent. */
static int
put_all(struct sending *x, struct err *e)
{
	if (journal_take_up(x->site, &x->u, give_up, x, x->arena)) {
		int rc = send_rest(x, e);
		if (rc == 0 || journal_may_go_on(x->site, e))
			return rc;
		give_up(x, &x->u);
		x->u.id = STR_NONE;
	}
	return begin(x, e) < 0 ? -1 : send_all(x, e);
}

int
parts_put(const struct artifact_site *site, const struct parts_service *s, void *service, str key, int fd, uint64_t bytes, struct err *e)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct sending x = { site, s, service, fd, { .key = key, .bytes = bytes, .part = cloud_part_size(bytes, s->most) }, a };
	int rc = put_all(&x, e);
	if (rc == 0)
		journal_end(site, x.u.id, a);
	else if (x.u.id.n && !journal_may_go_on(site, e))
		give_up(&x, &x.u);
	return rc;
}

void
parts_abandon(const struct artifact_site *site, const struct parts_service *s, void *service)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct sending x = { .site = site, .s = s, .service = service, .arena = a };
	journal_each(site, give_up, &x);
}

int
parts_xml(const struct journal_upload *u, const char *attributes, struct arena *a, str *out, struct err *e)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	int rc = 0;
	for (unsigned i = 0; rc == 0 && i < journal_parts_of(u); i++)
		rc = s3_parts_add(&b, i + 1, u->parts[i].etag, e);
	*out = s3_parts_body(&b, attributes, a);
	return rc;
}
