/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sjson: putting a value at a path, as Argo's parameters do with their `dest`. Plain paths ("spec.arguments.parameters.0.value")
 * work on the tree and share what they do not touch; paths with patterns or queries update what they find.
 * Language: github.com/tidwall/sjson 1.2 (events spec 3.8, "sjson dest rules"); tests/vectors/sjson.jsonl was written by it.
 */
#ifndef TIDEGATE_CORE_LANG_SJSON_H
#define TIDEGATE_CORE_LANG_SJSON_H

#include "core/val.h"

#define SJSON_DEPTH_MAX 100   /* steps of a path */
#define SJSON_PAD_MAX 10000   /* nulls that an index past the end may add */

/*
 * `root` (NULL: nothing yet) with `value` at `path`. Missing objects and lists are made (a numeric step makes a list, ":0"
 * an object with the key "0"), an index past the end pads with null, -1 appends, a scalar in the way is replaced, "\." is a dot.
 * A path with | # @ * ? changes every match and nothing if there is none. The result shares with `root` and `value`.
 * NULL: ERR_INVALID (empty path; a name where a list is), ERR_LIMIT.
 */
const struct val *sjson_set(struct arena *a, const struct val *root, str path, const struct val *value, struct err *e);

#endif
