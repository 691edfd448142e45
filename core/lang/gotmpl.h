/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gotmpl: Go's text/template with sprig's functions, for dataTemplate, contextTemplate and the data filter's template
 * (events spec 3.3, 3.8). `.Input` is the value; numbers are float64 and print as Go prints them (1.23456789e+09), what is
 * missing prints as <no value>. Functions that ask the machine or roll dice (env, expandenv, getHostByName, rand*, gen*)
 * are refused by name. Every run has a budget for steps and output.
 */
#ifndef TIDEGATE_CORE_LANG_GOTMPL_H
#define TIDEGATE_CORE_LANG_GOTMPL_H

#include "core/val.h"

#define GOTMPL_TEXT_MAX (1u << 20)
#define GOTMPL_DEPTH_MAX 100
#define GOTMPL_STEPS_MAX 1000000
#define GOTMPL_OUTPUT_MAX (4u << 20) /* also of every string a function makes */

struct gotmpl;

/* Parses into `a`. ERR_INVALID with "template:LINE: reason", as Go says it; ERR_UNSUPPORTED for a refused function; ERR_LIMIT. */
int gotmpl_parse(struct arena *a, str text, struct gotmpl **out, struct err *e) MUST_CHECK;
/*
 * Runs with `.` = {"Input": *input}. `now_ns` is what `now` gives. Output in `a`. ERR_INVALID with Go's kind of message;
 * ERR_LIMIT when a budget is spent.
 */
int gotmpl_run(const struct gotmpl *t, const struct val *input, int64_t now_ns, struct arena *a, str *out, struct err *e) MUST_CHECK;
/* Parses and runs; an empty result or "<no value>" is ERR_INVALID: how Argo uses templates everywhere. */
int gotmpl_render(struct arena *a, str text, const struct val *input, int64_t now_ns, str *out, struct err *e) MUST_CHECK;

#endif
