/* SPDX-License-Identifier: Apache-2.0 */
/* claim: a PersistentVolumeClaim is a folder here, made when it is first used (engine/exec/claim.c). */
#include "config/config.h"
#include "config/kube.h"

struct claim {
	struct meta meta;
};

static const struct schema claim_schema = { "PersistentVolumeClaim", "A folder of this machine for workflows to keep files in.",
	sizeof(struct claim), (const struct field[]){
	FIELD_AS("apiVersion", FIELD_STR, REQ, .doc = "v1."),
	FIELD_AS("kind", FIELD_STR, REQ, .doc = "Kind of the object."),
	FIELD_OBJ(struct claim, meta, "metadata", REQ, &meta_schema, .doc = "Name, namespace, labels and annotations."),
	FIELD_AS("spec", FIELD_OBJ_, REQ, .schema = &kube_claim_spec_schema, .doc = "What is asked for."),
	FIELD_AS("status", FIELD_VAL, STATUS, .doc = "Set by a cluster."),
	{ 0 } } };

const struct kind kind_claim = { .name = "PersistentVolumeClaim", .plural = "persistentvolumeclaims",
	.short_names = (const char *const[]){ "persistentvolumeclaim", "pvc", NULL }, .api = "v1",
	.schema = &claim_schema, .name_max = 253 };
