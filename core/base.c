/* SPDX-License-Identifier: Apache-2.0 */
/* Errors, the heap, buffers and vectors. Strings are in str.c, arenas in arena.c, times in time.c. */
#include "core/base.h"

#include <errno.h>
#include <unistd.h>

/* ---- errors ------------------------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	int http, grpc, exit;
	bool transient;
} codes[] = {
	[ERR_NONE] = { "ok", 200, 0, 0, false },
	[ERR_INVALID] = { "invalid", 400, 3, 2, false },
	[ERR_UNAUTHENTICATED] = { "unauthenticated", 401, 16, 6, false },
	[ERR_DENIED] = { "denied", 403, 7, 6, false },
	[ERR_NOT_FOUND] = { "not found", 404, 5, 4, false },
	[ERR_EXISTS] = { "exists", 409, 6, 5, false },
	[ERR_LIMIT] = { "limit", 413, 8, 2, false },
	[ERR_UNSUPPORTED] = { "unsupported", 501, 12, 2, false },
	[ERR_UNAVAILABLE] = { "unavailable", 503, 14, 7, true },
	[ERR_TIMEOUT] = { "timeout", 504, 4, 8, true },
	[ERR_IO] = { "i/o", 500, 13, 74, true },
	[ERR_INTERNAL] = { "internal", 500, 13, 1, false },
};

int err_http_status(enum err_code code) { return codes[code].http; }
int err_grpc_code(enum err_code code) { return codes[code].grpc; }
int err_exit_code(enum err_code code) { return codes[code].exit; }
bool err_is_transient(enum err_code code) { return codes[code].transient; }
const char *err_code_name(enum err_code code) { return codes[code].name; }

int
err_set(struct err *e, enum err_code code, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	e->code = code;
	text_vformat(e->msg, sizeof e->msg, fmt, ap);
	va_end(ap);
	return -1;
}

int
err_errno(struct err *e, const char *fmt, ...)
{
	int saved = errno;
	va_list ap;
	va_start(ap, fmt);
	e->code = saved == ENOENT ? ERR_NOT_FOUND : saved == EEXIST ? ERR_EXISTS : ERR_IO;
	int n = text_vformat(e->msg, sizeof e->msg, fmt, ap);
	va_end(ap);
	size_t used = n < 0 ? 0 : (size_t)n;
	if (used < sizeof e->msg)
		snprintf(e->msg + used, sizeof e->msg - used, ": %s", strerror(saved));
	return -1;
}

int
err_wrap(struct err *e, const char *fmt, ...)
{
	char inner[sizeof e->msg];
	memcpy(inner, e->msg, sizeof inner);
	va_list ap;
	va_start(ap, fmt);
	int n = text_vformat(e->msg, sizeof e->msg, fmt, ap);
	va_end(ap);
	size_t used = n < 0 ? 0 : (size_t)n;
	if (used < sizeof e->msg)
		snprintf(e->msg + used, sizeof e->msg - used, ": %s", inner);
	return -1;
}

/* ---- heap --------------------------------------------------------------------------------------------------- */

/* Nothing can be logged with certainty here: one write, and out. */
static _Noreturn void
out_of_memory(void)
{
	static const char msg[] = "level=error msg=\"out of memory\"\n";
	ssize_t ignored UNUSED = write(STDERR_FILENO, msg, sizeof msg - 1);
	abort();
}

void *
mem_alloc(size_t n)
{
	void *p = calloc(1, n ? n : 1);
	if (!p)
		out_of_memory();
	return p;
}

void *
mem_realloc(void *p, size_t n, size_t size)
{
	p = reallocarray(p, n ? n : 1, size ? size : 1);
	if (!p)
		out_of_memory();
	return p;
}

char *
mem_text(str s)
{
	char *p = mem_realloc(NULL, s.n + 1, 1);
	if (s.n)
		memcpy(p, s.p, s.n);
	p[s.n] = '\0';
	return p;
}

str
str_own(str s)
{
	return (str){ mem_text(s), s.n };
}

void
str_disown(str s)
{
	free((void *)(uintptr_t)s.p);
}

void
vec_grow(void **p, size_t *cap, size_t size)
{
	size_t more = *cap ? *cap * 2 : size > 16 ? 8 : 2; /* most lists of pointers stay short */
	*p = mem_realloc(*p, more, size);
	*cap = more;
}

/* ---- buffer ------------------------------------------------------------------------------------------------- */

char *
buf_room(struct buf *b, size_t n)
{
	size_t need;
	if (__builtin_add_overflow(b->n, n, &need) || __builtin_add_overflow(need, 1, &need))
		out_of_memory();
	if (need > b->cap) {
		size_t cap = b->cap ? b->cap : 256; /* most become JSON */
		while (cap < need)
			cap = cap > SIZE_MAX / 2 ? need : cap * 2;
		b->p = mem_realloc(b->p, cap, 1);
		b->cap = cap;
	}
	return b->p + b->n;
}

void
buf_add(struct buf *b, str s)
{
	char *to = buf_room(b, s.n);
	if (s.n)
		memcpy(to, s.p, s.n);
	b->n += s.n;
	b->p[b->n] = '\0';
}

void
buf_addc(struct buf *b, char c)
{
	*buf_room(b, 1) = c;
	b->p[++b->n] = '\0';
}

void
buf_addf(struct buf *b, const char *fmt, ...)
{
	va_list ap, again;
	va_start(ap, fmt);
	va_copy(again, ap);
	size_t room = 64;
	int n = text_vformat(buf_room(b, room), room + 1, fmt, ap);
	assert(n >= 0);
	if ((size_t)n > room)
		text_vformat(buf_room(b, (size_t)n), (size_t)n + 1, fmt, again);
	b->n += (size_t)n;
	va_end(again);
	va_end(ap);
}

void
buf_free(struct buf *b)
{
	free(b->p);
	*b = (struct buf){ 0 };
}

void
close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}
