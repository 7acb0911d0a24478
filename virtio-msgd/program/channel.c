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
#define MAX_FDS		4

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

void channel_drain(struct channel *channel)
{
	struct evbuffer *input = bufferevent_get_input(channel->bev);

	/* It is the bufferevent's to fill, otherwise */
	evbuffer_unfreeze(input, 0);
	while (evbuffer_read(input, bufferevent_getfd(channel->bev), CHANNEL_MAX_LINE) > 0)
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

union fd_control {
	char buf[CMSG_SPACE(MAX_FDS * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
	struct cmsghdr align;
};

int channel_send_fds(int sock, json_t *message, const int *fds, unsigned int num_fds)
{
	char *text = json_dumps(message, JSON_COMPACT);
	union fd_control control = { { 0 } };
	struct iovec iov = { .iov_base = text, .iov_len = text ? strlen(text) + 1 : 0 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	unsigned int i, num = 0;
	int ret = 0, there[MAX_FDS];
	struct cmsghdr *cmsg;

	json_decref(message);
	for (i = 0; i < num_fds && num < MAX_FDS; i++) {
		if (fds[i] >= 0)
			there[num++] = fds[i];
	}
	if (num) {
		msg.msg_control = control.buf;
		msg.msg_controllen = CMSG_SPACE(num * sizeof(int));
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(num * sizeof(int));
		memcpy(CMSG_DATA(cmsg), there, num * sizeof(int));
	}
	if (!text || iov.iov_len > MAX_MEETING)
		ret = -EMSGSIZE;
	else if (!ready(sock, POLLOUT))
		ret = -ETIMEDOUT;
	else if (sendmsg(sock, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)iov.iov_len)
		ret = -EIO;
	free(text);
	return ret;
}

static void take_pid(struct msghdr *msg, pid_t *pid)
{
	struct cmsghdr *cmsg;
	struct ucred cred;

	for (cmsg = CMSG_FIRSTHDR(msg); cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
		if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_CREDENTIALS)
			continue;
		memcpy(&cred, CMSG_DATA(cmsg), sizeof(cred));
		*pid = cred.pid;
	}
}

/* Those that there is room for; the others are closed */
static void take_fds(struct msghdr *msg, int *fds, unsigned int num_fds)
{
	unsigned int taken = 0, i, num;
	struct cmsghdr *cmsg;
	int fd;

	for (cmsg = CMSG_FIRSTHDR(msg); cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
		if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
			continue;
		num = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (i = 0; i < num; i++) {
			memcpy(&fd, CMSG_DATA(cmsg) + i * sizeof(int), sizeof(fd));
			if (taken < num_fds)
				fds[taken++] = fd;
			else
				close(fd);
		}
	}
}

json_t *channel_receive_fds(int sock, int *fds, unsigned int num_fds, pid_t *pid)
{
	static const int on = 1;
	char *text = malloc(MAX_MEETING);
	union fd_control control;
	struct iovec iov = { .iov_base = text, .iov_len = MAX_MEETING };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = sizeof(control.buf),
	};
	json_t *message = NULL;
	unsigned int i;
	ssize_t len;

	for (i = 0; i < num_fds; i++)
		fds[i] = -1;
	*pid = 0;
	setsockopt(sock, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
	errno = ETIMEDOUT;
	if (text && ready(sock, POLLIN)) {
		len = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
		if (len > 0) {
			take_fds(&msg, fds, num_fds);
			take_pid(&msg, pid);
			if (!text[len - 1])
				message = json_loads(text, 0, NULL);
			errno = EPROTO;
		}
	}
	free(text);
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
