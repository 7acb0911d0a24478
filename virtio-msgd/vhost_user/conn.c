// SPDX-License-Identifier: GPL-2.0-only
#include "vhost_user/conn.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

uint64_t vu_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ULL + now.tv_nsec / 1000000;
}

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
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(VU_MAX_REGIONS * sizeof(int))];
	} control = { 0 };
	size_t len = VU_HEADER_SIZE + msg->size, done = 0;
	struct iovec iov;
	struct msghdr hdr = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	if (conn->fd < 0)
		return -ENOTCONN;
	if (num_fds) {
		hdr.msg_control = control.bytes;
		hdr.msg_controllen = CMSG_SPACE(num_fds * sizeof(int));
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(num_fds * sizeof(int));
		memcpy(CMSG_DATA(&control.align), fds, num_fds * sizeof(int));
	}
	while (done < len) {
		iov.iov_base = (char *)msg + done;
		iov.iov_len = len - done;
		n = sendmsg(conn->fd, &hdr, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN)
			return -errno;
		if (n < 0) {
			int ret = wait_for(conn, EV_WRITE, deadline);

			if (ret)
				return ret;
			continue;
		}
		done += n;
		/* They went with the first byte */
		hdr.msg_control = NULL;
		hdr.msg_controllen = 0;
	}
	return 0;
}

/* Keep the first descriptor of a message; nothing has more that we ask for. */
static void take_fds(struct vu_conn *conn, struct msghdr *hdr)
{
	struct cmsghdr *c;
	size_t i, count;
	int fd;

	for (c = CMSG_FIRSTHDR(hdr); c; c = CMSG_NXTHDR(hdr, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (i = 0; i < count; i++) {
			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (conn->in_fd < 0)
				conn->in_fd = fd;
			else
				close(fd);
		}
	}
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
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(VU_MAX_REGIONS * sizeof(int))];
	} control;
	struct iovec iov = { (char *)&conn->in + conn->have, len };
	struct msghdr hdr = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	ssize_t n;

	do {
		n = recvmsg(conn->fd, &hdr, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? 0 : -ECONNRESET;
	if (!n)
		return -ECONNRESET;
	take_fds(conn, &hdr);
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
