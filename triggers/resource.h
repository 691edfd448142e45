/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resource: the object that a k8s or argoWorkflow trigger works with, read from where its `source` says (events spec 3.9). Text is
 * YAML or JSON; the first document counts, and must be an object.
 *
 * What lies in this process is read at once: inline, configmap, resource. The rest (s3, file, url, git) is read when the firing is on
 * disk; a reading that fails is an attempt that failed.
 */
#ifndef TIDEGATE_TRIGGERS_RESOURCE_H
#define TIDEGATE_TRIGGERS_RESOURCE_H

#include "triggers/firing.h"
#include "triggers/manifest_source.h"

enum {
	RESOURCE_MAX = 1 << 20, /* bytes of an inline text, a file, a ConfigMap's key */
	RESOURCE_URL_MAX = 512 << 10, RESOURCE_S3_MAX = 1024 * 1224, /* as in Argo, where more is cut off */
};

/* Whether the `source` value names a place that takes more than this turn to read. */
bool resource_is_elsewhere(const struct val *source);
/* The object of the `source` value, in the firing's arena. Only if it is not elsewhere. */
int resource_read(struct firing *f, const struct val *source, const struct val **out, struct err *e) MUST_CHECK;
/*
 * The same from wherever it is: done() runs exactly once, later, with the object (in the firing's arena) or an error: ERR_UNAVAILABLE,
 * ERR_TIMEOUT and the like (it may be there the next time), else what will not help to ask again for.
 */
void resource_fetch(struct firing *f, const struct val *source, void (*done)(struct firing *f, const struct val *object, const struct err *e));

#endif
