/* SPDX-License-Identifier: Apache-2.0 */
/*
 * oci: image layouts of the Open Container Initiative (image-spec v1.1: image-layout.md, image-index.md, config.md), as far
 * as an import needs them: which manifest is meant, what it consists of, how its command is to be run. Nothing is believed
 * that does not have the digest by which it was asked for.
 */
#ifndef TIDEGATE_CLI_OCI_H
#define TIDEGATE_CLI_OCI_H

#include "config/config.h"
#include "core/val.h"

/* This machine's name among platforms ("amd64"); NULL if it has none. */
const char *oci_architecture(void);
/* "sha256:..." of some bytes, in `a`. */
str oci_digest(struct arena *a, str bytes);

struct oci_choice {
	str digest;    /* of the descriptor chosen */
	bool is_index; /* it is an index: to be chosen from again */
	str name;      /* the image's name, if the layout has one */
};
/*
 * The image of an index for linux on this architecture. `ref`: which one, where an index names several; may be empty.
 * ERR_INVALID: several, and none was asked for; ERR_NOT_FOUND: not that one, or for other machines only. Texts in `a`.
 */
int oci_choose(struct arena *a, const struct val *index, str ref, const char *architecture, struct oci_choice *out,
	struct err *e) MUST_CHECK;

struct oci_image {
	str digest;  /* of the manifest */
	str index;   /* of the index it was chosen from; absent: none */
	str name;    /* absent: the layout has none */
	int64_t bytes;
	struct strs layers; /* their digests, in order */
	bool zstd;   /* it has a layer that is compressed so */
	struct image row; /* from its configuration */
};
/* The image of a layout. ERR_INVALID also for one that is damaged. Texts in `a`. */
int oci_read_layout(struct arena *a, const char *dir, str ref, struct oci_image *out, struct err *e) MUST_CHECK;

#endif
