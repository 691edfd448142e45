/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gofmt: how Go reads and writes numbers and quoted text, for the languages that users know from Go programs
 * (gjson, text/template, sprig). Source of the rules: the Go standard library, packages strconv and fmt.
 */
#ifndef TIDEGATE_CORE_LANG_GOFMT_H
#define TIDEGATE_CORE_LANG_GOFMT_H

#include "core/base.h"

/* strconv.ParseFloat(s, 64) without hexadecimal: false (and 0) where Go errs; overflow gives an infinity and false. */
bool go_parse_float(str s, double *out);
/* strconv.ParseBool: 1 t T TRUE true True 0 f F FALSE false False. */
bool go_parse_bool(str s, bool *out);
/* strconv.ParseInt(s, base, 64); base 0 takes 0x 0o 0b 0 prefixes and underscores. False on error, *out saturated on overflow. */
bool go_parse_int(str s, int base, int64_t *out);
/*
 * strconv.FormatFloat(f, format, precision, 64) for 'e', 'E', 'f', 'g', 'G'; precision -1: the shortest text that reads
 * back the same. %v of a float64 is ('g', -1).
 */
void go_format_float(struct buf *b, double f, char format, int precision);
/* strconv.Quote: Go syntax, as %q prints. */
void go_quote(struct buf *b, str s);
/* The rune at s[i] and its width; an invalid byte is U+FFFD of width 1. i < s.n. */
uint32_t go_rune(str s, size_t i, size_t *width);
void go_add_rune(struct buf *b, uint32_t rune);
size_t go_rune_count(str s);
/* Upper and lower case of one character, whatever its script. */
uint32_t go_upper(uint32_t c);
uint32_t go_lower(uint32_t c);

#endif
