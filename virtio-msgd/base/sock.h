/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * UNIX stream sockets by path. All are close-on-exec and non-blocking.
 */
#ifndef MSGD_SOCK_H
#define MSGD_SOCK_H

#include <stdio.h>

#include "base/log.h"

/*
 * Listen at @path, in place of a socket that nobody listens at any more. The
 * descriptor, or -1 with @err set.
 */
int sock_listen(const char *path, struct errmsg *err);

/* Connect to @path: the descriptor, or -1 with errno and @err set. */
int sock_connect(const char *path, struct errmsg *err);

/* A stream that blocks, to read and write @fd, which it owns; NULL: closed. */
FILE *sock_stream(int fd);

#endif
