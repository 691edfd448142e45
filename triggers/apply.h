/* SPDX-License-Identifier: Apache-2.0 */
/*
 * apply: parameters at work. A parameter takes a value out of one of the events that fired the trigger and puts it into the
 * trigger's template, into the resource, or into a payload (events spec 3.8; Argo Events pkg/sensors/triggers/params.go).
 */
#ifndef TIDEGATE_TRIGGERS_APPLY_H
#define TIDEGATE_TRIGGERS_APPLY_H

#include "core/event.h"
#include "triggers/parameter.h"

/* The events of one firing. */
struct inputs {
	const str *dependencies;
	struct event *const *events;
	size_t n;
	int64_t now_ns; /* what `now` gives in templates: when the firing was decided, the same on every attempt */
	bool many;      /* batch, debounce of all: a dependency's events are seen as a list, in the order they came */
};

/* What a parameter's source comes to. */
struct resolved {
	enum { RESOLVED_NOTHING, RESOLVED_TEXT, RESOLVED_JSON } kind;
	str text; /* TEXT: the string; JSON: the value's JSON text */
};

/*
 * Data before context; template, then key, then `value`. A dependency that brought no event and has no `value` is
 * RESOLVED_NOTHING. ERR_INVALID "cannot resolve ...: why" otherwise. `out` points into `a`.
 */
int parameter_resolve(const struct parameter_source *src, const struct inputs *in, struct arena *a, struct resolved *out, struct err *e) MUST_CHECK;
/* `object` with the parameters applied in order; NULL and `e`. The result shares with `object`; it is in `a`. */
const struct val *parameters_apply(const struct trigger_parameter *p, size_t n, const struct val *object, const struct inputs *in,
                                   struct arena *a, struct err *e);
/* The body of a payload list; STR_NONE in *out if nothing was resolved. An empty dest makes its value the whole. */
int payload_build(const struct trigger_parameter *p, size_t n, const struct inputs *in, struct arena *a, str *out, struct err *e) MUST_CHECK;
/* The event's attributes as filters and parameters see them: {"id","source","specversion","type","datacontenttype","subject","time"}. */
struct val event_context(const struct event *ev, struct arena *a);
/* The data as JSON text. ERR_INVALID if it is none, or if the content type is neither application/json nor application/yaml. */
int event_json(struct event *ev, struct arena *a, str *out, struct err *e) MUST_CHECK;

#endif
