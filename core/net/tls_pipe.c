/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pipe's thread holds two ends: the connection to the server, and that of a pair of sockets whose other one is the caller's. What waits in
 * one direction holds back the reading in it, so that both sides feel each other's pace, and no more than a record each way is kept.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "core/net/tcp.h"

#define SSL_FUNCTIONS(X)                                                                                                              \
	X(TLS_client_method) X(SSL_CTX_new) X(SSL_CTX_free) X(SSL_CTX_ctrl) X(SSL_CTX_load_verify_locations) X(SSL_CTX_set_default_verify_paths) \
	X(SSL_CTX_use_certificate_chain_file) X(SSL_CTX_use_PrivateKey_file) X(SSL_CTX_set_verify) X(SSL_new) X(SSL_free) X(SSL_ctrl)         \
	X(SSL_set_fd) X(SSL_set1_host) X(SSL_connect) X(SSL_get_verify_result) X(SSL_get_error) X(SSL_read) X(SSL_write) X(SSL_shutdown)
#define CRYPTO_FUNCTIONS(X) X(ERR_clear_error) X(ERR_peek_last_error) X(ERR_reason_error_string) X(X509_verify_cert_error_string)

static struct {
#define X(name) __typeof__(&name) name;
	SSL_FUNCTIONS(X) CRYPTO_FUNCTIONS(X)
#undef X
} lib;

#define X(name) { #name, (void **)&lib.name },
static const struct peer_function ssl_functions[] = { SSL_FUNCTIONS(X) }, crypto_functions[] = { CRYPTO_FUNCTIONS(X) };
#undef X

enum { PIECE = 16384, STACK = 128 << 10 };

struct piece {
	size_t at, n; /* bytes [at, n) wait to be passed on */
	char p[PIECE];
};

struct pipe {
	SSL_CTX *context;
	SSL *ssl;
	int server, plain; /* descriptors */
	short server_wants; /* poll(2) events: what the last call of the library waits for */
	struct piece up, down;
};

static void
free_pipe(struct pipe *p)
{
	if (p->ssl)
		lib.SSL_free(p->ssl);
	if (p->context)
		lib.SSL_CTX_free(p->context);
	close_fd(&p->server);
	close_fd(&p->plain);
	free(p);
}

/* ---- passing on ------------------------------------------------------------------------------------------------------ */

/* What a call of the library came to: > 0 bytes; 0: later, when server_wants; -1: the end. */
static int
came_to(struct pipe *p, int rc)
{
	if (rc > 0)
		return rc;
	int why = lib.SSL_get_error(p->ssl, rc);
	if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE)
		return -1;
	p->server_wants |= why == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT;
	return 0;
}

/* The same for the caller's end. */
static int
came_to_plain(ssize_t n)
{
	return n > 0 ? (int)n : n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

/* From the server to the caller; whether something moved, -1: the end. */
static int
pass_down(struct pipe *p)
{
	struct piece *d = &p->down;
	if (d->at < d->n) {
		int n = came_to_plain(send(p->plain, d->p + d->at, d->n - d->at, MSG_DONTWAIT | MSG_NOSIGNAL));
		d->at += n > 0 ? (size_t)n : 0;
		return n;
	}
	lib.ERR_clear_error();
	int n = came_to(p, lib.SSL_read(p->ssl, d->p, PIECE));
	d->at = 0;
	d->n = n > 0 ? (size_t)n : 0;
	return n;
}

static int
pass_up(struct pipe *p)
{
	struct piece *u = &p->up;
	if (u->at < u->n) {
		lib.ERR_clear_error();
		int n = came_to(p, lib.SSL_write(p->ssl, u->p + u->at, (int)(u->n - u->at)));
		u->at += n > 0 ? (size_t)n : 0;
		return n;
	}
	int n = came_to_plain(recv(p->plain, u->p, PIECE, MSG_DONTWAIT));
	u->at = 0;
	u->n = n > 0 ? (size_t)n : 0;
	return n;
}

/* A descriptor of which nothing is wanted is not looked at: its hang-up would be told without end. */
static void
wait_for_either(struct pipe *p)
{
	short plain = (p->up.at < p->up.n ? 0 : POLLIN) | (p->down.at < p->down.n ? POLLOUT : 0);
	struct pollfd fds[] = { { .fd = p->server_wants ? p->server : -1, .events = p->server_wants },
		                { .fd = plain ? p->plain : -1, .events = plain } };
	(void)poll(fds, ARRAY_LEN(fds), -1);
}

static void *
pump(void *arg)
{
	struct pipe *p = arg;
	for (;;) {
		p->server_wants = 0;
		int down = pass_down(p), up = pass_up(p);
		if (down < 0 || up < 0)
			break;
		if (!down && !up)
			wait_for_either(p);
	}
	lib.SSL_shutdown(p->ssl); /* as far as it goes without waiting */
	free_pipe(p);
	return NULL;
}

static int
start_pump(struct pipe *p)
{
	sigset_t all, old;
	pthread_attr_t attr;
	pthread_t thread;
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	int rc = pthread_create(&thread, &attr, pump, p);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	return rc ? -1 : 0;
}

/* ---- shaking hands --------------------------------------------------------------------------------------------------- */

static int
trust(const char *what, struct pipe *p, const struct peer_target *t, struct err *e)
{
	int ca CLEANUP(close_fd) = -1, cert CLEANUP(close_fd) = -1, key CLEANUP(close_fd) = -1;
	char ca_path[32], cert_path[32], key_path[32];
	if (peer_file(t->ca_pem, &ca, ca_path, e) < 0 || peer_file(t->cert_pem, &cert, cert_path, e) < 0 || peer_file(t->key_pem, &key, key_path, e) < 0)
		return -1;
	lib.SSL_CTX_ctrl(p->context, SSL_CTRL_SET_MIN_PROTO_VERSION, TLS1_2_VERSION, NULL);
	lib.SSL_CTX_set_verify(p->context, t->insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
	if ((ca >= 0 ? lib.SSL_CTX_load_verify_locations(p->context, ca_path, NULL) : lib.SSL_CTX_set_default_verify_paths(p->context)) != 1)
		return err_set(e, ERR_INVALID, "%s: the authorities' certificates cannot be used", what);
	if (cert >= 0 && key >= 0 && (lib.SSL_CTX_use_certificate_chain_file(p->context, cert_path) != 1 ||
	                              lib.SSL_CTX_use_PrivateKey_file(p->context, key_path, SSL_FILETYPE_PEM) != 1))
		return err_set(e, ERR_INVALID, "%s: our certificate or its key cannot be used", what);
	return 0;
}

static int
refused(const char *what, struct pipe *p, const struct peer_target *t, struct err *e)
{
	long verdict = lib.SSL_get_verify_result(p->ssl);
	if (!t->insecure && (verdict == X509_V_ERR_HOSTNAME_MISMATCH || verdict == X509_V_ERR_IP_ADDRESS_MISMATCH))
		return err_set(e, ERR_UNAUTHENTICATED, "%s: TLS: the server's certificate is for another name", what);
	if (!t->insecure && verdict != X509_V_OK)
		return err_set(e, ERR_UNAUTHENTICATED, "%s: TLS: the server's certificate is not by an authority that is trusted: %s", what,
		               lib.X509_verify_cert_error_string(verdict));
	unsigned long code = lib.ERR_peek_last_error();
	const char *reason = code ? lib.ERR_reason_error_string(code) : NULL;
	return err_set(e, ERR_UNAVAILABLE, "%s: TLS: %s%s", what, reason ? reason : "the server hung up, or does not speak it", peer_tls_hint(t));
}

static int
shake_hands(const char *what, struct pipe *p, const struct peer_target *t, str host, int wait_ms, struct err *e)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct timeval most = { .tv_sec = wait_ms / 1000, .tv_usec = wait_ms % 1000 * 1000 };
	struct in6_addr address;
	const char *name = str_z(a, host);
	bool is_address = inet_pton(AF_INET, name, &address) == 1 || inet_pton(AF_INET6, name, &address) == 1;
	p->context = lib.SSL_CTX_new(lib.TLS_client_method());
	if (!p->context || trust(what, p, t, e) < 0)
		return p->context ? -1 : err_set(e, ERR_UNAVAILABLE, "%s: no TLS", what);
	p->ssl = lib.SSL_new(p->context);
	if (!p->ssl || lib.SSL_set_fd(p->ssl, p->server) != 1 || (!t->insecure && lib.SSL_set1_host(p->ssl, name) != 1))
		return err_set(e, ERR_UNAVAILABLE, "%s: no TLS", what);
	if (!is_address)
		lib.SSL_ctrl(p->ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, (void *)(uintptr_t)name);
	(void)setsockopt(p->server, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof most);
	(void)setsockopt(p->server, SOL_SOCKET, SO_SNDTIMEO, &most, sizeof most);
	lib.ERR_clear_error();
	if (lib.SSL_connect(p->ssl) != 1)
		return refused(what, p, t, e);
	(void)fcntl(p->server, F_SETFL, O_NONBLOCK);
	return 0;
}

static int
load(struct err *e)
{
	static bool ssl, crypto;
	return peer_load(&crypto, "libcrypto.so.3", "libssl3", crypto_functions, ARRAY_LEN(crypto_functions), e) < 0 ? -1 :
	       peer_load(&ssl, "libssl.so.3", "libssl3", ssl_functions, ARRAY_LEN(ssl_functions), e);
}

int
tls_pipe(const char *what, int fd, const struct peer_target *t, str host, int wait_ms, struct err *e)
{
	struct pipe *p = MEM_NEW(struct pipe);
	int pair[2] = { -1, -1 };
	p->server = fd;
	p->plain = -1;
	if (load(e) == 0 && shake_hands(what, p, t, host, wait_ms, e) == 0) {
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
			(void)err_errno(e, "%s: a pair of sockets", what);
		p->plain = pair[1];
		if (pair[0] >= 0 && start_pump(p) == 0)
			return pair[0];
		if (pair[0] >= 0)
			err_set(e, ERR_UNAVAILABLE, "%s: no thread can be started", what);
	}
	close_fd(&pair[0]);
	free_pipe(p);
	return -1;
}
