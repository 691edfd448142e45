/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the step writes goes two ways: line by line with the time into `log`, both streams interleaved; and the last
 * bytes of standard output into a ring, for outputs.result.
 *
 * A line of the log is "2006-01-02T15:04:05.000000000Z text". A line that is longer than TASK_LOG_LINE_MAX is broken.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine/shim/shim.h"

#define STAMP_SIZE (sizeof "2006-01-02T15:04:05.000000000Z " - 1)
#define BATCH_SIZE (64 * 1024)

/* Days since 1970 to a date: Howard Hinnant, "chrono-compatible low-level date algorithms", civil_from_days. */
static void
civil_date(int64_t days, int *year, unsigned *month, unsigned *day)
{
	days += 719468;
	int64_t era = days / 146097;
	unsigned doe = (unsigned)(days - era * 146097);
	unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	unsigned mp = (5 * doy + 2) / 153;
	*day = doy - (153 * mp + 2) / 5 + 1;
	*month = mp < 10 ? mp + 3 : mp - 9;
	*year = (int)((int64_t)yoe + era * 400) + (*month <= 2);
}

static void
digits(char *to, unsigned n, uint64_t v)
{
	while (n--) {
		to[n] = (char)('0' + v % 10);
		v /= 10;
	}
}

static void
stamp(char to[STAMP_SIZE])
{
	int64_t now = now_real(), s = now / 1000000000, in_day = s % 86400;
	int year;
	unsigned month, day;
	civil_date(s / 86400, &year, &month, &day);
	memcpy(to, "0000-00-00T00:00:00.000000000Z ", STAMP_SIZE);
	digits(to, 4, (uint64_t)year);
	digits(to + 5, 2, month);
	digits(to + 8, 2, day);
	digits(to + 11, 2, (uint64_t)(in_day / 3600));
	digits(to + 14, 2, (uint64_t)(in_day / 60 % 60));
	digits(to + 17, 2, (uint64_t)(in_day % 60));
	digits(to + 20, 9, (uint64_t)(now % 1000000000));
}

/* -1 when the disk is full: the step goes on, its log does not. */
static int
write_all(int fd, const char *p, size_t n)
{
	while (n) {
		ssize_t done = write(fd, p, n);
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return -1;
		p += done;
		n -= (size_t)done;
	}
	return 0;
}

/* Appends to the log up to its limit; says once that it was reached. */
static void
log_write(struct relay *r, const char *p, size_t n)
{
	if (r->log_cut)
		return;
	if ((int64_t)n > r->log_left) {
		static const char cut[] = "the log of this step is full: what follows was dropped\n";
		char line[STAMP_SIZE + sizeof cut];
		stamp(line);
		memcpy(line + STAMP_SIZE, cut, sizeof cut);
		(void)write_all(r->log_fd, line, sizeof line - 1);
		r->log_cut = true;
		return;
	}
	r->log_left -= (int64_t)n;
	(void)write_all(r->log_fd, p, n);
}

static void
keep_tail(struct relay *r, const char *p, size_t n)
{
	if (n > TASK_RESULT_MAX) {
		r->tail_n += n - TASK_RESULT_MAX;
		p += n - TASK_RESULT_MAX;
		n = TASK_RESULT_MAX;
	}
	size_t need = r->tail_n + n < TASK_RESULT_MAX ? r->tail_n + n : TASK_RESULT_MAX;
	while (r->tail_cap < need) {
		size_t cap = r->tail_cap ? r->tail_cap * 4 : 4096;
		cap = cap < TASK_RESULT_MAX ? cap : TASK_RESULT_MAX;
		char *grown = realloc(r->tail, cap);
		if (!grown)
			return;
		r->tail = grown;
		r->tail_cap = cap;
	}
	/* The ring wraps only at its full size: before that, positions are those of the stream. */
	for (size_t i = 0; i < n;) {
		size_t at = (r->tail_n + i) % TASK_RESULT_MAX,
		       run = TASK_RESULT_MAX - at < n - i ? TASK_RESULT_MAX - at : n - i;
		memcpy(r->tail + at, p + i, run);
		i += run;
	}
	r->tail_n += n;
}

/* Lines collected for one write. */
struct batch {
	char p[BATCH_SIZE];
	size_t n;
};
static struct batch batch;

static void
batch_flush(struct relay *r)
{
	if (batch.n)
		log_write(r, batch.p, batch.n);
	batch.n = 0;
}

static void
batch_line(struct relay *r, const char *time, const char *a, size_t an, const char *b, size_t bn)
{
	if (batch.n + STAMP_SIZE + an + bn + 1 > sizeof batch.p)
		batch_flush(r);
	char *to = batch.p + batch.n;
	memcpy(to, time, STAMP_SIZE);
	memcpy(to + STAMP_SIZE, a, an);
	memcpy(to + STAMP_SIZE + an, b, bn);
	to[STAMP_SIZE + an + bn] = '\n';
	batch.n += STAMP_SIZE + an + bn + 1;
}

/* Splits what was read into lines; keeps the rest for the next read. */
static void
relay_lines(struct relay *r, struct relay_stream *s, const char *p, size_t n)
{
	char time[STAMP_SIZE];
	stamp(time);
	while (n) {
		size_t room = TASK_LOG_LINE_MAX - s->n, look = n < room ? n : room;
		const char *newline = memchr(p, '\n', look);
		size_t take = newline ? (size_t)(newline - p) : look;
		if (!newline && look == n && n < room) {
			if (!s->line && !(s->line = malloc(TASK_LOG_LINE_MAX)))
				return;
			memcpy(s->line + s->n, p, n);
			s->n += n;
			break;
		}
		batch_line(r, time, s->line ? s->line : "", s->n, p, take);
		s->n = 0;
		p += take + !!newline;
		n -= take + !!newline;
	}
	batch_flush(r);
}

bool
relay_read(struct relay *r, struct relay_stream *s)
{
	static char in[BATCH_SIZE];
	ssize_t n = read(s->fd, in, sizeof in);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return true;
	if (n > 0) {
		if (s->keep)
			keep_tail(r, in, (size_t)n);
		relay_lines(r, s, in, (size_t)n);
		return true;
	}
	if (s->n) {
		char time[STAMP_SIZE];
		stamp(time);
		batch_line(r, time, s->line, s->n, "", 0);
		batch_flush(r);
		s->n = 0;
	}
	close(s->fd);
	s->fd = -1;
	return false;
}

void
relay_say(struct relay *r, const char *text)
{
	char time[STAMP_SIZE];
	stamp(time);
	batch_line(r, time, text, strlen(text), "", 0);
	batch_flush(r);
}

int
relay_started(int log_fd, const char *claim)
{
	char line[sizeof TASK_LOG_STARTED + STAMP_SIZE + TASK_CLAIM_MAX + 1] = TASK_LOG_STARTED;
	size_t n = sizeof TASK_LOG_STARTED - 1, id = claim ? strnlen(claim, TASK_CLAIM_MAX) : 0;
	stamp(line + n);
	n += id ? STAMP_SIZE : STAMP_SIZE - 1; /* with a space behind it, or without */
	if (id)
		memcpy(line + n, claim, id);
	line[n + id] = '\n';
	return write_all(log_fd, line, n + id + 1);
}

int
relay_end(int log_fd, const char *records, size_t n)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char *line = malloc(sizeof TASK_LOG_END + (n + 2) / 3 * 4 + 1), *to = line;
	if (!line)
		return -1;
	memcpy(to, TASK_LOG_END, sizeof TASK_LOG_END - 1);
	to += sizeof TASK_LOG_END - 1;
	for (size_t i = 0; i < n; i += 3) {
		uint32_t v = 0;
		for (size_t k = 0; k < 3; k++)
			v = v << 8 | (i + k < n ? (unsigned char)records[i + k] : 0);
		for (size_t k = 0; k < 4; k++)
			*to++ = i + k > n ? '=' : alphabet[v >> (18 - 6 * k) & 63];
	}
	*to++ = '\n';
	return write_all(log_fd, line, (size_t)(to - line));
}

void
relay_last(int log_fd, size_t max, struct exit_buf *b)
{
	static char text[64 * 1024];
	off_t size = lseek(log_fd, 0, SEEK_END), from = size > (off_t)sizeof text ? size - (off_t)sizeof text : 0;
	ssize_t n = pread(log_fd, text, sizeof text, from);
	size_t kept = 0;
	const char *end = text + (n > 0 ? n : 0);
	if (from && end > text) { /* the first line may be half */
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		from = newline ? newline + 1 - text : n;
	}
	for (const char *p = text + from; p < end;) {
		const char *newline = memchr(p, '\n', (size_t)(end - p));
		const char *line = p, *stop = newline ? newline + 1 : end;
		if (*line != '#' && (size_t)(stop - line) > STAMP_SIZE) {
			memmove(text + kept, line + STAMP_SIZE, (size_t)(stop - line) - STAMP_SIZE);
			kept += (size_t)(stop - line) - STAMP_SIZE;
		}
		p = stop;
	}
	if (kept)
		exit_put(b, TASK_EXIT_MESSAGE, text + (kept > max ? kept - max : 0), kept > max ? max : kept);
}
