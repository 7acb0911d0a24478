// SPDX-License-Identifier: GPL-2.0-only
/*
 * Connections: one message after the other, each with its reply. While one is carried out
 * the next are left in the socket, so that they are done in the order in which they came.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "carriers/vfio_user/internal.h"

/* How long a connection may be silent before it says who it is */
#define HELLO_MS	5000

/* How long the other end is waited for, when nothing is sent to it any more */
#define GOODBYE_MS	1000

/* So many messages at a time, then it is others' turn */
#define BURST		32

/* So many that what is in the socket after them came after the first of them */
#define MANY		1024

static void set_timer(struct vf_conn *conn, uint64_t ms)
{
	const struct timeval after = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	event_add(conn->timer, &after);
}

static void drop_fds(struct vf_conn *conn)
{
	unsigned int i;

	for (i = 0; i < VF_MAX_FDS; i++) {
		if (conn->fds[i] >= 0)
			close(conn->fds[i]);
		conn->fds[i] = -1;
	}
}

/*
 * The end
 */

/* What is under way for it is nobody's. */
static void disown(struct vf_conn *conn)
{
	struct vfio_user *vf = conn->vf;

	conn->waits = false;
	if (conn->access)
		vf_access_forget(conn);
	if (vf->reset_by == conn)
		vf->reset_by = NULL;
	if (vf->guest == conn)
		vf_guest_gone(vf);
}

void vf_close(struct vf_conn *conn)
{
	struct vf_conn **at = &conn->vf->conns;

	while (*at != conn)
		at = &(*at)->next;
	*at = conn->next;

	event_free(conn->readable);
	event_free(conn->timer);
	close(conn->fd);
	drop_fds(conn);
	disown(conn);
	free(conn);
}

/* What comes is thrown away, until the other end is closed, or has had the time for it. */
static void turn_away(struct vf_conn *conn)
{
	conn->state = VF_LEAVING;
	drop_fds(conn);
	event_add(conn->readable, NULL);
	set_timer(conn, GOODBYE_MS);
	disown(conn);
}

/*
 * QEMU 11.1 aborts when its socket is closed with something unread in it: so nothing is sent
 * any more, which it notices
 */
static void leave(struct vf_conn *conn)
{
	if (conn->state == VF_LEAVING)
		return;
	shutdown(conn->fd, SHUT_WR);
	turn_away(conn);
}

static void leave_because(struct vf_conn *conn, const char *why)
{
	log_limited(&conn->vf->carrier.log, "%s: a peer is disconnected: %s",
		    conn->vf->carrier.name, why);
	leave(conn);
}

/* Throw away what has come. False: the other end is closed. */
static bool drain(struct vf_conn *conn)
{
	ssize_t got;

	do {
		got = sock_receive(conn->fd, &conn->msg, sizeof(conn->msg), NULL, 0, NULL);
	} while (got > 0);
	return got < 0 && errno == EAGAIN;
}

static void drain_until(struct vf_conn *conn, uint64_t deadline)
{
	struct pollfd pfd = { .fd = conn->fd, .events = POLLIN };
	uint64_t now = loop_now_ms();

	while (drain(conn) && now < deadline) {
		if (poll(&pfd, 1, deadline - now) < 0 && errno != EINTR)
			return;
		now = loop_now_ms();
	}
}

void vf_close_all(struct vfio_user *vf)
{
	uint64_t deadline = loop_now_ms() + GOODBYE_MS;
	struct vf_conn *conn;

	for (conn = vf->conns; conn; conn = conn->next)
		shutdown(conn->fd, SHUT_WR);
	while (vf->conns) {
		drain_until(vf->conns, deadline);
		vf_close(vf->conns);
	}
}

/*
 * Replies
 */

/* The peer waits for its replies, so there is room for them. */
static bool send_reply(struct vf_conn *conn)
{
	size_t size = conn->msg.hdr.size;

	errno = EAGAIN;
	return sock_send(conn->fd, &conn->msg, size, NULL, 0) == (ssize_t)size;
}

static void answer(struct vf_conn *conn, int ret)
{
	struct vf_header *hdr = &conn->msg.hdr;
	bool wanted = !(hdr->flags & VF_NO_REPLY);

	drop_fds(conn);
	conn->have = 0;
	hdr->flags = ret < 0 ? VF_REPLY | VF_ERROR : VF_REPLY;
	hdr->error = ret < 0 ? -ret : 0;
	hdr->size = sizeof(*hdr) + (ret > 0 ? ret : 0);
	if (wanted && !send_reply(conn))
		leave_because(conn, errno == EAGAIN ? "it does not take its replies" :
						      "it is gone");
	else if (conn->state != VF_SERVED)
		turn_away(conn);	/* it has heard why, and goes by itself */
}

static void carry_out(struct vf_conn *conn)
{
	int ret = vf_handle(conn);

	if (ret != VF_LATER) {
		answer(conn, ret);
	} else if (conn->state == VF_HELD) {
		event_del(conn->readable);
		set_timer(conn, VF_ANSWER_MS);
	}
}

/*
 * What is waited for is waited for until the oldest message in the socket, which may be one
 * that comes after it, has to have its answer
 */
void vf_wait(struct vf_conn *conn)
{
	uint64_t now = loop_now_ms(), deadline = conn->since + VF_ANSWER_MS;

	conn->waits = true;
	event_del(conn->readable);
	set_timer(conn, deadline > now ? deadline - now : 0);
}

static bool is_empty(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

void vf_finish(struct vf_conn *conn, int ret)
{
	conn->waits = false;
	event_del(conn->timer);
	event_add(conn->readable, NULL);
	if (is_empty(conn->fd))
		conn->since = 0;
	/* In a task it may be gone after that */
	answer(conn, ret);
}

void vf_unhold(struct vfio_user *vf)
{
	struct vf_conn *conn = vf->conns;

	while (conn && !vf->leaving) {
		if (conn->state != VF_HELD) {
			conn = conn->next;
			continue;
		}
		conn->state = VF_NEW;
		event_del(conn->timer);
		event_add(conn->readable, NULL);
		carry_out(conn);
		/* It may be gone, others too */
		conn = vf->conns;
	}
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct vf_conn *conn = arg;

	(void)fd;
	(void)what;
	switch (conn->state) {
	case VF_NEW:
	case VF_LEAVING:
		vf_close(conn);
		break;
	case VF_HELD:
		answer(conn, -EBUSY);
		break;
	case VF_SERVED:
		if (!conn->waits)
			break;
		log_limited(&conn->vf->carrier.log,
			    "%s: the device takes longer than %d s, the guest goes on without it",
			    conn->vf->carrier.name, VF_ANSWER_MS / 1000);
		vf_finish(conn, vf_give_up(conn));
	}
}

/*
 * Messages
 */

/* Why it cannot be received, or NULL */
static const char *header_wrong(const struct vf_conn *conn)
{
	const struct vf_header *hdr = &conn->msg.hdr;

	if (hdr->size < sizeof(*hdr) || hdr->size > sizeof(conn->msg))
		return "a message has a length that none has";
	if (hdr->flags & ~VF_NO_REPLY)
		return "a message is no command";
	if (conn->state == VF_NEW && hdr->command != VF_VERSION)
		return "it does not say its version first";
	return NULL;
}

/*
 * Receive until a message is there: 1. 0: not yet. -1: the connection is at its end. Never
 * more than the message, so that descriptors are this one's.
 */
static int receive(struct vf_conn *conn)
{
	const char *wrong;
	size_t size;
	ssize_t got;

	for (;;) {
		size = conn->have < sizeof(conn->msg.hdr) ? sizeof(conn->msg.hdr) :
							     conn->msg.hdr.size;
		got = sock_receive(conn->fd, (uint8_t *)&conn->msg + conn->have,
				   size - conn->have, conn->fds, VF_MAX_FDS, NULL);
		if (got < 0 && errno == EAGAIN)
			return 0;
		if (got <= 0)
			return -1;
		conn->have += got;
		if (conn->have < size)
			continue;
		wrong = size == sizeof(conn->msg.hdr) ? header_wrong(conn) : NULL;
		if (wrong) {
			leave_because(conn, wrong);
			return 0;
		}
		if (conn->have == conn->msg.hdr.size)
			return 1;
	}
}

/* One more was received: how old can the next one be? */
static void count_message(struct vf_conn *conn)
{
	if (++conn->received < MANY)
		return;
	conn->received = 0;
	conn->since = conn->counted_since;
	conn->counted_since = loop_now_ms();
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct vf_conn *conn = arg;
	unsigned int n;
	int ret = 1;

	(void)fd;
	(void)what;
	if (conn->state == VF_LEAVING) {
		if (!drain(conn))
			vf_close(conn);
		return;
	}
	if (!conn->since) {
		conn->since = loop_now_ms();
		conn->counted_since = conn->since;
		conn->received = 0;
	}
	for (n = 0; n < BURST && ret > 0 && !conn->waits; n++) {
		ret = receive(conn);
		if (ret > 0) {
			count_message(conn);
			carry_out(conn);
		}
		if (conn->state == VF_HELD || conn->state == VF_LEAVING)
			return;
	}
	if (ret < 0)
		vf_close(conn);
	else if (!ret)
		conn->since = 0;
}

static unsigned int num_conns(const struct vfio_user *vf)
{
	const struct vf_conn *conn;
	unsigned int num = 0;

	for (conn = vf->conns; conn; conn = conn->next)
		num++;
	return num;
}

static struct vf_conn *conn_new(struct vfio_user *vf, int fd)
{
	struct vf_conn *conn = num_conns(vf) < VF_MAX_CONNS ? calloc(1, sizeof(*conn)) : NULL;

	if (!conn)
		return NULL;
	conn->readable = event_new(loop, fd, EV_READ | EV_PERSIST, on_readable, conn);
	conn->timer = evtimer_new(loop, on_timer, conn);
	if (conn->readable && conn->timer)
		return conn;
	if (conn->readable)
		event_free(conn->readable);
	if (conn->timer)
		event_free(conn->timer);
	free(conn);
	return NULL;
}

void vf_open(void *arg, int fd)
{
	struct vfio_user *vf = arg;
	struct vf_conn *conn = conn_new(vf, fd);
	unsigned int i;

	if (!conn) {
		close(fd);
		log_limited(&vf->carrier.log, "%s: too many connect that say nothing",
			    vf->carrier.name);
		return;
	}
	conn->vf = vf;
	conn->fd = fd;
	for (i = 0; i < VF_MAX_FDS; i++)
		conn->fds[i] = -1;
	conn->next = vf->conns;
	vf->conns = conn;
	event_add(conn->readable, NULL);
	set_timer(conn, HELLO_MS);
}
