/* SPDX-License-Identifier: Apache-2.0 */
/* manifest_source: the seven places that the object of a k8s or argoWorkflow trigger may come from, as their manifests name them. */
#ifndef TIDEGATE_TRIGGERS_MANIFEST_SOURCE_H
#define TIDEGATE_TRIGGERS_MANIFEST_SOURCE_H

#include "config/config.h"
#include "core/field.h"

struct s3_bucket {
	str name, key;
};
struct s3_source {
	struct secret_ref *access_key, *secret_key, *ca; /* keys: both or none */
	struct s3_bucket bucket;
	str endpoint; /* host, with a port if it is not the scheme's own */
	str region;   /* "": us-east-1, or what the service says */
	bool insecure; /* without TLS */
};
struct file_source {
	str path;
};
struct url_source {
	str path;
	tri verify; /* TRI_UNSET: yes */
};
struct git_remote {
	str name;
	struct strs urls; /* the first counts */
};
struct git_source {
	str url, file_path;
	str branch, tag, ref; /* the last that is given counts */
	struct basic_auth *creds;
	struct secret_ref *ssh_key;
	struct git_remote *remote;
	bool ignore_host_key;
	const struct val *github_app;
};

/* The first that is given counts, in this order (events spec 3.9). */
struct manifest_source {
	struct s3_source *s3;
	str inline_text; /* .p == NULL: not given */
	struct file_source *file;
	struct url_source *url;
	struct git_source *git;
	struct secret_ref *config_map;
	const struct val *resource;
	const struct val *src;
};
extern const struct schema manifest_source_schema;

#endif
