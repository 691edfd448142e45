/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cluster: whom to ask of a Kubernetes cluster, and as whom: from a kubeconfig, or from what a pod has of its service account. Both are read anew
 * for each call, so that a token that is renewed counts at once. Nothing is sent here.
 *
 * Of a kubeconfig count the server, its certificate authority and name, a token, a client certificate, a name with a password. What would run
 * programs or ask others (exec, auth-provider), act as another user (as), or go by another way (proxy-url) is refused by its name.
 */
#ifndef TIDEGATE_CORE_NET_CLUSTER_H
#define TIDEGATE_CORE_NET_CLUSTER_H

#include "core/net/httpc.h"
#include "core/val.h"

enum cluster_access { CLUSTER_NONE, CLUSTER_KUBECONFIG, CLUSTER_IN_CLUSTER };

/* Where that stands: `kubernetes` of the settings. */
struct cluster_place {
	int access;          /* enum cluster_access */
	str kubeconfig;      /* file; empty: the one that KUBECONFIG of the environment names */
	str context;         /* of it; empty: its current-context */
	str service_account; /* folder with token and ca.crt, in a pod */
};

struct cluster {
	str url;        /* without a slash at its end */
	str connect_to; /* present: "host:port" of the server, where its certificate has another name, which is in `url` */
	str ca_pem, cert_pem, key_pem;
	str token;
	str user, password;
	bool insecure;  /* the manifest of it says that the certificate is not to be verified */
};

/* In `a`. Reads small local files. ERR_UNSUPPORTED: there is no cluster, or a way to log in that is not served; else what is wrong, and where. */
int cluster_read(const struct cluster_place *p, struct arena *a, struct cluster *out, struct err *e) MUST_CHECK;
/* The same of the text of a kubeconfig; files that it names are below `folder`. */
int cluster_read_kubeconfig(str text, str folder, str context, struct arena *a, struct cluster *out, struct err *e) MUST_CHECK;
/* GET of a path with its query, in `a`. */
void cluster_get(const struct cluster *c, str path, struct arena *a, struct http_call *out);
/* What an answer says that refuses: its Status, or the beginning of what it is. */
void cluster_refused(struct arena *a, int status, str body, struct err *e);

/* ---- objects ---------------------------------------------------------------------------------------------------------- */

/* A line of a watch, or the item of a list. */
struct cluster_object {
	enum cluster_change { CLUSTER_ADDED, CLUSTER_MODIFIED, CLUSTER_DELETED, CLUSTER_BOOKMARK, CLUSTER_ERROR } change;
	str ns, name, uid, version; /* version: resourceVersion, never empty but for an ERROR */
	int64_t created_ns;         /* 0: it does not say */
	struct val object;
	int code;                   /* of an ERROR: 410: the version is too old; 0: it does not say */
};

/* A line of a watch; texts in `a` or in the line. ERR_INVALID: it is none. */
int cluster_read_line(str line, struct arena *a, struct cluster_object *out, struct err *e) MUST_CHECK;
/* An object by itself, of a list: what is not an object with a name and a version is ERR_INVALID. */
int cluster_read_object(const struct val *v, struct cluster_object *out, struct err *e) MUST_CHECK;

#endif
