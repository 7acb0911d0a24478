// SPDX-License-Identifier: GPL-2.0-only
#include "program/channel.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/base.h"

/* How long is waited where there is no event loop to go back to */
#define PATIENCE_MS	1000
/* What is said when two meet, with all the options of a guest */
#define MAX_MEETING	65536

struct channel {
	struct bufferevent *bev;
	const struct channel_ops *ops;
	void *arg;
	bool busy;
	bool freed;
};

static void on_read(struct bufferevent *bev, void *arg)
{
	struct evbuffer *input = bufferevent_get_input(bev);
	struct channel *channel = arg;
	bool good = true;
	char *line;

	channel->busy = true;
	while (!channel->freed && good &&
	       (line = evbuffer_readln(input, NULL, EVBUFFER_EOL_LF))) {
		json_t *message = json_loads(line, 0, NULL);

		good = json_is_object(message);
		if (good)
			channel->ops->message(channel->arg, message);
		json_decref(message);
		free(line);
	}
	channel->busy = false;
	if (channel->freed) {
		bufferevent_free(bev);
		free(channel);
	} else if (!good || evbuffer_get_length(input) >= CHANNEL_MAX_LINE) {
		bufferevent_disable(bev, EV_READ);
		channel->ops->closed(channel->arg);
	}
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	struct channel *channel = arg;

	if (!(what & (BEV_EVENT_EOF | BEV_EVENT_ERROR)))
		return;
	bufferevent_disable(bev, EV_READ | EV_WRITE);
	channel->ops->closed(channel->arg);
}

struct channel *channel_open(int fd, const struct channel_ops *ops, void *arg)
{
	struct channel *channel = calloc(1, sizeof(*channel));

	if (channel && !evutil_make_socket_nonblocking(fd))
		channel->bev = bufferevent_socket_new(loop, fd, BEV_OPT_CLOSE_ON_FREE);
	if (!channel || !channel->bev) {
		close(fd);
		free(channel);
		return NULL;
	}
	channel->ops = ops;
	channel->arg = arg;
	bufferevent_setcb(channel->bev, on_read, NULL, on_event, channel);
	bufferevent_setwatermark(channel->bev, EV_READ, 0, CHANNEL_MAX_LINE);
	bufferevent_enable(channel->bev, EV_READ | EV_WRITE);
	return channel;
}

void channel_send(struct channel *channel, json_t *message)
{
	char *text = json_dumps(message, JSON_COMPACT);

	json_decref(message);
	if (text && !channel->freed) {
		evbuffer_add(bufferevent_get_output(channel->bev), text, strlen(text));
		evbuffer_add(bufferevent_get_output(channel->bev), "\n", 1);
	}
	free(text);
}

bool channel_takes(const struct channel *channel)
{
	return evbuffer_get_length(bufferevent_get_output(channel->bev)) < CHANNEL_MAX_LINE;
}

void channel_drain(struct channel *channel)
{
	struct evbuffer *input = bufferevent_get_input(channel->bev);

	/* It is the bufferevent's to fill, otherwise */
	evbuffer_unfreeze(input, 0);
	/* Who holds the other end now may have no end of what to say */
	while (evbuffer_get_length(input) < CHANNEL_MAX_LINE &&
	       evbuffer_read(input, bufferevent_getfd(channel->bev), CHANNEL_MAX_LINE) > 0)
		;
	evbuffer_freeze(input, 0);
	on_read(channel->bev, channel);
}

/* The loop has ended, or soon will: write what it has not */
static void flush_output(struct channel *channel)
{
	struct evbuffer *output = bufferevent_get_output(channel->bev);
	struct pollfd pfd = { .fd = bufferevent_getfd(channel->bev), .events = POLLOUT };

	bufferevent_disable(channel->bev, EV_WRITE);
	/* It is the bufferevent's to empty, otherwise */
	evbuffer_unfreeze(output, 1);
	while (evbuffer_get_length(output)) {
		if (poll(&pfd, 1, PATIENCE_MS) <= 0 || evbuffer_write(output, pfd.fd) <= 0)
			return;
	}
}

void channel_close(struct channel *channel, bool flush)
{
	if (flush)
		flush_output(channel);
	if (channel->busy) {
		channel->freed = true;
		return;
	}
	bufferevent_free(channel->bev);
	free(channel);
}

/*
 * Meetings
 */

static bool ready(int sock, short events)
{
	struct pollfd pfd = { .fd = sock, .events = events };

	return poll(&pfd, 1, PATIENCE_MS) > 0;
}

int channel_send_fds(int sock, json_t *message, const int *fds, unsigned int num_fds)
{
	char *text = json_dumps(message, JSON_COMPACT);
	size_t len = text ? strlen(text) + 1 : 0;
	int ret = 0, there[SOCK_MAX_FDS];
	unsigned int i, num = 0;

	json_decref(message);
	for (i = 0; i < num_fds && num < SOCK_MAX_FDS; i++) {
		if (fds[i] >= 0)
			there[num++] = fds[i];
	}
	if (!text || len > MAX_MEETING)
		ret = -EMSGSIZE;
	else if (!ready(sock, POLLOUT))
		ret = -ETIMEDOUT;
	else if (sock_send(sock, text, len, there, num) != (ssize_t)len)
		ret = -EIO;
	free(text);
	return ret;
}

static json_t *receive_object(int sock, int *fds, unsigned int num_fds, pid_t *pid)
{
	char *text = malloc(MAX_MEETING);
	json_t *message = NULL;
	ssize_t len;

	errno = ETIMEDOUT;
	if (text && ready(sock, POLLIN)) {
		len = sock_receive(sock, text, MAX_MEETING, fds, num_fds, pid);
		if (len > 0 && !text[len - 1])
			message = json_loads(text, 0, NULL);
		if (len > 0)
			errno = EPROTO;
	}
	free(text);
	return message;
}

json_t *channel_receive_fds(int sock, int *fds, unsigned int num_fds, pid_t *pid)
{
	json_t *message;
	unsigned int i;

	for (i = 0; i < num_fds; i++)
		fds[i] = -1;
	*pid = 0;
	message = receive_object(sock, fds, num_fds, pid);
	if (json_is_object(message))
		return message;
	json_decref(message);
	for (i = 0; i < num_fds; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
		fds[i] = -1;
	}
	return NULL;
}
