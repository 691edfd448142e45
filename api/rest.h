/* SPDX-License-Identifier: Apache-2.0 */
/* rest: what the handlers share: reading requests, answering, errors, field selection, streams. Inside api/ only. */
#ifndef TIDEGATE_API_REST_H
#define TIDEGATE_API_REST_H

#include "api/api.h"
#include "core/map.h"

struct stream;
struct api {
	struct api_env env;
	struct link streams; /* struct stream, open ones */
	VEC(struct binding *) bindings;
	int64_t started;
	int64_t uploads; /* files on their way from outside to their places */
};

/* A kind of object with create, read, update, delete: one row of resources[] (rest_objects.c). */
struct resource {
	const char *path; /* "workflow-templates" */
	const char *kind; /* "WorkflowTemplate" */
	const char *key;  /* name of the object in request bodies: "template" */
	bool cluster;
	const struct schema *body; /* of the request that makes one; NULL: nothing but the object is looked at */
};

typedef void rest_handler(struct api *api, struct http_req *r, const struct resource *res);
#define ROUTE(method, pattern, fn, doc) rest_handler fn;
#define OBJECT_ROUTE(method, suffix, fn, doc) rest_handler fn;
/* What a file from outside is to become (rest_uploads.c): answers and returns false if it is not wanted. Asked before the file is read, and when it is here. */
struct upload;
typedef bool rest_upload(struct api *api, struct http_req *r, struct upload *u);
#define UPLOAD_ROUTE(method, pattern, fn, doc) rest_upload fn;
#include "api/routes.def"
#undef ROUTE
#undef OBJECT_ROUTE
#undef UPLOAD_ROUTE
/* Whether a file is wanted whose head `r` is, and may be as large; else answers. */
bool upload_admit(struct api *api, struct http_req *r, rest_upload *what);
/* Answers with the object at a place, a folder as one file, whenever it has been brought; `key`: what it is called after. `place` is copied. */
void send_object(struct api *api, struct http_req *r, str ns, str key, const struct val *place);
/* The file is here. */
void upload_take(struct api *api, struct http_req *r, rest_upload *what);
extern const struct resource resources[]; /* ended by a row without path */

/* The API that a request came to. */
struct api *rest_api(const struct http_req *r);
extern const char rest_json_type[];
/* 200 with JSON. To who only reads, once all that has been decided so far is on disk. */
void rest_reply(struct http_req *r, const struct val *v);
/* The status, code and message of an error, in Argo's shape. */
void rest_fail(struct http_req *r, const struct err *e);
void rest_failf(struct http_req *r, enum err_code code, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* The first errors of `d` as one message; ERR_INVALID, or ERR_UNSUPPORTED if all of them are about what is not served yet. */
void rest_fail_diags(struct http_req *r, struct diags *d, const struct err *e);
/* The body as a JSON map (an empty body is an empty map); answers and returns false if it is none. */
bool rest_body(struct http_req *r, struct val *out);
/* {ns} of the path; "default" where it is empty and `fallback` is set, else absent. */
str rest_ns(const struct api *api, const struct http_req *r, bool fallback);
bool rest_flag(const struct http_req *r, const char *arg);
/* A query argument as a number; `dflt` if it is absent or none. */
int64_t rest_int(const struct http_req *r, const char *arg, int64_t dflt);
/* A query argument as a time, RFC 3339; *out is left alone if it is absent. Answers and returns false if it is none. */
bool rest_time(struct http_req *r, const char *arg, int64_t *out);

/* listOptions.limit (0: what one answer holds) and listOptions.continue, an offset. Answers and returns false if one is none. */
struct rest_page {
	size_t offset, limit; /* limit: never 0 */
};
bool rest_read_page(struct http_req *r, struct rest_page *out);
/* Answers and returns false if the manifest names another namespace than the path: Kubernetes' API refuses that too. */
bool rest_is_of_path(struct http_req *r, const struct val *manifest);

/* A list of "k=v"; "a=b,c=d". Each adds to `out`, or answers and returns false if something is no pair. */
bool rest_list_pairs(struct http_req *r, const struct val *list, struct kvs *out);
bool rest_text_pairs(struct http_req *r, str text, struct kvs *out);
/* The members of a verb's body; answers and returns false if one is wrong. */
struct verb_options;
bool rest_verb_options(struct http_req *r, const struct val *body, struct verb_options *o);
/* What engine_get and engine_verb call back: `arg` is the request. */
void rest_answer_workflow(void *arg, const struct val *workflow, const struct err *e);

/* `v` with only the members that a comma list of dotted paths names, or without them if it begins with '-'. Lists are looked through. */
const struct val *fields_select(struct arena *a, const struct val *v, str fields);
/* Whether that leaves anything of `nodes`, the path of what may be large: "status.nodes", "items.status.nodes". */
bool fields_want_nodes(str fields, str nodes);
/* Of a request that a Workflow answers. */
bool rest_wants_nodes(const struct http_req *r);

/* The object that the path names; answers 404 itself. */
struct object *rest_find_object(struct api *api, struct http_req *r, const struct resource *res);
/* The object as it is shown: a CronWorkflow with its status. In the request's arena. */
const struct val *rest_object_view(struct api *api, struct http_req *r, const struct object *o);
/* Takes a manifest in and answers with it; `before`: what it replaces, may be NULL. `origin`: for its revision. */
void rest_put_object(struct api *api, struct http_req *r, const struct val *v, struct object *before, str origin);
/* The same, answered with `answer` (NULL: the object). */
void rest_put_answering(struct api *api, struct http_req *r, const struct val *v, struct object *before, const struct val *answer,
                        str origin);
/* Who asks, as the origin of a change: "api, 127.0.0.1". */
str rest_origin(struct http_req *r);
/* Whether it may not be changed through the API: answers where it comes from. `o` may be NULL. */
bool rest_is_from_file(struct http_req *r, const struct object *o);

/* ---- streams ------------------------------------------------------------------------------------------------ */

/*
 * A streamed answer: server-sent events where the client accepts them, else a JSON object a line; each message is
 * {"result": ...}. The owner embeds it first in its own struct and frees that in `closed`, which runs exactly once: when
 * the client went away or fell behind, after stream_end, or when the API shuts down. It is never called from stream_send.
 */
struct stream {
	struct link link;
	struct http_stream *http;
	struct api *api;
	struct link held; /* messages that wait for the disk (settled.c) */
	bool sse, ending;
	void (*closed)(struct stream *s);
};
void stream_start(struct stream *s, struct api *api, struct http_req *r, void (*closed)(struct stream *s));
void stream_send(struct stream *s, const struct val *result);
/* The same once all that has been decided so far is on disk; what waits is dropped if the stream ends first. */
void stream_send_settled(struct stream *s, const struct val *result);
void stream_error(struct stream *s, const struct err *e);
/* At the end of this turn: ends the answer, then closed(). */
void stream_end(struct stream *s);

/* Between rest.c and settled.c. */
void rest_reply_settled(struct http_req *r, struct store *store, str body);
void stream_text(const struct stream *s, str key, const struct val *v, struct buf *out);
void stream_pass(struct stream *s, str text);
void stream_forget_held(struct stream *s);

#endif
