/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One line on stderr. What a guest or a backend can cause is logged with
 * log_limited(), so that it cannot fill the disk.
 */
#ifndef MSGD_LOG_H
#define MSGD_LOG_H

#include <stdbool.h>

void log_line(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* At most LOG_BURST lines in LOG_PERIOD_S seconds; what was dropped is counted. */
#define LOG_BURST	20
#define LOG_PERIOD_S	5
void log_limited(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
