/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * UNIX stream sockets by path. All are close-on-exec and non-blocking.
 */
#ifndef MSGD_SOCK_H
#define MSGD_SOCK_H

#include <stdio.h>
#include <sys/types.h>

#include "base/log.h"

/* So many descriptors go with a message at the most. */
#define SOCK_MAX_FDS	64

/*
 * Listen at @path, in place of a socket that nobody listens at any more. The
 * descriptor, or -1 with @err set.
 */
int sock_listen(const char *path, struct errmsg *err);

/* Connect to @path: the descriptor, or -1 with errno and @err set. */
int sock_connect(const char *path, struct errmsg *err);
/* The same, and sock_receive() can tell who sent what arrives, from the first byte on. */
int sock_connect_known(const char *path, struct errmsg *err);

/*
 * Send what there is room for, with @num descriptors, which go with the first byte; how
 * many bytes, or -1 with errno set, EAGAIN: there is no room.
 */
ssize_t sock_send(int sock, const void *data, size_t len, const int *fds, unsigned int num);

/*
 * Receive what there is, at most @len bytes; how many, or -1 with errno set. Descriptors
 * that come with it take those of the @num places @fds that are -1; the others are
 * closed. @pid (NULL: nobody asks) gets who sent it, by the kernel's word, where
 * SO_PASSCRED is set.
 */
ssize_t sock_receive(int sock, void *data, size_t len, int *fds, unsigned int num, pid_t *pid);

/* A stream that blocks, to read and write @fd, which it owns; NULL: closed. */
FILE *sock_stream(int fd);

#endif
