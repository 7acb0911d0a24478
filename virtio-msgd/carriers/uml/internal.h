/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A User Mode Linux guest: its accesses come over a socket, its memory is a file, an
 * interrupt is a bit in that memory and a byte to the doorbell. See
 * arch/um/drivers/mmio_sock.h for the protocol.
 *
 * conn.c	connections, of which one is the guest's
 * guest.c	the guest: its memory and interrupts, from its coming to its going
 */
#ifndef MSGD_UML_INTERNAL_H
#define MSGD_UML_INTERNAL_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/base.h"
#include "carriers/uml/uml.h"
#include "mmio_sock.h"
#include "model/model.h"

struct uml;

/**
 * struct conn - a connection; the guest's once it has said hello
 * @access: what the guest's CPU waits for
 * @uml: whose it is
 * @next: all connections of @uml
 * @fd: the socket
 * @event: it is readable
 * @pid: who is at the other end, 0: nobody knows
 * @fds: memory and doorbell, -1 if they have not come
 * @have: bytes of @hello or @request that are there
 * @hello: what comes first
 * @request: what comes then
 * @held: it has said hello, but an earlier guest is still going
 * @waits: @access is being carried out
 * @closed: the connection is gone, and this goes with @access
 */
struct conn {
	struct window_access access;
	struct uml *uml;
	struct conn *next;
	int fd;
	struct event *event;
	pid_t pid;
	int fds[2];
	size_t have;
	union {
		struct mmio_sock_hello hello;
		struct mmio_sock_access request;
	};
	bool held;
	bool waits;
	bool closed;
};

/* More at a time are nobody's: there is one guest, and maybe the next one */
#define MAX_CONNS	16

/**
 * struct uml - a guest, or the wait for one
 * @carrier: what the windows see
 * @path: of the socket, if it is ours to remove
 * @fd: the listening socket, until it is @listener's
 * @listener: takes connections
 * @conns: all connections
 * @guest: the one that is the guest's, or NULL
 * @leaving: the last guest is gone, but something of it is still under way
 * @doorbell: where a byte tells the guest of interrupts
 * @pending: which interrupts
 * @pending_page: the page that @pending is in
 * @num_irqs: how many there are
 * @answering: an access is being carried out, at this moment
 * @ring: interrupts were raised meanwhile, the doorbell was not rung yet
 */
struct uml {
	struct carrier carrier;
	char *path;
	int fd;
	struct listener *listener;
	struct conn *conns;
	struct conn *guest;
	bool leaving;
	int doorbell;
	uint64_t *pending;
	void *pending_page;
	unsigned int num_irqs;
	bool answering;
	bool ring;
};

/* conn.c */

/* Somebody has connected. */
void conn_open(void *arg, int fd);
void conn_close(struct conn *conn);
/* Those who had to wait until the last guest was gone need not any more. */
void conn_unhold(struct uml *uml);

/* guest.c */

/* Be the guest's connection: 0, or an errno value with everything undone */
int uml_take_guest(struct conn *conn);
/* The guest's connection is gone. */
void uml_guest_gone(struct uml *uml);
void uml_ring_doorbell(struct uml *uml);

#endif
