/* SPDX-License-Identifier: Apache-2.0 */
/*
 * selector: Kubernetes' label and field selectors: requirements joined by commas, all of which must hold.
 *     a=b, a==b, a!=b, a in (b,c), a notin (b,c), a, !a
 * Source: k8s.io/apimachinery pkg/labels (selector.go), pkg/fields.
 */
#ifndef TIDEGATE_ENGINE_SELECTOR_H
#define TIDEGATE_ENGINE_SELECTOR_H

#include "core/base.h"

enum selector_op { SELECT_IN, SELECT_NOT_IN, SELECT_EXISTS, SELECT_MISSING };
struct requirement {
	str key;
	enum selector_op op;
	struct selector_values {
		str *p;
		size_t n;
	} values; /* IN and NOT_IN: one or more */
};
struct selector {
	struct requirement *p;
	size_t n;
};

/* Parses `text` (empty: matches everything). ERR_INVALID names the place. The result points into `a` and `text`. */
int selector_parse(struct arena *a, str text, struct selector *out, struct err *e) MUST_CHECK;
/* The same for a selector of labels, whose keys and values must be such as labels have. ERR_UNSUPPORTED for > and <. */
int selector_parse_labels(struct arena *a, str text, struct selector *out, struct err *e) MUST_CHECK;
/* `get` gives the value of a key, STR_NONE if there is none. A missing key satisfies != and notin, as in Kubernetes. */
bool selector_match(const struct selector *s, str (*get)(void *arg, str key), void *arg);

#endif
