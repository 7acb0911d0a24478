/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Words to the user: one line each on stderr, and errors that are passed up to
 * who asked (the command line, the control socket).
 *
 * Nobody waits for whoever reads the log: a line that cannot be written at once is
 * lost, and how many were is said when there is room again.
 */
#ifndef MSGD_LOG_H
#define MSGD_LOG_H

#include <stdbool.h>

/* To be called first; until then, and where it is not possible, lines may block. */
void log_init(void);

void log_line(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/*
 * For what a guest or a backend can cause as often as it likes: at most
 * LOG_BURST lines in LOG_PERIOD_S seconds of one cause.
 */
#define LOG_BURST	20
#define LOG_PERIOD_S	5

/**
 * struct log_limit - how many lines one cause has had; all zero at first
 * @begin: of the period, in seconds
 * @lines: in it
 * @dropped: that were too many, which is said when it ends
 * @who: whom they were about
 * @listed: @dropped is still to be said
 * @next: of those
 */
struct log_limit {
	long begin;
	unsigned int lines;
	unsigned int dropped;
	char who[64];
	bool listed;
	struct log_limit *next;
};

/* @limit is of whoever causes it, so that nobody else's lines are missing. */
void log_limited(struct log_limit *limit, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* It is going to be freed. */
void log_limit_end(struct log_limit *limit);
/* So is the event loop. */
void log_end(void);

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
