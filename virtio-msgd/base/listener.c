// SPDX-License-Identifier: GPL-2.0-only
#include "base/listener.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/loop.h"

/**
 * struct listener - a listening socket
 * @fd: the socket
 * @name: for the log
 * @event: somebody connects
 * @pause: the end of a pause
 * @said: the user was told of this lack of descriptors
 * @accept: takes a connection
 * @arg: for that
 */
struct listener {
	int fd;
	char *name;
	struct event *event;
	struct event *pause;
	bool said;
	listener_accept *accept;
	void *arg;
};

/* The one that could not be accepted is still there, so its event would come at once. */
static void take_pause(struct listener *listener, int err)
{
	static const struct timeval pause = { .tv_sec = 1 };

	if (!listener->said)
		log_line("%s: nobody can connect for now: %s", listener->name, strerror(err));
	listener->said = true;
	event_del(listener->event);
	event_add(listener->pause, &pause);
}

static void on_connect(evutil_socket_t listening, short what, void *arg)
{
	int fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct listener *listener = arg;

	(void)what;
	if (fd >= 0) {
		listener->said = false;
		listener->accept(listener->arg, fd);
	} else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
		take_pause(listener, errno);
	}
}

static void on_pause(evutil_socket_t fd, short what, void *arg)
{
	struct listener *listener = arg;

	(void)fd;
	(void)what;
	event_add(listener->event, NULL);
}

struct listener *listener_new(int fd, const char *name, listener_accept *accept, void *arg)
{
	struct listener *listener = calloc(1, sizeof(*listener));

	if (!listener)
		return NULL;
	listener->fd = fd;
	listener->accept = accept;
	listener->arg = arg;
	listener->name = strdup(name);
	listener->pause = evtimer_new(loop, on_pause, listener);
	listener->event = event_new(loop, fd, EV_READ | EV_PERSIST, on_connect, listener);
	if (listener->name && listener->pause && listener->event &&
	    !event_add(listener->event, NULL))
		return listener;
	listener->fd = -1;
	listener_free(listener);
	return NULL;
}

void listener_free(struct listener *listener)
{
	if (listener->event)
		event_free(listener->event);
	if (listener->pause)
		event_free(listener->pause);
	if (listener->fd >= 0)
		close(listener->fd);
	free(listener->name);
	free(listener);
}
