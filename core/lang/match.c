/* SPDX-License-Identifier: Apache-2.0 */
#include "core/lang/match.h"

#include "core/lang/gofmt.h"

/*
 * Greedy with one point to come back to: only the last '*' can need another try, because whatever an earlier one would
 * take, the later one can take as well.
 */
bool
match_glob(str t, str p)
{
	size_t i = 0, k = 0, star = SIZE_MAX, resume = 0, width;
	while (i < t.n) {
		(void)go_rune(t, i, &width);
		if (k < p.n && p.p[k] == '*') {
			star = k++;
			resume = i;
			continue;
		}
		if (k < p.n && p.p[k] == '?') {
			i += width;
			k++;
			continue;
		}
		size_t literal = k < p.n && p.p[k] == '\\' ? k + 1 : k;
		if (literal < p.n && p.p[literal] == t.p[i]) {
			i++;
			k = literal + 1;
			continue;
		}
		if (star == SIZE_MAX)
			return false;
		(void)go_rune(t, resume, &width);
		i = resume += width;
		k = star + 1;
	}
	while (k < p.n && p.p[k] == '*')
		k++;
	return k == p.n;
}
