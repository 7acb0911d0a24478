// SPDX-License-Identifier: GPL-2.0-only
/*
 * A User Mode Linux guest: its accesses come over a socket, its memory is a
 * file, an interrupt is a bit in that memory and a byte to the doorbell. See
 * arch/um/drivers/mmio_sock.h for the protocol.
 *
 * The guest's CPU stands still during an access, so nothing here waits.
 */
#include "carriers/uml/uml.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base.h"
#include "mmio_sock.h"
#include "model/model.h"

/* How long a connection may be silent before it says who it is */
#define HELLO_SECONDS	5

struct uml;

/**
 * struct conn - a connection; the guest's once it has said hello
 * @uml: whose it is
 * @next: all connections of @uml
 * @fd: the socket
 * @event: it is readable
 * @pid: who is at the other end
 * @fds: memory and doorbell, -1 if they have not come
 * @have: bytes of @hello or @access that are there
 * @hello: what comes first
 * @access: what comes then
 */
struct conn {
	struct uml *uml;
	struct conn *next;
	int fd;
	struct event *event;
	pid_t pid;
	int fds[2];
	size_t have;
	union {
		struct mmio_sock_hello hello;
		struct mmio_sock_access access;
	};
};

/**
 * struct uml - a guest, or the wait for one
 * @carrier: what the windows see
 * @path: of the socket, if it is ours to remove
 * @fd: the listening socket
 * @event: somebody connects
 * @conns: all connections
 * @guest: the one that is the guest's, or NULL
 * @doorbell: where a byte tells the guest of interrupts
 * @pending: which interrupts
 * @pending_page: the page that @pending is in
 * @num_irqs: how many there are
 * @answering: an access is being carried out
 * @ring: interrupts were raised meanwhile, the doorbell was not rung yet
 */
struct uml {
	struct carrier carrier;
	char *path;
	int fd;
	struct event *event;
	struct conn *conns;
	struct conn *guest;
	int doorbell;
	uint64_t *pending;
	void *pending_page;
	unsigned int num_irqs;
	bool answering;
	bool ring;
};

/* A doorbell that is full has been rung: the result does not matter */
static void ring_doorbell(struct uml *uml)
{
	const char byte = 0;

	uml->ring = false;
	if (write(uml->doorbell, &byte, sizeof(byte)) < 0)
		return;
}

/*
 * The doorbell is a signal to the guest's process. While its CPU waits for an
 * access that would only wake it, to wait again: the answer goes first.
 */
static void uml_interrupt(struct carrier *carrier, unsigned int w)
{
	struct uml *uml = (struct uml *)carrier;

	if (!uml->pending || w >= uml->num_irqs)
		return;
	__atomic_fetch_or(uml->pending, 1ULL << w, __ATOMIC_RELEASE);
	if (uml->answering)
		uml->ring = true;
	else
		ring_doorbell(uml);
}

static void guest_gone(struct uml *uml)
{
	uml->guest = NULL;
	uml->carrier.guest = false;
	carrier_guest_gone(&uml->carrier);
	if (uml->pending_page) {
		guard_remove(uml->pending_page);
		munmap(uml->pending_page, sysconf(_SC_PAGESIZE));
	}
	uml->pending_page = NULL;
	uml->pending = NULL;
	if (uml->doorbell >= 0)
		close(uml->doorbell);
	uml->doorbell = -1;
}

static void conn_close(struct conn *conn)
{
	struct conn **at = &conn->uml->conns;
	unsigned int i;

	while (*at != conn)
		at = &(*at)->next;
	*at = conn->next;

	if (conn->uml->guest == conn) {
		log_line("%s: the guest is gone", conn->uml->carrier.name);
		guest_gone(conn->uml);
	}
	event_free(conn->event);
	close(conn->fd);
	for (i = 0; i < 2; i++) {
		if (conn->fds[i] >= 0)
			close(conn->fds[i]);
	}
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

static uint64_t access_window(struct uml *uml, const struct mmio_sock_access *access)
{
	uint64_t w = access->offset / WINDOW_SIZE;
	uint64_t offset = access->offset % WINDOW_SIZE;

	if (w >= uml->carrier.num_windows)
		return 0;
	if (access->op == MMIO_SOCK_READ)
		return carrier_read(&uml->carrier, w, offset, access->size);
	if (access->op == MMIO_SOCK_WRITE)
		carrier_write(&uml->carrier, w, offset, access->size, access->value);
	return 0;
}

static void on_access(evutil_socket_t fd, short what, void *arg)
{
	struct conn *conn = arg;
	struct uml *uml = conn->uml;
	struct mmio_sock_reply reply;
	bool sent = false;
	int ret;

	(void)fd;
	(void)what;
	ret = conn_receive(conn, &conn->access, sizeof(conn->access));
	if (!ret)
		return;
	if (ret > 0) {
		conn->have = 0;
		uml->answering = true;
		reply.value = access_window(uml, &conn->access);
		uml->answering = false;
		sent = conn_send(conn, &reply, sizeof(reply));
	}
	if (uml->ring)
		ring_doorbell(uml);
	if (!sent)
		conn_close(conn);
}

/*
 * Hello
 */

static int map_pending(struct uml *uml, const struct mmio_sock_hello *hello, int fd)
{
	size_t page_size = sysconf(_SC_PAGESIZE);
	uint64_t in_page = hello->pending_offset % page_size;
	struct stat st;
	void *page;

	if (in_page % sizeof(uint64_t) || fstat(fd, &st) || st.st_size < (off_t)sizeof(uint64_t) ||
	    hello->pending_offset > st.st_size - sizeof(uint64_t))
		return EINVAL;
	page = mmap(NULL, page_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		    hello->pending_offset - in_page);
	if (page == MAP_FAILED)
		return errno;
	if (guard_add(page, page_size)) {
		munmap(page, page_size);
		return ENOMEM;
	}
	uml->pending_page = page;
	uml->pending = (uint64_t *)((uint8_t *)page + in_page);
	return 0;
}

/* The same process again: it has rebooted, whatever became of its old socket */
static void drop_previous_life(struct conn *conn)
{
	struct conn *guest = conn->uml->guest;

	if (guest && guest->pid == conn->pid)
		conn_close(guest);
}

static int check_hello(const struct uml *uml, const struct conn *conn)
{
	const struct mmio_sock_hello *hello = &conn->hello;

	if (hello->magic != MMIO_SOCK_MAGIC || hello->version != MMIO_SOCK_VERSION)
		return EPROTO;
	if (conn->fds[0] < 0 || conn->fds[1] < 0)
		return EBADF;
	if (uml->guest)
		return EBUSY;
	if (hello->num_irqs > MMIO_SOCK_MAX_IRQS || hello->num_irqs < uml->carrier.num_windows ||
	    hello->size < (uint64_t)uml->carrier.num_windows * WINDOW_SIZE)
		return ENOSPC;
	return 0;
}

/* 0, or an errno value, with everything undone */
static int take_guest(struct conn *conn)
{
	const struct mmio_sock_hello *hello = &conn->hello;
	struct uml *uml = conn->uml;
	int ret;

	drop_previous_life(conn);
	ret = check_hello(uml, conn);
	if (ret)
		return ret;
	ret = map_pending(uml, hello, conn->fds[0]);
	if (!ret) {
		ret = -memory_add(&uml->carrier.memory, hello->mem_base, hello->mem_size,
				  conn->fds[0], hello->mem_offset);
		conn->fds[0] = -1;
	}
	if (ret) {
		guest_gone(uml);
		return ret;
	}
	uml->num_irqs = hello->num_irqs;
	uml->doorbell = conn->fds[1];
	conn->fds[1] = -1;
	fcntl(uml->doorbell, F_SETFL, fcntl(uml->doorbell, F_GETFL) | O_NONBLOCK);
	uml->guest = conn;
	uml->carrier.guest = true;
	return 0;
}

static void take_fds(struct conn *conn, struct msghdr *msg)
{
	struct cmsghdr *cmsg;
	unsigned int i, num;
	int fd;

	for (cmsg = CMSG_FIRSTHDR(msg); cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
		if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
			continue;
		num = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (i = 0; i < num; i++) {
			memcpy(&fd, CMSG_DATA(cmsg) + i * sizeof(int), sizeof(fd));
			if (i < 2 && conn->fds[i] < 0)
				conn->fds[i] = fd;
			else
				close(fd);
		}
	}
}

/* As conn_receive(), for the hello, with its descriptors */
static int receive_hello(struct conn *conn)
{
	union {
		char buf[CMSG_SPACE(2 * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = {
		.iov_base = (uint8_t *)&conn->hello + conn->have,
		.iov_len = sizeof(conn->hello) - conn->have,
	};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = sizeof(control.buf),
	};
	ssize_t got = recvmsg(conn->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (got <= 0)
		return -1;
	take_fds(conn, &msg);
	conn->have += got;
	return conn->have == sizeof(conn->hello);
}

static void on_hello(evutil_socket_t fd, short what, void *arg)
{
	struct conn *conn = arg;
	struct mmio_sock_welcome welcome = {
		.magic = MMIO_SOCK_MAGIC,
		.version = MMIO_SOCK_VERSION,
	};
	int ret;

	(void)fd;
	ret = what & EV_TIMEOUT ? -1 : receive_hello(conn);
	if (!ret)
		return;
	if (ret < 0) {
		conn_close(conn);
		return;
	}
	welcome.error = take_guest(conn);
	conn->have = 0;
	if (!welcome.error) {
		log_line("%s: a guest connects", conn->uml->carrier.name);
		event_del(conn->event);
		event_assign(conn->event, loop, conn->fd, EV_READ | EV_PERSIST, on_access, conn);
		event_add(conn->event, NULL);
	} else {
		log_limited("%s: a guest is refused: %s", conn->uml->carrier.name,
			    strerror(welcome.error));
	}
	if (!conn_send(conn, &welcome, sizeof(welcome)) || welcome.error)
		conn_close(conn);
}

static void on_connect(evutil_socket_t fd, short what, void *arg)
{
	const struct timeval patience = { .tv_sec = HELLO_SECONDS };
	struct uml *uml = arg;
	struct ucred cred = { 0 };
	socklen_t len = sizeof(cred);
	struct conn *conn;

	(void)what;
	conn = calloc(1, sizeof(*conn));
	if (!conn)
		return;
	conn->uml = uml;
	conn->fds[0] = -1;
	conn->fds[1] = -1;
	conn->fd = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (conn->fd < 0) {
		free(conn);
		return;
	}
	if (!getsockopt(conn->fd, SOL_SOCKET, SO_PEERCRED, &cred, &len))
		conn->pid = cred.pid;
	conn->event = event_new(loop, conn->fd, EV_READ | EV_PERSIST, on_hello, conn);
	if (!conn->event) {
		close(conn->fd);
		free(conn);
		return;
	}
	conn->next = uml->conns;
	uml->conns = conn;
	event_add(conn->event, &patience);
}

/*
 * The carrier
 */

static void uml_close(struct carrier *carrier)
{
	struct uml *uml = (struct uml *)carrier;

	while (uml->conns)
		conn_close(uml->conns);
	if (uml->event)
		event_free(uml->event);
	carrier_release(carrier);
	if (uml->path)
		unlink(uml->path);
	close(uml->fd);
	free(uml->path);
	free(uml);
}

static const struct carrier_ops uml_ops = {
	.interrupt = uml_interrupt,
	.close = uml_close,
};

struct carrier *carrier_uml_create(struct params *params, int listening, struct errmsg *err)
{
	const char *path = params_get(params, "path");
	char name[256];
	struct uml *uml;

	if (!path || !*path) {
		errmsg_set(err, "uml needs the path of a socket");
		return NULL;
	}
	uml = calloc(1, sizeof(*uml));
	if (!uml)
		goto no_memory;
	uml->doorbell = -1;
	uml->path = listening < 0 ? strdup(path) : NULL;
	snprintf(name, sizeof(name), "uml:%s", path);
	uml->fd = listening < 0 ? sock_listen(path, err) : listening;
	if (uml->fd < 0) {
		free(uml->path);
		free(uml);
		return NULL;
	}
	if ((listening < 0 && !uml->path) || carrier_init(&uml->carrier, &uml_ops, name)) {
		close(uml->fd);
		free(uml->path);
		free(uml);
		goto no_memory;
	}
	uml->carrier.guest = false;
	uml->event = event_new(loop, uml->fd, EV_READ | EV_PERSIST, on_connect, uml);
	if (uml->event && !event_add(uml->event, NULL))
		return &uml->carrier;
	uml_close(&uml->carrier);

no_memory:
	errmsg_set(err, "out of memory");
	return NULL;
}
