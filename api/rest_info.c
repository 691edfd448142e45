/* SPDX-License-Identifier: Apache-2.0 */
/* What the server says about itself. */
#include <unistd.h>

#include "api/rest.h"
#include "core/version.h"
#include "engine/engine.h"
#include "engine/exec/executor.h"
#include "sensors/sensor.h"
#include "sources/source.h"

void
get_health(struct api *api UNUSED, struct http_req *r, const struct resource *res UNUSED)
{
	http_reply(r, 200, "text/plain; charset=utf-8", S("ok\n"));
}

static void
metrics_came(void *arg, str text, const struct err *e)
{
	struct http_req *r = arg;
	if (e)
		rest_fail(r, e);
	else
		http_reply(r, 200, "text/plain; version=0.0.4; charset=utf-8", text);
}

void
get_metrics(struct api *api, struct http_req *r, const struct resource *res UNUSED)
{
	engine_metrics(api->env.engine, metrics_came, r);
}

void
get_version(struct api *api UNUSED, struct http_req *r, const struct resource *res UNUSED)
{
	struct val_map m = { 0 };
	val_map_add(&m, S("version"), val_cstr("v" TIDEGATE_VERSION));
	val_map_add(&m, S("buildDate"), val_cstr("1970-01-01T00:00:00Z")); /* builds are reproducible */
	val_map_add(&m, S("gitCommit"), val_cstr(""));
	val_map_add(&m, S("gitTag"), val_cstr("v" TIDEGATE_VERSION));
	val_map_add(&m, S("gitTreeState"), val_cstr("clean"));
	val_map_add(&m, S("goVersion"), val_cstr(""));
	val_map_add(&m, S("compiler"), val_cstr(TIDEGATE_COMPILER));
	val_map_add(&m, S("platform"), val_cstr("linux"));
	struct val v = val_map_end(&m, http_req_arena(r));
	rest_reply(r, &v);
}

void
get_info(struct api *api, struct http_req *r, const struct resource *res UNUSED)
{
	struct arena *a = http_req_arena(r);
	struct val_map modals = { 0 }, m = { 0 };
	val_map_add(&modals, S("feedback"), val_bool(false));
	val_map_add(&modals, S("firstTimeUser"), val_bool(false));
	val_map_add(&modals, S("newVersion"), val_bool(false));
	val_map_add(&m, S("managedNamespace"), val_str(api->env.settings->namespace_));
	val_map_add(&m, S("modals"), val_map_end(&modals, a));
	struct val v = val_map_end(&m, a);
	rest_reply(r, &v);
}

void
get_userinfo(struct api *api UNUSED, struct http_req *r, const struct resource *res UNUSED)
{
	struct val v = { .kind = VAL_MAP };
	rest_reply(r, &v);
}

void
post_tracking(struct api *api UNUSED, struct http_req *r, const struct resource *res UNUSED)
{
	struct val v = { .kind = VAL_MAP };
	rest_reply(r, &v);
}

void
get_status(struct api *api, struct http_req *r, const struct resource *res UNUSED)
{
	struct arena *a = http_req_arena(r);
	const struct api_env *env = &api->env;
	struct val_map m = { 0 };
	val_map_add(&m, S("version"), val_cstr(TIDEGATE_VERSION));
	val_map_add(&m, S("pid"), val_int(getpid()));
	val_map_add(&m, S("state"), val_str(env->state));
	val_map_add(&m, S("startedAt"), val_str(time_rfc3339(a, api->started)));
	val_map_add(&m, S("sandbox"), val_cstr(executor_sandbox(env->executor)));
	val_map_add(&m, S("workflowsRunning"), val_int((int64_t)engine_active(env->engine)));
	val_map_add(&m, S("workflowsWaiting"), val_int((int64_t)engine_waiting(env->engine)));
	val_map_add(&m, S("stepsRunning"), val_int((int64_t)engine_running_steps(env->engine)));
	val_map_add(&m, S("commits"), val_int((int64_t)store_commits(env->store)));
	val_map_add(&m, S("sources"), sources_status(env->sources, a));
	val_map_add(&m, S("sensors"), sensors_status(env->sensors, a));
	struct val v = val_map_end(&m, a);
	rest_reply(r, &v);
}
