// SPDX-License-Identifier: GPL-2.0-only
/*
 * A User Mode Linux guest: its memory and its interrupts, from its coming to its
 * going.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "carriers/uml/internal.h"

/* A doorbell that is full has been rung: the result does not matter */
void uml_ring_doorbell(struct uml *uml)
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
		uml_ring_doorbell(uml);
}

/* Windows and memory are as if there had never been a guest. */
static void on_gone(struct carrier *carrier)
{
	struct uml *uml = (struct uml *)carrier;

	uml->leaving = false;
	conn_unhold(uml);
}

/* What interrupts go by is given up at once, the memory when nothing uses it. */
static void forget_guest(struct uml *uml)
{
	uml->guest = NULL;
	uml->carrier.guest = false;
	if (uml->pending_page) {
		guard_remove(uml->pending_page);
		munmap(uml->pending_page, sysconf(_SC_PAGESIZE));
	}
	uml->pending_page = NULL;
	uml->pending = NULL;
	uml->ring = false;
	if (uml->doorbell >= 0)
		close(uml->doorbell);
	uml->doorbell = -1;
	uml->leaving = true;
	carrier_guest_gone(&uml->carrier, on_gone);
}

void uml_guest_gone(struct uml *uml)
{
	log_limited(&uml->carrier.log, "%s: the guest is gone", uml->carrier.name);
	forget_guest(uml);
}

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

int uml_take_guest(struct conn *conn)
{
	const struct mmio_sock_hello *hello = &conn->hello;
	struct uml *uml = conn->uml;
	int ret = check_hello(uml, conn);

	if (ret)
		return ret;
	ret = map_pending(uml, hello, conn->fds[0]);
	if (!ret) {
		ret = -memory_add(&uml->carrier.memory, hello->mem_base, hello->mem_size,
				  conn->fds[0], hello->mem_offset);
		conn->fds[0] = -1;
	}
	if (ret) {
		forget_guest(uml);
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

/*
 * The carrier
 */

static void uml_close(struct carrier *carrier)
{
	struct uml *uml = (struct uml *)carrier;

	while (uml->conns)
		conn_close(uml->conns);
	if (uml->listener)
		listener_free(uml->listener);
	else
		close(uml->fd);
	carrier_release(carrier);
	if (uml->path)
		unlink(uml->path);
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
	uml->listener = listener_new(uml->fd, name, conn_open, uml);
	if (uml->listener)
		return &uml->carrier;
	uml_close(&uml->carrier);

no_memory:
	errmsg_set(err, "out of memory");
	return NULL;
}
