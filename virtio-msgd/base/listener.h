/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A socket that is listened at. When no descriptor can be had for who connects, it is
 * left alone for a moment, which is said once, instead of being looked at without end.
 */
#ifndef MSGD_LISTENER_H
#define MSGD_LISTENER_H

struct listener;

/* Somebody has connected: @fd is the callee's, non-blocking. */
typedef void listener_accept(void *arg, int fd);

/* @fd is the listener's from now on; @name is for the log. NULL if there is no memory. */
struct listener *listener_new(int fd, const char *name, listener_accept *accept, void *arg);
void listener_free(struct listener *listener);

#endif
