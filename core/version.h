/* SPDX-License-Identifier: Apache-2.0 */
/* version: what this program calls itself, and whose manifests it understands. */
#ifndef TIDEGATE_CORE_VERSION_H
#define TIDEGATE_CORE_VERSION_H

#define TIDEGATE_VERSION "0.1.0"
#define ARGO_WORKFLOWS_VERSION "v4.1.2"
#define ARGO_EVENTS_VERSION "v1.9.11"
#ifdef __clang__
#define TIDEGATE_COMPILER "clang " __clang_version__
#else
#define TIDEGATE_COMPILER "gcc " __VERSION__
#endif

#endif
