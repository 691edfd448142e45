/* SPDX-License-Identifier: Apache-2.0 */
#include "core/net/nsq.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/net/tcp.h"

enum { HEAD = 8, PREFIX = 26, PIECE = 65536, NSQD_PORT = 4150 };

struct nsq {
	int fd;
	str where;                /* owned */
	const char *hint;         /* for a connection that breaks before it was of use */
	struct buf in, out;
	size_t taken;             /* bytes of `in` that are done with */
	int ready, ready_max;
	int64_t timeout_ms, heard_ms;
};

/* ---- the wire -------------------------------------------------------------------------------------------------------- */

static uint64_t
big_endian(const char *p, size_t n)
{
	uint64_t v = 0;
	for (size_t i = 0; i < n; i++)
		v = v << 8 | (unsigned char)p[i];
	return v;
}

ssize_t
nsq_frame(str in, struct nsq_frame *out, struct err *e)
{
	if (in.n < HEAD)
		return 0;
	uint32_t size = (uint32_t)big_endian(in.p, 4);
	if (size < 4 || size - 4 > NSQ_FRAME_MAX)
		return err_set(e, ERR_INVALID, "nsq: a frame of %u bytes: it is no nsqd, or its messages are too large", size);
	if (in.n - 4 < size)
		return 0;
	*out = (struct nsq_frame){ (int32_t)big_endian(in.p + 4, 4), str_slice(in, HEAD, 4 + size) };
	return 4 + (ssize_t)size;
}

int
nsq_message(str data, struct nsq_message *out, struct err *e)
{
	if (data.n < PREFIX)
		return err_set(e, ERR_INVALID, "nsq: a message of %zu bytes", data.n);
	*out = (struct nsq_message){ (int64_t)big_endian(data.p, 8), (int)big_endian(data.p + 8, 2), str_slice(data, 10, PREFIX),
		                     str_slice(data, PREFIX, data.n) };
	return 0;
}

bool
nsq_name_is_valid(str name)
{
	str plain = str_ends(name, S("#ephemeral")) ? str_slice(name, 0, name.n - strlen("#ephemeral")) : name;
	for (size_t i = 0; i < plain.n; i++) {
		char c = plain.p[i];
		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-'))
			return false;
	}
	return plain.n > 0 && name.n <= 64;
}

/* ---- sending and receiving ------------------------------------------------------------------------------------------- */

static int
broken(const struct nsq *n, const char *what, struct err *e)
{
	return err_set(e, ERR_UNAVAILABLE, "nsq: %.*s: %s%s", STR_ARG(n->where), what, n->hint);
}

int
nsq_flush(struct nsq *n, struct err *e)
{
	for (size_t sent = 0; sent < n->out.n;) {
		ssize_t k = send(n->fd, n->out.p + sent, n->out.n - sent, MSG_NOSIGNAL);
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return broken(n, errno == EAGAIN ? "it does not read what is sent" : strerrordesc_np(errno), e);
		sent += (size_t)k;
	}
	n->out.n = 0;
	return 0;
}

/* 1: something came; 0: nothing is there. */
static int
read_some(struct nsq *n, struct err *e)
{
	if (n->taken) { /* what is done with makes room */
		n->in.n -= n->taken;
		memmove(n->in.p, n->in.p + n->taken, n->in.n);
		n->taken = 0;
	}
	ssize_t k = recv(n->fd, buf_room(&n->in, PIECE), PIECE, MSG_DONTWAIT);
	if (k < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (k <= 0)
		return broken(n, k < 0 ? strerrordesc_np(errno) : "it closed the connection", e);
	n->in.n += (size_t)k;
	n->heard_ms = clock_monotonic_ms();
	return 1;
}

/* The next frame that is all there: 1; its data is valid until more is read. A heartbeat is answered, and is none. */
static int
next_frame(struct nsq *n, struct nsq_frame *f, struct err *e)
{
	for (;;) {
		ssize_t size = nsq_frame(str_slice(buf_str(&n->in), n->taken, n->in.n), f, e);
		if (size <= 0)
			return (int)size;
		n->taken += (size_t)size;
		if (f->type != NSQ_RESPONSE || !str_eq(f->data, S("_heartbeat_")))
			return 1;
		buf_add(&n->out, S("NOP\n"));
	}
}

/* An error that says no more than that a message came too late, and comes again. */
static bool
is_harmless(str text)
{
	return str_starts(text, S("E_FIN_FAILED")) || str_starts(text, S("E_REQ_FAILED")) || str_starts(text, S("E_TOUCH_FAILED"));
}

static int
refused(const struct nsq *n, str text, struct err *e)
{
	enum err_code code = str_starts(text, S("E_AUTH")) || str_starts(text, S("E_UNAUTHORIZED")) ? ERR_UNAUTHENTICATED : ERR_INVALID;
	return err_set(e, code, "nsq: %.*s: %.*s", STR_ARG(n->where), STR_ARG(text));
}

static int
take_frames(struct nsq *n, void (*take)(void *arg, struct nsq *n, const struct nsq_message *m), void *arg, struct err *e)
{
	struct nsq_frame f;
	struct nsq_message m;
	int rc;
	while ((rc = next_frame(n, &f, e)) > 0) {
		if (f.type == NSQ_ERROR && !is_harmless(f.data))
			return refused(n, f.data, e);
		if (f.type != NSQ_MESSAGE)
			continue;
		if (nsq_message(f.data, &m, e) < 0)
			return -1;
		take(arg, n, &m);
	}
	return rc;
}

int
nsq_receive(struct nsq *n, void (*take)(void *arg, struct nsq *n, const struct nsq_message *m), void *arg, struct err *e)
{
	int rc;
	while ((rc = read_some(n, e)) > 0)
		if (take_frames(n, take, arg, e) < 0)
			return -1;
	if (rc < 0 || nsq_flush(n, e) < 0)
		return -1;
	return clock_monotonic_ms() - n->heard_ms < 3 * NSQ_BEAT_MS ? 0 : broken(n, "it says nothing", e);
}

/* The answer to what was sent; blocks. */
static int
await(struct nsq *n, int64_t until_ms, struct nsq_frame *f, struct err *e)
{
	int rc = nsq_flush(n, e) < 0 ? -1 : next_frame(n, f, e);
	while (rc == 0) {
		struct pollfd p = { .fd = n->fd, .events = POLLIN };
		int64_t left = until_ms - clock_monotonic_ms();
		if (left <= 0 || poll(&p, 1, (int)left) == 0)
			return broken(n, "it says nothing", e);
		rc = read_some(n, e) < 0 ? -1 : next_frame(n, f, e);
	}
	if (rc < 0)
		return -1;
	return f->type == NSQ_ERROR ? refused(n, f->data, e) : 0;
}

/* ---- connecting ------------------------------------------------------------------------------------------------------ */

static void
command_with_body(struct nsq *n, const char *command, str body)
{
	const uint32_t size = (uint32_t)body.n;
	const char head[4] = { (char)(size >> 24), (char)(size >> 16), (char)(size >> 8), (char)size };
	buf_addf(&n->out, "%s\n", command);
	buf_add(&n->out, (str){ head, sizeof head });
	buf_add(&n->out, body);
}

static int64_t
number(const struct val *answer, const char *name, int64_t otherwise)
{
	int64_t v;
	const struct val *member = val_get(answer, str_c(name));
	return member && val_to_i64(member, &v) && v > 0 && v < INT32_MAX ? v : otherwise;
}

/* Says who we are and hears what the nsqd can; *tls: it goes on encrypted. */
static int
introduce(struct nsq *n, const struct nsq_to *to, int64_t until_ms, bool *tls, struct err *e)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct nsq_frame f;
	struct val answer;
	buf_add(&n->out, S("  V2"));
	command_with_body(n, "IDENTIFY", arena_fmt(a, "{\"client_id\":\"tidegate\",\"hostname\":\"tidegate\",\"user_agent\":\"tidegate\","
	                                              "\"feature_negotiation\":true,\"heartbeat_interval\":%d,\"tls_v1\":%s}",
	                                           NSQ_BEAT_MS, to->t->tls ? "true" : "false"));
	if (await(n, until_ms, &f, e) < 0)
		return -1;
	if (f.type != NSQ_RESPONSE || json_read(a, f.data, &answer, e) < 0 || answer.kind != VAL_MAP)
		return broken(n, "its answer to IDENTIFY is none: nsqd 0.2.20 or later is needed", e);
	n->ready_max = (int)number(&answer, "max_rdy_count", 2500);
	n->timeout_ms = number(&answer, "msg_timeout", 60000);
	*tls = val_is_true(val_get(&answer, S("tls_v1")));
	if (val_is_true(val_get(&answer, S("auth_required"))))
		return err_set(e, ERR_UNAUTHENTICATED, "nsq: %.*s wants AUTH, for which there is no field", STR_ARG(n->where));
	return to->t->tls && !*tls ? err_set(e, ERR_INVALID, "nsq: %.*s has no TLS", STR_ARG(n->where)) : 0;
}

static int
encrypt(struct nsq *n, const struct nsq_to *to, int64_t until_ms, struct err *e)
{
	struct nsq_frame f;
	n->fd = tls_pipe("nsq", n->fd, to->t, to->at.host, to->wait_ms, e);
	return n->fd < 0 ? -1 : await(n, until_ms, &f, e);
}

static int
subscribe(struct nsq *n, const struct nsq_to *to, struct err *e)
{
	const struct timeval most = { .tv_sec = PEER_WAIT_MS / 1000 };
	int64_t until_ms = clock_monotonic_ms() + to->wait_ms;
	struct nsq_frame f;
	bool tls = false;
	if (introduce(n, to, until_ms, &tls, e) < 0 || (tls && encrypt(n, to, until_ms, e) < 0))
		return -1;
	(void)setsockopt(n->fd, SOL_SOCKET, SO_SNDTIMEO, &most, sizeof most);
	buf_addf(&n->out, "SUB %.*s %.*s\n", STR_ARG(to->topic), STR_ARG(to->channel));
	return await(n, until_ms, &f, e);
}

struct nsq *
nsq_open(const struct nsq_to *to, struct err *e)
{
	char where[300];
	int fd = tcp_connect("nsq", to->at.host, to->at.port, to->wait_ms, e);
	if (fd < 0)
		return NULL;
	struct nsq *n = MEM_NEW(struct nsq);
	snprintf(where, sizeof where, "%.*s:%d", STR_ARG(to->at.host), to->at.port);
	*n = (struct nsq){ .fd = fd, .where = str_own(str_c(where)), .hint = peer_tls_hint(to->t), .heard_ms = clock_monotonic_ms() };
	if (subscribe(n, to, e) < 0) {
		nsq_close(n);
		return NULL;
	}
	n->hint = "";
	return n;
}

void
nsq_close(struct nsq *n)
{
	if (!n)
		return;
	close_fd(&n->fd);
	buf_free(&n->in);
	buf_free(&n->out);
	str_disown(n->where);
	free(n);
}

int
nsq_fd(const struct nsq *n)
{
	return n->fd;
}

str
nsq_where(const struct nsq *n)
{
	return n->where;
}

int64_t
nsq_timeout_ms(const struct nsq *n)
{
	return n->timeout_ms;
}

/* ---- commands -------------------------------------------------------------------------------------------------------- */

int
nsq_ready(struct nsq *n, int count, struct err *e)
{
	if (count > n->ready_max)
		count = n->ready_max;
	if (count == n->ready)
		return 0;
	n->ready = count;
	buf_addf(&n->out, "RDY %d\n", count);
	return nsq_flush(n, e);
}

void
nsq_finish(struct nsq *n, const char id[NSQ_ID])
{
	buf_addf(&n->out, "FIN %.*s\n", NSQ_ID, id);
}

void
nsq_touch(struct nsq *n, const char id[NSQ_ID])
{
	buf_addf(&n->out, "TOUCH %.*s\n", NSQ_ID, id);
}
