// SPDX-License-Identifier: GPL-2.0-only
#include "base/sock.h"

#include <errno.h>
#include <fcntl.h>
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

int sock_connect(const char *path, struct errmsg *err)
{
	struct sockaddr_un addr;
	int fd = open_socket(path, &addr, err);

	if (fd < 0)
		return -1;
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr))) {
		int saved = errno;

		fail(err, path, strerror(saved));
		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
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

FILE *sock_stream(int fd)
{
	FILE *stream;

	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
	stream = fdopen(fd, "r+");
	if (!stream)
		close(fd);
	return stream;
}
