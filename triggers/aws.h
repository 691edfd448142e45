/* SPDX-License-Identifier: Apache-2.0 */
/* aws: the keys with which requests to AWS, and to what speaks like it, are signed. */
#ifndef TIDEGATE_TRIGGERS_AWS_H
#define TIDEGATE_TRIGGERS_AWS_H

#include "core/net/sigv4.h"
#include "triggers/firing.h"

/*
 * The keys that the references name or, where `access` is NULL, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN of the
 * daemon's environment. Makes ready what signing needs. ERR_INVALID: there are none.
 */
int aws_keys(struct firing *f, const struct secret_ref *access, const struct secret_ref *secret, const struct secret_ref *session,
             struct sigv4_keys *out, struct err *e) MUST_CHECK;

#endif
