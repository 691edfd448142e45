/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/progress.h"

#include <time.h>

#include "cli/output.h"

#define DRAWN_EVERY (NS_PER_SEC / 10)

static int64_t
now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * NS_PER_SEC + t.tv_nsec;
}

/* Who waits for the other side has no speed to look at. */
static str
speed_text(const struct progress *p, struct arena *a)
{
	double seconds = (double)(p->drawn - p->began) / NS_PER_SEC;
	if (seconds < 1 || !p->bytes)
		return S("");
	return arena_fmt(a, "  %.*s/s", STR_ARG(bytes_text(a, (uint64_t)((double)p->bytes / seconds))));
}

static str
how_far(const struct progress *p, struct arena *a)
{
	str bytes = bytes_text(a, p->bytes);
	if (p->total && p->bytes >= p->total)
		return arena_fmt(a, "%.*s, %s", STR_ARG(bytes), p->after);
	if (p->total)
		return arena_fmt(a, "%.*s of %.*s  %u%%%.*s", STR_ARG(bytes), STR_ARG(bytes_text(a, p->total)),
			(unsigned)((double)p->bytes * 100 / (double)p->total), STR_ARG(speed_text(p, a)));
	return p->bytes ? arena_fmt(a, "%.*s%.*s", STR_ARG(bytes), STR_ARG(speed_text(p, a))) : S("...");
}

/* A name may be anything; one that breaks the line would leave its pieces behind. */
static str
name_text(const struct progress *p, struct arena *a)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	for (size_t i = 0; i < p->name.n && i < 200; i++)
		buf_addc(&b, (unsigned char)p->name.p[i] < ' ' || p->name.p[i] == 127 ? '?' : p->name.p[i]);
	unsigned columns = out_columns(stderr);
	str text = arena_dup(a, buf_str(&b));
	return columns && text.n + 50 > columns ? str_slice(text, 0, columns > 60 ? columns - 50 : 10) : text;
}

static void
draw(struct progress *p)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	p->drawn = now();
	fprintf(stderr, "\r%.*s  %.*s\033[K", STR_ARG(name_text(p, a)), STR_ARG(how_far(p, a)));
	fflush(stderr);
}

static void
on_moved(void *arg, uint64_t bytes)
{
	struct progress *p = arg;
	p->bytes += bytes;
	if (p->on && (p->bytes == p->total || now() - p->drawn >= DRAWN_EVERY))
		draw(p);
}

static void
on_total(void *arg, uint64_t bytes)
{
	struct progress *p = arg;
	p->total = bytes;
}

void
progress_begin(struct progress *p, str name, uint64_t total, const char *after)
{
	*p = (struct progress){ .watch = { .moved = on_moved, .total = on_total, .arg = p }, .name = name, .after = after, .total = total, .began = now(),
		.on = out_is_terminal(stderr) };
	if (p->on)
		draw(p);
}

void
progress_end(struct progress *p)
{
	if (p->on)
		fprintf(stderr, "\r\033[K");
	p->on = false;
}
