/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The process of one guest: it has that guest's windows, devices, memory and
 * backends, and what the parent gave it to reach them. It does what the parent asks, and
 * goes on without a parent if it may be found by the next one.
 */
#ifndef MSGD_CHILD_H
#define MSGD_CHILD_H

#include <jansson.h>
#include <stdbool.h>

#include "base/base.h"

/**
 * struct child - what the parent gave to the process
 * @channel: socket to the parent
 * @meet: listening socket at which the next parent asks for this process, -1: none,
 *	the process ends with its parent
 * @guest: what the guest comes by: the UML socket that listens; of a Xen guest, where
 *	the parent is asked for devices; -1: none
 * @meets: there is another parent: makes what it gets in place of @guest, -errno: not
 *	possible. NULL: that is @guest itself
 * @met: it is there; NULL: nobody wants to know
 * @mark: tells this process's options from others'
 */
struct child {
	int channel;
	int meet;
	int guest;
	int (*meets)(struct child *child);
	void (*met)(void);
	char mark[32];
};

/* The parent's words, as value of --guest. 0, or -1 with @err set. */
int child_params(struct child *child, struct params *params, struct errmsg *err);

/* What is wrong with the options, for the parent to tell the user */
void child_refuse(const struct child *child, const struct errmsg *err);

/* Talk to the parent from now on: 0 or -ENOMEM. */
int child_open(struct child *child);
/*
 * Hand what the parent says under that name to @take, from now on. Returns when it has
 * said something: 0, or -ETIMEDOUT.
 */
int child_hear(const char *name, void (*take)(const json_t *said));
/* Say something to the parent, if there is one; takes over the reference. */
void child_say(json_t *message);

/* Serve until the parent, or the end of the guest, ends it. The exit status. */
int child_serve(const char *name);
/* All is done, and said: let go of the parent. */
void child_close(void);

/* The guest is gone and will not come back. */
void child_guest_over(void);

#endif
