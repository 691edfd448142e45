/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bodies that are too large for memory: they go to a file without a name as they come, piece by piece, on a pool thread. While one piece is written
 * the next comes in; who sends faster than the disk takes waits. Whatever happens, nothing is left of a body that did not come whole.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "core/net/httpd_impl.h"

#define PIECE ((size_t)1 << 20)

struct spool {
	struct http_req *req; /* NULL: gone; the end of the write frees it */
	char *folder;
	int fd;             /* -1: not opened yet */
	struct buf in, out; /* what comes, and what is being written */
	uint64_t bytes;     /* that have come */
	bool writing;
	bool waits;         /* the connection is suspended until the write has ended */
	struct err error;
};

void
httpd_spool_new(struct http_req *r)
{
	struct spool *s = MEM_NEW(struct spool);
	*s = (struct spool){ .req = r, .fd = -1, .folder = mem_text(str_c(r->route->spool_folder)) };
	r->spool = s;
}

static void
spool_free(struct spool *s)
{
	close_fd(&s->fd);
	buf_free(&s->in);
	buf_free(&s->out);
	free(s->folder);
	free(s);
}

void
httpd_spool_free(struct http_req *r)
{
	struct spool *s = r->spool;
	r->spool = NULL;
	if (s && s->writing)
		s->req = NULL;
	else if (s)
		spool_free(s);
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

/* On a pool thread. */
static void
write_piece(void *arg)
{
	struct spool *s = arg;
	str rest = buf_str(&s->out);
	if (s->fd < 0 && (s->fd = open(s->folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)) < 0) {
		err_errno(&s->error, "keep the body in %s", s->folder);
		return;
	}
	for (ssize_t n; rest.n; rest = str_slice(rest, (size_t)n, rest.n))
		if ((n = write(s->fd, rest.p, rest.n)) < 0) {
			if (errno == EINTR) {
				n = 0;
				continue;
			}
			err_errno(&s->error, "keep the body");
			return;
		}
}

static void written(void *arg);

static void
start_write(struct spool *s)
{
	struct buf empty = s->out;
	s->out = s->in;
	s->in = empty;
	s->writing = true;
	loop_work(s->req->httpd->loop, write_piece, written, s);
}

static void
written(void *arg)
{
	struct spool *s = arg;
	s->writing = false;
	if (!s->req) {
		spool_free(s);
		return;
	}
	httpd_body_left(s->req, s->out.n);
	s->out.n = 0;
	if (s->waits) {
		s->waits = false;
		if (s->in.n >= PIECE && !s->error.code)
			start_write(s);
		httpd_resume(s->req);
	}
}

/* ---- taking ------------------------------------------------------------------------------------------------------ */

uint64_t
httpd_spool_bytes(const struct http_req *r)
{
	return r->spool->bytes;
}

bool
httpd_spool_take(struct http_req *r, str piece)
{
	struct spool *s = r->spool;
	if (!s->writing && s->error.code)
		return false;
	buf_add(&s->in, piece);
	s->bytes += piece.n;
	if (s->in.n >= PIECE && s->writing)
		s->waits = true;
	else if (s->in.n >= PIECE)
		start_write(s);
	return true;
}

bool
httpd_spool_waits(const struct http_req *r)
{
	return r->spool && r->spool->waits;
}

bool
httpd_spool_flush(struct http_req *r)
{
	struct spool *s = r->spool;
	if (!s->writing && !s->error.code && (s->in.n || s->fd < 0))
		start_write(s);
	s->waits = s->writing;
	return s->waits;
}

int
http_req_take_file(struct http_req *r, uint64_t *bytes, struct err *e)
{
	struct spool *s = r->spool;
	assert(s && !s->writing);
	if (s->error.code || lseek(s->fd, 0, SEEK_SET) < 0) {
		*e = s->error;
		return s->error.code ? -1 : err_errno(e, "read what was kept");
	}
	int fd = s->fd;
	s->fd = -1;
	*bytes = s->bytes;
	return fd;
}
