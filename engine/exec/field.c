/* SPDX-License-Identifier: Apache-2.0 */
/*
 * field: the downward API, what a step may ask about its pod. What a pod has here: a name, a namespace, the identity of its workflow, and the labels and
 * annotations of its template. A whole map is written as Kubernetes writes it (pkg/fieldpath, FormatMap): sorted, name="value", a line each.
 */
#include "engine/exec/exec.h"

struct labelled {
	VEC(struct kv) v;
};

static void
label(struct labelled *l, str key, str value)
{
	size_t at = 0;
	while (at < l->v.n && str_cmp(l->v.p[at].key, key) < 0)
		at++;
	if (at < l->v.n && str_eq(l->v.p[at].key, key))
		return; /* the first counts */
	(void)VEC_PUSH(&l->v);
	memmove(&l->v.p[at + 1], &l->v.p[at], (l->v.n - 1 - at) * sizeof *l->v.p);
	l->v.p[at] = (struct kv){ key, value };
}

static void
add_written(struct labelled *l, const struct task_spec *spec, const char *which)
{
	const struct val *map = val_get(spec->tmpl->metadata, str_c(which));
	for (uint32_t i = 0; val_is(map, VAL_MAP) && i < map->n; i++)
		if (map->members[i].value.kind == VAL_STR)
			label(l, val_key(&map->members[i]), val_text(&map->members[i].value));
}

static void
gather(struct labelled *l, const struct task_spec *spec, bool labels)
{
	if (labels) {
		label(l, S("workflows.argoproj.io/workflow"), spec->workflow);
		label(l, S("workflows.argoproj.io/completed"), S("false"));
	} else {
		label(l, S("workflows.argoproj.io/node-id"), spec->node_id);
	}
	add_written(l, spec, labels ? "labels" : "annotations");
}

/* As Go's %q. */
static void
quote(struct buf *b, str text)
{
	static const char plain[] = "\a\b\f\n\r\t\v\"\\", names[] = "abfnrtv\"\\";
	buf_addc(b, '"');
	for (size_t i = 0; i < text.n; i++) {
		const char *at = text.p[i] ? strchr(plain, text.p[i]) : NULL;
		if (at)
			buf_addf(b, "\\%c", names[at - plain]);
		else if ((unsigned char)text.p[i] < ' ' || text.p[i] == 0x7f)
			buf_addf(b, "\\x%02x", (unsigned)text.p[i]);
		else
			buf_addc(b, text.p[i]);
	}
	buf_addc(b, '"');
}

static str
map_text(struct arena *a, const struct labelled *l)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	for (size_t i = 0; i < l->v.n; i++) {
		buf_addf(&b, "%s%.*s=", i ? "\n" : "", STR_ARG(l->v.p[i].key));
		quote(&b, l->v.p[i].value);
	}
	return arena_dup(a, buf_str(&b));
}

/* "metadata.labels", "metadata.labels['KEY']", the same of annotations: one that is not there is empty. */
static bool
label_field(struct arena *a, const struct task_spec *spec, str path, str *out)
{
	bool labels = str_starts(path, S("metadata.labels"));
	str rest = labels ? str_slice(path, 15, path.n) : str_starts(path, S("metadata.annotations")) ? str_slice(path, 20, path.n) : STR_NONE;
	bool one = rest.n > 4 && str_starts(rest, S("['")) && str_ends(rest, S("']"));
	struct labelled l = { 0 };
	if (!rest.p || (rest.n && !one))
		return false;
	gather(&l, spec, labels);
	const struct kvs all = { l.v.p, l.v.n };
	const str *value = one ? env_get(&all, str_slice(rest, 2, rest.n - 2)) : NULL;
	*out = !one ? map_text(a, &l) : value ? *value : S("");
	VEC_FREE(&l.v);
	return true;
}

int
pod_field(struct arena *a, const struct task_spec *spec, const struct val *ref, str *out, struct err *e)
{
	const struct {
		const char *path;
		str value;
	} fields[] = {
		{ "metadata.name", spec->pod },
		{ "metadata.namespace", spec->ns },
		{ "metadata.uid", spec->uid },
		{ "spec.nodeName", S("localhost") },
		{ "spec.serviceAccountName", spec->service_account.n ? spec->service_account : S("default") },
		{ "status.hostIP", S("127.0.0.1") },
		{ "status.podIP", S("127.0.0.1") },
	};
	str path = val_get_str(ref, "fieldPath");
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		if (str_eq(path, str_c(fields[i].path))) {
			*out = fields[i].value;
			return 0;
		}
	if (label_field(a, spec, path, out))
		return 0;
	return err_set(e, ERR_UNSUPPORTED, "fieldRef %.*s: not served", STR_ARG(path));
}
