// SPDX-License-Identifier: GPL-2.0-only
/*
 * Clients of the control socket, whose requests are carried out at once, later, or by
 * guests that have no process.
 */
#include "program/control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "machine.h"
#include "program/guests.h"

#define CLIENTS	4
#define LATER	8

/**
 * struct waiting - a request that is answered later
 * @request: what was asked; NULL: nothing
 * @answer: who wants to know
 * @arg: for that
 */
struct waiting {
	json_t *request;
	control_answer *answer;
	void *arg;
};

/**
 * struct run - a control socket and its clients
 * @in: the input
 * @control: the socket
 * @where: it listens
 * @clients: connections, -1: none
 * @later: requests that are answered later
 * @how: how requests are carried out
 */
static struct run {
	struct input *in;
	struct control *control;
	struct fuzz_address where;
	int clients[CLIENTS];
	struct waiting later[LATER];
	uint8_t how;
} run;

int __wrap_sock_connect(const char *path, struct errmsg *err);
int __wrap_sock_listen(const char *path, struct errmsg *err);

int __wrap_sock_connect(const char *path, struct errmsg *err)
{
	errno = ENOENT;
	return errmsg_set(err, "%s: not here", path);
}

int __wrap_sock_listen(const char *path, struct errmsg *err)
{
	(void)path;
	(void)err;
	return fuzz_listen(&run.where);
}

/* Whatever is asked, there is an answer, and it can be written. */
static json_t *execute(const json_t *request)
{
	json_t *reply = control_execute(request);
	char *text = json_dumps(reply, JSON_COMPACT);

	fuzz_check(text && (json_object_get(reply, "ok") || json_object_get(reply, "error")));
	free(text);
	return reply;
}

static void ask(const json_t *request, control_answer *answer, void *arg)
{
	unsigned int i;

	for (i = 0; run.how == 1 && i < LATER; i++) {
		if (run.later[i].request)
			continue;
		run.later[i] = (struct waiting) { json_deep_copy(request), answer, arg };
		return;
	}
	if (run.how == 2)
		guests_ask(request, answer, arg);
	else
		answer(arg, execute(request));
}

static bool nobody(pid_t pid)
{
	(void)pid;
	return false;
}

static void answer_later(unsigned int i)
{
	struct waiting now = run.later[i];

	if (!now.request)
		return;
	run.later[i].request = NULL;
	now.answer(now.arg, execute(now.request));
	json_decref(now.request);
}

/* A line of the input, or only its beginning */
static void send_line(int fd)
{
	uint8_t how = take8(run.in);
	char *line = take_line(run.in);
	unsigned int times = how & 0x80 ? how & 0x7f : 1;

	while (times--) {
		fuzz_send(fd, line, strlen(line), NULL, 0);
		if (!(how & 1))
			fuzz_send(fd, "\n", 1, NULL, 0);
	}
	free(line);
}

/* Names of commands and of what they take are not to be guessed */
static void send_request(int fd)
{
	static const char *const commands[] = {
		"list", "counters", "counters-reset", "add", "remove", "set", "config-change",
		"break", "",
	};
	static const char *const windows[] = { "0", "1", "fuzz/0", "fuzz/1", "uml:a/0", "/" };
	static const char *const names[] = { "device", "size", "clock", "read-only", "socket" };
	static const char *const values[] = { "blk", "i2c", "rng", "1024", "512", "none", "on" };
	json_t *params = json_object(), *request;
	uint8_t how = take8(run.in), num;
	char *text;

	request = json_pack("{s:s}", "command", commands[how % 9]);
	for (num = take8(run.in) % 4; num; num--) {
		uint8_t value = take8(run.in);
		const char *name = names[take8(run.in) % 5];

		if (value < 7) {
			json_object_set_new(params, name, json_string(values[value]));
		} else {
			text = take_line(run.in);
			json_object_set_new(params, name, json_string(text));
			free(text);
		}
	}
	if (how & 0x80)
		json_object_set_new(request, "window", json_string(windows[take8(run.in) % 6]));
	json_object_set_new(request, "params", params);
	text = json_dumps(request, JSON_COMPACT);
	fuzz_check(text);
	fuzz_send(fd, text, strlen(text), NULL, 0);
	fuzz_send(fd, "\n", 1, NULL, 0);
	free(text);
	json_decref(request);
}

static void step(void)
{
	uint8_t choice = take8(run.in);
	int *fd = &run.clients[choice / 16 % CLIENTS];

	switch (choice % 16) {
	case 0:
		fuzz_connect(&run.where, fd);
		break;
	case 1:
		if (*fd >= 0)
			close(*fd);
		*fd = -1;
		break;
	case 2:
		shutdown(*fd, take8(run.in) % 3);
		break;
	case 3:
		fuzz_drain(*fd);
		break;
	case 4:
		answer_later(take8(run.in) % LATER);
		break;
	case 5:
		run.how = take8(run.in) % 3;
		break;
	case 6:
		send_line(*fd);
		break;
	case 7:
		break;
	default:
		send_request(*fd);
	}
	fuzz_pass(take8(run.in));
}

static void stop(void)
{
	unsigned int i;

	for (i = 0; i < CLIENTS; i++) {
		if (run.clients[i] >= 0)
			close(run.clients[i]);
	}
	fuzz_pass(0);
	control_close(run.control);
	/* Answers for who is gone */
	for (i = 0; i < LATER; i++)
		answer_later(i);
	guests_stop();
}

void fuzz_one(struct input *in)
{
	struct machine *m = machine_new(false);
	struct window_config mmio = window_config_default;
	struct errmsg err;
	unsigned int i;

	mmio.mmio = true;
	fuzz_check(window_create(&m->carrier, 0, &window_config_default));
	fuzz_check(window_create(&m->carrier, 1, &mmio));
	fuzz_check(!slot_attach(&m->carrier.windows[0]->slots[0], machine_device("device=blk,size=512")));
	run = (struct run) { .in = in };
	for (i = 0; i < CLIENTS; i++)
		run.clients[i] = -1;
	run.control = control_listen("/nowhere/control", ask, nobody, &err);
	fuzz_check(run.control);
	if (take8(in) & 1)
		fuzz_check(guest_new("uml:a", "uml:a", "", "/nowhere") &&
			   guest_new("xen", "xen:\xff", "", NULL));
	while (in->left)
		step();
	stop();
	machine_free(m);
}
