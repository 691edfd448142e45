/* SPDX-License-Identifier: Apache-2.0 */
/* bitbucketserver: the configuration of a bitbucketserver source, and the registration of its hooks. */
#ifndef TIDEGATE_SOURCES_BITBUCKETSERVER_H
#define TIDEGATE_SOURCES_BITBUCKETSERVER_H

#include "sources/signed.h"

struct bitbucketserver_repository {
	str project_key;
	str repository_slug;
	const struct val *src;
};
struct bitbucketserver_source {
	struct signed_config common;
	struct secret_ref *access_token;
	str base_url;
	str check_interval;
	bool delete_hook_on_finish;
	struct strs events;
	struct source_filter *filter;
	bool one_event_per_change;
	str project_key;
	struct strs projects;
	LIST_OF(struct bitbucketserver_repository) repositories;
	str repository_slug;
	bool skip_on_open_pr;
	struct tls_config *tls;
	const struct val *src;
};

/* Hooks of repositories; those of `projects` are looked up, and looked up again in every round. */
extern const struct hook_api bitbucketserver_hooks;

#endif
