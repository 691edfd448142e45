/* SPDX-License-Identifier: Apache-2.0 */
/*
 * argo_args: the `args` of an argoWorkflow trigger, which Argo Events appends to a call of the argo command. They are read as argo
 * v4.1.2 reads them (pflag), each for the operations that have it. What would only show or print has no effect; what cannot be
 * done here is refused with what to write instead.
 */
#ifndef TIDEGATE_TRIGGERS_ARGO_ARGS_H
#define TIDEGATE_TRIGGERS_ARGO_ARGS_H

#include "core/field.h"

enum argo_operation { ARGO_SUBMIT, ARGO_SUBMIT_FROM, ARGO_RESUBMIT, ARGO_RESUME, ARGO_RETRY, ARGO_SUSPEND, ARGO_TERMINATE, ARGO_STOP };

struct argo_args {
	struct kvs parameters, output_parameters, labels, annotations;
	str ns, name, generate_name, entrypoint, service_account, node_field_selector, message;
	int64_t priority;
	bool has_priority, dry_run, memoized, restart_successful, exact;
};

/* The operation called so in a manifest; -1: there is none. "" is submit. */
int argo_operation(str name);
/*
 * Reads them into `out`, whose memory is in `a` or in `args`. ERR_INVALID or ERR_UNSUPPORTED with the text of the argument at fault; *at is its
 * place.
 */
int argo_args_read(enum argo_operation op, const struct strs *args, struct arena *a, struct argo_args *out, size_t *at, struct err *e) MUST_CHECK;

#endif
