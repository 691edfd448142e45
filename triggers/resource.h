/* SPDX-License-Identifier: Apache-2.0 */
/* resource: the object that a k8s or argoWorkflow trigger works with, read from where its `source` says (events spec 3.9). */
#ifndef TIDEGATE_TRIGGERS_RESOURCE_H
#define TIDEGATE_TRIGGERS_RESOURCE_H

#include "triggers/parameter.h"

enum { RESOURCE_MAX = 1 << 20 }; /* bytes of an inline text, a file or a ConfigMap's key */

/*
 * The object of the `source` value, in `a`: inline text, a file, a key of a ConfigMap of namespace `ns`, or the resource itself;
 * text is YAML or JSON, the first document counts. ERR_UNSUPPORTED for s3, url and git.
 */
int resource_read(const struct val *source, const struct objects *objects, str ns, struct arena *a, const struct val **out, struct err *e) MUST_CHECK;

#endif
