/* SPDX-License-Identifier: Apache-2.0 */
#include "core/net/sftpc.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include <libssh/libssh.h>
#include <libssh/sftp.h>

#include "core/net/peer.h"

#define SFTP_FUNCTIONS(X) \
	X(ssh_new) X(ssh_free) X(ssh_options_set) X(ssh_connect) X(ssh_disconnect) X(ssh_get_error) X(ssh_get_server_publickey) \
	X(ssh_get_publickey_hash) X(ssh_get_fingerprint_hash) X(ssh_clean_pubkey_hash) X(ssh_string_free_char) X(ssh_key_free) \
	X(ssh_session_is_known_server) X(ssh_userauth_none) X(ssh_userauth_list) X(ssh_userauth_password) X(ssh_userauth_publickey) \
	X(ssh_userauth_kbdint) X(ssh_userauth_kbdint_getnprompts) X(ssh_userauth_kbdint_setanswer) X(ssh_pki_import_privkey_base64) \
	X(sftp_new) X(sftp_init) X(sftp_free) X(sftp_opendir) X(sftp_readdir) X(sftp_dir_eof) X(sftp_closedir) X(sftp_attributes_free) X(sftp_get_error)

static struct {
#define X(name) __typeof__(&name) name;
	SFTP_FUNCTIONS(X)
#undef X
} lib;

static const struct peer_function functions[] = {
#define X(name) { #name, (void **)&lib.name },
	SFTP_FUNCTIONS(X)
#undef X
};

struct sftpc {
	struct arena *arena;
	ssh_session session;
	sftp_session sftp;
	str fingerprint;
	atomic_uint progress;
	pthread_mutex_t lock;
	int fd;           /* of the connection, our own copy; -1: none; under the lock */
	bool interrupted; /* under the lock */
};

int
sftpc_address(str address, str *host, int *port, struct err *e)
{
	struct peer_url url;
	if (peer_url_parse(address, SFTPC_PORT, &url, e) < 0)
		return -1;
	*host = url.host;
	*port = url.port;
	return 0;
}

struct sftpc *
sftpc_new(void)
{
	struct sftpc *c = MEM_NEW(struct sftpc);
	c->arena = arena_new();
	c->fd = -1;
	pthread_mutex_init(&c->lock, NULL);
	return c;
}

bool
sftpc_is_connected(const struct sftpc *c)
{
	return c->sftp;
}

str
sftpc_fingerprint(const struct sftpc *c)
{
	return c->fingerprint;
}

unsigned
sftpc_progress(const struct sftpc *c)
{
	return atomic_load(&c->progress);
}

static void
drop_session(struct sftpc *c)
{
	if (c->sftp)
		lib.sftp_free(c->sftp);
	if (c->session) {
		lib.ssh_disconnect(c->session);
		lib.ssh_free(c->session);
	}
	c->sftp = NULL;
	c->session = NULL;
	pthread_mutex_lock(&c->lock);
	close_fd(&c->fd);
	c->fd = -1;
	pthread_mutex_unlock(&c->lock);
}

void
sftpc_free(struct sftpc *c)
{
	if (!c)
		return;
	sftpc_interrupt(c); /* or a server that does not read would keep us */
	drop_session(c);
	pthread_mutex_destroy(&c->lock);
	arena_free(c->arena);
	free(c);
}

void
sftpc_interrupt(struct sftpc *c)
{
	pthread_mutex_lock(&c->lock);
	c->interrupted = true;
	if (c->fd >= 0)
		(void)shutdown(c->fd, SHUT_RDWR); /* it may be closed by the other side */
	pthread_mutex_unlock(&c->lock);
}

/* ---- the connection ------------------------------------------------------------------------------------------------- */

static int
wait_until_connected(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	int error = 0;
	socklen_t n = sizeof error;
	int rc = poll(&p, 1, SFTPC_WAIT_MS);
	if (rc == 0)
		errno = ETIMEDOUT;
	if (rc <= 0 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n) < 0)
		return -1;
	errno = error;
	return error ? -1 : 0;
}

static int
connect_one(const struct addrinfo *ai)
{
	int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	if (connect(fd, ai->ai_addr, ai->ai_addrlen) < 0 && (errno != EINPROGRESS || wait_until_connected(fd) < 0)) {
		int error = errno;
		close(fd);
		errno = error;
		return -1;
	}
	/* A peer that vanished is noticed, also while nothing is to be sent. */
	const int on = 1, idle = 30, lost_ms = 60000;
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &idle, sizeof idle);
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &lost_ms, sizeof lost_ms);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	(void)fcntl(fd, F_SETFL, 0); /* cannot fail */
	return fd;
}

/* -1 with ERR_UNAVAILABLE. */
static int
dial(const char *host, int port, struct err *e)
{
	char service[16];
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG }, *all;
	snprintf(service, sizeof service, "%d", port);
	int rc = getaddrinfo(host, service, &hints, &all);
	if (rc)
		return err_set(e, ERR_UNAVAILABLE, "sftp %s:%d: %s", host, port, gai_strerror(rc));
	int fd = -1;
	for (const struct addrinfo *ai = all; ai && fd < 0; ai = ai->ai_next)
		fd = connect_one(ai);
	if (fd < 0) {
		err_errno(e, "sftp %s:%d", host, port);
		e->code = ERR_UNAVAILABLE;
	}
	freeaddrinfo(all);
	return fd;
}

/* Families of host keys: a server has one of each, and it may be the fourth attempt that shows the one that is known. */
static const char *const families[] = { NULL, "ssh-ed25519", "ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521",
	"rsa-sha2-512,rsa-sha2-256" };

static int
fail(const struct sftpc *c, const struct sftpc_target *t, enum err_code code, const char *what, struct err *e)
{
	str host = t->host;
	return err_set(e, code, "sftp %.*s:%d: %s%s%.300s", STR_ARG(host), t->port, what, *what ? ": " : "", lib.ssh_get_error(c->session));
}

static int
set_options(struct sftpc *c, const struct sftpc_target *t, const char *known_hosts, const char *family, int fd)
{
	const long wait_s = SFTPC_WAIT_MS / 1000;
	const bool no = false;
	const char *user = str_z(c->arena, t->user), *host = str_z(c->arena, t->host);
	const struct {
		enum ssh_options_e option;
		const void *value;
	} options[] = {
		{ SSH_OPTIONS_PROCESS_CONFIG, &no }, { SSH_OPTIONS_HOST, host }, { SSH_OPTIONS_PORT, &t->port }, { SSH_OPTIONS_USER, user },
		{ SSH_OPTIONS_KNOWNHOSTS, known_hosts }, { SSH_OPTIONS_GLOBAL_KNOWNHOSTS, "/dev/null" }, { SSH_OPTIONS_TIMEOUT, &wait_s },
		{ SSH_OPTIONS_FD, &fd }, { SSH_OPTIONS_HOSTKEYS, family },
	};
	for (size_t i = 0; i < ARRAY_LEN(options); i++)
		if (options[i].value && lib.ssh_options_set(c->session, options[i].option, options[i].value) < 0)
			return -1;
	return 0;
}

/* A session as far as the server's key; 1: it has none of that family. */
static int
shake_hands(struct sftpc *c, const struct sftpc_target *t, const char *known_hosts, const char *family, struct err *e)
{
	drop_session(c);
	int fd = dial(str_z(c->arena, t->host), t->port, e);
	if (fd < 0)
		return -1;
	pthread_mutex_lock(&c->lock);
	c->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	bool interrupted = c->interrupted;
	pthread_mutex_unlock(&c->lock);
	c->session = lib.ssh_new();
	if (!c->session || interrupted || set_options(c, t, known_hosts, family, fd) < 0) {
		close(fd);
		return err_set(e, ERR_UNAVAILABLE, "sftp: no session");
	}
	if (lib.ssh_connect(c->session) == SSH_OK)
		return 0;
	fail(c, t, ERR_UNAVAILABLE, "", e);
	return family ? 1 : -1;
}

static int
read_fingerprint(struct sftpc *c, const struct sftpc_target *t, struct err *e)
{
	ssh_key key = NULL;
	unsigned char *hash = NULL;
	size_t n = 0;
	char *text = NULL;
	if (lib.ssh_get_server_publickey(c->session, &key) == SSH_OK &&
	    lib.ssh_get_publickey_hash(key, SSH_PUBLICKEY_HASH_SHA256, &hash, &n) == SSH_OK)
		text = lib.ssh_get_fingerprint_hash(SSH_PUBLICKEY_HASH_SHA256, hash, n);
	c->fingerprint = arena_dup(c->arena, str_c(text));
	lib.ssh_string_free_char(text);
	lib.ssh_clean_pubkey_hash(&hash);
	lib.ssh_key_free(key);
	return c->fingerprint.p ? 0 : fail(c, t, ERR_UNAVAILABLE, "the server's key", e);
}

/* 0: it is the one; 1: it is another, perhaps not that of another family. */
static int
check_key(struct sftpc *c, const struct sftpc_target *t, struct err *e)
{
	if (read_fingerprint(c, t, e) < 0)
		return -1;
	if (t->known_hosts.p && lib.ssh_session_is_known_server(c->session) != SSH_KNOWN_HOSTS_OK) {
		err_set(e, ERR_UNAUTHENTICATED, "sftp %.*s:%d: the server's key %.*s is not among the known hosts", STR_ARG(t->host), t->port,
		        STR_ARG(c->fingerprint));
		return 1;
	}
	if (t->fingerprint.p && !str_eq(t->fingerprint, c->fingerprint)) {
		err_set(e, ERR_UNAUTHENTICATED, "sftp %.*s:%d: the server's key is %.*s, not %.*s", STR_ARG(t->host), t->port,
		        STR_ARG(c->fingerprint), STR_ARG(t->fingerprint));
		return 1;
	}
	return 0;
}

static int
meet(struct sftpc *c, const struct sftpc_target *t, const char *known_hosts, struct err *e)
{
	int rc = 0;
	struct err first = { 0 }, later = { 0 };
	for (size_t i = 0; i < ARRAY_LEN(families); i++) {
		struct err *to = i ? &later : &first;
		rc = shake_hands(c, t, known_hosts, families[i], to);
		if (rc == 0)
			rc = check_key(c, t, to);
		if (rc <= 0)
			break;
	}
	if (rc != 0) /* what the server shows by itself says more than the others */
		*e = first;
	return rc ? -1 : 0;
}

/* ---- login ---------------------------------------------------------------------------------------------------------- */

static int
login_by_key(struct sftpc *c, const struct sftpc_target *t, struct err *e)
{
	ssh_key key = NULL;
	/* The text ends in a line end, or libssh does not see its end. */
	str text = arena_fmt(c->arena, "%.*s\n", STR_ARG(t->key));
	if (lib.ssh_pki_import_privkey_base64(text.p, NULL, NULL, NULL, &key) != SSH_OK)
		return err_set(e, ERR_INVALID, "sftp %.*s:%d: the private key cannot be read: it must be an OpenSSH or PEM key without a passphrase",
		               STR_ARG(t->host), t->port);
	int rc = lib.ssh_userauth_publickey(c->session, NULL, key);
	lib.ssh_key_free(key);
	return rc;
}

/* Servers with PAM ask for the password by a question. */
static int
login_by_answer(struct sftpc *c, const char *password)
{
	int rc = lib.ssh_userauth_kbdint(c->session, NULL, NULL);
	for (int rounds = 0; rc == SSH_AUTH_INFO && rounds < 4; rounds++) {
		int n = lib.ssh_userauth_kbdint_getnprompts(c->session);
		if (n > 1)
			return SSH_AUTH_DENIED;
		if (n == 1 && lib.ssh_userauth_kbdint_setanswer(c->session, 0, password) < 0)
			return SSH_AUTH_ERROR;
		rc = lib.ssh_userauth_kbdint(c->session, NULL, NULL);
	}
	return rc;
}

static int
login_by_password(struct sftpc *c, const struct sftpc_target *t)
{
	const char *password = str_z(c->arena, t->password.p ? t->password : S(""));
	int rc = lib.ssh_userauth_none(c->session, NULL);
	int methods = rc == SSH_AUTH_DENIED ? lib.ssh_userauth_list(c->session, NULL) : 0;
	if (rc == SSH_AUTH_DENIED && methods & SSH_AUTH_METHOD_PASSWORD)
		rc = lib.ssh_userauth_password(c->session, NULL, password);
	if (rc == SSH_AUTH_DENIED && methods & SSH_AUTH_METHOD_INTERACTIVE)
		rc = login_by_answer(c, password);
	return rc;
}

static int
login(struct sftpc *c, const struct sftpc_target *t, struct err *e)
{
	e->code = ERR_NONE;
	int rc = t->key.p ? login_by_key(c, t, e) : login_by_password(c, t);
	if (rc == SSH_AUTH_SUCCESS)
		return 0;
	if (e->code)
		return -1;
	if (rc == SSH_AUTH_ERROR)
		return fail(c, t, ERR_UNAVAILABLE, "", e);
	return err_set(e, ERR_UNAUTHENTICATED, "sftp %.*s:%d: the server refuses this user with this %s", STR_ARG(t->host), t->port, t->key.p ? "key" : "password");
}

static int
begin(struct sftpc *c, const struct sftpc_target *t, const char *known_hosts, struct err *e)
{
	if (meet(c, t, known_hosts, e) < 0 || login(c, t, e) < 0)
		return -1;
	c->sftp = lib.sftp_new(c->session);
	if (c->sftp && lib.sftp_init(c->sftp) == SSH_OK)
		return 0;
	return fail(c, t, ERR_UNAVAILABLE, "starting sftp", e);
}

int
sftpc_connect(struct sftpc *c, const struct sftpc_target *t, struct err *e)
{
	static bool loaded;
	char known_hosts[32] = "/dev/null";
	int fd CLEANUP(close_fd) = -1;
	if (peer_load(&loaded, "libssh.so.4", "libssh-4", functions, ARRAY_LEN(functions), e) < 0 ||
	    peer_file(t->known_hosts, &fd, known_hosts, e) < 0)
		return -1;
	int rc = begin(c, t, known_hosts, e);
	if (rc < 0)
		drop_session(c);
	return rc;
}

/* ---- a directory ---------------------------------------------------------------------------------------------------- */

static int
failed(const struct sftpc *c, const char *directory, struct err *e)
{
	int code = lib.sftp_get_error(c->sftp);
	if (code == SSH_FX_NO_SUCH_FILE || code == SSH_FX_NO_SUCH_PATH)
		return err_set(e, ERR_NOT_FOUND, "sftp: directory %s is not there", directory);
	if (code == SSH_FX_PERMISSION_DENIED)
		return err_set(e, ERR_DENIED, "sftp: directory %s: permission denied", directory);
	return err_set(e, ERR_UNAVAILABLE, "sftp: directory %s: %.300s", directory, lib.ssh_get_error(c->session));
}

static struct sftpc_entry
entry_of(const struct sftp_attributes_struct *x)
{
	/* Version 3 of the protocol has the kind in the permissions, and times of 32 bits. */
	return (struct sftpc_entry){ .name = str_c(x->name), .is_directory = x->type == SSH_FILEXFER_TYPE_DIRECTORY, .size = (int64_t)x->size,
	                             .mtime = x->mtime64 ? (int64_t)x->mtime64 : x->mtime, .mode = x->permissions };
}

int
sftpc_list(struct sftpc *c, const char *directory, int (*each)(void *arg, const struct sftpc_entry *x, struct err *e), void *arg, struct err *e)
{
	sftp_dir dir = lib.sftp_opendir(c->sftp, directory);
	if (!dir)
		return failed(c, directory, e);
	int rc = 0;
	for (sftp_attributes x; rc == 0 && (x = lib.sftp_readdir(c->sftp, dir)); lib.sftp_attributes_free(x)) {
		struct sftpc_entry entry = entry_of(x);
		atomic_fetch_add(&c->progress, 1);
		if (!str_eq(entry.name, S(".")) && !str_eq(entry.name, S("..")))
			rc = each(arg, &entry, e);
	}
	if (rc == 0 && !lib.sftp_dir_eof(dir))
		rc = failed(c, directory, e);
	(void)lib.sftp_closedir(dir); /* the next call tells if the connection is gone */
	return rc;
}
