/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Between the parent and the process of a guest: JSON objects, a line each, over a
 * socket. Neither side believes the other to be sane: a line has a bound, and what
 * is no object ends the channel.
 */
#ifndef MSGD_CHANNEL_H
#define MSGD_CHANNEL_H

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

/* The longest line: the counters of as many windows as a guest can have */
#define CHANNEL_MAX_LINE	(4U << 20)

struct channel;

/**
 * struct channel_ops - what the owner of a channel does
 * @message: an object arrived; the channel's. May close the channel
 * @closed: the other side is gone, or broke the rules. The channel is the owner's to
 *	close
 */
struct channel_ops {
	void (*message)(void *arg, json_t *message);
	void (*closed)(void *arg);
};

/* Take over @fd, a connected socket; NULL if there is no memory, @fd is closed then. */
struct channel *channel_open(int fd, const struct channel_ops *ops, void *arg);
/* Send an object, whose reference is taken; never waits. */
void channel_send(struct channel *channel, json_t *message);
/* There is not so much unsent that the other side must have stopped listening. */
bool channel_takes(const struct channel *channel);
/* Take what has arrived already, before the other side is said to be gone. */
void channel_drain(struct channel *channel);
/* @flush: wait, for a moment, until what was sent is taken */
void channel_close(struct channel *channel, bool flush);

/*
 * One object with up to @num_fds descriptors (-1: none), outside of a channel, when a
 * process and a parent that does not know it meet: waits a second at most. 0 or -errno;
 * for the second NULL with errno set.
 */
int channel_send_fds(int sock, json_t *message, const int *fds, unsigned int num_fds);
/* @pid: gets who sent it, by the kernel's word, where sock_connect_known() was used */
json_t *channel_receive_fds(int sock, int *fds, unsigned int num_fds, pid_t *pid);

#endif
