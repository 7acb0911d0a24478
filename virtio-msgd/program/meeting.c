// SPDX-License-Identifier: GPL-2.0-only
/*
 * How a parent finds the processes that another one left when it ended out of order.
 * Each listens at a socket of its own in a directory beside the control socket. Who
 * connects is told who the process is, and gets the socket that its guest connects to;
 * from then on the connection is the channel to its parent.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base.h"
#include "program/channel.h"
#include "program/guests_internal.h"

/* How long all those that are there have to say who they are */
#define HELLO_MS	5000

/**
 * struct found - a process without a parent
 * @next: the next one
 * @hello: what it says of itself; NULL: nothing that makes sense
 * @sock: the connection to it
 * @fds: the socket at which it was found, and what its guest connects to, or, of a
 *	Xen guest, where it asks for devices; -1: none
 * @pid: of it
 * @path: where it was found
 */
struct found {
	struct found *next;
	json_t *hello;
	int sock;
	int fds[2];
	pid_t pid;
	char *path;
};

static struct found *founds;
/* The directory; a socket's path begins there, since the whole one may be too long for it */
static int directory_fd = -1;

static char *place(const char *name)
{
	char *path;

	return asprintf(&path, "/proc/self/fd/%d/%s", directory_fd, name) < 0 ? NULL : path;
}

static char *directory(const char *listen)
{
	char *path;

	return asprintf(&path, "%s.guests", listen) < 0 ? NULL : path;
}

static void found_free(struct found *found)
{
	struct found **at = &founds;
	unsigned int i;

	while (*at && *at != found)
		at = &(*at)->next;
	if (*at)
		*at = found->next;
	json_decref(found->hello);
	if (found->sock >= 0)
		close(found->sock);
	for (i = 0; i < 2; i++) {
		if (found->fds[i] >= 0)
			close(found->fds[i]);
	}
	free(found->path);
	free(found);
}

/* Somebody has left a socket there: a process, or nobody any more */
static void look_at(const char *path)
{
	struct found *found;
	struct errmsg ignored;
	int sock = sock_connect_known(path, &ignored);

	if (sock < 0 && errno == ECONNREFUSED)
		unlink(path);
	/* EAGAIN: it is there, and accepts nobody */
	if (sock < 0 && errno != EAGAIN)
		return;
	found = calloc(1, sizeof(*found));
	if (!found) {
		if (sock >= 0)
			close(sock);
		return;
	}
	found->fds[0] = -1;
	found->fds[1] = -1;
	found->sock = sock;
	found->path = strdup(path);
	found->next = founds;
	founds = found;
	if (!found->path)
		found_free(found);
}

/* Whether something arrives, or the end; not for longer than until @deadline */
static bool wait_readable(int sock, uint64_t deadline)
{
	struct pollfd pfd = { .fd = sock, .events = POLLIN };
	uint64_t now = loop_now_ms();

	return poll(&pfd, 1, deadline > now ? deadline - now : 0) > 0;
}

/* All were called on at once: those that are well do not wait for one that is not. */
static void hear_all(void)
{
	uint64_t deadline = loop_now_ms() + HELLO_MS;
	struct found *found;

	for (found = founds; found; found = found->next) {
		if (found->sock >= 0 && wait_readable(found->sock, deadline))
			found->hello = channel_receive_fds(found->sock, found->fds, 2,
							   &found->pid);
	}
}

/* It is made if it is not there, and has to be this user's alone. */
static int open_directory(const char *path, struct errmsg *err)
{
	struct stat st;

	if (mkdir(path, 0700) && errno != EEXIST)
		return errmsg_set(err, "%s: %s", path, strerror(errno));
	directory_fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (directory_fd < 0 || fstat(directory_fd, &st))
		return errmsg_set(err, "%s: %s", path, strerror(errno));
	if (st.st_uid != geteuid() || st.st_mode & 022)
		return errmsg_set(err, "%s: it is not only this user's: remove it", path);
	return 0;
}

static void look_at_all(DIR *dir)
{
	struct dirent *entry;
	char *path;

	while ((entry = readdir(dir))) {
		path = *entry->d_name == '.' ? NULL : place(entry->d_name);
		if (path)
			look_at(path);
		free(path);
	}
}

int meeting_directory(const char *listen, struct errmsg *err)
{
	char *path = directory(listen);
	DIR *dir;
	int ret;

	if (!path)
		return errmsg_set(err, "out of memory");
	ret = open_directory(path, err);
	if (!ret) {
		dir = opendir(path);
		if (dir) {
			look_at_all(dir);
			closedir(dir);
			hear_all();
		} else {
			ret = errmsg_set(err, "%s: %s", path, strerror(errno));
		}
	}
	free(path);
	return ret;
}

void meeting_directory_remove(const char *listen)
{
	char *path = directory(listen);

	while (founds)
		found_free(founds);
	if (path)
		rmdir(path);
	free(path);
	if (directory_fd >= 0)
		close(directory_fd);
	directory_fd = -1;
}

static const char *said(const struct found *found, const char *what)
{
	return json_string_value(json_object_get(found->hello, what)) ?: "";
}

static struct found *find(const char *path)
{
	struct found *found = founds;

	while (found && strcmp(found->path, path))
		found = found->next;
	return found;
}

/* Until the other end is closed, or too long, whatever it says until then */
static void wait_end(int sock)
{
	uint64_t deadline = loop_now_ms() + END_MS;
	char ignored[256];

	while (loop_now_ms() < deadline && wait_readable(sock, deadline)) {
		if (recv(sock, ignored, sizeof(ignored), MSG_DONTWAIT) <= 0)
			return;
	}
}

static bool tell_to_end(const struct found *found)
{
	static const char quit[] = "{\"quit\":true}\n";

	return send(found->sock, quit, sizeof(quit) - 1, MSG_NOSIGNAL | MSG_DONTWAIT) > 0;
}

/*
 * It does not say who it is, so nobody knows which process to kill. It is not found any
 * more, and ends if it ever listens: the connection stays until then.
 */
static void disown(struct found *found)
{
	log_line("%.200s: a process that an earlier virtio-msgd left does not answer: see that it is ended",
		 strrchr(found->path, '/') + 1);
	if (found->sock >= 0)
		tell_to_end(found);
	unlink(found->path);
	*found->path = '\0';
}

/* It serves what the user does not want any more, or is of another version. */
static void dismiss(struct found *found)
{
	log_line("%.200s: a process that an earlier virtio-msgd left is told to end",
		 said(found, "name"));
	if (tell_to_end(found))
		wait_end(found->sock);
	/* While the connection is there it is this process, and no other with its number */
	if (found->pid > 0)
		kill(found->pid, SIGKILL);
	unlink(found->path);
	found_free(found);
}

void meeting_rest(void)
{
	struct found *found, *next;

	for (found = founds; found; found = next) {
		next = found->next;
		if (found->hello)
			dismiss(found);
		else if (*found->path)
			disown(found);
	}
}

/* It may still have the guest's socket: that gives way to a new one. */
static void free_path(const struct guest *guest)
{
	struct stat st;

	if (guest->path && guest->sock < 0 && !lstat(guest->path, &st) && S_ISSOCK(st.st_mode))
		unlink(guest->path);
}

/* Has the process, or at least the socket, that was found for the guest. */
static int take(struct guest *guest, struct found *found)
{
	bool same = found->fds[0] >= 0 && (found->fds[1] >= 0 || !guest->path) &&
		    !strcmp(said(found, "mark"), guest->mark) &&
		    !strcmp(said(found, "version"), VERSION);
	int ret;

	if (guest->path) {
		guest->sock = found->fds[1];
		found->fds[1] = -1;
	}
	if (!same) {
		if (found->hello)
			dismiss(found);
		else
			disown(found);
		free_path(guest);
		return 0;
	}
	guest->pid = found->pid;
	guest->adopted = true;
	guest->meet = found->fds[0];
	found->fds[0] = -1;
	if (guest->domain >= 0) {
		guest->devices = found->fds[1];
		found->fds[1] = -1;
	}
	ret = guest_take_over(guest, found->sock);
	found->sock = -1;
	found_free(found);
	if (!ret)
		log_line("%s: goes on, under this virtio-msgd", guest->name);
	return ret;
}

/* A name for a socket, of any length; whose it is, is what it says itself */
static unsigned long long hash(const char *name)
{
	unsigned long long value = 0xcbf29ce484222325;

	for (; *name; name++)
		value = (value ^ (unsigned char)*name) * 0x100000001b3;
	return value;
}

int meeting_open(struct guest *guest, const char *listen)
{
	struct found *found;
	struct errmsg err;
	char name[24];
	int ret = 0;

	if (!listen)
		return 0;
	snprintf(name, sizeof(name), "%016llx", hash(guest->key));
	guest->meet_path = place(name);
	if (!guest->meet_path)
		return -ENOMEM;
	found = find(guest->meet_path);
	if (found)
		ret = take(guest, found);
	if (ret || guest->meet >= 0)
		return ret;
	guest->meet = sock_listen(guest->meet_path, &err);
	if (guest->meet >= 0)
		return 0;
	log_line("%s", err.text);
	free(guest->meet_path);
	guest->meet_path = NULL;
	return -EADDRINUSE;
}

void meeting_close(struct guest *guest)
{
	if (guest->meet_path)
		unlink(guest->meet_path);
	meeting_leave(guest);
}

void meeting_leave(struct guest *guest)
{
	if (guest->meet >= 0)
		close(guest->meet);
	guest->meet = -1;
	free(guest->meet_path);
	guest->meet_path = NULL;
}
