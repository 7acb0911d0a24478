// SPDX-License-Identifier: GPL-2.0-only
#include "base/sock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int fail(struct errmsg *err, const char *path, const char *why)
{
	errmsg_set(err, "%s: %s", path, why);
	return -1;
}

static int open_socket(const char *path, struct sockaddr_un *addr, struct errmsg *err)
{
	int fd;

	*addr = (struct sockaddr_un) { .sun_family = AF_UNIX };
	if (!*path || strlen(path) >= sizeof(addr->sun_path)) {
		errno = ENAMETOOLONG;
		return fail(err, path, "no path for a socket: empty, or too long");
	}
	strcpy(addr->sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return fail(err, path, strerror(errno));
	return fd;
}

static int connect_to(const char *path, bool senders_known, struct errmsg *err)
{
	static const int on = 1;
	struct sockaddr_un addr;
	int fd = open_socket(path, &addr, err);

	if (fd < 0)
		return -1;
	/* Of what is sent before it is set, nobody knows who did */
	if (senders_known)
		setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr))) {
		int saved = errno;

		fail(err, path, strerror(saved));
		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

int sock_connect(const char *path, struct errmsg *err)
{
	return connect_to(path, false, err);
}

int sock_connect_known(const char *path, struct errmsg *err)
{
	return connect_to(path, true, err);
}

/* A socket that its server left behind when it ended */
static int stale(const char *path)
{
	struct errmsg ignored;
	struct stat st;
	int fd;

	if (lstat(path, &st) || !S_ISSOCK(st.st_mode))
		return 0;
	fd = sock_connect(path, &ignored);
	if (fd >= 0)
		close(fd);
	return fd < 0 && errno == ECONNREFUSED;
}

int sock_listen(const char *path, struct errmsg *err)
{
	struct sockaddr_un addr;
	int fd = open_socket(path, &addr, err);

	if (fd < 0)
		return -1;
	if (stale(path))
		unlink(path);
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) || listen(fd, 8)) {
		fail(err, path, strerror(errno));
		close(fd);
		return -1;
	}
	return fd;
}

/*
 * Messages with descriptors
 */

union control {
	char bytes[CMSG_SPACE(SOCK_MAX_FDS * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
	struct cmsghdr align;
};

ssize_t sock_send(int sock, const void *data, size_t len, const int *fds, unsigned int num)
{
	union control control = { { 0 } };
	struct iovec iov = { .iov_base = (void *)data, .iov_len = len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	if (num > SOCK_MAX_FDS) {
		errno = EINVAL;
		return -1;
	}
	if (num) {
		msg.msg_control = control.bytes;
		msg.msg_controllen = CMSG_SPACE(num * sizeof(int));
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(num * sizeof(int));
		memcpy(CMSG_DATA(&control.align), fds, num * sizeof(int));
	}
	do {
		n = sendmsg(sock, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	return n;
}

/* Into a free one of @num places, or into none */
static void place_fd(int fd, int *fds, unsigned int num)
{
	unsigned int i;

	for (i = 0; i < num; i++) {
		if (fds[i] < 0) {
			fds[i] = fd;
			return;
		}
	}
	close(fd);
}

static void take_control(struct msghdr *msg, int *fds, unsigned int num, pid_t *pid)
{
	struct cmsghdr *cmsg;
	struct ucred cred;
	size_t i, count;
	int fd;

	for (cmsg = CMSG_FIRSTHDR(msg); cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
		if (cmsg->cmsg_level != SOL_SOCKET)
			continue;
		if (cmsg->cmsg_type == SCM_CREDENTIALS && pid) {
			memcpy(&cred, CMSG_DATA(cmsg), sizeof(cred));
			*pid = cred.pid;
		}
		if (cmsg->cmsg_type != SCM_RIGHTS)
			continue;
		count = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (i = 0; i < count; i++) {
			memcpy(&fd, CMSG_DATA(cmsg) + i * sizeof(int), sizeof(fd));
			place_fd(fd, fds, num);
		}
	}
}

ssize_t sock_receive(int sock, void *data, size_t len, int *fds, unsigned int num, pid_t *pid)
{
	union control control;
	struct iovec iov = { .iov_base = data, .iov_len = len };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	ssize_t n;

	do {
		n = recvmsg(sock, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n >= 0)
		take_control(&msg, fds, num, pid);
	return n;
}

FILE *sock_stream(int fd)
{
	FILE *stream;

	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
	stream = fdopen(fd, "r+");
	if (!stream)
		close(fd);
	return stream;
}
