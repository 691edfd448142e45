/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sprig's random functions. They are not for templates; in an expression they draw from a sequence that the caller
 * begins, so that the same evaluation gives the same again. Nothing here is for secrets.
 */
#include "core/base64.h"
#include "core/lang/sprig.h"

enum { RANDOM_MAX = 1 << 20 }; /* characters of one call */

/* splitmix64 (Steele, Lea and Flood, 2014) */
uint64_t
sprig_draw(struct run *r)
{
	uint64_t z = *r->random += UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* Of so many characters from first to last in each of the pairs. */
static bool
text(struct run *r, const char *name, int64_t n, const char *ranges, struct val *out)
{
	char all[128];
	size_t count = 0;
	for (const char *p = ranges; *p; p += 2)
		for (int c = (unsigned char)p[0]; c <= (unsigned char)p[1]; c++)
			all[count++] = (char)c;
	if (n < 0 || n > RANDOM_MAX)
		return go_fail(r, "error calling %s: %lld characters: must be 0 to %d", name, (long long)n, RANDOM_MAX);
	char *s = arena_alloc(r->a, (size_t)n + 1, 1);
	for (int64_t i = 0; i < n; i++)
		s[i] = all[sprig_draw(r) % count];
	*out = val_str((str){ s, (size_t)n });
	return true;
}

FN(fn_alpha)
{
	return text(r, "randAlpha", v[0].i, "AZaz", out);
}
FN(fn_alnum)
{
	return text(r, "randAlphaNum", v[0].i, "09AZaz", out);
}
FN(fn_numeric)
{
	return text(r, "randNumeric", v[0].i, "09", out);
}
FN(fn_ascii)
{
	return text(r, "randAscii", v[0].i, " ~", out);
}

FN(fn_bytes)
{
	struct val s;
	if (!text(r, "randBytes", v[0].i, "\x01\x7f", &s))
		return false;
	for (uint32_t i = 0; i < s.n; i++)
		((char *)(uintptr_t)s.p)[i] = (char)sprig_draw(r);
	*out = val_str(base64_encode(r->a, val_text(&s)));
	return true;
}

FN(fn_int)
{
	if (v[1].i <= v[0].i)
		return go_fail(r, "error calling randInt: invalid argument to Intn");
	uint64_t width = (uint64_t)v[1].i - (uint64_t)v[0].i;
	*out = val_int((int64_t)((uint64_t)v[0].i + sprig_draw(r) % width));
	return true;
}

FN(fn_shuffle)
{
	str s = TEXT(0);
	VEC(str) runes = { 0 };
	for (size_t i = 0, width; i < s.n; i += width) {
		(void)go_rune(s, i, &width);
		*VEC_PUSH(&runes) = str_slice(s, i, i + width);
	}
	for (size_t i = runes.n; i > 1; i--) {
		size_t k = sprig_draw(r) % i;
		str other = runes.p[k];
		runes.p[k] = runes.p[i - 1];
		runes.p[i - 1] = other;
	}
	struct buf b CLEANUP(free_buf) = { 0 };
	for (size_t i = 0; i < runes.n; i++)
		buf_add(&b, runes.p[i]);
	VEC_FREE(&runes);
	*out = val_str(arena_dup(r->a, buf_str(&b)));
	return true;
}

const struct gofn sprig_random[] = {
	{ "randAlpha", "i", fn_alpha },
	{ "randAlphaNum", "i", fn_alnum },
	{ "randNumeric", "i", fn_numeric },
	{ "randAscii", "i", fn_ascii },
	{ "randBytes", "i", fn_bytes },
	{ "randInt", "ii", fn_int },
	{ "shuffle", "s", fn_shuffle },
	{ 0 },
};
