/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/put.h"

#include "cli/daemon.h"

static int
send_all(const struct put_files *p, const struct manifest_set *set)
{
	struct err e = { 0 };
	int worst = EXIT_DONE;
	for (size_t i = 0; i < set->objects.n; i++) {
		const struct object *o = set->objects.p[i];
		if (strcmp(o->kind->name, p->kind) != 0)
			(void)err_set(&e, ERR_INVALID, "%.*s: a %s, and no %s", STR_ARG(o->name), o->kind->name, p->kind);
		else if (p->send(p->arg, o, &e) == 0)
			continue;
		int code = cli_fail(&e);
		worst = code > worst ? code : worst;
	}
	if (set->objects.n)
		return worst;
	(void)err_set(&e, ERR_INVALID, "no %s in what was given", p->kind);
	return cli_fail(&e);
}

int
put_files(const struct put_files *p, char **files, int n)
{
	struct manifest_set set;
	struct diags d;
	VEC(const char *) paths = { 0 };
	diags_init(&d);
	for (int i = 0; i < n; i++)
		*VEC_PUSH(&paths) = files[i];
	bool ok = read_manifests(paths.p, paths.n, p->ns, NULL, &set, &d) == 0 && !(p->strict && d.warnings + d.later);
	if (d.v.n)
		print_findings(&d);
	int code = ok ? send_all(p, &set) : EXIT_USAGE;
	manifest_set_free(&set);
	diags_free(&d);
	VEC_FREE(&paths);
	return code;
}
