/* SPDX-License-Identifier: Apache-2.0 */
/* kube_env: environment, mounts and the volumes that are served: the Kubernetes types whose content is used here. */
#include "config/config.h"
#include "config/kube.h"

/* ---- environment -------------------------------------------------------------------------------------------- */

static const struct schema object_ref_schema = { "EnvSource", "A whole ConfigMap or Secret.", sizeof(struct object_ref),
	(const struct field[]){
	FIELD(struct object_ref, name, "name", 0, .doc = "Name of the object."),
	FIELD(struct object_ref, optional, "optional", 0, .doc = "Whether the object may be missing."),
	{ 0 } } };

const struct schema env_from_schema = { "EnvFromSource", "Every key of a ConfigMap or Secret as a variable.",
	sizeof(struct env_from), (const struct field[]){
	FIELD_PTR(struct env_from, config_map, "configMapRef", 0, &object_ref_schema, .one_of = "source",
		.doc = "The ConfigMap."),
	FIELD(struct env_from, prefix, "prefix", 0, .doc = "Put before every name."),
	FIELD_PTR(struct env_from, secret, "secretRef", 0, &object_ref_schema, .one_of = "source",
		.doc = "The Secret."),
	{ 0 } } };

static const struct schema file_key_schema = { "FileKeySelector", "A key of a file of variables.", 0,
	(const struct field[]){
	FIELD_AS("key", FIELD_STR, REQ, .doc = "The key."),
	FIELD_AS("optional", FIELD_BOOL, 0, .doc = "Whether file or key may be missing."),
	FIELD_AS("path", FIELD_STR, REQ, .doc = "Path of the file in the volume."),
	FIELD_AS("volumeName", FIELD_STR, REQ, .doc = "Name of the volume, an emptyDir."),
	{ 0 } } };

static const struct schema env_from_key_schema = { "EnvVarSource", "Where a variable takes its value from.",
	sizeof(struct env_from_key), (const struct field[]){
	FIELD_PTR(struct env_from_key, config_map, "configMapKeyRef", 0, &config_map_ref_schema, .one_of = "source",
		.doc = "A key of a ConfigMap."),
	FIELD(struct env_from_key, field_ref, "fieldRef", 0, .schema = &kube_field_ref_schema, .one_of = "source",
		.doc = "A field of the pod."),
	FIELD(struct env_from_key, resource_field_ref, "resourceFieldRef", 0,
		.schema = &kube_resource_field_ref_schema,
		.one_of = "source", .doc = "A resource of the container."),
	FIELD_PTR(struct env_from_key, secret, "secretKeyRef", 0, &secret_ref_schema, .one_of = "source",
		.doc = "A key of a Secret."),
	FIELD_AS("fileKeyRef", FIELD_OBJ_, LATER, .schema = &file_key_schema, .one_of = "source",
		.doc = "A key of a file of variables in a volume.", .hint = "read the file in the command, or use a ConfigMap"),
	{ 0 } } };

static void
check_env_var(void *obj, const struct val *in, struct decode *c)
{
	const struct env_var *env = obj;

	if (env->value.n && env->value_from)
		decode_error(c, in, "valueFrom", "value and valueFrom exclude each other");
}

const struct schema env_var_schema = { "EnvVar", "An environment variable.", sizeof(struct env_var),
	(const struct field[]){
	FIELD(struct env_var, name, "name", REQ, .doc = "Name of the variable."),
	FIELD(struct env_var, value, "value", 0,
		.doc = "Its value; `$(OTHER)` stands for a variable defined before it."),
	FIELD_PTR(struct env_var, value_from, "valueFrom", 0, &env_from_key_schema,
		.doc = "Where to take the value from."),
	{ 0 } }, check_env_var };

/* ---- mounts and volumes ------------------------------------------------------------------------------------- */

static void
check_mount(void *obj, const struct val *in, struct decode *c)
{
	const struct volume_mount *m = obj;

	if (m->sub_path.n && m->sub_path_expr.n)
		decode_error(c, in, "subPathExpr", "subPath and subPathExpr exclude each other");
}

const struct schema volume_mount_schema = { "VolumeMount", "A place in the container where a volume appears.",
	sizeof(struct volume_mount), (const struct field[]){
	FIELD(struct volume_mount, mount_path, "mountPath", REQ, .doc = "Absolute path in the container."),
	FIELD_AS("mountPropagation", FIELD_STR, NOEFFECT,
		.doc = "Whether mounts made later are seen on the other side.",
		.hint = "mounts are private to the step"),
	FIELD(struct volume_mount, name, "name", REQ, .doc = "Name of the volume."),
	FIELD(struct volume_mount, read_only, "readOnly", 0, .doc = "Mount it read-only."),
	FIELD_AS("recursiveReadOnly", FIELD_STR, NOEFFECT, .doc = "Whether mounts below are read-only as well.",
		.hint = "with `readOnly` everything below is, as with `Enabled`"),
	FIELD(struct volume_mount, sub_path, "subPath", 0,
		.doc = "Directory or file inside the volume to mount; the root by default."),
	FIELD(struct volume_mount, sub_path_expr, "subPathExpr", 0,
		.doc = "The same with `$(VAR)` from the container's env; excludes subPath."),
	FIELD_SRC(struct volume_mount, src),
	{ 0 } }, check_mount };

const struct schema key_to_path_schema = { "KeyToPath", "A key and the file it becomes.", sizeof(struct key_to_path),
	(const struct field[]){
	FIELD(struct key_to_path, key, "key", REQ, .doc = "Key of the object."),
	FIELD(struct key_to_path, mode, "mode", 0, .min = 0, .max = 0777, .doc = "Mode bits of the file."),
	FIELD(struct key_to_path, path, "path", REQ, .doc = "Relative path of the file in the volume."),
	{ 0 } } };

static const char *const media[] = { "", "Memory", NULL };
static const char *const host_path_types[] = { "", "DirectoryOrCreate", "Directory", "FileOrCreate", "File",
	"Socket", "CharDevice", "BlockDevice", NULL };

static const struct schema empty_dir_schema = { "EmptyDirVolumeSource", "An empty directory for the step.",
	sizeof(struct empty_dir), (const struct field[]){
	FIELD(struct empty_dir, medium, "medium", 0, .choices = media, .doc = "`Memory` keeps it in memory."),
	FIELD(struct empty_dir, size_limit, "sizeLimit", 0, .doc = "Most it may hold, as a quantity such as 64Mi; kept to in memory only."),
	{ 0 } } };

static const struct schema host_path_schema = { "HostPathVolumeSource", "A path of the host.", sizeof(struct host_path),
	(const struct field[]){
	FIELD(struct host_path, path, "path", REQ, .doc = "The path; the settings say which are allowed."),
	FIELD(struct host_path, type, "type", 0, .choices = host_path_types,
		.doc = "What must be there before the step starts."),
	{ 0 } } };

#define OBJECT_VOLUME_ROWS(what) \
	FIELD(struct object_volume, default_mode, "defaultMode", 0, .dflt = "420", .min = 0, .max = 0777, \
		.doc = "Mode bits of the files; 420 is 0644."), \
	FIELD_LIST(struct object_volume, items, "items", 0, &key_to_path_schema, \
		.doc = "Keys to take and where to put them; all if empty."), \
	FIELD(struct object_volume, optional, "optional", 0, .doc = "Whether the " what " or its keys may be missing.")

static const struct schema config_map_volume_schema = { "ConfigMapVolumeSource", "The keys of a ConfigMap as files.",
	sizeof(struct object_volume),
	(const struct field[]){
	OBJECT_VOLUME_ROWS("ConfigMap"),
	FIELD(struct object_volume, name, "name", 0, .doc = "Name of the ConfigMap."),
	{ 0 } } };

static const struct schema secret_volume_schema = { "SecretVolumeSource", "The keys of a Secret as files.",
	sizeof(struct object_volume),
	(const struct field[]){
	OBJECT_VOLUME_ROWS("Secret"),
	FIELD(struct object_volume, name, "secretName", 0, .doc = "Name of the Secret."),
	{ 0 } } };

static const struct schema claim_volume_schema = { "PersistentVolumeClaimVolumeSource", "A claim that exists already.",
	sizeof(struct claim_volume),
	(const struct field[]){
	FIELD(struct claim_volume, claim_name, "claimName", REQ, .doc = "Name of the claim; `WORKFLOW-NAME` is that of a volumeClaimTemplate."),
	FIELD(struct claim_volume, read_only, "readOnly", 0, .doc = "Mount it read-only."),
	{ 0 } } };

/* Kinds that need the storage of a cluster or of a cloud. */
#define FOREIGN(name, sc, what) FIELD_AS(name, FIELD_OBJ_, LATER, .one_of = "kind", .schema = &sc, .doc = what, \
	.hint = "mount it on this machine and use hostPath, or a persistentVolumeClaim that the setting `claims` maps to it")

const struct schema volume_schema = { "Volume", "A directory that containers may mount.", sizeof(struct volume),
	(const struct field[]){
	FIELD(struct volume, name, "name", REQ, .doc = "Name that mounts use."),
	FIELD_PTR(struct volume, config_map, "configMap", 0, &config_map_volume_schema, .one_of = "kind",
		.doc = "Files from a ConfigMap."),
	FIELD_PTR(struct volume, empty_dir, "emptyDir", 0, &empty_dir_schema, .one_of = "kind",
		.doc = "An empty directory."),
	FIELD_PTR(struct volume, host_path, "hostPath", 0, &host_path_schema, .one_of = "kind",
		.doc = "A path of the host."),
	FIELD_PTR(struct volume, claim, "persistentVolumeClaim", 0, &claim_volume_schema, .one_of = "kind",
		.doc = "A folder that stays: of a PersistentVolumeClaim, of the setting `claims`, or of the workflow's "
			"volumeClaimTemplates."),
	FIELD_PTR(struct volume, downward, "downwardAPI", 0, &kube_downward_api_schema, .one_of = "kind",
		.doc = "Files with fields of the pod."),
	FIELD(struct volume, ephemeral, "ephemeral", 0, .schema = &kube_ephemeral_schema, .one_of = "kind",
		.doc = "A folder that goes with the pod, as an emptyDir."),
	FIELD_PTR(struct volume, projected, "projected", 0, &kube_projected_schema, .one_of = "kind",
		.doc = "Several sources in one directory."),
	FIELD_PTR(struct volume, secret, "secret", 0, &secret_volume_schema, .one_of = "kind",
		.doc = "Files from a Secret."),
	FOREIGN("awsElasticBlockStore", kube_aws_disk_schema, "A disk of AWS."),
	FOREIGN("azureDisk", kube_azure_disk_schema, "A disk of Azure."),
	FOREIGN("azureFile", kube_azure_file_schema, "A file share of Azure."),
	FOREIGN("cephfs", kube_cephfs_schema, "A directory of CephFS."),
	FOREIGN("cinder", kube_cinder_schema, "A disk of OpenStack."),
	FOREIGN("csi", kube_csi_schema, "A volume of a CSI driver."),
	FOREIGN("fc", kube_fc_schema, "A Fibre Channel disk."),
	FOREIGN("flexVolume", kube_flex_schema, "A volume of a flex driver."),
	FOREIGN("flocker", kube_flocker_schema, "A Flocker data set."),
	FOREIGN("gcePersistentDisk", kube_gce_disk_schema, "A disk of Google Cloud."),
	FOREIGN("gitRepo", kube_git_repo_schema, "A clone of a repository."),
	FOREIGN("glusterfs", kube_glusterfs_schema, "A GlusterFS volume."),
	FOREIGN("image", kube_image_volume_schema, "The files of an image."),
	FOREIGN("iscsi", kube_iscsi_schema, "An iSCSI disk."),
	FOREIGN("nfs", kube_nfs_schema, "A directory of an NFS server."),
	FOREIGN("photonPersistentDisk", kube_photon_schema, "A disk of Photon."),
	FOREIGN("portworxVolume", kube_portworx_schema, "A Portworx volume."),
	FOREIGN("quobyte", kube_quobyte_schema, "A Quobyte volume."),
	FOREIGN("rbd", kube_rbd_schema, "A block device of Ceph."),
	FOREIGN("scaleIO", kube_scaleio_schema, "A ScaleIO volume."),
	FOREIGN("storageos", kube_storageos_schema, "A StorageOS volume."),
	FOREIGN("vsphereVolume", kube_vsphere_schema, "A disk of vSphere."),
	FIELD_SRC(struct volume, src),
	{ 0 } } };
