/* SPDX-License-Identifier: Apache-2.0 */
/* The object as a file of a web server. Certificates are checked unless the manifest says no (Argo: only if it says yes). */
#include "triggers/call.h"
#include "triggers/fetch.h"

enum { REDIRECTS_MAX = 10 /* as Go's client */ };

static void
answered(void *arg, const struct http_answer *ans, const struct err *failure)
{
	struct fetch *x = arg;
	str name = http_url_public(firing_arena(x->firing), x->from.url->path);
	struct err e = { 0 };
	if (failure && failure->code == ERR_UNAUTHENTICATED)
		err_set(&e, failure->code, "%s; verifyCert: false of the source would not look at it", failure->msg);
	else if (failure)
		e = *failure;
	else
		(void)!call_judge_read(x->firing, name, ans, &e); /* e says it */
	fetch_done(x, e.code ? STR_NONE : ans->body, name, e.code ? &e : NULL);
}

void
fetch_url(struct fetch *x)
{
	const struct trigger_env *env = firing_env(x->firing);
	struct err e = { 0 };
	if (!x->from.url->path.n || !env->httpc) {
		if (env->httpc)
			err_set(&e, ERR_INVALID, "source.url: path is missing");
		else
			err_set(&e, ERR_UNSUPPORTED, "source.url: nothing is asked for over the network here");
		fetch_failed(x, &e);
		return;
	}
	const struct http_call call = { .method = S("GET"), .url = x->from.url->path, .max_redirects = REDIRECTS_MAX,
		                        .max_response = RESOURCE_URL_MAX, .insecure = x->from.url->verify == TRI_FALSE };
	httpc_send(env->httpc(env->arg), &call, answered, x);
}
