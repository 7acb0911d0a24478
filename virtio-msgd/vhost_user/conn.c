// SPDX-License-Identifier: GPL-2.0-only
#include "vhost_user/conn.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void vu_conn_init(struct vu_conn *conn, int fd)
{
	conn->fd = fd;
	conn->event = NULL;
	conn->have = 0;
	conn->in_fd = -1;
}

void vu_conn_next(struct vu_conn *conn)
{
	if (conn->in_fd >= 0)
		close(conn->in_fd);
	conn->in_fd = -1;
	conn->have = 0;
}

void vu_conn_close(struct vu_conn *conn)
{
	vu_conn_next(conn);
	if (conn->fd >= 0)
		close(conn->fd);
	conn->fd = -1;
}

/* Wait until it is ready for @what, EV_READ or EV_WRITE: 0, or -ETIMEDOUT */
static int wait_for(struct vu_conn *conn, short what, uint64_t deadline)
{
	int ret;

	if (conn->event)
		event_del(conn->event);
	ret = task_wait_fd(conn->fd, what, deadline);
	if (conn->event)
		event_add(conn->event, NULL);
	return ret;
}

int vu_conn_send(struct vu_conn *conn, const struct vu_msg *msg, const int *fds,
		 unsigned int num_fds, uint64_t deadline)
{
	size_t len = VU_HEADER_SIZE + msg->size, done = 0;
	ssize_t n;
	int ret;

	if (conn->fd < 0)
		return -ENOTCONN;
	while (done < len) {
		n = sock_send(conn->fd, (const char *)msg + done, len - done, fds,
			      done ? 0 : num_fds);
		if (n < 0 && errno != EAGAIN)
			return -errno;
		if (n >= 0) {
			done += n;
			continue;
		}
		ret = wait_for(conn, EV_WRITE, deadline);
		if (ret)
			return ret;
	}
	return 0;
}

/* How many bytes of the message are still to come */
static size_t missing(const struct vu_conn *conn)
{
	if (conn->have < VU_HEADER_SIZE)
		return VU_HEADER_SIZE - conn->have;
	return VU_HEADER_SIZE + conn->in.size - conn->have;
}

static int receive(struct vu_conn *conn, size_t len)
{
	/* Of descriptors one is kept: nothing that we ask for has more */
	ssize_t n = sock_receive(conn->fd, (char *)&conn->in + conn->have, len, &conn->in_fd, 1,
				 NULL);

	if (n < 0)
		return errno == EAGAIN ? 0 : -ECONNRESET;
	if (!n)
		return -ECONNRESET;
	conn->have += n;
	return 1;
}

int vu_conn_poll(struct vu_conn *conn)
{
	size_t len;
	int ret;

	if (conn->fd < 0)
		return -ENOTCONN;
	while ((len = missing(conn))) {
		ret = receive(conn, len);
		if (ret <= 0)
			return ret;
		if (conn->have == VU_HEADER_SIZE &&
		    ((conn->in.flags & VU_VERSION_MASK) != VU_VERSION ||
		     conn->in.size > VU_MAX_PAYLOAD))
			return -EPROTO;
	}
	return 1;
}

int vu_conn_wait(struct vu_conn *conn, uint64_t deadline)
{
	int ret;

	while (!(ret = vu_conn_poll(conn))) {
		ret = wait_for(conn, EV_READ, deadline);
		if (ret)
			return ret;
	}
	return ret;
}
