/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sftpc: a client of SFTP over SSH, by libssh, which is opened with the first connection. Its calls block: they are for a thread of their own. The
 * server's key is always looked at before anything else is said. Neither the user's nor the machine's configuration of ssh counts.
 */
#ifndef TIDEGATE_CORE_NET_SFTPC_H
#define TIDEGATE_CORE_NET_SFTPC_H

#include "core/base.h"

enum { SFTPC_PORT = 22, SFTPC_WAIT_MS = 15000 };

struct sftpc_target {
	str host;
	int port;
	str user;
	str key;         /* private key as PEM; absent: by password */
	str password;
	str known_hosts; /* lines of a known_hosts file, of which one must be the server's; absent: see fingerprint */
	str fingerprint; /* "SHA256:..." as ssh-keygen -l prints it: the server's key must have it; absent: any will do */
};
struct sftpc_entry {
	str name;
	bool is_directory;
	int64_t size, mtime; /* s; 0: the server does not say */
	uint32_t mode;       /* kind and permissions; 0 likewise */
};
struct sftpc;

/* "host", "host:port", "[::1]:port". ERR_INVALID. */
int sftpc_address(str address, str *host, int *port, struct err *e) MUST_CHECK;
/* Not connected. */
struct sftpc *sftpc_new(void);
/*
 * Connects and logs in; once. ERR_UNAVAILABLE; ERR_UNAUTHENTICATED: the server's key is another than wanted, or it refuses the login; ERR_INVALID:
 * the private key cannot be read; ERR_UNSUPPORTED: there is no libssh.
 */
int sftpc_connect(struct sftpc *c, const struct sftpc_target *t, struct err *e) MUST_CHECK;
bool sftpc_is_connected(const struct sftpc *c);
/* Of the server's key; valid as long as the connection. */
str sftpc_fingerprint(const struct sftpc *c);
/*
 * Calls `each` for what is in the directory, but . and ..; what it returns other than 0 ends the listing and is returned. ERR_NOT_FOUND, ERR_DENIED;
 * ERR_UNAVAILABLE: the connection is of no use any more.
 */
int sftpc_list(struct sftpc *c, const char *directory, int (*each)(void *arg, const struct sftpc_entry *x, struct err *e), void *arg,
               struct err *e) MUST_CHECK;
/* Any thread: ends what is under way, and the connection. */
void sftpc_interrupt(struct sftpc *c);
/* Any thread: a number that grows as long as something comes from the server. */
unsigned sftpc_progress(const struct sftpc *c);
/* NULL is fine. */
void sftpc_free(struct sftpc *c);

#endif
