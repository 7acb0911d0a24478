// SPDX-License-Identifier: GPL-2.0-only
/*
 * Between the parent and the process of a guest: what the one hears of the other, on
 * their channel and when they meet.
 */
#include "program/channel.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "machine.h"
#include "program/child.h"
#include "program/guests_internal.h"

#define KEY	"uml:/nowhere"

/* The control socket that would be there, and the place of processes beside it */
static char dir[] = "/tmp/virtio-msgd-fuzz-XXXXXX";
static char listen_path[64], place[80], socket_path[100];
/* What the parent knows its own processes by */
static char mark[20];

/* No process is started, or ended */
pid_t __wrap_fork(void);
int __wrap_kill(pid_t pid, int sig);

static unsigned int forks;

pid_t __wrap_fork(void)
{
	forks++;
	errno = EAGAIN;
	return -1;
}

int __wrap_kill(pid_t pid, int sig)
{
	(void)pid;
	(void)sig;
	return 0;
}

static void nothing(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
}

static void remove_dir(void)
{
	rmdir(dir);
}

/* Where meeting.c looks for the process of the guest called KEY */
static void name_socket(void)
{
	unsigned long long hash = 0xcbf29ce484222325;
	const char *c;

	for (c = KEY; *c; c++)
		hash = (hash ^ (unsigned char)*c) * 0x100000001b3;
	snprintf(socket_path, sizeof(socket_path), "%s/%016llx", place, hash);
}

static struct guest *some_guest(void)
{
	struct guest *guest = guest_new(KEY, KEY, "file: ", NULL);

	fuzz_check(guest && !guest_option(guest, "--window", "device=i2c"));
	return guest;
}

void fuzz_setup(void)
{
	struct event *event = evsignal_new(loop, SIGTERM, nothing, NULL);
	struct errmsg err;

	/* So that libevent has its socket for signals */
	fuzz_check(event && !event_add(event, NULL));
	event_free(event);
	fuzz_check(some_guest() && guests_start(&confinement_default, NULL, &err));
	strcpy(mark, guests->mark);
	guests_stop();
	fuzz_check(mkdtemp(dir));
	atexit(remove_dir);
	snprintf(listen_path, sizeof(listen_path), "%s/control", dir);
	snprintf(place, sizeof(place), "%s.guests", listen_path);
	name_socket();
}

/*
 * Words
 */

/* An object as it should be, but for its values */
static json_t *take_object(struct input *in)
{
	static const char *const commands[] = { "list", "counters", "remove", "add", "break" };
	json_t *object = json_object();
	uint8_t what = take8(in);
	char *text;

	if (what & 1)
		json_object_set_new(object, "ready", json_boolean(take8(in)));
	if (what & 2)
		json_object_set_new(object, "over", json_boolean(take8(in)));
	if (what & 4)
		json_object_set_new(object, "id", json_integer(take_edge(in)));
	if (what & 8)
		json_object_set_new(object, "reply", what & 1 ? json_integer(1) : json_object());
	if (what & 0x10)
		json_object_set_new(object, "request", json_pack("{s:s,s:s}", "command",
								 commands[take8(in) % 5],
								 "window", "0"));
	if (what & 0x60) {
		text = take_line(in);
		json_object_set_new(object, what & 0x20 ? "error" : "name", json_string(text));
		free(text);
	}
	if (what & 0x80)
		json_object_set_new(object, "quit", json_boolean(take8(in) & 1));
	return object;
}

static void say(struct input *in, int fd)
{
	uint8_t how = take8(in);
	char *text = NULL;
	json_t *object;

	if (how & 1) {
		object = take_object(in);
		text = json_dumps(object, JSON_COMPACT);
		json_decref(object);
	} else {
		text = take_line(in);
	}
	if (text)
		fuzz_send(fd, text, strlen(text), NULL, 0);
	if (!(how & 2))
		fuzz_send(fd, "\n", 1, NULL, 0);
	free(text);
}

/*
 * The parent, with a guest whose process says anything
 */

static void take_answer(void *arg, json_t *reply)
{
	unsigned int *open = arg;

	fuzz_check(*open);
	--*open;
	json_decref(reply);
}

static void ask(unsigned int *open, bool all)
{
	json_t *request = json_pack("{s:s}", "command", "list");

	++*open;
	if (all)
		guests_ask(request, take_answer, open);
	else
		guest_ask(guests, request, take_answer, open);
	json_decref(request);
}

static void hear_child(struct input *in)
{
	struct guest *guest = some_guest();
	unsigned int open = 0;
	int ends[2];

	fuzz_pair(ends);
	fuzz_check(!guest_take_over(guest, ends[0]));
	guest->found = take8(in) & 1;
	while (in->left && guests) {
		switch (take8(in) % 8) {
		case 0:
			ask(&open, false);
			break;
		case 1:
			ask(&open, true);
			break;
		case 2:
			fuzz_drain(ends[1]);
			break;
		case 3:
			shutdown(ends[1], take8(in) % 3);
			break;
		case 4:
			if (guest->channel)
				channel_drain(guest->channel);
			break;
		default:
			say(in, ends[1]);
		}
		forks = 0;
		fuzz_pass(take8(in) * 16);
		/* A process that cannot be started is not tried without end */
		fuzz_check(forks <= 2);
	}
	close(ends[1]);
	fuzz_pass(0);
	guests_stop();
	/* Who asked was told something */
	fuzz_check(!open);
}

/*
 * The process, with parents that say anything: when one is gone, the next one comes
 */

static struct input *parents_in;
static struct fuzz_address meet_where;
static int parent_fd;

static bool next_parent(void)
{
	static const char quit[] = "{\"quit\":true}\n";

	fuzz_connect(&meet_where, &parent_fd);
	fuzz_check(parent_fd >= 0);
	while (parents_in->left && take8(parents_in) % 8)
		say(parents_in, parent_fd);
	if (!parents_in->left)
		fuzz_send(parent_fd, quit, sizeof(quit) - 1, NULL, 0);
	shutdown(parent_fd, SHUT_WR);
	return true;
}

static void hear_parent(struct input *in)
{
	struct child child = { .meet = fuzz_listen(&meet_where), .mark = "mark" };
	struct machine *m = machine_new(false);
	int ends[2];

	fuzz_check(window_create(&m->carrier, 0, &window_config_default));
	fuzz_check(!slot_attach(&m->carrier.windows[0]->slots[0], machine_device("device=i2c")));
	fuzz_pair(ends);
	child.channel = ends[0];
	child.guest = child.meet;
	parents_in = in;
	parent_fd = ends[1];
	fuzz_peer = next_parent;
	fuzz_check(!child_open(&child));
	child_serve("uml:a");
	child_close();
	fuzz_peer = NULL;
	signal(SIGINT, SIG_DFL);
	close(parent_fd);
	close(child.meet);
	machine_free(m);
}

/*
 * The parent that looks for processes: who says what, when it is connected to
 */

static struct input *meeting_in;
static int listening, met;

static bool answer_parent(void)
{
	int fds[8], i;
	json_t *hello;
	char *text;
	uint8_t how;

	if (met >= 0) {
		shutdown(met, SHUT_WR);
		return fuzz_drain(met) > 0;
	}
	met = accept4(listening, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (met < 0)
		return false;
	for (i = 0; i < 8; i++)
		fds[i] = i % 2 ? met : listening;
	how = take8(meeting_in);
	if (how & 1) {
		size_t len = take8(meeting_in);
		const uint8_t *data = take_bytes(meeting_in, &len);

		fuzz_send(met, data, len, fds, how / 16 % 8);
		return true;
	}
	hello = take_object(meeting_in);
	json_object_set_new(hello, "version", json_string(how & 2 ? "other" : VERSION));
	json_object_set_new(hello, "mark", json_string(how & 4 ? "other" : mark));
	text = json_dumps(hello, JSON_COMPACT);
	fuzz_check(text);
	fuzz_send(met, text, strlen(text) + !(how & 8), fds, how / 16 % 8);
	free(text);
	json_decref(hello);
	return true;
}

static void meet(struct input *in)
{
	struct errmsg err;

	some_guest();
	fuzz_check(!mkdir(place, 0700));
	listening = sock_listen(take8(in) & 1 ? socket_path : "", &err);
	met = -1;
	meeting_in = in;
	fuzz_peer = answer_parent;
	guests_start(&confinement_default, listen_path, &err);
	while (in->left && met >= 0 && guests) {
		say(in, met);
		fuzz_pass(take8(in));
	}
	meeting_rest();
	fuzz_peer = NULL;
	if (met >= 0)
		close(met);
	fuzz_pass(0);
	guests_stop();
	if (listening >= 0)
		close(listening);
	unlink(socket_path);
	rmdir(place);
}

void fuzz_one(struct input *in)
{
	struct errmsg err;
	uint8_t how = take8(in) % 3;

	/* What a parent is started with, for when it starts processes anew */
	fuzz_check(!guests_start(&confinement_default, NULL, &err));
	guests_stop();
	if (how == 0)
		hear_child(in);
	else if (how == 1)
		hear_parent(in);
	else
		meet(in);
}
