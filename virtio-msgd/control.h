/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The control socket. A request is a line with a JSON object,
 *
 *	{"command": NAME, "window": "0" or "CARRIER/0", "params": {NAME: VALUE}}
 *
 * the answer a line with {"ok": RESULT} or {"error": TEXT}.
 */
#ifndef MSGD_CONTROL_H
#define MSGD_CONTROL_H

#include <jansson.h>

#include "log.h"

struct control;

/* Serve @path; NULL with @err set. */
struct control *control_listen(const char *path, struct errmsg *err);
void control_close(struct control *control);

/* Carry out one request; the answer, which the caller owns. */
json_t *control_request(const json_t *request);

/* All windows with their counters */
json_t *control_counters(void);

/*
 * The other end: send the command in @words ("add", "0", "device=rng") to
 * @path and print the answer. The program's exit status.
 */
int control_client(const char *path, char *const *words);

/* The commands with their arguments, for --help */
extern const char control_help[];

#endif
