/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kept: objects that no file has: they came through the API or from a trigger, and are rows of the store. Loop thread, but for the
 * rows themselves.
 */
#ifndef TIDEGATE_CONFIG_KEPT_H
#define TIDEGATE_CONFIG_KEPT_H

#include "config/config.h"
#include "core/store.h"

extern const char kept_schema_sql[]; /* table: object */

/* Reads them all into `os`. At start, before the manifests' files. */
int kept_load(struct store *s, struct objects *os, struct err *e) MUST_CHECK;

/*
 * The manifest with what a server adds: a name, if it has a generateName only, that no other has; a uid and a time of creation, which stay, and a
 * version, which grows. `before`: what it takes the place of, or NULL. In `a`.
 */
const struct val *kept_identity(const struct objects *os, struct arena *a, const struct val *manifest, const struct object *before, int64_t now_ns);
/* Decoded, and names in it looked up in `os`; NULL if there were errors. Findings go to `d`. */
struct object *kept_decode(const struct objects *os, const struct val *manifest, str default_ns, struct diags *d);
/*
 * `o`, decoded from `manifest`, is in force from now on, and its row is written in this turn; done(arg) runs after that commit. It is written again
 * if nothing changed. Who follows objects is to be told by the caller.
 */
void kept_put(struct store *s, struct objects *os, struct object *o, const struct val *manifest, void (*done)(void *arg), void *arg);
/* The object, which is there, is gone from now on; the same. */
void kept_del(struct store *s, struct objects *os, const struct kind *k, str ns, str name, void (*done)(void *arg), void *arg);

/* "configmaps", "sensors.argoproj.io": how Kubernetes names the kind in its messages. In `a`. */
str kept_resource_name(struct arena *a, const struct kind *k);

#endif
