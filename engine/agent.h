/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent: carries out http templates (spec 2.18), as Argo's agent does: the request is made by the daemon itself, without a
 * process. To the run it is a task like a pod, with the same news. So are data templates, which are a question to the helper
 * of artifacts: Argo runs a pod for them, and as one they are shown.
 *
 * A request is sent at most once for a node unless its method may be repeated without harm (RFC 9110, 9.2.2): before it leaves,
 * that it began is on disk. A node that had begun when the daemon ended is asked once more if the method allows it, and is an
 * Error if not; its retryStrategy decides then.
 */
#ifndef TIDEGATE_ENGINE_AGENT_H
#define TIDEGATE_ENGINE_AGENT_H

#include "config/config.h"
#include "core/child.h"
#include "core/loop.h"
#include "engine/exec/executor.h"
#include "engine/run/run.h"

struct agent;

enum {
	AGENT_REQUESTS_MAX = 64,    /* at once; further ones wait in line */
	AGENT_ANSWER_MAX = 1 << 20, /* bytes of a body, which becomes outputs.result */
};

struct agent_env {
	struct loop *loop;
	const struct objects *objects; /* for headers from Secrets */
	/* The task has begun: go(go_arg) once that is on disk. False: the workflow is gone, and go will not be called. */
	bool (*begin)(void *arg, str ns, str workflow, str node_id, void (*go)(void *arg), void *go_arg);
	/*
	 * Has the list made, in `a`; done(done_arg) once, later, with its text or why there is none. NULL: it cannot be, and done
	 * will not be called. child_stop() ends it.
	 */
	struct child *(*make_data)(void *arg, const struct data_wanted *w, struct arena *a, void (*done)(void *arg, str text, const struct err *e),
		void *done_arg, struct err *e);
	/* The task has ended. The agent has forgotten it. */
	void (*end)(void *arg, str ns, str workflow, str node_id, const struct task_result *result);
	void *arg;
};
struct agent *agent_new(const struct agent_env *env);
/* Forgets its tasks; nothing more is reported. NULL is fine. */
void agent_free(struct agent *a);
/* Whether the task is for the agent and not for the executor. */
bool agent_takes(const struct task_spec *t);
/* Takes the task in (copied); it waits for agent_release. */
void agent_start(struct agent *a, const struct task_spec *t);
/* After a restart, for a task that had begun: asked again where the method allows it; else its end is reported, later. */
void agent_adopt(struct agent *a, const struct task_spec *t);
/* That it was decided is on disk: it may begin. False: the agent has no such task. */
bool agent_release(struct agent *a, str ns, str workflow, str node_id);
/* Forgets the task, and ends its request; of a data template that has begun the end is reported. False: the agent has no such task. */
bool agent_kill(struct agent *a, str ns, str workflow, str node_id);
size_t agent_running(const struct agent *a);

/* What came of a request with the condition (absent: 2xx); the texts are Argo's, in `a`. Inside the agent only. */
struct http_answer;
void agent_judge(struct arena *a, const struct http_request *rq, const struct http_answer *ans, struct task_result *out);

/* ---- agent_data.c, inside the agent only: what a data template wants, and what came of it; in `a` */
struct agent_data;
struct agent_data *agent_data_copy(struct arena *a, const struct task_spec *t);
int agent_data_wanted(struct arena *a, str ns, const struct agent_data *d, struct data_wanted *out, struct err *e) MUST_CHECK;
void agent_data_judge(struct arena *a, str text, const struct err *e, struct task_result *out);

#endif
