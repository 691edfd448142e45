/* SPDX-License-Identifier: Apache-2.0 */
/*
 * diff: the shortest edit script by Myers' greedy algorithm (An O(ND) Difference Algorithm, 1986). Each round keeps how
 * far every diagonal came, and the way back over the rounds is the script.
 */
#include "cli/diff.h"

enum { EDITS_MAX = 2000, CONTEXT = 3 };

struct lines {
	str *p;
	size_t n;
};
struct edit {
	char sign; /* ' ', '-', '+' */
	str line;
	size_t old_at, new_at; /* lines before it */
};
struct script {
	VEC(struct edit) v; /* backwards until it is turned round */
};

static struct lines
split(struct arena *a, str text)
{
	struct lines l = { 0 };
	size_t n = 1;
	for (size_t i = 0; i < text.n; i++)
		n += text.p[i] == '\n';
	l.p = ARENA_ARRAY(a, str, n);
	while (text.n)
		l.p[l.n++] = str_cut(&text, '\n');
	return l;
}

static void
push(struct script *s, char sign, const struct lines *from, size_t line, size_t x, size_t y)
{
	*VEC_PUSH(&s->v) = (struct edit){ sign, from->p[line], x, y };
}

/* From (x, y) back to the start, round by round; v[d] is what was reached before round d. */
static void
backtrack(struct script *s, const struct lines *a, const struct lines *b, int *const *v, int d, int x, int y)
{
	for (; d > 0; d--) {
		const int *before = v[d] + d + 1;
		int k = x - y, from = k == -d || (k != d && before[k - 1] < before[k + 1]) ? k + 1 : k - 1;
		int px = before[from], py = px - from;
		for (; x > px && y > py; x--, y--)
			push(s, ' ', a, (size_t)x - 1, (size_t)x - 1, (size_t)y - 1);
		if (x == px)
			push(s, '+', b, (size_t)y - 1, (size_t)x, (size_t)y - 1);
		else
			push(s, '-', a, (size_t)x - 1, (size_t)x - 1, (size_t)y);
		x = px;
		y = py;
	}
	for (; x > 0 && y > 0; x--, y--)
		push(s, ' ', a, (size_t)x - 1, (size_t)x - 1, (size_t)y - 1);
}

static bool
shortest(struct script *s, const struct lines *a, const struct lines *b, struct arena *tmp)
{
	int n = (int)a->n, m = (int)b->n;
	size_t width = 2 * (EDITS_MAX + 1) + 1;
	int **v = ARENA_ARRAY(tmp, int *, EDITS_MAX + 1), *now = ARENA_ARRAY(tmp, int, width);
	int *reach = now + EDITS_MAX + 1;
	for (int d = 0; d <= EDITS_MAX; d++) {
		size_t used = 2 * (size_t)d + 3;
		v[d] = ARENA_ARRAY(tmp, int, used); /* only the diagonals that round d looks at, seen from the middle */
		memcpy(v[d], reach - d - 1, used * sizeof **v);
		for (int k = -d; k <= d; k += 2) {
			int x = k == -d || (k != d && reach[k - 1] < reach[k + 1]) ? reach[k + 1] : reach[k - 1] + 1;
			int y = x - k;
			for (; x < n && y < m && str_eq(a->p[x], b->p[y]); x++, y++)
				;
			reach[k] = x;
			if (x >= n && y >= m) {
				backtrack(s, a, b, v, d, n, m);
				return true;
			}
		}
	}
	return false;
}

/* All of the one gone, all of the other new. Backwards too. */
static void
replaced(struct script *s, const struct lines *a, const struct lines *b)
{
	for (size_t y = b->n; y > 0; y--)
		push(s, '+', b, y - 1, a->n, y - 1);
	for (size_t x = a->n; x > 0; x--)
		push(s, '-', a, x - 1, x - 1, 0);
}

/* ---- printing ------------------------------------------------------------------------------------------------ */

static void
print_line(struct buf *out, const struct edit *x, bool colors)
{
	const char *color = !colors || x->sign == ' ' ? "" : x->sign == '-' ? "\033[31m" : "\033[32m";
	buf_addf(out, "%s%c%.*s%s\n", color, x->sign, STR_ARG(x->line), *color ? "\033[0m" : "");
}

static void
print_hunk(struct buf *out, const struct edit *p, size_t n, bool colors)
{
	size_t old_n = 0, new_n = 0;
	for (size_t i = 0; i < n; i++) {
		old_n += p[i].sign != '+';
		new_n += p[i].sign != '-';
	}
	buf_addf(out, "@@ -%zu,%zu +%zu,%zu @@\n", p[0].old_at + (old_n != 0), old_n, p[0].new_at + (new_n != 0), new_n);
	for (size_t i = 0; i < n; i++)
		print_line(out, &p[i], colors);
}

/* Changes less than twice the context apart share a hunk. */
static void
print_hunks(struct buf *out, const struct edit *p, size_t n, bool colors)
{
	for (size_t i = 0; i < n;) {
		if (p[i].sign == ' ') {
			i++;
			continue;
		}
		size_t from = i > CONTEXT ? i - CONTEXT : 0, end = i + 1, quiet = 0;
		for (size_t k = i + 1; k < n && quiet <= 2 * CONTEXT; k++) {
			quiet = p[k].sign == ' ' ? quiet + 1 : 0;
			if (!quiet)
				end = k + 1;
		}
		size_t to = end + CONTEXT < n ? end + CONTEXT : n;
		print_hunk(out, p + from, to - from, colors);
		i = end;
	}
}

bool
diff_unified(struct buf *out, str old_name, str old_text, str new_name, str new_text, bool colors)
{
	if (str_eq(old_text, new_text))
		return false;
	struct arena *tmp CLEANUP(free_arena) = arena_new();
	struct lines a = split(tmp, old_text), b = split(tmp, new_text);
	struct script s = { 0 };
	if (!shortest(&s, &a, &b, tmp))
		replaced(&s, &a, &b);
	for (size_t i = 0; i < s.v.n / 2; i++) {
		struct edit x = s.v.p[i];
		s.v.p[i] = s.v.p[s.v.n - 1 - i];
		s.v.p[s.v.n - 1 - i] = x;
	}
	buf_addf(out, "--- %.*s\n+++ %.*s\n", STR_ARG(old_name), STR_ARG(new_name));
	print_hunks(out, s.v.p, s.v.n, colors);
	VEC_FREE(&s.v);
	return true;
}
