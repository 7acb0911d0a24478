/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The guests, each served by a process of its own, which is started here, asked what
 * the user wants to know, started again when it dies, and told to end.
 *
 * The parent serves no guest and reads nothing that a guest writes. When it ends out of
 * order, the processes go on, and the next parent finds them: each has a socket in the
 * directory LISTEN.guests, beside the control socket.
 */
#ifndef MSGD_GUESTS_H
#define MSGD_GUESTS_H

#include <jansson.h>
#include <stdbool.h>

#include "program/control.h"
#include "base/base.h"
#include "program/confine.h"

struct guest;

/*
 * A guest to come. @key: tells it from all others; @name: as the user sees it; @where:
 * prefix of messages about its options. @path: of the socket that it connects to, NULL: it comes another way. NULL
 * if there is no memory.
 */
struct guest *guest_new(const char *key, const char *name, const char *where,
			const char *path);
/* An option for its process: "--window", "device=i2c" */
int guest_option(struct guest *guest, const char *option, const char *value);
/* Serve a guest that was found later; it is forgotten when its process says that it is gone. */
void guest_start_found(struct guest *guest);
/* All that can be found just now were: end the processes of those that are not any more. */
void guests_found_all(void);
/* The guest with this key, or NULL */
struct guest *guest_find(const char *key);
bool guests_any(void);
/* This is the process of one of them. */
bool guests_process(pid_t pid);

/*
 * Start all, or take over those that an earlier parent left; @listen: the control
 * socket's path, NULL: they end with this process. Returns when all of them serve,
 * or when the loop was told to end:
 * 0, or -1 with @err set.
 */
int guests_start(const struct confinement *conf, const char *listen, struct errmsg *err);
/*
 * This parent is not going to serve: leave those that an earlier one had as they were, for
 * the next one.
 */
void guests_leave(void);
/* End all, in order, as far as they do so in time. Returns when they are gone. */
void guests_stop(void);

/* Have a control request carried out by whom it concerns, see control.h. */
void guests_ask(const json_t *request, control_answer *answer, void *arg);

#endif
