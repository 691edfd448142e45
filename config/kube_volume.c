/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kube_volume: the kinds of volume that need a cluster or its storage, those that are made of other objects, and claims. The
 * kinds that hold a folder or one object (emptyDir, configMap, secret, hostPath) are in kube_env.c.
 */
#include "config/kube.h"

#define READ_ONLY FIELD_AS("readOnly", FIELD_BOOL, 0, .doc = "Mount it read-only.")
#define FS_TYPE FIELD_AS("fsType", FIELD_STR, 0, .doc = "File system on the device.")
#define SECRET_NAME FIELD_AS("secretRef", FIELD_OBJ_, 0, .schema = &kube_name_ref_schema, \
	.doc = "Secret with the credentials.")
#define TEXT(name, text) FIELD_AS(name, FIELD_STR, 0, .doc = text)
#define MUST(name, text) FIELD_AS(name, FIELD_STR, REQ, .doc = text)
#define LIST(name, text) FIELD_AS(name, FIELD_STRS, 0, .doc = text)
#define NUMBER(name, text) FIELD_AS(name, FIELD_INT, 0, .min = 0, .max = INT32_MAX, .doc = text)
#define FLAG(name, text) FIELD_AS(name, FIELD_BOOL, 0, .doc = text)

#define VOLUME(id, name, text, ...) \
	const struct schema kube_##id##_schema = { name, text, 0, (const struct field[]){ __VA_ARGS__, { 0 } } }

VOLUME(aws_disk, "AWSElasticBlockStoreVolumeSource", "A disk of AWS.",
	MUST("volumeID", "Id of the disk."), NUMBER("partition", "Partition to mount."), FS_TYPE, READ_ONLY);
VOLUME(azure_disk, "AzureDiskVolumeSource", "A disk of Azure.",
	MUST("diskName", "Name of the disk."), MUST("diskURI", "URI of the disk."), TEXT("cachingMode",
		"None, ReadOnly or ReadWrite."),
	TEXT("kind", "Shared, Dedicated or Managed."), FS_TYPE, READ_ONLY);
VOLUME(azure_file, "AzureFileVolumeSource", "A file share of Azure.",
	MUST("secretName", "Secret with the account."), MUST("shareName", "Name of the share."), READ_ONLY);
VOLUME(cephfs, "CephFSVolumeSource", "A directory of CephFS.",
	LIST("monitors", "Addresses of the monitors."), TEXT("path", "Directory to mount."), TEXT("secretFile",
		"File with the key."),
	SECRET_NAME, TEXT("user", "Ceph user."), READ_ONLY);
VOLUME(cinder, "CinderVolumeSource", "A disk of OpenStack.",
	MUST("volumeID", "Id of the disk."), SECRET_NAME, FS_TYPE, READ_ONLY);
VOLUME(csi, "CSIVolumeSource", "A volume made by a CSI driver for this pod.",
	MUST("driver", "Name of the driver."), FS_TYPE, READ_ONLY,
	FIELD_AS("nodePublishSecretRef", FIELD_OBJ_, 0, .schema = &kube_name_ref_schema,
		.doc = "Secret for the driver."),
	FIELD_AS("volumeAttributes", FIELD_KVS, 0, .doc = "What the driver wants to know."));
VOLUME(fc, "FCVolumeSource", "A Fibre Channel disk.",
	NUMBER("lun", "Logical unit."), LIST("targetWWNs", "World wide names of the targets."), LIST("wwids",
		"World wide ids of the disk."),
	FS_TYPE, READ_ONLY);
VOLUME(flex, "FlexVolumeSource", "A volume made by a flex driver.",
	MUST("driver", "Name of the driver."), FS_TYPE, FIELD_AS("options", FIELD_KVS, 0,
		.doc = "What the driver wants to know."),
	SECRET_NAME, READ_ONLY);
VOLUME(flocker, "FlockerVolumeSource", "A Flocker data set.",
	TEXT("datasetName", "Name of the data set."), TEXT("datasetUUID", "Id of the data set."));
VOLUME(gce_disk, "GCEPersistentDiskVolumeSource", "A disk of Google Cloud.",
	MUST("pdName", "Name of the disk."), NUMBER("partition", "Partition to mount."), FS_TYPE, READ_ONLY);
VOLUME(git_repo, "GitRepoVolumeSource", "A clone of a git repository.",
	MUST("repository", "URL of the repository."), TEXT("revision", "Commit to check out."), TEXT("directory",
		"Directory to clone into."));
VOLUME(glusterfs, "GlusterfsVolumeSource", "A GlusterFS volume.",
	MUST("endpoints", "Endpoints object of the servers."), MUST("path", "Name of the volume."), READ_ONLY);
VOLUME(image_volume, "ImageVolumeSource", "The files of an image.",
	TEXT("pullPolicy", "When the image is pulled."), TEXT("reference", "Name of the image."));
VOLUME(iscsi, "ISCSIVolumeSource", "An iSCSI disk.",
	MUST("targetPortal", "Address of the target."), MUST("iqn", "Name of the target."), NUMBER("lun",
		"Logical unit."),
	LIST("portals", "Further addresses of the target."), FLAG("chapAuthDiscovery", "Use CHAP for discovery."),
	FLAG("chapAuthSession", "Use CHAP for the session."), TEXT("initiatorName", "Name of the initiator."),
	TEXT("iscsiInterface", "Interface to use."), SECRET_NAME, FS_TYPE, READ_ONLY);
VOLUME(nfs, "NFSVolumeSource", "A directory of an NFS server.",
	MUST("server", "Name or address of the server."), MUST("path", "Directory the server exports."), READ_ONLY);
VOLUME(photon, "PhotonPersistentDiskVolumeSource", "A disk of Photon.", MUST("pdID", "Id of the disk."), FS_TYPE);
VOLUME(portworx, "PortworxVolumeSource", "A Portworx volume.", MUST("volumeID", "Id of the volume."), FS_TYPE,
	READ_ONLY);
VOLUME(quobyte, "QuobyteVolumeSource", "A Quobyte volume.",
	MUST("registry", "Addresses of the registry."), MUST("volume", "Name of the volume."), TEXT("group",
		"Group to map access to."),
	TEXT("tenant", "Tenant that owns the volume."), TEXT("user", "User to map access to."), READ_ONLY);
VOLUME(rbd, "RBDVolumeSource", "A block device of Ceph.",
	MUST("image", "Name of the image."), LIST("monitors", "Addresses of the monitors."), TEXT("pool",
		"Pool of the image."),
	TEXT("keyring", "File with the key ring."), TEXT("user", "Ceph user."), SECRET_NAME, FS_TYPE, READ_ONLY);
VOLUME(scaleio, "ScaleIOVolumeSource", "A ScaleIO volume.",
	MUST("gateway", "Address of the API gateway."), MUST("system", "Name of the storage system."),
	FIELD_AS("secretRef", FIELD_OBJ_, REQ, .schema = &kube_name_ref_schema, .doc = "Secret with the credentials."),
	TEXT("protectionDomain", "Protection domain."), FLAG("sslEnabled", "Talk TLS to the gateway."),
	TEXT("storageMode", "Thick or thin provisioning."), TEXT("storagePool", "Storage pool."), TEXT("volumeName",
		"Name of the volume."),
	FS_TYPE, READ_ONLY);
VOLUME(storageos, "StorageOSVolumeSource", "A StorageOS volume.",
	TEXT("volumeName", "Name of the volume."), TEXT("volumeNamespace", "Its namespace."), SECRET_NAME, FS_TYPE,
		READ_ONLY);
VOLUME(vsphere, "VsphereVirtualDiskVolumeSource", "A disk of vSphere.",
	MUST("volumePath", "Path of the disk."), TEXT("storagePolicyID", "Id of the storage policy."),
	TEXT("storagePolicyName", "Name of the storage policy."), FS_TYPE);

/* ---- files made of other objects ---------------------------------------------------------------------------- */

static void
check_downward_file(void *obj, const struct val *in, struct decode *c)
{
	const struct downward_file *f = obj;
	if (!f->field_ref == !f->resource_field_ref)
		decode_error(c, in, "path", "exactly one of fieldRef and resourceFieldRef says what is in the file");
	if (f->resource_field_ref && !val_get_str(f->resource_field_ref, "containerName").n)
		decode_error(c, in, "resourceFieldRef", "a volume belongs to no container: containerName must say whose resource it is");
}

static const struct schema downward_file_schema = { "DownwardAPIVolumeFile", "A file with a field of the pod in it.",
	sizeof(struct downward_file), (const struct field[]){
	FIELD(struct downward_file, field_ref, "fieldRef", 0, .schema = &kube_field_ref_schema, .doc = "Field of the pod."),
	FIELD(struct downward_file, mode, "mode", 0, .min = 0, .max = 0777, .doc = "Mode bits of the file."),
	FIELD(struct downward_file, path, "path", REQ, .doc = "Path of the file in the volume."),
	FIELD(struct downward_file, resource_field_ref, "resourceFieldRef", 0, .schema = &kube_resource_field_ref_schema,
		.doc = "Resource of a container."),
	{ 0 } }, check_downward_file };
#define DOWNWARD_ITEMS FIELD_LIST(struct downward_volume, items, "items", 0, &downward_file_schema, .doc = "The files.")
#define MODE(T) FIELD(T, default_mode, "defaultMode", 0, .dflt = "420", .min = 0, .max = 0777, .doc = "Mode bits of the files; 420 is 0644.")
const struct schema kube_downward_api_schema = { "DownwardAPIVolumeSource", "Files with fields of the pod.",
	sizeof(struct downward_volume), (const struct field[]){ DOWNWARD_ITEMS, MODE(struct downward_volume), { 0 } } };

static const struct schema downward_projection_schema = { "DownwardAPIProjection",
	"Fields of the pod, among other files.", sizeof(struct downward_volume),
	(const struct field[]){ DOWNWARD_ITEMS, { 0 } } };

static const struct schema object_projection_schema = { "ObjectProjection",
	"Keys of a ConfigMap or Secret, among other files.", sizeof(struct object_volume), (const struct field[]){
	FIELD_LIST(struct object_volume, items, "items", 0, &key_to_path_schema,
		.doc = "Keys to take and where to put them; all if empty."),
	FIELD(struct object_volume, name, "name", 0, .doc = "Name of the object."),
	FIELD(struct object_volume, optional, "optional", 0, .doc = "Whether the object or its keys may be missing."),
	{ 0 } } };

static const struct schema trust_bundle_schema = { "ClusterTrustBundleProjection", "Trust anchors as a PEM file.", 0,
	(const struct field[]){
	FIELD_AS("labelSelector", FIELD_OBJ_, 0, .schema = &kube_label_selector_schema, .doc = "Bundles by label."),
	TEXT("name", "Bundle by name."), FLAG("optional", "Whether it may be missing."), MUST("path",
		"Path of the file."),
	TEXT("signerName", "Bundles by signer."),
	{ 0 } } };

static const struct schema token_projection_schema = { "ServiceAccountTokenProjection",
	"A token of the pod's service account.", 0, (const struct field[]){
	TEXT("audience", "Whom the token is for."), NUMBER("expirationSeconds", "How long it holds."), MUST("path",
		"Path of the file."),
	{ 0 } } };

static const struct schema pod_certificate_schema = { "PodCertificateProjection", "A key and certificate for the pod.",
	0, (const struct field[]){
	TEXT("certificateChainPath", "Path of the certificate chain."), TEXT("credentialBundlePath",
		"Path of key and chain in one file."),
	TEXT("keyPath", "Path of the key."), TEXT("keyType", "Kind of key."), NUMBER("maxExpirationSeconds",
		"Longest validity."),
	TEXT("signerName", "Who signs."), FIELD_AS("userAnnotations", FIELD_KVS, 0,
		.doc = "What the signer wants to know."),
	{ 0 } } };

static const struct schema projection_schema = { "VolumeProjection", "One source of a projected volume.",
	sizeof(struct projection), (const struct field[]){
	FIELD_AS("clusterTrustBundle", FIELD_OBJ_, LATER, .one_of = "source", .schema = &trust_bundle_schema,
		.doc = "Trust anchors.", .hint = "put the certificates into a ConfigMap; those of this machine are in /etc/ssl/certs"),
	FIELD_PTR(struct projection, config_map, "configMap", 0, &object_projection_schema, .one_of = "source",
		.doc = "Keys of a ConfigMap."),
	FIELD_PTR(struct projection, downward, "downwardAPI", 0, &downward_projection_schema, .one_of = "source",
		.doc = "Fields of the pod."),
	FIELD_AS("podCertificate", FIELD_OBJ_, LATER, .one_of = "source", .schema = &pod_certificate_schema,
		.doc = "A certificate.", .hint = "put key and certificate into a Secret"),
	FIELD_PTR(struct projection, secret, "secret", 0, &object_projection_schema, .one_of = "source",
		.doc = "Keys of a Secret."),
	FIELD_AS("serviceAccountToken", FIELD_OBJ_, LATER, .one_of = "source", .schema = &token_projection_schema,
		.doc = "A token.", WHY_NO_TOKEN),
	FIELD_SRC(struct projection, src),
	{ 0 } } };
const struct schema kube_projected_schema = { "ProjectedVolumeSource", "Several sources in one directory.",
	sizeof(struct projected_volume), (const struct field[]){
	MODE(struct projected_volume),
	FIELD_LIST(struct projected_volume, sources, "sources", 0, &projection_schema, .doc = "The sources; of two files at one path the later counts."),
	{ 0 } } };

/* ---- claims ------------------------------------------------------------------------------------------------- */

const struct schema kube_owner_schema = { "EmbeddedOwnerReference", "An object that this one belongs to.", 0,
	(const struct field[]){
	MUST("apiVersion", "API version of the owner."), FLAG("blockOwnerDeletion",
		"Whether the owner waits for this object."),
	FLAG("controller", "Whether the owner manages this object."), MUST("kind", "Kind of the owner."), MUST("name",
		"Name of the owner."),
	MUST("uid", "Id of the owner."),
	{ 0 } } };

const struct schema kube_object_meta_schema = { "EmbeddedObjectMeta", "Metadata of an embedded object.", 0,
	(const struct field[]){
	FIELD_AS("annotations", FIELD_KVS, 0, .doc = "Annotations by name."),
	FIELD_AS("creationTimestamp", FIELD_VAL, STATUS, .doc = "Set by the server."),
	FIELD_AS("deletionGracePeriodSeconds", FIELD_VAL, STATUS, .doc = "Set by the server."),
	FIELD_AS("deletionTimestamp", FIELD_VAL, STATUS, .doc = "Set by the server."),
	FIELD_AS("finalizers", FIELD_STRS, 0, .doc = "Who must agree to a deletion."),
	FIELD_AS("generateName", FIELD_STR, 0, .doc = "Prefix of a made-up name."),
	FIELD_AS("generation", FIELD_VAL, STATUS, .doc = "Set by the server."),
	FIELD_AS("labels", FIELD_KVS, 0, .doc = "Labels by name."),
	FIELD_AS("managedFields", FIELD_VAL, STATUS, .doc = "Set by the server."),
	FIELD_AS("name", FIELD_STR, 0, .doc = "Name of the object."),
	FIELD_AS("namespace", FIELD_STR, 0, .doc = "Namespace of the object."),
	FIELD_AS("ownerReferences", FIELD_LIST_, 0, .schema = &kube_owner_schema, .doc = "Objects it belongs to."),
	FIELD_AS("resourceVersion", FIELD_STR, STATUS, .doc = "Set by the server."),
	FIELD_AS("selfLink", FIELD_STR, STATUS, .doc = "Set by old servers."),
	FIELD_AS("uid", FIELD_STR, STATUS, .doc = "Set by the server."),
	{ 0 } } };

static const struct schema typed_ref_schema = { "TypedObjectReference", "An object by group, kind and name.", 0,
	(const struct field[]){
	TEXT("apiGroup", "Group of the object."), MUST("kind", "Its kind."), MUST("name", "Its name."),
		TEXT("namespace", "Its namespace."),
	{ 0 } } };

#define WHY_A_FOLDER .hint = "a claim is a folder of this machine: any step may write to it, as much as the disk holds"
#define INSTEAD .hint = "let the setting `claims` map the claim to a folder that holds what it is to begin with"

static const struct schema claim_resources_schema = { "VolumeResourceRequirements",
	"How much storage a claim asks for.", 0, (const struct field[]){
	FIELD_AS("limits", FIELD_VAL, 0, .doc = "Most it may have."),
	FIELD_AS("requests", FIELD_VAL, 0, .doc = "Least it needs: storage."),
	{ 0 } } };

static const char *const volume_modes[] = { "", "Filesystem", NULL };
const struct schema kube_claim_spec_schema = { "PersistentVolumeClaimSpec", "What storage is asked for.", 0,
	(const struct field[]){
	FIELD_AS("accessModes", FIELD_STRS, NOEFFECT, .doc = "ReadWriteOnce, ReadOnlyMany, ReadWriteMany, ReadWriteOncePod.", WHY_A_FOLDER),
	FIELD_AS("dataSource", FIELD_OBJ_, LATER, .schema = &typed_ref_schema, .doc = "Snapshot or claim to begin with.", INSTEAD),
	FIELD_AS("dataSourceRef", FIELD_OBJ_, LATER, .schema = &typed_ref_schema, .doc = "Object to begin with.", INSTEAD),
	FIELD_AS("resources", FIELD_OBJ_, NOEFFECT, .schema = &claim_resources_schema, .doc = "Size.", WHY_A_FOLDER),
	FIELD_AS("selector", FIELD_OBJ_, LATER, .schema = &kube_label_selector_schema, .doc = "Volumes by label.", INSTEAD),
	FIELD_AS("storageClassName", FIELD_STR, NOEFFECT, .doc = "Class of storage.", WHY_A_FOLDER),
	FIELD_AS("volumeAttributesClassName", FIELD_STR, NOEFFECT, .doc = "Class of volume attributes.", WHY_A_FOLDER),
	FIELD_AS("volumeMode", FIELD_STR, 0, .choices = volume_modes, .doc = "Filesystem; there are no block devices."),
	FIELD_AS("volumeName", FIELD_STR, LATER, .doc = "A certain volume.", INSTEAD),
	{ 0 } } };

static void
check_claim_template(void *obj UNUSED, const struct val *in, struct decode *c)
{
	str name = val_get_str(val_get(in, S("metadata")), "name");
	if (!name.n)
		decode_error(c, in, "metadata", "metadata.name must be set: it is the name of the volume");
	else if (name.p[0] == '.' || memchr(name.p, '/', name.n) || name.n > 253)
		decode_error(c, in, "metadata", "\"%.*s\" cannot be the name of a volume", STR_ARG(str_slice(name, 0, 60)));
}

const struct schema kube_claim_schema = { "PersistentVolumeClaim", "A claim for storage, made for one workflow.", 0,
	(const struct field[]){
	TEXT("apiVersion", "v1."), TEXT("kind", "PersistentVolumeClaim."),
	FIELD_AS("metadata", FIELD_OBJ_, 0, .schema = &kube_object_meta_schema, .doc = "Name, labels and annotations."),
	FIELD_AS("spec", FIELD_OBJ_, 0, .schema = &kube_claim_spec_schema, .doc = "What is asked for."),
	FIELD_AS("status", FIELD_VAL, STATUS, .doc = "Set by the server."),
	{ 0 } }, check_claim_template };

const struct schema kube_claim_template_schema = { "PersistentVolumeClaimTemplate",
	"A claim made with the pod and gone with it.", 0, (const struct field[]){
	FIELD_AS("metadata", FIELD_OBJ_, 0, .schema = &kube_object_meta_schema, .doc = "Labels and annotations."),
	FIELD_AS("spec", FIELD_OBJ_, REQ, .schema = &kube_claim_spec_schema, .doc = "What is asked for."),
	{ 0 } } };
VOLUME(ephemeral, "EphemeralVolumeSource", "A claim that lives as long as the pod.",
	FIELD_AS("volumeClaimTemplate", FIELD_OBJ_, 0, .schema = &kube_claim_template_schema, .doc = "The claim."));
