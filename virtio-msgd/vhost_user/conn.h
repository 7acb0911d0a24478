/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A vhost-user socket: whole messages, with descriptors, in bounded time.
 */
#ifndef MSGD_VHOST_USER_CONN_H
#define MSGD_VHOST_USER_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/base.h"
#include "vhost_user/msg.h"

/**
 * struct vu_conn - one end of a connection
 * @fd: non-blocking stream socket, -1: not connected
 * @event: looks at what nobody waits for, off while somebody does; or NULL
 * @have: how many bytes of @in have arrived
 * @in_fd: the descriptor that came with them, or -1
 * @in: the message that is arriving
 */
struct vu_conn {
	int fd;
	struct event *event;
	size_t have;
	int in_fd;
	struct vu_msg in;
};

/* Use @fd, or none (-1) */
void vu_conn_init(struct vu_conn *conn, int fd);
void vu_conn_close(struct vu_conn *conn);

/*
 * Send a message with @num_fds descriptors. 0; -ETIMEDOUT if the other side
 * takes nothing until @deadline; or another error. The connection is of no use
 * after an error.
 */
int vu_conn_send(struct vu_conn *conn, const struct vu_msg *msg, const int *fds,
		 unsigned int num_fds, uint64_t deadline);

/*
 * Take what has arrived: 1 when @in is a whole message, whose version and size
 * are checked; 0 if more has to come; -ECONNRESET if the other side closed;
 * -EPROTO if it is no vhost-user message. After a message, vu_conn_next().
 */
int vu_conn_poll(struct vu_conn *conn);
/* The same, waiting until @deadline: 1, -ETIMEDOUT or an error */
int vu_conn_wait(struct vu_conn *conn, uint64_t deadline);
/* Done with @in: closes its descriptor unless that was taken (in_fd = -1). */
void vu_conn_next(struct vu_conn *conn);

#endif
