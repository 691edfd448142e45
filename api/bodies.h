/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bodies: the bodies of requests that carry fields of workflows, as tables: what each field is, and what becomes of it (spec 7.2; the
 * messages of pkg/apiclient in Argo Workflows v4.1.2). Members that no table has are ignored, as Argo's server does.
 */
#ifndef TIDEGATE_API_BODIES_H
#define TIDEGATE_API_BODIES_H

#include "core/field.h"

struct http_req;

extern const struct schema body_create_workflow, body_lint_workflow, body_submit, body_resubmit, body_resume, body_retry, body_set,
	body_stop, body_suspend, body_terminate, body_template, body_cluster_template, body_cron_workflow, body_backfill;
/* All of them, ended by NULL: for the reference and the tests. */
extern const struct schema *const request_bodies[];

/*
 * Whether the types are right and nothing is asked for that is not served; else answers. `sc` may be NULL: then nothing is known of
 * the body.
 */
bool body_is_good(struct http_req *r, const struct schema *sc, const struct val *body);
/* createOptions.dryRun: ["All"], as Kubernetes has it. */
bool body_is_dry(const struct val *body);

#endif
