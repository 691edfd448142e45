/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jsonpath: JSONPath as github.com/evilmonkeyinc/jsonpath v0.8.1 has it (the library of Argo's jsonpath()), its corners
 * included:
 *
 *     $.a.b  $['a']  $[0] $[-1]  $.*  $..a  $[0,2] $['a','b']  $[1:3:2]  $[?(@.a == 'x' && @.b > 1)]  $[(@.length-1)]
 * $.a.length
 *
 * Behind a wildcard, a slice, a filter or a recursion what does not fit is left out; elsewhere it is an error. Numbers
 * are doubles; lengths are ints. In a filter the strings that paths give have '' around them, so that 'x' must be
 * quoted to be equal.
 */
#ifndef TIDEGATE_CORE_LANG_JSONPATH_H
#define TIDEGATE_CORE_LANG_JSONPATH_H

#include "core/val.h"

enum {
	JSONPATH_MAX = 16 << 10,  /* bytes of a path */
	JSONPATH_DEPTH_MAX = 200, /* paths and scripts within each other */
	JSONPATH_STEPS_MAX = 1000000,
	JSONPATH_BYTES_MAX = 16 << 20, /* made by one query */
};

/*
 * What `path` selects of `root`, a JSON value; in `a`, and may point into root. ERR_INVALID in the library's words:
 * "invalid JSONPath selector '...' ...", "key: invalid token key 'x' not found"; ERR_LIMIT.
 */
int jsonpath_query(struct arena *a, str path, const struct val *root, struct val *out, struct err *e) MUST_CHECK;

#endif
