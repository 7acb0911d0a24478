// SPDX-License-Identifier: GPL-2.0-only
#include "program/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/base.h"
#include "model/model.h"
#include "program/channel.h"
#include "program/control.h"

/* Until the parent has said what it is waited for */
#define HEAR_SECONDS	5
/* How often a process without a parent looks whether it is good for anything */
#define ALONE_SECONDS	60

/* The guest is gone, maybe before there was a loop to break */
static bool over;

/**
 * struct serving - a process that serves
 * @child: what it was given
 * @name: of the guest
 * @channel: to the parent; NULL between two parents
 * @next_parent: somebody asks for this process
 * @alone: nobody did, for a while
 * @parents: how many there were
 * @hear: name of what the parent says to others
 * @take: who they are
 * @heard: it said so
 * @quit: it wants this process to end
 */
struct serving {
	struct child *child;
	const char *name;
	struct channel *channel;
	struct event *next_parent;
	struct event *alone;
	unsigned int parents;
	const char *hear;
	void (*take)(const json_t *said);
	bool heard;
	bool quit;
};

/* Also of use to what is still under way when this process ends */
static struct serving the_serving;

static int take_fd(struct params *params, const char *name, int *fd, struct errmsg *err)
{
	uint64_t number = 0;

	*fd = -1;
	if (!params_get(params, name))
		return 0;
	if (params_number(params, name, 3, 1023, &number, err))
		return -1;
	if (fcntl(number, F_SETFD, FD_CLOEXEC))
		return errmsg_set(err, "this is for virtio-msgd itself, which starts a process for each guest");
	*fd = number;
	return 0;
}

int child_params(struct child *child, struct params *params, struct errmsg *err)
{
	const char *mark = params_get(params, "mark");

	if (take_fd(params, "channel", &child->channel, err) ||
	    take_fd(params, "meet", &child->meet, err) ||
	    take_fd(params, "guest", &child->guest, err))
		return -1;
	if (child->channel < 0)
		return errmsg_set(err, "channel= is missing");
	strncpy(child->mark, mark ? mark : "", sizeof(child->mark) - 1);
	return 0;
}

void child_refuse(const struct child *child, const struct errmsg *err)
{
	json_t *message = json_pack("{s:s}", "error", err->text);
	char *text = json_dumps(message, JSON_COMPACT);

	json_decref(message);
	if (text && (write(child->channel, text, strlen(text)) < 0 ||
		     write(child->channel, "\n", 1) < 0))
		log_line("%s", err->text);
	free(text);
}

/*
 * The parent's wishes
 */

struct question {
	struct serving *serving;
	unsigned int parent;
	json_t *id;
	json_t *request;
};

/* An answer may come after the parent that asked has gone: it is nobody's then */
static void answer(void *arg, json_t *reply)
{
	struct question *question = arg;

	struct serving *serving = question->serving;

	if (serving->channel && serving->parents == question->parent)
		channel_send(serving->channel,
			     json_pack("{s:O,s:o}", "id", question->id, "reply", reply));
	else
		json_decref(reply);
	json_decref(question->id);
	json_decref(question->request);
	free(question);
}

static void carry_out(void *arg)
{
	struct question *question = arg;

	answer(question, control_execute(question->request));
}

static void ask(struct serving *serving, json_t *id, json_t *request)
{
	struct question *question = malloc(sizeof(*question));

	if (!question)
		return;
	question->serving = serving;
	question->parent = serving->parents;
	question->id = json_incref(id);
	question->request = json_incref(request);
	/* It may have to wait for a device that is busy */
	task_run(carry_out, question);
}

static void on_message(void *arg, json_t *message)
{
	json_t *request = json_object_get(message, "request");
	json_t *id = json_object_get(message, "id");
	struct serving *serving = arg;
	json_t *said = serving->hear ? json_object_get(message, serving->hear) : NULL;

	if (json_is_true(json_object_get(message, "quit"))) {
		serving->quit = true;
		event_base_loopbreak(loop);
	} else if (said) {
		serving->heard = true;
		serving->take(said);
	} else if (request && json_is_integer(id)) {
		ask(serving, id, request);
	}
}

static void wait_for_parent(struct serving *serving)
{
	static const struct timeval while_alone = { .tv_sec = ALONE_SECONDS };

	event_add(serving->next_parent, NULL);
	event_add(serving->alone, &while_alone);
}

/* Who has neither a parent nor a guest is of no use to anybody. */
static void on_alone(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	if (carriers && carriers->guest)
		wait_for_parent(arg);
	else
		event_base_loopbreak(loop);
}

static void on_closed(void *arg)
{
	struct serving *serving = arg;

	channel_close(serving->channel, false);
	serving->channel = NULL;
	if (serving->child->meet < 0)
		event_base_loopbreak(loop);
	else
		wait_for_parent(serving);
}

static const struct channel_ops channel_ops = {
	.message = on_message,
	.closed = on_closed,
};

/*
 * Parents
 */

static int take_parent(struct serving *serving, int fd)
{
	serving->parents++;
	serving->channel = channel_open(fd, &channel_ops, serving);
	return serving->channel ? 0 : -ENOMEM;
}

static int say_hello(struct child *child, int sock, json_t *hello)
{
	int theirs = child->meets ? child->meets(child) : child->guest, ret;
	const int fds[] = { child->meet, theirs };

	ret = channel_send_fds(sock, hello, fds, 2);
	if (child->meets && theirs >= 0)
		close(theirs);
	return ret;
}

/* It knows by name and mark whether this is a process that it would start itself. */
static void on_next_parent(evutil_socket_t fd, short what, void *arg)
{
	int sock = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct serving *serving = arg;
	json_t *hello;

	(void)what;
	if (sock < 0)
		return;
	hello = json_pack("{s:s,s:s,s:s}", "version", VERSION, "name", serving->name, "mark",
			  serving->child->mark);
	if (say_hello(serving->child, sock, hello)) {
		close(sock);
		return;
	}
	if (take_parent(serving, sock))
		return;
	event_del(serving->next_parent);
	event_del(serving->alone);
	if (serving->child->met)
		serving->child->met();
}

static void on_signal(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	event_base_loopbreak(arg);
}

int child_open(struct child *child)
{
	struct serving *serving = &the_serving;

	serving->child = child;
	serving->next_parent = event_new(loop, child->meet, EV_READ | EV_PERSIST, on_next_parent,
					 serving);
	serving->alone = evtimer_new(loop, on_alone, serving);
	if (!serving->next_parent || !serving->alone)
		return -ENOMEM;
	return take_parent(serving, child->channel);
}

static void on_enough(evutil_socket_t fd, short what, void *arg)
{
	struct serving *serving = arg;

	(void)fd;
	(void)what;
	serving->quit = true;
}

int child_hear(const char *name, void (*take)(const json_t *said))
{
	static const struct timeval patience = { .tv_sec = HEAR_SECONDS };
	struct serving *serving = &the_serving;
	struct event *enough = evtimer_new(loop, on_enough, serving);

	serving->hear = name;
	serving->take = take;
	if (!enough || event_add(enough, &patience))
		serving->quit = true;
	while (!serving->heard && serving->channel && !serving->quit)
		event_base_loop(loop, EVLOOP_ONCE);
	if (enough)
		event_free(enough);
	return serving->heard ? 0 : -ETIMEDOUT;
}

void child_say(json_t *message)
{
	if (the_serving.channel)
		channel_send(the_serving.channel, message);
	else
		json_decref(message);
}

int child_serve(const char *name)
{
	struct event *on_term = evsignal_new(loop, SIGTERM, on_signal, loop);

	the_serving.name = name;
	/* The terminal's: the parent has it too, and says what is to be done. */
	signal(SIGINT, SIG_IGN);
	if (!on_term || event_add(on_term, NULL)) {
		log_line("%s: out of memory", name);
		return EXIT_FAILURE;
	}
	child_say(json_pack("{s:b}", "ready", 1));
	if (!over && !the_serving.quit)
		event_base_dispatch(loop);
	event_free(on_term);
	return EXIT_SUCCESS;
}

void child_close(void)
{
	struct serving *serving = &the_serving;

	if (over)
		child_say(json_pack("{s:b}", "over", 1));
	if (serving->channel)
		channel_close(serving->channel, true);
	if (serving->alone)
		event_free(serving->alone);
	if (serving->next_parent)
		event_free(serving->next_parent);
	*serving = (struct serving) { .parents = serving->parents };
}

void child_guest_over(void)
{
	over = true;
	event_base_loopbreak(loop);
}
