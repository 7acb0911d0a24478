// SPDX-License-Identifier: GPL-2.0-only
/*
 * The host side of mmio_sock: talking to the server's socket
 *
 * Every wait is bounded, because the virtual CPU does nothing else meanwhile.
 * The socket's own timeouts do that without a system call per access. A signal
 * starts them anew, hence the deadline: UML's timer may tick more often than
 * they run out.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <os.h>
#include "mmio_sock_user.h"

static int set_timeouts(int fd, unsigned int timeout_ms)
{
	struct timeval tv = {
		.tv_sec = timeout_ms / 1000,
		.tv_usec = timeout_ms % 1000 * 1000,
	};

	/* To the socket, no time at all means without end */
	if (!timeout_ms)
		return -EINVAL;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)))
		return -errno;
	return 0;
}

int mmio_sock_connect(const char *path, unsigned int timeout_ms)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd, err, len;

	len = snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	if (len >= (int)sizeof(addr.sun_path))
		return -ENAMETOOLONG;

	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;

	err = set_timeouts(fd, timeout_ms);
	if (err)
		goto out_close;

	CATCH_EINTR(err = connect(fd, (struct sockaddr *)&addr, sizeof(addr)));
	if (!err)
		return fd;
	err = errno == EAGAIN ? -ETIMEDOUT : -errno;

out_close:
	os_close_file(fd);
	return err;
}

/* What to do after send() or recv() did not move the last byte */
static int may_go_on(ssize_t n, long long *deadline, unsigned int timeout_ms)
{
	if (!n)
		return -ECONNRESET;
	if (n < 0 && errno == EAGAIN)
		return -ETIMEDOUT;
	if (n < 0 && errno != EINTR)
		return -errno;

	if (!*deadline)
		*deadline = os_nsecs() + timeout_ms * 1000000LL;
	else if (os_nsecs() > *deadline)
		return -ETIMEDOUT;
	return 0;
}

static int send_all(int fd, const char *buf, unsigned int len,
		    unsigned int timeout_ms)
{
	long long deadline = 0;
	int err;

	for (;;) {
		ssize_t n = send(fd, buf, len, MSG_NOSIGNAL);

		if (n == (ssize_t)len)
			return 0;
		err = may_go_on(n, &deadline, timeout_ms);
		if (err)
			return err;
		if (n > 0) {
			buf += n;
			len -= n;
		}
	}
}

int mmio_sock_receive(int fd, void *buf, unsigned int len,
		      unsigned int timeout_ms)
{
	long long deadline = 0;
	int err;

	for (;;) {
		ssize_t n = recv(fd, buf, len, 0);

		if (n == (ssize_t)len)
			return 0;
		err = may_go_on(n, &deadline, timeout_ms);
		if (err)
			return err;
		if (n > 0) {
			buf = (char *)buf + n;
			len -= n;
		}
	}
}

int mmio_sock_exchange(int fd, const void *request, unsigned int request_len,
		       void *reply, unsigned int reply_len,
		       unsigned int timeout_ms)
{
	int err = send_all(fd, request, request_len, timeout_ms);

	return err ?: mmio_sock_receive(fd, reply, reply_len, timeout_ms);
}
