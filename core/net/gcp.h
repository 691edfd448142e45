/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gcp: tokens for Google Cloud: of a service account, whose key signs a request for one (RFC 7523), or of the machine's own account from its
 * metadata server; the answer of either is oauth_token_take's. Nothing is sent here. Needs libcrypto: call crypto_load before the first.
 */
#ifndef TIDEGATE_CORE_NET_GCP_H
#define TIDEGATE_CORE_NET_GCP_H

#include "core/net/httpc.h"

/* The call that gets a token of `scope` with the account's JSON key. In `a`. ERR_INVALID without the key's text; ERR_UNSUPPORTED: another kind of key. */
int gcp_token_call(str key_json, str scope, int64_t now_ns, struct arena *a, struct http_call *out, struct err *e) MUST_CHECK;
/* The call that asks the metadata server, GCE_METADATA_HOST or metadata.google.internal, for "project/project-id", say. In `a`. */
void gcp_metadata_call(const char *what, struct arena *a, struct http_call *out);
/* What is to be asked of it for a token. */
#define GCP_METADATA_TOKEN "instance/service-accounts/default/token"
#define GCP_METADATA_PROJECT "project/project-id"

#endif
