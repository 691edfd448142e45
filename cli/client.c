/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small HTTP/1.1 client for one connection: enough for the daemon's own answers, which are of known length, chunked, or
 * end with the connection.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli/client.h"
#include "core/files.h"

enum { HEAD_MAX = 64 * 1024, CHUNK_READ = 64 * 1024 };

/* ---- where the daemon is ------------------------------------------------------------------------------------ */

str
state_directory(struct arena *a, const char *given)
{
	if (!given)
		given = getenv("TIDEGATE_STATE");
	if (given && *given)
		return arena_dup(a, str_c(given));
	if (geteuid() == 0)
		return S("/var/lib/tidegate");
	const char *xdg = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	if (xdg && *xdg == '/')
		return arena_fmt(a, "%s/tidegate", xdg);
	return arena_fmt(a, "%s/.local/state/tidegate", home && *home ? home : ".");
}

void
client_init(struct client *c, const struct cli_common *o)
{
	*c = (struct client){ .arena = arena_new() };
	c->state = state_directory(c->arena, o->state);
	c->ns = o->ns && *o->ns ? str_c(o->ns) : S("default");
}

void
client_free(struct client *c)
{
	arena_free(c->arena);
}

void
url_escape(struct buf *b, str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char ch = (unsigned char)s.p[i];
		if ((ch >= '0' && ch <= '9') || (ch >= 'A' && ch <= 'Z') || (ch >= 'a' && ch <= 'z') || strchr("-._~@", ch))
			buf_addc(b, (char)ch);
		else
			buf_addf(b, "%%%02X", ch);
	}
}

void
url_query(struct buf *b, const char *name, str value)
{
	if (!value.n)
		return;
	buf_addf(b, "%c%s=", str_find_char(buf_str(b), '?', 0) == SIZE_MAX ? '?' : '&', name);
	url_escape(b, value);
}

str
workflow_path(struct client *c, str name, const char *suffix)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	buf_add(&b, S("/api/v1/workflows/"));
	url_escape(&b, c->ns);
	buf_addc(&b, '/');
	url_escape(&b, name);
	buf_add(&b, str_c(suffix));
	return arena_dup(c->arena, buf_str(&b));
}

/* A socket's path has room for 107 bytes; a longer one is reached through its directory's descriptor. */
static int
connect_socket(struct client *c, struct err *e)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int dir CLEANUP(close_fd) = -1;
	str path = arena_fmt(c->arena, "%.*s/tidegate.sock", STR_ARG(c->state));
	if (path.n >= sizeof sa.sun_path) {
		dir = open(str_z(c->arena, c->state), O_PATH | O_DIRECTORY | O_CLOEXEC);
		path = arena_fmt(c->arena, "/proc/self/fd/%d/tidegate.sock", dir);
	}
	memcpy(sa.sun_path, path.p, path.n);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_errno(e, "socket");
	if (connect(fd, (struct sockaddr *)&sa, sizeof sa) == 0)
		return fd;
	int why = errno;
	close(fd);
	if (why == EACCES)
		return err_set(e, ERR_DENIED, "the daemon in %.*s belongs to another user", STR_ARG(c->state));
	return err_set(e, ERR_UNAVAILABLE, "no daemon holds %.*s: start one with `tidegate serve`, or name its directory with --state",
	               STR_ARG(c->state));
}

/* ---- one exchange ------------------------------------------------------------------------------------------- */

struct exchange {
	int fd;
	struct buf in;       /* received and not yet taken */
	size_t taken;
	bool eof;
	int status;
	bool chunked, has_length;
	size_t left;         /* of the body, or of the chunk */
};

static void
exchange_free(struct exchange *x)
{
	close_fd(&x->fd);
	buf_free(&x->in);
}

static int
send_all(int fd, str s, struct err *e)
{
	while (s.n) {
		ssize_t w = send(fd, s.p, s.n, MSG_NOSIGNAL);
		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0)
			return err_errno(e, "sending to the daemon");
		s = str_slice(s, (size_t)w, s.n);
	}
	return 0;
}

/* Receives more; 0 with x->eof at the end. */
static int
fill(struct exchange *x, struct err *e)
{
	if (x->taken == x->in.n)
		x->taken = x->in.n = 0;
	char *room = buf_room(&x->in, CHUNK_READ);
	ssize_t r;
	while ((r = recv(x->fd, room, CHUNK_READ, 0)) < 0 && errno == EINTR)
		;
	if (r < 0)
		return err_set(e, ERR_UNAVAILABLE, "the daemon went away: %s", strerror(errno));
	x->in.n += (size_t)r;
	x->eof = r == 0;
	return 0;
}

static str
waiting(const struct exchange *x)
{
	return (str){ x->in.p + x->taken, x->in.n - x->taken };
}

/* A line without its CR LF. It stays valid until the next fill. */
static int
read_line(struct exchange *x, str *out, struct err *e)
{
	for (;;) {
		str have = waiting(x);
		size_t nl = have.n ? str_find_char(have, '\n', 0) : SIZE_MAX;
		if (nl != SIZE_MAX) {
			x->taken += nl + 1;
			*out = str_trim(str_slice(have, 0, nl));
			return 0;
		}
		if (x->eof || have.n > HEAD_MAX)
			return err_set(e, ERR_UNAVAILABLE, "the daemon closed the connection before it answered");
		if (fill(x, e))
			return -1;
	}
}

static int
read_head(struct exchange *x, struct err *e)
{
	str line;
	int64_t n;
	if (read_line(x, &line, e))
		return -1;
	if (!str_starts(line, S("HTTP/1.1 ")) || !str_to_i64(str_slice(line, 9, 12), &n))
		return err_set(e, ERR_UNAVAILABLE, "what listens there is not Tidegate");
	x->status = (int)n;
	while (read_line(x, &line, e) == 0) {
		if (line.n == 0)
			return 0;
		str value = line, name = str_cut(&value, ':');
		value = str_trim(value);
		if (str_eq_nocase(name, S("content-length")) && str_to_i64(value, &n) && n >= 0) {
			x->has_length = true;
			x->left = (size_t)n;
		} else if (str_eq_nocase(name, S("transfer-encoding"))) {
			x->chunked = true;
		}
	}
	return -1;
}

static size_t
chunk_size(str line)
{
	size_t n = 0;
	for (size_t i = 0; i < line.n && i < 8; i++) {
		const char *digits = "0123456789abcdef", *at = memchr(digits, line.p[i] | 0x20, 16);
		if (!at)
			break;
		n = n * 16 + (size_t)(at - digits);
	}
	return n;
}

/* The next bytes of the body, as they come; empty at its end. Valid until the next call. */
static int
read_body(struct exchange *x, str *out, struct err *e)
{
	*out = S("");
	if (x->chunked && x->left == 0) {
		str line;
		if (read_line(x, &line, e))
			return -1;
		if (line.n == 0 && read_line(x, &line, e)) /* the line break behind the last chunk */
			return -1;
		x->left = chunk_size(line);
	}
	if ((x->chunked || x->has_length) && x->left == 0)
		return 0;
	if (waiting(x).n == 0 && fill(x, e))
		return -1;
	str have = waiting(x);
	if (x->chunked || x->has_length) {
		if (x->eof && have.n == 0)
			return err_set(e, ERR_UNAVAILABLE, "the daemon closed the connection in the middle of its answer");
		have = str_slice(have, 0, x->left);
		x->left -= have.n;
	}
	x->taken += have.n;
	*out = have;
	return 0;
}

static enum err_code
code_of_status(int status)
{
	static const struct {
		int status;
		enum err_code code;
	} codes[] = {
		{ 400, ERR_INVALID }, { 401, ERR_UNAUTHENTICATED }, { 403, ERR_DENIED }, { 404, ERR_NOT_FOUND }, { 405, ERR_INVALID },
		{ 409, ERR_EXISTS }, { 413, ERR_LIMIT }, { 501, ERR_UNSUPPORTED }, { 503, ERR_UNAVAILABLE }, { 504, ERR_TIMEOUT },
	};
	for (size_t i = 0; i < ARRAY_LEN(codes); i++)
		if (codes[i].status == status)
			return codes[i].code;
	return ERR_INTERNAL;
}

static int
read_all(struct exchange *x, struct buf *body, struct err *e)
{
	for (str part;;) {
		if (read_body(x, &part, e))
			return -1;
		if (part.n == 0)
			return 0;
		buf_add(body, part);
	}
}

/* Any status but 200 becomes an error with the message of its body. */
static int
refused(struct exchange *x, struct err *e)
{
	struct buf body CLEANUP(free_buf) = { 0 };
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct val v;
	if (read_all(x, &body, e))
		return -1;
	struct err ignored;
	str message = STR_NONE;
	if (json_read(a, buf_str(&body), &v, &ignored) == 0)
		message = val_get_str(&v, "message");
	if (!message.n)
		message = str_trim(buf_str(&body));
	return err_set(e, code_of_status(x->status), "%.*s", STR_ARG(message));
}

static int
send_head(struct client *c, struct exchange *x, const char *method, str path, const char *type, uint64_t bytes, struct err *e)
{
	struct buf head CLEANUP(free_buf) = { 0 };
	*x = (struct exchange){ .fd = connect_socket(c, e) };
	if (x->fd < 0)
		return -1;
	buf_addf(&head, "%s %.*s HTTP/1.1\r\nHost: tidegate\r\nConnection: close\r\nContent-Type: %s\r\n"
	         "Content-Length: %llu\r\n\r\n", method, STR_ARG(path), type, (unsigned long long)bytes);
	return send_all(x->fd, buf_str(&head), e);
}

static int
read_status(struct exchange *x, struct err *e)
{
	if (read_head(x, e))
		return -1;
	return x->status == 200 ? 0 : refused(x, e);
}

static int
exchange_start(struct client *c, struct exchange *x, const char *method, str path, str body, struct err *e)
{
	if (send_head(c, x, method, path, "application/json", body.n, e) || send_all(x->fd, body, e))
		return -1;
	return read_status(x, e);
}

/* What does not want all of it answers before, and hangs up: then the answer says why. */
static int
send_file(struct exchange *x, int fd, uint64_t bytes, const struct transfer_watch *watch, struct err *e)
{
	struct buf piece CLEANUP(free_buf) = { 0 };
	while (bytes) {
		ssize_t n = read(fd, buf_room(&piece, CHUNK_READ), bytes < CHUNK_READ ? (size_t)bytes : CHUNK_READ);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? err_errno(e, "read the file") : err_set(e, ERR_INVALID, "the file became shorter while it was sent");
		if (send_all(x->fd, (str){ piece.p, (size_t)n }, e))
			return errno == EPIPE || errno == ECONNRESET ? 0 : -1;
		watch_moved(watch, (uint64_t)n);
		bytes -= (uint64_t)n;
	}
	return 0;
}

int
client_upload(struct client *c, const char *method, str path, int fd, uint64_t bytes, const struct transfer_watch *watch, struct val *out, struct err *e)
{
	struct exchange x CLEANUP(exchange_free) = { .fd = -1 };
	struct buf text CLEANUP(free_buf) = { 0 };
	if (send_head(c, &x, method, path, "application/octet-stream", bytes, e) || send_file(&x, fd, bytes, watch, e) || read_status(&x, e) || read_all(&x, &text, e))
		return -1;
	return json_read(c->arena, arena_dup(c->arena, buf_str(&text)), out, e) ? err_wrap(e, "the daemon's answer") : 0;
}

int
client_raw(struct client *c, const char *method, str path, str body, str *out, struct err *e)
{
	struct exchange x CLEANUP(exchange_free) = { .fd = -1 };
	struct buf text CLEANUP(free_buf) = { 0 };
	if (exchange_start(c, &x, method, path, body, e) || read_all(&x, &text, e))
		return -1;
	if (out)
		*out = arena_dup(c->arena, buf_str(&text));
	return 0;
}

int
client_download(struct client *c, str path, int fd, const struct transfer_watch *watch, struct err *e)
{
	struct exchange x CLEANUP(exchange_free) = { .fd = -1 };
	if (exchange_start(c, &x, "GET", path, S(""), e))
		return -1;
	if (x.has_length)
		watch_total(watch, x.left);
	for (str part;;) {
		if (read_body(&x, &part, e))
			return -1;
		if (part.n == 0)
			return 0;
		watch_moved(watch, part.n);
		if (files_write(fd, part) < 0)
			return err_errno(e, "write what comes");
	}
}

int
client_call(struct client *c, const char *method, str path, const struct val *body, struct val *out, struct err *e)
{
	str text;
	if (client_raw(c, method, path, body ? json_write(c->arena, body) : S(""), &text, e))
		return -1;
	if (out && json_read(c->arena, text, out, e))
		return err_wrap(e, "the daemon's answer");
	return 0;
}

int
client_stream(struct client *c, str path, bool (*line)(void *arg, const struct val *v, struct arena *tmp), void *arg, struct err *e)
{
	struct exchange x CLEANUP(exchange_free) = { .fd = -1 };
	struct buf text CLEANUP(free_buf) = { 0 };
	struct arena *tmp CLEANUP(free_arena) = arena_new();
	if (exchange_start(c, &x, "GET", path, S(""), e))
		return -1;
	for (str part;;) {
		if (read_body(&x, &part, e))
			return -1;
		if (part.n == 0)
			return 0;
		buf_add(&text, part);
		str rest = buf_str(&text);
		for (size_t nl; (nl = str_find_char(rest, '\n', 0)) != SIZE_MAX;) {
			struct val v;
			if (nl && json_read(tmp, str_slice(rest, 0, nl), &v, e))
				return err_wrap(e, "the daemon's stream");
			if (nl && !line(arg, &v, tmp))
				return 0;
			arena_reset(tmp);
			rest = str_slice(rest, nl + 1, rest.n);
		}
		memmove(text.p, rest.p, rest.n);
		text.n = rest.n;
	}
}
