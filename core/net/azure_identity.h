/* SPDX-License-Identifier: Apache-2.0 */
/*
 * azure_identity: the call that gets a token for whom the machine is in Azure, found as DefaultAzureCredential of Azure's SDKs finds it, in the
 * environment: a client secret (AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_CLIENT_SECRET), a workload identity (AZURE_FEDERATED_TOKEN_FILE with tenant
 * and client), App Service (IDENTITY_ENDPOINT, IDENTITY_HEADER), else the machine's metadata service (AZURE_POD_IDENTITY_AUTHORITY_HOST if that
 * is set). AZURE_CLIENT_ID chooses among several identities. Nothing is sent here.
 */
#ifndef TIDEGATE_CORE_NET_AZURE_IDENTITY_H
#define TIDEGATE_CORE_NET_AZURE_IDENTITY_H

#include "core/net/httpc.h"

/* For `resource`, "https://storage.azure.com". In `a`. Reads a small local file at most. The answer is oauth_token_take's. */
int azure_identity_call(const char *resource, struct arena *a, struct http_call *out, struct err *e) MUST_CHECK;

#endif
