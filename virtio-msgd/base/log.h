/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Words to the user: one line each on stderr, and errors that are passed up to
 * who asked (the command line, the control socket).
 */
#ifndef MSGD_LOG_H
#define MSGD_LOG_H

void log_line(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/*
 * For what a guest or a backend can cause as often as it likes: at most
 * LOG_BURST lines in LOG_PERIOD_S seconds; how many were dropped is logged.
 */
#define LOG_BURST	20
#define LOG_PERIOD_S	5
void log_limited(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/**
 * struct errmsg - why something the user asked for failed
 * @text: one line without a newline: what is wrong and what would be right
 */
struct errmsg {
	char text[256];
};

/* Fill it in; returns -1, so that "return errmsg_set(...)" reads well. */
int errmsg_set(struct errmsg *err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif
