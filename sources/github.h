/* SPDX-License-Identifier: Apache-2.0 */
/* github: the configuration of a github source, and the registration of its hooks with GitHub. */
#ifndef TIDEGATE_SOURCES_GITHUB_H
#define TIDEGATE_SOURCES_GITHUB_H

#include "sources/source.h"
#include "sources/webhook_context.h"

struct owned_repositories {
	struct strs names;
	str owner;
};
struct github_app {
	struct opt_int app_id, installation_id;
	struct secret_ref *private_key;
	const struct val *src;
};
struct github_source {
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
	struct kvs metadata;
	struct strs organizations;
	str owner;
	LIST_OF(struct owned_repositories) repositories;
	str repository;
	struct webhook_context *webhook;
	struct secret_ref *secret;
	const struct val *src;
};

struct github_hooks;

/*
 * Makes sure that every organization and repository of the source has a hook that delivers to webhook.url: lists them, and creates
 * one where there is none with that URL and those events (argo-events eventsources/sources/github/start.go). Looks again every
 * minute until ten rounds in a row went well, because somebody else who stops may take the hook with him.
 */
struct github_hooks *github_hooks_start(struct source *s);
/* Deletes the hooks if the source says so, then calls source_stopped. */
void github_hooks_stop(struct github_hooks *h);

#endif
