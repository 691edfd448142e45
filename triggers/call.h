/* SPDX-License-Identifier: Apache-2.0 */
/* call: what the kinds that call a service over HTTP have in common: secrets for it, and what its answer means. */
#ifndef TIDEGATE_TRIGGERS_CALL_H
#define TIDEGATE_TRIGGERS_CALL_H

#include "triggers/firing.h"

/* A key of a Secret of the sensor's namespace, without the newline at its end that editors leave there; absent if `ref` is NULL. */
int call_secret(struct firing *f, const struct secret_ref *ref, str *out, struct err *e) MUST_CHECK;
int call_config(struct firing *f, const struct secret_ref *ref, str *out, struct err *e) MUST_CHECK; /* of a ConfigMap */
/*
 * 0 if policy.status.allow lists the status or, without one, it is below 400; else the error for firing_done, "`what` answered 403",
 * with what the answer says of when to try again (Retry-After). `what` must not hold secrets.
 */
int call_judge(struct firing *f, str what, const struct http_answer *ans, struct err *e) MUST_CHECK;
/* The same with the beginning of the body, for services whose answers hold no secrets: "`what` answered 403: {...". */
int call_judge_told(struct firing *f, str what, const struct http_answer *ans, struct err *e) MUST_CHECK;
/* The same for an answer that is the source of a resource: 200 will do, nothing else (policy.status is not about it). */
int call_judge_read(struct firing *f, str what, const struct http_answer *ans, struct err *e) MUST_CHECK;
/* Ends the firing with {"status": status} as result; `e` as firing_done takes it. */
void call_done(struct firing *f, int status, const struct err *e);

#endif
