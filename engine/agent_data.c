/* SPDX-License-Identifier: Apache-2.0 */
/* What a data template asks for, and what its answer means: the node is that of a pod whose command is Argo's executor (spec 2.18; argoexec data, v4.1.2). */
#include "engine/agent.h"

struct agent_data {
	struct val artifact, expressions;
	const struct val *archive; /* NULL: on this machine */
};

static struct val
expressions_of(struct arena *a, const struct val *steps)
{
	struct val_list list = { 0 };
	for (uint32_t i = 0; val_is(steps, VAL_LIST) && i < steps->n; i++)
		val_list_add(&list, val_str(arena_dup(a, val_get_str(&steps->items[i], "expression"))));
	return val_list_end(&list, a);
}

struct agent_data *
agent_data_copy(struct arena *a, const struct task_spec *t)
{
	const struct val *artifact = val_path(t->tmpl->data, "source.artifactPaths");
	struct agent_data *d = ARENA_NEW(a, struct agent_data);
	if (artifact)
		d->artifact = val_copy(a, artifact);
	d->expressions = expressions_of(a, val_get(t->tmpl->data, S("transformation")));
	if (t->archive) {
		struct val *archive = ARENA_NEW(a, struct val);
		*archive = val_copy(a, t->archive);
		d->archive = archive;
	}
	return d;
}

int
agent_data_wanted(struct arena *a, str ns, const struct agent_data *d, struct data_wanted *out, struct err *e)
{
	struct val *place = ARENA_NEW(a, struct val);
	*out = (struct data_wanted){ .ns = ns, .place = place, .expressions = &d->expressions };
	if (artifact_listed(&d->artifact, d->archive, a, place, &out->under, e) < 0)
		return err_wrap(e, "unable to process data source: unable to source artifact paths");
	return 0;
}

void
agent_data_judge(struct arena *a, str text, const struct err *e, struct task_result *out)
{
	*out = (struct task_result){ .phase = PHASE_SUCCEEDED, .exit_code = 0, .result = text };
	if (!e && text.n > AGENT_ANSWER_MAX)
		out->message = arena_fmt(a, "its result has %zu bytes, of at most %d: let the last expression leave fewer", text.n, AGENT_ANSWER_MAX);
	else if (e)
		out->message = arena_dup(a, str_c(e->msg));
	if (!out->message.n)
		return;
	*out = (struct task_result){ .phase = PHASE_FAILED, .exit_code = 64,
		.message = arena_fmt(a, "main: Error (exit code 64): unable to process data template: %.*s", STR_ARG(out->message)) };
}
