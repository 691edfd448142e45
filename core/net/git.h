/* SPDX-License-Identifier: Apache-2.0 */
/*
 * git: what everybody needs who has the git program do something with a repository that strangers name: its environment, in which stand all the secrets, so
 * that none is in a command line or in what git leaves; which URLs and names of refs there are; and what its complaints mean.
 */
#ifndef TIDEGATE_CORE_NET_GIT_H
#define TIDEGATE_CORE_NET_GIT_H

#include "core/base.h"

/* A URL, and who may read what is there: empty for everybody. */
struct git_url {
	str url, user, password;
};

/*
 * Takes user and password out of the URL, since everybody may read the command lines of processes. In one of ssh the user stays; git knows
 * no password there. In `a`, or part of `url`.
 */
struct git_url git_url_split(struct arena *a, str url);
/* Scheme, host and port; absent if it is not http. Part of `url`. */
str git_url_origin(str url);
/* Whether it is one of https, http, ssh or git, user@host:path, or, with `files`, file or a path; and nothing that git takes for an option or a command. */
bool git_url_is_good(str url, bool files);
/* Whether git would take it for the name of one ref: for no option, and for no more. The empty one is good. */
bool git_ref_is_good(str ref);

#define GIT_ENV_MAX 64u

/* All that the program gets. */
struct git_env {
	struct arena *arena;
	const char *list[GIT_ENV_MAX];
	size_t n, configs, logins;
};

/*
 * Begins with what leads to programs, certificates and proxies, and with `home`, a folder of its own. `protocols`: those it may speak, with colons between.
 * The configuration of the machine counts, that of a user does not.
 */
void git_env_begin(struct git_env *g, struct arena *a, str home, const char *protocols);
void git_env_put(struct git_env *g, const char *name, str value);
/* As with -c, but in no command line. */
void git_env_config(struct git_env *g, str key, str value);
/* User and password for the URL's origin and no other: a redirect elsewhere does not get them. ERR_INVALID: they have a line break. */
int git_env_login(struct git_env *g, const struct git_url *u, struct err *e) MUST_CHECK;
/*
 * How ssh is called for that URL; a user it does not name is git, as in Argo. `key`: with the one in the file "key" of the home, without a passphrase.
 * Host keys are looked for in known_hosts of the daemon's user and of the machine, or in the files that SSH_KNOWN_HOSTS names.
 */
void git_env_ssh(struct git_env *g, str url, bool key, bool ignore_host_key);
/* Ended by NULL; nothing is put behind it. */
const char *const *git_env_end(struct git_env *g);

/* What git wrote when it failed: why, as one line in `a`, and what that is. What is not known is taken for an outage, ERR_UNAVAILABLE. */
enum err_code git_complaint(struct arena *a, str written, str *why);

#endif
