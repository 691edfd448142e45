/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/kinds.h"
#include "engine/engine.h"
#include "sensors/sensor.h"
#include "sources/source.h"

const struct kind *const tidegate_kinds[] = {
	&kind_eventsource, &kind_eventbus, &kind_sensor, &kind_workflow, &kind_workflowtemplate, &kind_clusterworkflowtemplate,
	&kind_cronworkflow, &kind_workfloweventbinding, &kind_configmap, &kind_secret, &kind_claim,
};
const size_t tidegate_kinds_n = ARRAY_LEN(tidegate_kinds);
