/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of functions share. Source of all rules: Go 1.26 text/template/funcs.go and github.com/Masterminds/sprig 3.3. */
#ifndef TIDEGATE_CORE_LANG_SPRIG_H
#define TIDEGATE_CORE_LANG_SPRIG_H

#include "core/lang/gofmt.h"
#include "core/lang/gotmpl_impl.h"

#define FN(name) static bool name(struct run *r UNUSED, const struct val *v UNUSED, size_t n UNUSED, struct val *out UNUSED)
/* The i-th argument's text: of a parameter that is a string. */
#define TEXT(i) val_text(&v[i])

/* github.com/spf13/cast: anything to a number; what is none is 0. */
int64_t sprig_int(const struct val *v);
double sprig_float(const struct val *v);
/* strval: like %v, but the text of a string as it is. */
str sprig_text(struct run *r, const struct val *v);
/* strslice: a list of texts, without nils; anything else is a list of one. */
struct val sprig_texts(struct run *r, const struct val *v);
static inline struct val
go_int64(int64_t i)
{
	struct val v = val_int(i);
	v.pad = GO_INT64;
	return v;
}
/* A list from the builder, of that Go type. */
struct val go_list(struct run *r, struct val_list *b, uint32_t type);
/* A map that can be changed. */
struct val go_box(struct run *r, struct val map);
/* reflect.DeepEqual: kinds and Go types count. */
bool go_deep_equal(const struct val *a, const struct val *b);

/* A random number: r->random must be set. */
uint64_t sprig_draw(struct run *r);
extern const struct gofn sprig_random[]; /* for expressions only */

#endif
