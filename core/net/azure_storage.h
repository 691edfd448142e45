/* SPDX-License-Identifier: Apache-2.0 */
/*
 * azure_storage: calls of Azure's storage services, authorized by the account's key (Shared Key) or by a shared access signature, as published
 * in "Authorize with Shared Key" and "Configure connection strings". Nothing is sent here. Needs libcrypto: call crypto_load before the first.
 */
#ifndef TIDEGATE_CORE_NET_AZURE_STORAGE_H
#define TIDEGATE_CORE_NET_AZURE_STORAGE_H

#include "core/net/httpc.h"

/* The value of that name in a connection string, "Name=value;Name=value": part of it; absent if it is not there. */
str azure_setting(str connection, str name);

struct azure_account {
	str name;
	str key;      /* its bytes; absent: `token` or `sas` is used */
	str token;    /* "Bearer ..." */
	str sas;      /* a query, without the question mark */
	str endpoint; /* URL of the service, without a slash at its end */
};
/*
 * What a connection string says of `service` ("queue"). In `a`. ERR_INVALID without its values, which are secrets; ERR_UNSUPPORTED for the
 * emulator's short form.
 */
int azure_account_read(str connection, const char *service, struct arena *a, struct azure_account *out, struct err *e) MUST_CHECK;

/* The account of that name, for a token; in `a`. AZURE_STORAGE_SERVICE_ENDPOINT of the environment is another endpoint. */
void azure_account_named(str name, const char *service, str token, struct arena *a, struct azure_account *out);

/* The account of a service's URL: the beginning of its host or, where it has a path as with emulators, of that. Absent: there is none. */
str azure_account_of(str endpoint);
/* Whether what was given as a key is a shared access signature, a query. */
bool azure_key_is_sas(str key);

struct azure_request {
	str method;
	str path;                         /* below the endpoint, as it is sent: percent-encoded, with a slash in front */
	const struct http_header *query;  /* as they are, in order of their names in lower case */
	size_t query_n;
	const struct http_header *headers; /* further ones: all that are sent, but for the date, the version and Content-Length */
	size_t headers_n;
	uint64_t bytes;                   /* of the body, which is not part of it */
};
/* The call, without a body. In `a`. */
void azure_call(const struct azure_account *acc, const struct azure_request *r, int64_t now_ns, struct arena *a, struct http_call *out);

#endif
