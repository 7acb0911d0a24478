// SPDX-License-Identifier: GPL-2.0-only
/*
 * Virtqueues: served by the backend in the guest's memory. What goes through
 * here are two eventfds each, and with help of the carrier not even those.
 */
#include <endian.h>
#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <poll.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/base.h"
#include "model/model.h"
#include "vhost_user/internal.h"

/* Packed ring: both indices 0, both wrap counters 1 */
#define PACKED_BASE	0x80008000

/* What one request of an in-order device may take that was begun, in milliseconds */
#define FINISH_MS	1000

/* The backend has the same eventfds: they may be non-blocking no longer. */
static bool ready(int fd, short what)
{
	struct pollfd pfd = { .fd = fd, .events = what };

	return poll(&pfd, 1, 0) > 0;
}

static void drain(struct vhost_user *vu, int fd)
{
	uint64_t count;

	if (!ready(fd, POLLIN))
		return;
	if (read(fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
		log_limited(&vu->dev.log, "vhost-user %s: an eventfd cannot be read", vu->options.path);
}

static void signal_fd(struct vhost_user *vu, int fd)
{
	uint64_t one = 1;

	/* Likewise EAGAIN: it is signalled as often as it can be */
	if (!ready(fd, POLLOUT))
		return;
	if (write(fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
		log_limited(&vu->dev.log, "vhost-user %s: an eventfd cannot be written",
			    vu->options.path);
}

static unsigned int queue_of(const struct vhost_user *vu, int fd)
{
	unsigned int q = 0;

	while (vu->queues[q].call != fd)
		q++;
	return q;
}

static void called(evutil_socket_t fd, short what, void *arg)
{
	struct vhost_user *vu = arg;

	(void)what;
	drain(vu, fd);
	device_used(&vu->dev, queue_of(vu, fd));
}

static void failed(evutil_socket_t fd, short what, void *arg)
{
	struct vhost_user *vu = arg;

	(void)what;
	drain(vu, fd);
	device_broken(&vu->dev, "the backend says that a queue is broken");
}

static int open_error(struct vhost_user *vu)
{
	if (vu->error >= 0)
		return 0;
	vu->error = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (vu->error < 0)
		return -errno;
	vu->failed = event_new(loop, vu->error, EV_READ | EV_PERSIST, failed, vu);
	if (!vu->failed)
		return -ENOMEM;
	event_add(vu->failed, NULL);
	return 0;
}

static int queue_open(struct vhost_user *vu, unsigned int q)
{
	struct vu_queue *queue = &vu->queues[q];
	int ret = open_error(vu);

	if (ret)
		return ret;
	queue->kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	queue->call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (queue->kick < 0 || queue->call < 0) {
		ret = -errno;
		vu_queue_close(vu, q);
		return ret;
	}
	if (!device_irqfd(&vu->dev, q, queue->call)) {
		queue->called = event_new(loop, queue->call, EV_READ | EV_PERSIST, called, vu);
		if (!queue->called) {
			vu_queue_close(vu, q);
			return -ENOMEM;
		}
		event_add(queue->called, NULL);
	}
	device_ioeventfd(&vu->dev, q, queue->kick);
	return 0;
}

void vu_queue_close(struct vhost_user *vu, unsigned int q)
{
	struct vu_queue *queue = &vu->queues[q];

	if (queue->kick < 0 && queue->call < 0)
		return;
	device_ioeventfd(&vu->dev, q, -1);
	if (queue->called)
		event_free(queue->called);
	else
		device_irqfd(&vu->dev, q, -1);
	queue->called = NULL;
	if (queue->kick >= 0)
		close(queue->kick);
	if (queue->call >= 0)
		close(queue->call);
	queue->kick = -1;
	queue->call = -1;
	queue->running = false;
}

/* A 16-bit field of a ring; -errno if it is not there */
static int read_index(struct vhost_user *vu, uint64_t addr)
{
	struct memory *mem = device_memory(&vu->dev);
	__virtio16 *index = memory_get(mem, addr, sizeof(*index), false);
	int value;

	if (!index)
		return -EFAULT;
	value = le16toh(__atomic_load_n(index, __ATOMIC_ACQUIRE));
	memory_put(mem, index, sizeof(*index));
	return value;
}

static int used_index(struct vhost_user *vu, const struct device_queue *queue)
{
	return read_index(vu, queue->device + offsetof(struct vring_used, idx));
}

bool vu_queues_idle(struct vhost_user *vu)
{
	unsigned int q;

	for (q = 0; q < vu_num_backend_queues(vu); q++) {
		const struct device_queue *queue = &vu->dev.queues[q];
		uint64_t avail = queue->driver + offsetof(struct vring_avail, idx);
		int used;

		/* No backend was told of it */
		if (vu->queues[q].kick < 0)
			continue;
		used = used_index(vu, queue);
		if (used < 0 || used != read_index(vu, avail))
			return false;
	}
	return true;
}

bool vu_queues_moved(struct vhost_user *vu)
{
	unsigned int q;

	for (q = 0; q < vu_num_backend_queues(vu) && !vu_packed(vu); q++) {
		const struct vu_queue *queue = &vu->queues[q];

		if (queue->kick >= 0 &&
		    used_index(vu, &vu->dev.queues[q]) != (int)queue->base)
			return true;
	}
	return false;
}

/* Where a backend goes on in a ring whose requests up to there are done */
static int resume_base(struct vhost_user *vu, unsigned int q, uint32_t *base)
{
	int used;

	if (vu_packed(vu))
		return vu_inflight_packed_base(vu, q, base);
	used = used_index(vu, &vu->dev.queues[q]);
	if (used < 0)
		return used;
	*base = used;
	return 0;
}

/* The ring that another virtio-msgd had: no request that was begun is unfinished. */
static bool nothing_begun(struct vhost_user *vu, const struct device_queue *queue, uint32_t used)
{
	return queue->base == used ||
	       (int)used == read_index(vu, queue->driver + offsetof(struct vring_avail, idx));
}

/*
 * The same for a ring that was another virtio-msgd's. -ENOTSUP: requests may have been
 * begun that its backend did not finish.
 */
static int adopted_base(struct vhost_user *vu, unsigned int q, uint32_t *base)
{
	const struct device_queue *queue = &vu->dev.queues[q];
	enum vu_resume how = vu->options.kind->resume;
	int ret;

	if (!vu->options.reconnect_s || how == VU_RESUME_NEVER)
		return -ENOTSUP;
	if (vu_packed(vu)) {
		/* In its base are the next of the available and of the used buffers */
		if (queue->base < 0 || (queue->base & 0xffff) != queue->base >> 16)
			return -ENOTSUP;
		*base = queue->base;
		return 0;
	}
	ret = resume_base(vu, q, base);
	if (ret)
		return ret;
	return how == VU_RESUME_REPEAT || nothing_begun(vu, queue, *base) ? 0 : -ENOTSUP;
}

static int send_addr(struct vhost_user *vu, unsigned int q)
{
	const struct device_queue *queue = &vu->dev.queues[q];
	struct vu_msg msg;

	msg.addr = (struct vhost_vring_addr) {
		.index = q,
		.desc_user_addr = vu_memory_user_addr(vu, queue->desc),
		.used_user_addr = vu_memory_user_addr(vu, queue->device),
		.avail_user_addr = vu_memory_user_addr(vu, queue->driver),
	};
	if (!msg.addr.desc_user_addr || !msg.addr.used_user_addr || !msg.addr.avail_user_addr)
		return -EFAULT;
	return vu_set(vu, &msg, VU_SET_VRING_ADDR, sizeof(msg.addr), NULL, 0);
}

static int send_fd(struct vhost_user *vu, enum vu_request request, unsigned int q, int fd)
{
	struct vu_msg msg;

	msg.u64 = q & VU_VRING_INDEX_MASK;
	return vu_set(vu, &msg, request, sizeof(msg.u64), &fd, 1);
}

static int set_up(struct vhost_user *vu, unsigned int q, uint32_t base)
{
	struct vu_queue *queue = &vu->queues[q];
	int ret;

	ret = vu_set_state(vu, VU_SET_VRING_NUM, q, vu->dev.queues[q].size);
	if (!ret)
		ret = vu_set_state(vu, VU_SET_VRING_BASE, q, base);
	if (!ret)
		ret = send_addr(vu, q);
	if (!ret)
		ret = send_fd(vu, VU_SET_VRING_CALL, q, queue->call);
	if (!ret)
		ret = send_fd(vu, VU_SET_VRING_ERR, q, vu->error);
	if (ret)
		return ret;
	queue->base = base;
	/* From here on it may look at the ring */
	queue->running = true;
	ret = send_fd(vu, VU_SET_VRING_KICK, q, queue->kick);
	if (!ret && vu->features & BIT64(VHOST_USER_F_PROTOCOL_FEATURES))
		ret = vu_set_state(vu, VU_SET_VRING_ENABLE, q, 1);
	return ret ? ret : vu_sync(vu);
}

int vu_queue_start(struct vhost_user *vu, unsigned int q, bool resume)
{
	struct device_queue *queue = &vu->dev.queues[q];
	uint32_t base = vu_packed(vu) ? PACKED_BASE : 0;
	int ret = 0;

	if (queue->resume)
		ret = adopted_base(vu, q, &base);
	else if (resume)
		ret = resume_base(vu, q, &base);
	resume |= queue->resume;
	if (!ret && vu->queues[q].kick < 0)
		ret = queue_open(vu, q);
	if (!ret)
		ret = vu_memory_share(vu);
	if (!ret)
		ret = set_up(vu, q, base);
	if (ret)
		return ret;

	/* A ring starts with a kick; and what came before was for nobody */
	signal_fd(vu, vu->queues[q].kick);
	if (resume)
		device_used(&vu->dev, q);
	return 0;
}

/*
 * A backend may say where it is in a ring while a thread of it is still at requests from
 * there; it must not lose its memory, or its frontend, in the middle of one. Which are not
 * done is seen where they are done in order.
 */
static void finish_begun(struct vhost_user *vu, unsigned int q, uint32_t base)
{
	uint64_t deadline = loop_now_ms() + FINISH_MS;
	int used;

	if (vu_packed(vu) || vu->options.kind->resume != VU_RESUME_REPEAT || vu->unfinished)
		return;
	for (;;) {
		used = used_index(vu, &vu->dev.queues[q]);
		if (used < 0 || (uint32_t)used == base || !task_sleep(1))
			return;
		if (loop_now_ms() < deadline)
			continue;
		vu->unfinished = true;
		return;
	}
}

int vu_queue_stop(struct vhost_user *vu, unsigned int q, int64_t *base)
{
	struct vu_queue *queue = &vu->queues[q];
	struct vu_msg msg;
	int ret = 0;

	if (base)
		*base = -1;
	if (!queue->running)
		return 0;
	device_ioeventfd(&vu->dev, q, -1);
	if (vu->features & BIT64(VHOST_USER_F_PROTOCOL_FEATURES))
		ret = vu_set_state(vu, VU_SET_VRING_ENABLE, q, 0);
	if (!ret) {
		msg.state.index = q;
		msg.state.num = 0;
		ret = vu_get(vu, &msg, VU_GET_VRING_BASE, sizeof(msg.state),
			     sizeof(msg.state), sizeof(msg.state), NULL);
	}
	/* A backend that is gone serves nothing */
	if (ret && vu->state == VU_ABSENT)
		return 0;
	if (ret)
		return ret;
	if (msg.state.index != q) {
		vu_give_up(vu, "the backend stops another queue than it is told to");
		return -EPROTO;
	}
	queue->running = false;
	finish_begun(vu, q, msg.state.num);
	if (base)
		*base = msg.state.num;
	return 0;
}

void vu_queue_kick(struct vhost_user *vu, unsigned int q)
{
	if (vu->queues[q].kick >= 0)
		signal_fd(vu, vu->queues[q].kick);
}

bool vu_queues_running(const struct vhost_user *vu)
{
	unsigned int q;

	for (q = 0; q < vu->dev.num_queues; q++) {
		if (vu->queues[q].running)
			return true;
	}
	return false;
}

void vu_queues_forget(struct vhost_user *vu)
{
	unsigned int q;

	for (q = 0; q < vu->dev.num_queues; q++)
		vu->queues[q].running = false;
}
