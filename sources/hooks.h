/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hooks: what registers our endpoint with a forge's own API: lists the hooks of every target, creates what is missing, looks again,
 * and deletes ours at the end if the manifest says so. A forge is a row of functions that say what to ask and what the answers mean;
 * order, pauses, pages, repetition and what is logged are the same for all.
 */
#ifndef TIDEGATE_SOURCES_HOOKS_H
#define TIDEGATE_SOURCES_HOOKS_H

#include "core/net/httpc.h"
#include "core/net/sigv4.h"
#include "sources/source.h"
#include "sources/webhook_context.h"

/* A place that has hooks: a repository, an organization, a topic. */
struct hook_target {
	str path; /* of its hooks within the API, without a slash before it: "repos/octocat/hello/hooks" */
	int what; /* the row's own */
	str id;   /* of our hook; absent: not known */
	char *own; /* what path is in, if it may change; NULL: the site's arena */
	uint64_t complaint; /* hash of what was logged last; 0: nothing is wrong */
};

/* What the row's functions know. */
struct hook_site {
	struct source *source;
	struct arena *arena; /* lives as long */
	str url;             /* where hooks are to deliver */
	str base;            /* of the API, without a slash at its end */
	const struct tls_config *tls; /* for the API; NULL: as the system has it */
	bool delete_at_end;
	VEC(struct hook_target) targets;
	struct {
		struct arena *arena;
		str token;
		struct sigv4_keys keys;
		int64_t until; /* good till then */
	} login;
};
void hook_add_target(struct hook_site *site, int what, const char *path, ...) PRINTF_LIKE(3, 4);

enum { HOOK_HEADERS = 12 };
/* A call as a row writes it. */
struct hook_request {
	struct arena *arena; /* of the call */
	const char *method;
	str url;
	str body;
	struct http_header headers[HOOK_HEADERS];
	size_t headers_n;
	str user, password;
};
void hook_call(struct hook_request *q, const char *method, str body, const struct hook_site *site, const char *path, ...) PRINTF_LIKE(5, 6);
void hook_header(struct hook_request *q, const char *name, str value);
/* A POST of a form, "a=1&b=2". */
void hook_form(struct hook_request *q, str form, const struct hook_site *site, const char *path, ...) PRINTF_LIKE(4, 5);
/* "Authorization: <scheme> <the secret>". */
int hook_authorize(struct hook_request *q, const struct hook_site *site, const char *scheme, const struct secret_ref *ref, struct err *e) MUST_CHECK;

/* Basic authorization. */
int hook_basic(struct hook_request *q, const struct hook_site *site, const struct secret_ref *user, const struct secret_ref *password,
               struct err *e) MUST_CHECK;
/* The secrets of `tls` (NULL is fine) into the call, in `a`. */
int hook_tls(struct source *s, const struct tls_config *tls, struct arena *a, struct http_call *call, struct err *e) MUST_CHECK;

enum hook_found {
	HOOK_NONE,  /* there is none: create it */
	HOOK_OURS,  /* it is there, as it should be */
	HOOK_STALE, /* it is there, but for other events: `create` is asked to change it */
	HOOK_MORE,  /* not on this page: ask for the next */
};

struct hook_api {
	const char *forge;   /* "GitHub": for the log */
	unsigned rounds;     /* that must go well in a row before it is at rest; 0: it looks again for ever */
	bool idle;           /* there may be nothing to register at first: targets may come later */
	/* Fills base, delete_at_end and the targets. ERR_INVALID: it cannot. */
	int (*begin)(struct hook_site *site, struct err *e);
	/* A call that has to be made before the others: 1; 0 if none has. Its answer goes to logged_in. May be NULL. */
	int (*login)(struct hook_site *site, struct hook_request *q, struct err *e);
	int (*logged_in)(struct hook_site *site, str answer, struct err *e);
	/* Says who we are; the last to see a call. */
	int (*authorize)(struct hook_site *site, struct hook_request *q, struct err *e);
	/* Asks for a page of hooks, from 1. NULL: they cannot be listed, creating twice does no harm. False: not for this target. */
	bool (*list)(struct hook_site *site, const struct hook_target *t, unsigned page, struct hook_request *q);
	/* What is in the answer; *id of ours. May add targets, which moves the others. Negative: it makes no sense. */
	int (*find)(struct hook_site *site, size_t target, str answer, struct arena *a, str *id, struct err *e);
	/* Creates, or changes the hook t->id. */
	int (*create)(struct hook_site *site, const struct hook_target *t, struct hook_request *q, struct err *e);
	/* The id in the answer to that; absent: it has none. NULL: the member "id" of a JSON object. */
	str (*created)(const struct hook_target *t, str answer, struct arena *a);
	/* Deletes the hook t->id. NULL: there is no way. */
	void (*remove)(struct hook_site *site, const struct hook_target *t, struct hook_request *q);
};

struct hooks;

/* Begins in a later turn. `every_ns`: the pause between rounds; 0: a minute. NULL, and the error, if there is nothing to register. */
struct hooks *hooks_start(struct source *s, const struct hook_api *api, const struct webhook_context *w, int64_t every_ns, struct err *e);
/* The one target of that kind is this from now on: it is created, and tried again if that fails. */
void hooks_set_target(struct hooks *h, int what, str path);
/* Deletes the hooks if the manifest says so and the daemon goes on, then calls source_stopped. */
void hooks_stop(struct hooks *h);

/* ---- what rows have in common ---------------------------------------------------------------------------------- */

/* A number or string member as text, in `a`; absent if it is neither. */
str hook_text(const struct val *object, const char *member, struct arena *a);
/* Whether a list has the very same texts, in any order. */
bool hook_same_events(const struct val *list, const struct strs *want);
/* Looks through a list of objects for one whose member (a dotted path) is our URL; NULL: there is none. */
const struct val *hook_with_url(const struct val *list, const char *member, str url);
/*
 * A page of hooks, the list itself or the member `items` of an object: how many are on it, and which has our URL (hook_with_url); *hook
 * NULL: none. Negative, and the error: it is no such thing.
 */
int hook_read_page(const struct hook_site *site, str answer, const char *items, const char *member, struct arena *a,
                   const struct val **hook, struct err *e);
/* hook_api.remove of most: DELETE <path>/<id>. */
void hook_delete(struct hook_site *site, const struct hook_target *t, struct hook_request *q);
/* POST <path> or, to change it, `change` <path>/<id>. */
void hook_write(struct hook_site *site, const struct hook_target *t, struct hook_request *q, const char *change, struct val body);
/* [ "push", ... ] */
struct val hook_events(const struct strs *events, struct arena *a);
/* Without slashes at the end; `otherwise` if it is empty. */
str hook_base(str url, const char *otherwise);

#endif
