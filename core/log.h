/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log: structured lines to stderr, logfmt or JSON. A line is a message and pairs; values are quoted where needed and never
 * contain a raw control character. Any thread. Registered secret values are masked.
 *
 *     log_info("sensor fired", "sensor", name, "trigger", trigger, NULL);
 */
#ifndef TIDEGATE_CORE_LOG_H
#define TIDEGATE_CORE_LOG_H

#include "core/base.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_LOGFMT, LOG_JSON };

/* Before the first line; defaults: LOG_INFO, LOG_LOGFMT. */
void log_setup(enum log_level min, enum log_format format);
bool log_enabled(enum log_level level);
/* Lines of that level so far. Any thread. */
uint64_t log_written(enum log_level level);
/* Pairs of const char * (name, value), ended by NULL. A NULL value is printed as empty. */
void log_line(enum log_level level, const char *msg, ...) __attribute__((sentinel));
#define log_debug(...) (log_enabled(LOG_DEBUG) ? log_line(LOG_DEBUG, __VA_ARGS__) : (void)0)
#define log_info(...) log_line(LOG_INFO, __VA_ARGS__)
#define log_warn(...) log_line(LOG_WARN, __VA_ARGS__)
#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)
/* Values of six bytes or more are replaced by *** in every later line. */
void log_mask(str secret);

#endif
