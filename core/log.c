/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A line is put together in one buffer on the stack and leaves with one write(2), so that lines of several threads do not
 * mix. Long values are cut and say so; pairs that do not fit any more give way to cut=true. What is masked is masked
 * before it is quoted.
 */
#include "core/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 8192
#define VALUE_MAX_BYTES 2048 /* as written, with escapes */
#define MASK_MIN 6     /* shorter ones would blank out half of every line */
#define MASKS_MAX 4096 /* a reload adds only what is new; manifests hold far fewer */

static const char *const level_names[] = { "debug", "info", "warn", "error" };

/* The one piece of state that is not the loop's: every thread logs. */
static _Atomic enum log_level min_level = LOG_INFO;
static _Atomic enum log_format format = LOG_LOGFMT;
static _Atomic uint64_t written[ARRAY_LEN(level_names)];
static pthread_rwlock_t masks_lock = PTHREAD_RWLOCK_INITIALIZER;
static VEC(str) masks; /* guarded by masks_lock; each on the heap, kept until the process ends */

void
log_setup(enum log_level min, enum log_format f)
{
	min_level = min;
	format = f;
}

bool
log_enabled(enum log_level level)
{
	return level >= min_level;
}

uint64_t
log_written(enum log_level level)
{
	return written[level];
}

void
log_mask(str secret)
{
	if (secret.n < MASK_MIN)
		return;
	pthread_rwlock_wrlock(&masks_lock);
	bool known = masks.n >= MASKS_MAX;
	for (size_t i = 0; i < masks.n && !known; i++)
		known = str_eq(masks.p[i], secret);
	if (!known) {
		char *copy = mem_alloc(secret.n);
		memcpy(copy, secret.p, secret.n);
		*VEC_PUSH(&masks) = (str){ copy, secret.n };
	}
	pthread_rwlock_unlock(&masks_lock);
}

/* ---- the line ----------------------------------------------------------------------------------------------- */

struct line {
	size_t n, limit; /* put() writes up to `limit`; there is room for a mark, a quote and a pair behind it */
	bool cut;
	char p[LINE_MAX_BYTES];
};
#define LINE_RESERVE 64

static void
put(struct line *l, str s)
{
	if (l->cut || l->n + s.n > l->limit) {
		l->cut = true;
		return;
	}
	memcpy(l->p + l->n, s.p, s.n);
	l->n += s.n;
}

/* The length of the UTF-8 character at `p`, 0 if it is none (overlong, surrogate, beyond U+10FFFF or cut off). */
static size_t
utf8_length(const unsigned char *p, size_t n)
{
	static const unsigned min[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t len = *p < 0x80 ? 1 : *p < 0xC2 ? 0 : *p < 0xE0 ? 2 : *p < 0xF0 ? 3 : *p < 0xF5 ? 4 : 0;
	if (len > n)
		return 0;
	unsigned c = len > 1 ? *p & (0x7Fu >> len) : *p;
	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xC0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3F);
	}
	return c < min[len] || c > 0x10FFFF || (c >= 0xD800 && c < 0xE000) ? 0 : len;
}

/* As the inside of a JSON string; logfmt's quoted values read the same. */
static void
put_escaped(struct line *l, str s)
{
	for (size_t i = 0; i < s.n;) {
		unsigned char c = (unsigned char)s.p[i];
		size_t len = utf8_length((const unsigned char *)s.p + i, s.n - i);
		char hex[8];
		if (c == '"' || c == '\\')
			put(l, (str){ (char[]){ '\\', (char)c }, 2 });
		else if (c == '\n')
			put(l, S("\\n"));
		else if (c < 0x20 || c == 0x7F)
			put(l, (str){ hex, (size_t)snprintf(hex, sizeof hex, "\\u%04x", c) });
		else if (!len)
			put(l, S("\\ufffd"));
		else
			put(l, str_slice(s, i, i + len));
		i += len ? len : 1;
	}
}

/* The place and length of the first secret in `s`: the longest if two start there. SIZE_MAX: none. */
static size_t
find_mask(str s, size_t from, size_t *len)
{
	size_t at = SIZE_MAX;
	for (size_t i = 0; i < masks.n; i++) {
		size_t found = str_find(s, masks.p[i], from);
		if (found < at || (found == at && at != SIZE_MAX && masks.p[i].n > *len)) {
			at = found;
			*len = masks.p[i].n;
		}
	}
	return at;
}

static void
put_masked(struct line *l, str s)
{
	size_t from = 0, len = 0;
	pthread_rwlock_rdlock(&masks_lock);
	for (size_t at; (at = find_mask(s, from, &len)) != SIZE_MAX; from = at + len) {
		put_escaped(l, str_slice(s, from, at));
		put(l, S("***"));
	}
	pthread_rwlock_unlock(&masks_lock);
	put_escaped(l, str_slice(s, from, s.n));
}

static bool
is_bare(str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] <= ' ' || (unsigned char)s.p[i] >= 0x7F || strchr("\"\\=", s.p[i]))
			return false;
	return s.n > 0 && s.n < VALUE_MAX_BYTES;
}

/* False if there was no room for the pair. */
static bool
put_pair(struct line *l, bool json, const char *name, str value)
{
	bool quoted = json || !is_bare(value);
	size_t start = l->n;
	l->limit = LINE_MAX_BYTES - LINE_RESERVE;
	put(l, json ? l->n > 1 ? S(",\"") : S("\"") : l->n ? S(" ") : S(""));
	put(l, str_c(name));
	put(l, json ? S("\":") : S("="));
	put(l, quoted ? S("\"") : S(""));
	if (l->cut) {
		l->n = start;
		return false;
	}
	if (l->limit - l->n > VALUE_MAX_BYTES)
		l->limit = l->n + VALUE_MAX_BYTES;
	put_masked(l, value);
	l->limit = LINE_MAX_BYTES;
	bool cut = l->cut;
	l->cut = false;
	put(l, cut ? S("...(cut)") : S(""));
	put(l, quoted || cut ? S("\"") : S(""));
	return true;
}

static void
write_all(const char *p, size_t n)
{
	while (n > 0) {
		ssize_t w = write(STDERR_FILENO, p, n);
		if (w < 0 && errno != EINTR)
			return; /* nobody to tell */
		if (w > 0) {
			p += w;
			n -= (size_t)w;
		}
	}
}

void
log_line(enum log_level level, const char *msg, ...)
{
	if (!log_enabled(level))
		return;
	written[level]++;
	struct line l;
	l.n = 0;
	l.cut = false;
	bool json = format == LOG_JSON;
	if (json)
		l.p[l.n++] = '{';

	struct timespec ts;
	clock_gettime(CLOCK_REALTIME, &ts);
	struct tm tm;
	gmtime_r(&ts.tv_sec, &tm);
	char now[40];
	size_t n = strftime(now, sizeof now, "%Y-%m-%dT%H:%M:%S", &tm);
	n += (size_t)snprintf(now + n, sizeof now - n, ".%03ldZ", ts.tv_nsec / (long)NS_PER_MS);

	bool room = put_pair(&l, json, "time", (str){ now, n }) && put_pair(&l, json, "level", str_c(level_names[level])) &&
		put_pair(&l, json, "msg", str_c(msg));
	va_list ap;
	va_start(ap, msg);
	for (const char *name; room && (name = va_arg(ap, const char *));)
		room = put_pair(&l, json, name, str_c(va_arg(ap, const char *)));
	va_end(ap);

	l.cut = false;
	l.limit = LINE_MAX_BYTES;
	if (!room)
		put(&l, json ? S(",\"cut\":true") : S(" cut=true"));
	put(&l, json ? S("}\n") : S("\n"));
	write_all(l.p, l.n);
}
