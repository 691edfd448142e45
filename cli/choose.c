/* SPDX-License-Identifier: Apache-2.0 */
/* choose: workflows by flags instead of names. The daemon does the choosing; its answers come in pages. */
#include "cli/output.h"
#include "cli/workflows.h"
#include "core/clock.h"

enum { PAGE = 500 };

bool
choice_given(const struct workflow_choice *ch)
{
	return ch->all || ch->completed || ch->running || ch->resubmitted || ch->selector || ch->field_selector || ch->prefix || ch->status ||
	       ch->older || ch->since || ch->parameters.n || ch->results.n;
}

/* ---- the question -------------------------------------------------------------------------------------------- */

static void
add_label(struct buf *b, const char *fmt, const char *value)
{
	buf_addf(b, "%s", b->n ? "," : "");
	buf_addf(b, "%s%s%s", fmt, value, str_ends(str_c(fmt), S("(")) ? ")" : "");
}

static void
labels_of(const struct workflow_choice *ch, struct buf *b)
{
	if (ch->selector)
		add_label(b, ch->selector, "");
	if (ch->completed || ch->running)
		add_label(b, "workflows.argoproj.io/completed=", ch->completed ? "true" : "false");
	if (ch->resubmitted)
		add_label(b, "workflows.argoproj.io/resubmitted-from-workflow", "");
	if (ch->status)
		add_label(b, "workflows.argoproj.io/phase in (", ch->status);
}

/* "2h" ago as a point in time. */
static int
ago(struct buf *out, const char *arg, const char *option, const char *length, struct err *e)
{
	dur d;
	if (!length)
		return 0;
	if (dur_parse(str_c(length), &d, e))
		return err_wrap(e, "--%s", option);
	struct arena *a CLEANUP(free_arena) = arena_new();
	url_query(out, arg, time_rfc3339_nano(a, clock_wall_ns() - d.ns));
	return 0;
}

static int
pairs(struct buf *out, const char *arg, const char *option, const struct cli_texts *t, struct err *e)
{
	struct buf joined CLEANUP(free_buf) = { 0 };
	str key, value;
	for (size_t i = 0; i < t->n; i++) {
		if (!cli_pair(t->p[i], &key, &value) || str_find_char(value, ',', 0) != SIZE_MAX)
			return err_set(e, ERR_INVALID, "--%s %s: write it as name=value, without a comma", option, t->p[i]);
		buf_addf(&joined, "%s%s", i ? "," : "", t->p[i]);
	}
	url_query(out, arg, buf_str(&joined));
	return 0;
}

static int
choice_query(const struct workflow_choice *ch, struct buf *out, struct err *e)
{
	struct buf labels CLEANUP(free_buf) = { 0 }, fields CLEANUP(free_buf) = { 0 };
	labels_of(ch, &labels);
	url_query(out, "listOptions.labelSelector", buf_str(&labels));
	if (ch->field_selector)
		buf_addf(&fields, "%s", ch->field_selector);
	if (ch->prefix)
		buf_addf(&fields, "%smetadata.name=%s", fields.n ? "," : "", ch->prefix);
	url_query(out, "listOptions.fieldSelector", buf_str(&fields));
	if (ch->prefix)
		url_query(out, "nameFilter", S("Prefix"));
	return ago(out, "createdAfter", "since", ch->since, e) || ago(out, "finishedBefore", "older", ch->older, e) ||
	       pairs(out, "parameter", "parameter", &ch->parameters, e) || pairs(out, "output", "result", &ch->results, e) ? -1 : 0;
}

/* ---- the pages ----------------------------------------------------------------------------------------------- */

int
choice_each(struct client *c, const struct workflow_choice *ch, const char *fields, void (*fn)(void *arg, const struct val *workflow), void *arg,
            struct err *e)
{
	struct buf first CLEANUP(free_buf) = { 0 };
	size_t left = ch->limit.set ? (size_t)ch->limit.v : SIZE_MAX;
	size_t chunk = ch->chunk.set && ch->chunk.v > 0 ? (size_t)ch->chunk.v : PAGE;
	if (ch->limit.set && ch->limit.v < 0)
		return err_set(e, ERR_INVALID, "--limit must be 0 or more");
	buf_add(&first, S("/api/v1/workflows/"));
	if (!ch->all_namespaces)
		url_escape(&first, c->ns);
	if (choice_query(ch, &first, e))
		return -1;
	if (fields)
		url_query(&first, "fields", str_c(fields));
	if (ch->open_nodes)
		url_query(&first, "nodes", S("open"));
	for (str next = S("0"); next.n && left;) {
		struct buf path CLEANUP(free_buf) = { 0 };
		struct val list;
		buf_add(&path, buf_str(&first));
		url_query(&path, "listOptions.limit", arena_fmt(c->arena, "%zu", left < chunk ? left : chunk));
		url_query(&path, "listOptions.continue", next);
		if (client_call(c, "GET", buf_str(&path), NULL, &list, e))
			return -1;
		const struct val *items = val_get(&list, S("items"));
		for (uint32_t i = 0; val_is(items, VAL_LIST) && i < items->n; i++, left--)
			fn(arg, &items->items[i]);
		next = val_get_str(val_get(&list, S("metadata")), "continue");
	}
	return 0;
}

struct name_list {
	VEC(struct workflow_name) v;
};

static void
add_name(void *arg, const struct val *workflow)
{
	struct name_list *names = arg;
	const struct val *meta = val_get(workflow, S("metadata"));
	*VEC_PUSH(&names->v) = (struct workflow_name){ val_get_str(meta, "namespace"), val_get_str(meta, "name") };
}

int
choose_workflows(struct client *c, const struct workflow_choice *ch, char **args, int n, struct workflow_names *out, struct err *e)
{
	struct name_list names = { 0 };
	if (n == 0 && !choice_given(ch))
		return err_set(e, ERR_INVALID, "name a workflow, or choose some by flags");
	for (int i = 0; i < n; i++)
		*VEC_PUSH(&names.v) = (struct workflow_name){ c->ns, str_c(args[i]) };
	int rc = choice_given(ch) ? choice_each(c, ch, "metadata,items.metadata.name,items.metadata.namespace", add_name, &names, e) : 0;
	out->n = names.v.n;
	out->p = ARENA_ARRAY(c->arena, struct workflow_name, names.v.n + 1);
	if (names.v.n)
		memcpy(out->p, names.v.p, names.v.n * sizeof *names.v.p);
	VEC_FREE(&names.v);
	return rc;
}
