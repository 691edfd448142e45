/* SPDX-License-Identifier: Apache-2.0 */
/* git: what the files of the git driver share: git.c reads the place and fetches, git_run.c runs the program, git_tree.c looks at what it is to lay out. */
#ifndef TIDEGATE_ENGINE_ARTIFACT_GIT_H
#define TIDEGATE_ENGINE_ARTIFACT_GIT_H

#include "core/net/git.h"
#include "engine/artifact/driver.h"

#define GIT_SUBMODULE_DEPTH 10u /* as in Argo: go-git's DefaultSubmoduleRecursionDepth */
#define GIT_SUBMODULES_MAX 1000u
#define GIT_NAMES_MAX (64u << 20) /* bytes of paths that are remembered: of links and submodules */

/* A path in a tree whose object is another repository's. */
struct git_module {
	str path, commit;
};

/* What one commit holds besides files. In the arena of the site. */
struct git_tree {
	VEC(struct git_module) modules;
	bool has_config; /* .gitmodules */
};

struct git {
	const struct artifact_site *site;
	const struct val *place;
	struct git_url url;
	str name;             /* how it is called in errors: the URL without secrets */
	str home;             /* path of a folder in the scratch folder */
	struct git_env env;
	const char *const *list; /* the environment, whole */
	int root;             /* the folder that it all becomes */
	uint64_t bytes, files, names;
	size_t modules;
	VEC(str) links;       /* from the root */
};

/* ---- git_run.c */

/* Takes what is written, piece by piece. -1: enough, with `e` set; the program is stopped. */
struct git_taker {
	int (*take)(void *arg, str bytes, struct err *e);
	void *arg;
};
/*
 * Runs git in the open folder. `out` NULL: its output is of no interest. ERR_UNSUPPORTED: there is no git; if it failed, what
 * git_complaint says of that, but an outage only where others were asked.
 */
int git_run(struct git *g, int dir, const char *const *argv, const struct git_taker *out, struct err *e) MUST_CHECK;
/* The same, with its output in memory, at most `max` bytes. `ok`: whether it ended well; may be NULL, then a bad end is an error. */
int git_ask(struct git *g, int dir, const char *const *argv, size_t max, bool *ok, str *out, struct err *e) MUST_CHECK;

/* ---- git_tree.c */

/* The listing of a tree while it is read. */
struct git_tree_reader {
	struct git *git; /* its name, site and counts; links go there */
	struct git_tree *tree;
	str prefix;
	struct buf rest; /* of an entry that has not come whole */
};
/* A piece of "git ls-tree -r -t -l -z", however it is cut. ERR_LIMIT, ERR_INVALID. `arg`: a struct git_tree_reader. */
int git_tree_take(void *arg, str bytes, struct err *e) MUST_CHECK;
/* Counts what the commit would become before it does, and notes its links and submodules. `prefix`: where it will lie, from the root; ends in a slash or is empty. */
int git_tree_count(struct git *g, int dir, str prefix, str commit, struct git_tree *t, struct err *e) MUST_CHECK;
/* Refuses links that lead out, when everything is there. */
int git_tree_links(struct git *g, struct err *e) MUST_CHECK;
/* The name of the submodule at a path, and the URL of a name, of what `git config -z --get-regexp` says of them; absent: it does not. */
str git_module_name(str config, str path);
str git_module_url(str urls, str name);

#endif
