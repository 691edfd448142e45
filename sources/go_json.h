/* SPDX-License-Identifier: Apache-2.0 */
/* go_json: what senders and sensors see of Go's encoding/json (scanner.go, indent.go): how it compacts and how it complains. */
#ifndef TIDEGATE_SOURCES_GO_JSON_H
#define TIDEGATE_SOURCES_GO_JSON_H

#include "core/base.h"

/*
 * Appends valid JSON as json.Marshal embeds a RawMessage: white space outside strings gone, <, >, & and U+2028, U+2029 escaped, all
 * else byte for byte.
 */
void go_json_compact(struct buf *b, str text);
/* The message of Go's decoder for text that is no JSON: "invalid character 'x' looking for beginning of value". In `a`. */
str go_json_error(struct arena *a, str text);

#endif
