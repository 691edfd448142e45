/* SPDX-License-Identifier: Apache-2.0 */
/*
 * condition: when a trigger fires, as an expression over the sensor's dependencies: names, &&, || and ( ), && binding
 * tighter (events spec 3.5). It is compiled once into a list of tests with two jumps each, so that asking it needs no
 * stack and looks at no dependency twice more than written.
 */
#ifndef TIDEGATE_SENSORS_CONDITION_H
#define TIDEGATE_SENSORS_CONDITION_H

#include "core/base.h"

#define CONDITION_DEPTH_MAX 100  /* nested brackets */
#define CONDITION_TERMS_MAX 1000 /* names in one expression */

/* One test: is the dependency satisfied? Where to go on: an index, CONDITION_TRUE or CONDITION_FALSE. */
struct condition_test {
	uint16_t dep, on_true, on_false;
};
#define CONDITION_TRUE 0xffff
#define CONDITION_FALSE 0xfffe

struct condition {
	struct condition_test *tests;
	uint16_t start;   /* the first test; a test's jumps lead to ones before it in the list */
	size_t n;
	bool joins;       /* it has an &&: events are remembered until it holds. Else any one fires alone */
};

/*
 * Compiles `text` over the names `deps` (n < 0xfff0). An absent or empty text means all of them. As in Argo, '-' and '_' are
 * the same where no dependency has exactly the name. ERR_INVALID names the place ("at 7: ...") and, for an unknown name, the
 * nearest one. The result is in `a`.
 */
int condition_compile(struct arena *a, str text, const str *deps, size_t n, struct condition *out, struct err *e) MUST_CHECK;
/* Whether it holds; have(arg, dep) says whether a dependency is satisfied. */
bool condition_holds(const struct condition *c, bool (*have)(const void *arg, size_t dep), const void *arg);
/* Whether the dependency stands in it: events of others do not concern the trigger. */
bool condition_uses(const struct condition *c, size_t dep);

#endif
