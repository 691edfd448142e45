/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client: talks to the running daemon over the unix socket in its state directory. Blocking, one connection a call: a
 * command line has nothing else to do meanwhile. The daemon needs no token there: the socket's mode is the permission.
 */
#ifndef TIDEGATE_CLI_CLIENT_H
#define TIDEGATE_CLI_CLIENT_H

#include "cli/command.h"
#include "core/transfer_watch.h"
#include "core/val.h"

/* The state directory: `given`, else $TIDEGATE_STATE, else /var/lib/tidegate for root, else $XDG_STATE_HOME/tidegate or
 * ~/.local/state/tidegate. In `a`. */
str state_directory(struct arena *a, const char *given);

struct client {
	struct arena *arena; /* everything the calls return lives here */
	str state;
	str ns;              /* never empty: --namespace, $ARGO_NAMESPACE, "default" */
};
void client_init(struct client *c, const struct cli_common *o);
void client_free(struct client *c);

/*
 * One request. `path` starts with '/' and is already escaped; `body` may be NULL. The answer's JSON goes to *out (NULL: not
 * wanted). An answer other than 200 becomes an error with the server's message and the code that its status stands for;
 * ERR_UNAVAILABLE if there is no daemon.
 */
int client_call(struct client *c, const char *method, str path, const struct val *body, struct val *out, struct err *e) MUST_CHECK;
/* The same with the answer's bytes as they are. */
int client_raw(struct client *c, const char *method, str path, str body, str *out, struct err *e) MUST_CHECK;
/* The same into an open file, as it comes. `watch` may be NULL, also below. */
int client_download(struct client *c, str path, int fd, const struct transfer_watch *watch, struct err *e) MUST_CHECK;
/* The `bytes` of an open file, from where it stands, as the body. The answer's JSON goes to *out. */
int client_upload(struct client *c, const char *method, str path, int fd, uint64_t bytes, const struct transfer_watch *watch, struct val *out, struct err *e) MUST_CHECK;
/* Reads a stream of JSON lines; `line` returns false to stop. 0 at the end of the stream or when stopped. Each line is parsed
 * into `tmp`, which is emptied behind it. */
int client_stream(struct client *c, str path, bool (*line)(void *arg, const struct val *v, struct arena *tmp), void *arg, struct err *e) MUST_CHECK;

/* Appends `s` escaped for a path segment or a query value. */
void url_escape(struct buf *b, str s);
/* Appends "?name=value" (or "&", if there is a '?' before); nothing if the value is empty. */
void url_query(struct buf *b, const char *name, str value);
/* "/api/v1/workflows/<ns>/<name><suffix>" in the client's arena. */
str workflow_path(struct client *c, str name, const char *suffix);

#endif
