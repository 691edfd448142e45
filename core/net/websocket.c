/* SPDX-License-Identifier: Apache-2.0 */
/* The framing of WebSockets (RFC 6455, section 5), the client's side. */
#include <sys/random.h>

#include "core/net/stream.h"

enum {
	CONTINUATION = 0,
	TEXT = 1,
	BINARY = 2,
	CLOSE = 8,
	PING = 9,
	PONG = 10,
	CONTROL_MAX = 125
};

void
ws_frame(struct buf *to, unsigned opcode, str bytes)
{
	unsigned char mask[4];
	ssize_t got = getrandom(mask, sizeof mask, 0); /* so few bytes come whole */
	assert(got == sizeof mask);
	(void)got;
	buf_addc(to, (char)(0x80 | opcode));
	if (bytes.n <= CONTROL_MAX) {
		buf_addc(to, (char)(0x80 | bytes.n));
	} else {
		bool wide = bytes.n > 0xFFFF;
		buf_addc(to, (char)(0x80 | (wide ? 127 : 126)));
		for (int shift = wide ? 56 : 8; shift >= 0; shift -= 8)
			buf_addc(to, (char)(bytes.n >> shift & 0xFF));
	}
	buf_add(to, (str){ (const char *)mask, sizeof mask });
	char *p = buf_room(to, bytes.n);
	for (size_t i = 0; i < bytes.n; i++)
		p[i] = (char)(bytes.p[i] ^ mask[i % 4]);
	to->n += bytes.n;
}

/* The head of a frame: its length in *length; 0: not all of it is there. */
static int
read_head(str in, size_t *length, struct err *e)
{
	const unsigned char *p = (const unsigned char *)in.p;
	size_t head = 2;
	if (in.n < head)
		return 0;
	if (p[0] & 0x70 || p[1] & 0x80)
		return err_set(e, ERR_UNAVAILABLE, "a WebSocket's frame that is masked, or for an extension");
	*length = p[1];
	if (p[1] > CONTROL_MAX) {
		head += p[1] == 126 ? 2 : 8;
		if (in.n < head)
			return 0;
		*length = 0;
		for (size_t i = 2; i < head; i++)
			*length = *length << 8 | p[i];
	}
	if (*length > INT64_MAX)
		return err_set(e, ERR_UNAVAILABLE, "a WebSocket's frame of more than any size");
	return (int)head;
}

static int
control(unsigned opcode, str payload, struct buf *answer, struct err *e)
{
	if (opcode == CLOSE)
		return err_set(e, ERR_UNAVAILABLE, "the server closed the WebSocket");
	if (opcode == PING)
		ws_frame(answer, PONG, payload);
	return 0;
}

/* One frame's head, with all of a control frame. 1: done; 0: not all is there. */
static int
begin_frame(struct ws_in *w, str in, size_t *used, struct buf *answer, struct err *e)
{
	size_t length = 0;
	int head = read_head(in, &length, e);
	if (head <= 0)
		return head;
	unsigned opcode = (unsigned char)in.p[0] & 0x0F;
	if (opcode < CLOSE) {
		if (opcode > BINARY)
			return err_set(e, ERR_UNAVAILABLE, "a WebSocket's frame of an unknown kind");
		*used = (size_t)head;
		w->left = length;
		w->passes = opcode != TEXT;
		return 1;
	}
	if (length > CONTROL_MAX || opcode > PONG)
		return err_set(e, ERR_UNAVAILABLE, "a WebSocket's control frame that is none");
	if (in.n < (size_t)head + length)
		return 0;
	*used = (size_t)head + length;
	return control(opcode, str_slice(in, (size_t)head, *used), answer, e) < 0 ? -1 : 1;
}

int
ws_take(struct ws_in *w, struct buf *out, struct buf *answer, struct err *e)
{
	size_t at = 0;
	int rc = 1;
	while (rc > 0 && at < w->raw.n) {
		str rest = str_slice(buf_str(&w->raw), at, w->raw.n);
		if (w->left) {
			str data = str_slice(rest, 0, w->left);
			if (w->passes)
				buf_add(out, data);
			w->left -= data.n;
			at += data.n;
			continue;
		}
		size_t used = 0;
		rc = begin_frame(w, rest, &used, answer, e);
		at += used;
	}
	if (at)
		memmove(w->raw.p, w->raw.p + at, w->raw.n - at);
	w->raw.n -= at;
	return rc < 0 ? -1 : 0;
}
