/* SPDX-License-Identifier: Apache-2.0 */
/* github: the configuration of a github source, and the registration of its hooks with GitHub. */
#ifndef TIDEGATE_SOURCES_GITHUB_H
#define TIDEGATE_SOURCES_GITHUB_H

#include "sources/signed.h"

struct owned_repositories {
	struct strs names;
	str owner;
};
struct github_app {
	struct opt_int app_id, installation_id;
	struct secret_ref *private_key;
	const struct val *src;
};
extern const struct schema owned_repositories_schema;
struct github_source {
	struct signed_config common;
	bool active;
	struct secret_ref *api_token;
	str content_type;
	bool delete_hook_on_finish;
	struct strs events;
	struct source_filter *filter;
	struct github_app *app;
	str base_url, upload_url;
	struct opt_int id;
	bool insecure;
	struct strs organizations;
	str owner;
	LIST_OF(struct owned_repositories) repositories;
	str repository;
	const struct val *src;
};

/*
 * GitHub's API of hooks: every organization and repository of the source gets one that delivers to webhook.url, unless there is one with
 * that URL and those events (argo-events eventsources/sources/github/start.go). Looked at again every minute until ten rounds in a row
 * went well, because somebody else who stops may take the hook with him.
 */
extern const struct hook_api github_hooks;
/* Whether the manifest asks for hooks. */
bool github_registers(const struct source *s);

#endif
