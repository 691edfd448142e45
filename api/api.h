/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api: the REST interface. Paths, bodies, answers and errors of Argo's server (spec 7), and ours under /tidegate/v1.
 *
 * A route is a line in routes.def. All of them come in through one function (api.c: entered), which asks for the token
 * where the listener needs one; no handler is reachable in another way.
 *
 * Loop thread only.
 */
#ifndef TIDEGATE_API_API_H
#define TIDEGATE_API_API_H

#include "config/config.h"
#include "core/loop.h"
#include "core/net/httpd.h"
#include "core/store.h"

struct engine;
struct sources;
struct sensors;
struct executor;
struct revisions;

/* What the handlers work on; borrowed. */
struct api_env {
	struct loop *loop;
	struct store *store;
	struct objects *objects;
	struct revisions *revisions;
	struct engine *engine;
	struct executor *executor;
	struct sources *sources;
	struct sensors *sensors;
	const struct settings *settings;
	const struct kind *const *kinds;
	size_t kinds_n;
	str state;                    /* the state directory */
	/* Called when an object was put or deleted through the API: whoever follows EventSources and Sensors looks again. */
	void (*changed)(void *arg);
	void *arg;
};

struct api;
struct api *api_new(const struct api_env *env);
/* Ends the streams: they are gone at the end of the turn. */
void api_stop(struct api *api);
/* After api_stop, that turn, and the end of the listeners. NULL is fine. */
void api_free(struct api *api);
/* Serves all routes on `h`. With a token present every route but /healthz wants "Authorization: Bearer <token>". */
void api_attach(struct api *api, struct httpd *h, str token);

#endif
