/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metadata: the labels and annotations of the workflow: its own, and those of spec.workflowMetadata over them. labelsFrom
 * computes labels from expressions, once, when the workflow begins; they are kept, and count as variables from then on
 * (spec 1.1; updateWorkflowMetadata in workflow/controller/operator.go, v4.1.2).
 */
#include "engine/run/run_impl.h"

#include <ctype.h>

enum { LABEL_MAX = 63 };

static const struct val *
over(struct run *r, const struct val *own, const struct val *more)
{
	for (uint32_t i = 0; val_is(more, VAL_MAP) && i < more->n; i++)
		own = val_set(r->arena, own, val_key(&more->members[i]), &more->members[i].value);
	return own;
}

void
metadata_put(struct run *r)
{
	const struct val *meta = val_get(r->manifest, S("metadata")), *more = val_get(r->spec, S("workflowMetadata"));
	r->labels = over(r, val_get(meta, S("labels")), val_get(more, S("labels")));
	r->labels = over(r, r->labels, r->computed_labels);
	r->annotations = over(r, val_get(meta, S("annotations")), val_get(more, S("annotations")));
}

/* What Kubernetes says of a value that cannot be a label's; NULL if it can. */
static const char *
label_fault(str v)
{
	bool valid = !v.n || (isalnum((unsigned char)v.p[0]) && isalnum((unsigned char)v.p[v.n - 1]));
	for (size_t i = 0; i < v.n; i++)
		valid = valid && (isalnum((unsigned char)v.p[i]) || v.p[i] == '-' || v.p[i] == '_' || v.p[i] == '.');
	if (v.n > LABEL_MAX)
		return "must be no more than 63 bytes";
	return valid ? NULL
		     : "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and "
		       "must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', "
		       "regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
}

static const char *
kind_of(const struct val *v)
{
	static const char *const kinds[] = { [VAL_NULL] = "nil", [VAL_BOOL] = "bool", [VAL_LIST] = "[]interface {}",
		[VAL_MAP] = "map[string]interface {}" };
	return v->kind < ARRAY_LEN(kinds) && kinds[v->kind] ? kinds[v->kind] : "a number";
}

static int
compute(struct run *r, str label, str expression, struct val *out, struct err *e)
{
	struct scope x = { .run = r };
	struct err why;
	if (scope_evaluate(&x, expression, r->arena, out, &why))
		return err_set(e, ERR_INVALID, "failed to evaluate label \"%.*s\" expression \"%.*s\": %s", STR_ARG(label),
			STR_ARG(expression), why.msg);
	if (out->kind != VAL_STR)
		return err_set(e, ERR_INVALID,
			"failed to evaluate label \"%.*s\" expression \"%.*s\" evaluted to %s but must be a string",
			STR_ARG(label), STR_ARG(expression), kind_of(out));
	const char *fault = label_fault(val_text(out));
	return !fault ? 0
		      : err_set(e, ERR_INVALID, "invalid label value \"%.*s\" for label \"%.*s\" and expression \"%.*s\": %s",
				STR_ARG(val_text(out)), STR_ARG(label), STR_ARG(expression), fault);
}

int
metadata_compute(struct run *r, struct err *e)
{
	const struct val *more = val_get(r->spec, S("workflowMetadata")), *labels = val_get(more, S("labels")),
			 *from = val_get(more, S("labelsFrom"));
	bool known = r->computed_labels != NULL; /* it waited for its turn, or runs again */
	for (uint32_t i = 0; val_is(labels, VAL_MAP) && i < labels->n; i++) {
		str value = any_text(r, &labels->members[i].value), name = val_key(&labels->members[i]);
		const char *fault = label_fault(value);
		if (fault)
			return err_set(e, ERR_INVALID, "invalid label value \"%.*s\" for label \"%.*s\": %s", STR_ARG(value),
				STR_ARG(name), fault);
	}
	for (uint32_t i = 0; !known && val_is(from, VAL_MAP) && i < from->n; i++) {
		struct val v;
		str name = val_key(&from->members[i]);
		if (compute(r, name, val_get_str(&from->members[i].value, "expression"), &v, e))
			return -1;
		r->computed_labels = val_set(r->arena, r->computed_labels, name, &v);
	}
	return val_is(from, VAL_MAP) ? run_globals(r, e) : 0; /* once more: the spec may speak of them */
}
