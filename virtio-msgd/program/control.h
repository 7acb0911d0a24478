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
#include <stdbool.h>
#include <sys/types.h>

#include "base/base.h"

struct control;

/* Has an answer, which is the callee's; called once for each request, maybe at once */
typedef void control_answer(void *arg, json_t *reply);
/* Has a request carried out; @request is the caller's. */
typedef void control_ask(const json_t *request, control_answer *answer, void *arg);

/* Whether the process with this number is not to be heard */
typedef bool control_stranger(pid_t pid);

/*
 * control_server.c: listen at @path; NULL with @err set. Who connects waits until
 * control_serve() has requests carried out, which is 0 or -1 with @err set.
 */
struct control *control_listen(const char *path, control_ask *ask, control_stranger *stranger,
			       struct errmsg *err);
int control_serve(struct control *control, struct errmsg *err);
void control_close(struct control *control);

/* control.c: carry out one request, on what is in this process; the caller owns the answer. */
json_t *control_execute(const json_t *request);

/*
 * control_client.c, the other end: send the command in @words ("add", "0", "device=rng") to
 * @path and print the answer. The program's exit status.
 */
int control_client(const char *path, char *const *words);

/* The commands with their arguments, for --help */
extern const char control_help[];

#endif
