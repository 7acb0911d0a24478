// SPDX-License-Identifier: GPL-2.0-only
/*
 * Connections to the socket of a User Mode Linux guest: a hello, with memory and a
 * doorbell, then one access after the other.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "carriers/uml/internal.h"

/* How long a connection may be silent before it says who it is */
#define HELLO_SECONDS	5

void conn_close(struct conn *conn)
{
	struct conn **at = &conn->uml->conns;
	struct uml *uml = conn->uml;
	unsigned int i;

	while (*at != conn)
		at = &(*at)->next;
	*at = conn->next;

	event_free(conn->event);
	close(conn->fd);
	for (i = 0; i < 2; i++) {
		if (conn->fds[i] >= 0)
			close(conn->fds[i]);
	}
	if (uml->guest == conn)
		uml_guest_gone(uml);
	conn->closed = true;
	if (!conn->waits)
		free(conn);
}

/*
 * Receive until @size bytes are there: 1. 0: not yet. -1: the connection is
 * at its end.
 */
static int conn_receive(struct conn *conn, void *buf, size_t size)
{
	ssize_t got = recv(conn->fd, (uint8_t *)buf + conn->have, size - conn->have, MSG_DONTWAIT);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (got <= 0)
		return -1;
	conn->have += got;
	return conn->have == size;
}

/* The other end waits for what it is sent, so there is room for it */
static bool conn_send(struct conn *conn, const void *buf, size_t size)
{
	return send(conn->fd, buf, size, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)size;
}

/*
 * Accesses
 */

static void on_done(struct window_access *access)
{
	struct conn *conn = (struct conn *)access;
	struct mmio_sock_reply reply = { .value = access->write ? 0 : access->value };

	conn->waits = false;
	/* The guest went away while its CPU waited. */
	if (conn->closed)
		free(conn);
	else if (!conn_send(conn, &reply, sizeof(reply)))
		conn_close(conn);
}

/* Has the request carried out: @conn may be gone afterwards. */
static void start_access(struct conn *conn)
{
	const struct mmio_sock_access *request = &conn->request;
	struct uml *uml = conn->uml;
	uint64_t offset = request->offset;
	struct window *win = carrier_window(&uml->carrier, &offset);

	conn->waits = true;
	conn->access = (struct window_access) {
		.offset = offset,
		.size = request->size,
		.write = request->op == MMIO_SOCK_WRITE,
		.value = request->value,
		.done = on_done,
	};
	if (win && (conn->access.write || request->op == MMIO_SOCK_READ)) {
		window_access(win, &conn->access);
	} else {
		conn->access.value = 0;
		on_done(&conn->access);
	}
}

/* While an access is carried out the guest has nothing to say, but may go away. */
static bool is_silent(const struct conn *conn)
{
	char byte;

	return recv(conn->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
	       (errno == EAGAIN || errno == EINTR);
}

static void on_access(evutil_socket_t fd, short what, void *arg)
{
	struct conn *conn = arg;
	struct uml *uml = conn->uml;
	int ret;

	(void)fd;
	(void)what;
	if (conn->waits) {
		if (!is_silent(conn))
			conn_close(conn);
		return;
	}
	ret = conn_receive(conn, &conn->request, sizeof(conn->request));
	if (!ret)
		return;
	if (ret < 0) {
		conn_close(conn);
		return;
	}
	conn->have = 0;
	uml->answering = true;
	start_access(conn);
	uml->answering = false;
	if (uml->ring)
		uml_ring_doorbell(uml);
}

/*
 * Hello
 */

/* As conn_receive(), for the hello, with its descriptors */
static int receive_hello(struct conn *conn)
{
	ssize_t got = sock_receive(conn->fd, (uint8_t *)&conn->hello + conn->have,
				   sizeof(conn->hello) - conn->have, conn->fds, 2, NULL);

	if (got < 0 && errno == EAGAIN)
		return 0;
	if (got <= 0)
		return -1;
	conn->have += got;
	return conn->have == sizeof(conn->hello);
}

/* Be the guest, or be told why not */
static void finish_hello(struct conn *conn)
{
	struct mmio_sock_welcome welcome = {
		.magic = MMIO_SOCK_MAGIC,
		.version = MMIO_SOCK_VERSION,
		.error = uml_take_guest(conn),
	};

	conn->have = 0;
	if (!welcome.error) {
		log_limited(&conn->uml->carrier.log, "%s: a guest connects", conn->uml->carrier.name);
		event_del(conn->event);
		event_assign(conn->event, loop, conn->fd, EV_READ | EV_PERSIST, on_access, conn);
		event_add(conn->event, NULL);
	} else {
		log_limited(&conn->uml->carrier.log, "%s: a guest is refused: %s", conn->uml->carrier.name,
			    strerror(welcome.error));
	}
	if (!conn_send(conn, &welcome, sizeof(welcome)) || welcome.error)
		conn_close(conn);
}

void conn_unhold(struct uml *uml)
{
	struct conn *conn, *next;

	for (conn = uml->conns; conn && !uml->leaving; conn = next) {
		next = conn->next;
		if (!conn->held)
			continue;
		conn->held = false;
		finish_hello(conn);
		/* It may have closed others: those that follow are looked for anew */
		next = uml->conns;
	}
}

/* The same process again: it has rebooted, whatever became of its old socket */
static void drop_previous_life(struct conn *conn)
{
	struct conn *guest = conn->uml->guest;

	/* Process 0 is none: it is in another namespace, as others may be */
	if (guest && conn->pid > 0 && guest->pid == conn->pid)
		conn_close(guest);
}

static void on_hello(evutil_socket_t fd, short what, void *arg)
{
	struct conn *conn = arg;
	int ret;

	(void)fd;
	if (conn->held) {
		if (!is_silent(conn))
			conn_close(conn);
		return;
	}
	ret = what & EV_TIMEOUT ? -1 : receive_hello(conn);
	if (!ret)
		return;
	if (ret < 0) {
		conn_close(conn);
		return;
	}
	drop_previous_life(conn);
	if (!conn->uml->leaving) {
		finish_hello(conn);
		return;
	}
	conn->held = true;
	/* As long as it takes, which is not for ever */
	event_del(conn->event);
	event_assign(conn->event, loop, conn->fd, EV_READ | EV_PERSIST, on_hello, conn);
	event_add(conn->event, NULL);
}

static unsigned int num_conns(const struct uml *uml)
{
	const struct conn *conn;
	unsigned int num = 0;

	for (conn = uml->conns; conn; conn = conn->next)
		num++;
	return num;
}

static pid_t peer_of(int fd)
{
	struct ucred cred = { 0 };
	socklen_t len = sizeof(cred);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) ? 0 : cred.pid;
}

void conn_open(void *arg, int fd)
{
	static const struct timeval patience = { .tv_sec = HELLO_SECONDS };
	struct uml *uml = arg;
	struct conn *conn = num_conns(uml) < MAX_CONNS ? calloc(1, sizeof(*conn)) : NULL;

	if (conn)
		conn->event = event_new(loop, fd, EV_READ | EV_PERSIST, on_hello, conn);
	if (!conn || !conn->event) {
		free(conn);
		close(fd);
		log_limited(&uml->carrier.log, "%s: too many connect that say nothing", uml->carrier.name);
		return;
	}
	conn->uml = uml;
	conn->fd = fd;
	conn->fds[0] = -1;
	conn->fds[1] = -1;
	conn->pid = peer_of(fd);
	conn->next = uml->conns;
	uml->conns = conn;
	event_add(conn->event, &patience);
}
