// SPDX-License-Identifier: GPL-2.0-only
/*
 * A vhost-user backend that says anything: what it answers, and what it asks for itself,
 * while a driver does what drivers do. When its bytes are at their end it closes.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_config.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "machine.h"
#include "vhost_user/msg.h"

#define MAX_FDS		64

/**
 * struct backend - the other end
 * @in: the input
 * @fd: the connection; -1: none
 * @requests: the channel for the backend's own requests; -1: none
 * @events: eventfds it was given, and what else
 * @num_events: how many
 * @rest: of an answer, that is sent later
 * @rest_len: how much
 * @comes: it can be connected to
 * @features: that it offers
 * @protocol: protocol features that it offers
 */
static struct backend {
	struct input *in;
	int fd;
	int requests;
	int events[MAX_FDS];
	unsigned int num_events;
	uint8_t rest[VU_MAX_CONFIG];
	size_t rest_len;
	bool comes;
	uint64_t features;
	uint64_t protocol;
} backend;

int __wrap_sock_connect(const char *path, struct errmsg *err);

static void hang_up(void)
{
	unsigned int i;

	if (backend.fd >= 0)
		close(backend.fd);
	if (backend.requests >= 0)
		close(backend.requests);
	for (i = 0; i < backend.num_events; i++)
		close(backend.events[i]);
	backend.fd = -1;
	backend.requests = -1;
	backend.num_events = 0;
	backend.rest_len = 0;
}

int __wrap_sock_connect(const char *path, struct errmsg *err)
{
	int ends[2];

	(void)path;
	if (!backend.comes || !backend.in->left) {
		errno = ECONNREFUSED;
		return errmsg_set(err, "nobody is there");
	}
	hang_up();
	fuzz_pair(ends);
	backend.fd = ends[1];
	return ends[0];
}

static void keep_fd(int fd, uint32_t request)
{
	if (request == VU_SET_BACKEND_REQ_FD && backend.requests < 0)
		backend.requests = fd;
	else if ((request == VU_SET_VRING_CALL || request == VU_SET_VRING_ERR) &&
		 backend.num_events < MAX_FDS)
		backend.events[backend.num_events++] = fd;
	else
		close(fd);
}

/* The next request of the frontend, which sends whole ones */
static bool receive(struct vu_msg *msg)
{
	int fds[16], i;

	memset(fds, -1, sizeof(fds));
	if (backend.fd < 0 ||
	    sock_receive(backend.fd, msg, VU_HEADER_SIZE, fds, 16, NULL) != VU_HEADER_SIZE)
		return false;
	for (i = 0; i < 16 && fds[i] >= 0; i++)
		keep_fd(fds[i], msg->request);
	fuzz_check(msg->size <= VU_MAX_PAYLOAD);
	fuzz_check((msg->flags & VU_VERSION_MASK) == VU_VERSION);
	return !msg->size || recv(backend.fd, msg->bytes, msg->size, 0) == msg->size;
}

/* What a good backend answers: how much payload, -1: nothing */
static int good_answer(struct vu_msg *msg)
{
	switch (msg->request) {
	case VU_GET_FEATURES:
		msg->u64 = backend.features;
		return 8;
	case VU_GET_PROTOCOL_FEATURES:
		msg->u64 = backend.protocol;
		return 8;
	case VU_GET_QUEUE_NUM:
	case VU_GET_MAX_MEM_SLOTS:
		msg->u64 = 4;
		return 8;
	case VU_GET_STATUS:
		msg->u64 = VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER |
			   VIRTIO_CONFIG_S_FEATURES_OK;
		return 8;
	case VU_GET_CONFIG:
	case VU_GET_VRING_BASE:
		return msg->size;
	case VU_GET_INFLIGHT_FD:
		msg->inflight.mmap_size = 4096;
		return sizeof(msg->inflight);
	default:
		msg->u64 = 0;
		return msg->flags & VU_NEED_REPLY ? 8 : -1;
	}
}

/* A record of requests in flight, or a file of another kind */
static int take_record(void)
{
	size_t len = take8(backend.in);
	const uint8_t *data = take_bytes(backend.in, &len);
	int fd;

	if (!len)
		return open("/dev/null", O_RDWR | O_CLOEXEC);
	fd = fuzz_memfd(16384);
	fuzz_check(pwrite(fd, data, len, take16(backend.in) % 16384) >= 0);
	return fd;
}

static void send_answer(struct vu_msg *msg, int size, unsigned int num_fds)
{
	size_t len = VU_HEADER_SIZE + size, now = len;
	int fds[16], i, fd = num_fds ? take_record() : -1;

	for (i = 0; i < 16; i++)
		fds[i] = fd;
	if (take8(backend.in) == 1)
		now = take8(backend.in) % len;
	fuzz_send(backend.fd, msg, now, fds, num_fds);
	if (len - now <= sizeof(backend.rest)) {
		backend.rest_len = len - now;
		memcpy(backend.rest, (char *)msg + now, backend.rest_len);
	}
	if (fd >= 0)
		close(fd);
}

/* Something about a good answer is not good */
static void answer(struct vu_msg *msg)
{
	unsigned int num_fds = msg->request == VU_GET_INFLIGHT_FD;
	int size = good_answer(msg);
	uint8_t how = take8(backend.in);
	size_t len;
	const uint8_t *data;

	if (size < 0 && how != 6)
		return;
	msg->flags = VU_VERSION | VU_REPLY;
	switch (how) {
	case 1:
		msg->u64 = take_edge(backend.in);
		break;
	case 2:
		size = take8(backend.in);
		break;
	case 3:
		msg->request = take8(backend.in);
		msg->flags = take8(backend.in);
		break;
	case 4:
		num_fds = take8(backend.in) % 16;
		break;
	case 5:
		return;
	case 6:
		size = 8;
		break;
	case 7:
		hang_up();
		return;
	case 8:
		len = size;
		data = take_bytes(backend.in, &len);
		memcpy(msg->bytes, data, len);
		break;
	}
	msg->size = size;
	if (how == 9)
		msg->size = take_edge(backend.in);
	send_answer(msg, size, num_fds);
}

/* Called when the frontend waits: false if there is nothing more to come */
static bool turn(void)
{
	struct vu_msg msg = { 0 };

	if (backend.fd < 0)
		return false;
	if (backend.rest_len) {
		fuzz_send(backend.fd, backend.rest, backend.rest_len, NULL, 0);
		backend.rest_len = 0;
		return true;
	}
	if (!backend.in->left) {
		hang_up();
		return true;
	}
	if (!receive(&msg))
		return false;
	answer(&msg);
	return true;
}

/* What nobody asked it */
static void unasked(struct input *in)
{
	uint8_t how = take8(in);
	int fd = how & 1 ? backend.fd : backend.requests, fds[3];
	unsigned int i;
	struct vu_msg msg = {
		.request = how & 2 ? take8(in) : VU_BACKEND_CONFIG_CHANGE_MSG,
		.flags = how & 4 ? take8(in) : VU_VERSION,
		.size = how & 8 ? take_edge(in) : 0,
	};
	size_t len = how & 0x10 ? take8(in) : 0;
	const uint8_t *data = take_bytes(in, &len);

	if (fd < 0)
		return;
	memcpy(msg.bytes, data, len);
	for (i = 0; i < 3; i++)
		fds[i] = backend.fd;
	fuzz_send(fd, &msg, VU_HEADER_SIZE + len, fds, how >> 6);
}

static void signal_event(uint8_t which)
{
	uint64_t one = 1;

	if (backend.num_events)
		fuzz_check(write(backend.events[which % backend.num_events], &one, sizeof(one)) ==
			   sizeof(one) || errno == EAGAIN);
}

/*
 * The driver
 */

static void config_space(struct slot *slot, struct input *in)
{
	uint8_t bytes[256], how = take8(in);
	uint8_t len = take8(in);

	memset(bytes, how, sizeof(bytes));
	if (how & 1)
		slot_config_write(slot, how & 2 ? take8(in) : 0, bytes, len);
	else
		slot_config_read(slot, how & 2 ? take8(in) : 0, bytes, len);
}

static void enable(struct machine *m, struct input *in)
{
	uint8_t how = take8(in);
	uint64_t at = 0x1000 + (how & 3) * 0x3000;
	struct device_queue setup = {
		.size = how & 4 ? take8(in) : 16,
		.desc = machine_addr(m, at),
		.driver = machine_addr(m, at + 0x1000),
		.device = how & 8 ? take_addr(m, in) : machine_addr(m, at + 0x2000),
		.resume = how & 0x10,
		.base = how & 0x20 ? (int64_t)take_edge(in) : -1,
	};

	slot_enable_queue(&m->win->slots[0], how & 3, &setup);
}

static void negotiate(struct slot *slot, struct input *in)
{
	uint64_t features = slot_offered(slot) & ~(1ULL << VIRTIO_F_RING_PACKED);

	if (take8(in) & 1)
		features = slot_offered(slot) & ~take64(in);
	slot_set_status(slot, 0);
	slot_set_features(slot, 0, features);
	slot_set_features(slot, 1, features >> 32);
	slot_set_status(slot, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER |
			VIRTIO_CONFIG_S_FEATURES_OK);
}

static void drive(struct machine *m)
{
	struct slot *slot = &m->win->slots[0];
	struct input *in = backend.in;

	if (!slot->dev)
		return;
	switch (take8(in) % 9) {
	case 0:
		negotiate(slot, in);
		break;
	case 1:
		enable(m, in);
		break;
	case 2:
		slot_set_status(slot, VIRTIO_CONFIG_S_DRIVER_OK);
		break;
	case 3:
		slot_set_status(slot, take_status(in));
		break;
	case 4:
		config_space(slot, in);
		break;
	case 5:
		slot_reset_queue(slot, take8(in) % 4);
		break;
	case 6:
		slot_kick(slot, take8(in) % 4, 0);
		break;
	case 7:
		slot_get_status(slot);
		break;
	case 8:
		slot_suspend(slot);
		break;
	}
}

static void pass(unsigned int ms)
{
	do {
		fuzz_pass(ms);
		ms = 0;
	} while (turn());
	fuzz_pass(0);
}

static void step(struct machine *m, struct input *in)
{
	switch (take8(in) % 10) {
	case 0:
		unasked(in);
		pass(0);
		break;
	case 1:
		signal_event(take8(in));
		pass(0);
		break;
	case 2:
		hang_up();
		backend.comes = take8(in) & 1;
		pass(take8(in));
		break;
	case 3:
		pass(take16(in));
		break;
	case 4:
		backend.features = take64(in) | 1ULL << VIRTIO_F_VERSION_1;
		backend.protocol = take32(in);
		break;
	case 5:
		take_poke(m, in);
		break;
	case 6:
		machine_reboot(m);
		break;
	case 7:
		pass(0);
		break;
	default:
		machine_locked(m, drive);
	}
}

static int share(const struct memory *mem)
{
	(void)mem;
	return open("/dev/null", O_RDWR | O_CLOEXEC);
}

static void *map_nothing(struct memory *mem, uint64_t addr, size_t len, bool write)
{
	(void)mem;
	(void)addr;
	(void)len;
	(void)write;
	return NULL;
}

/* Memory as on Xen: granted, or mapped whole */
static void make_xen(struct machine *m, struct memory_xen *xen, struct memory_ops *ops)
{
	struct memory *mem = &m->carrier.memory;

	xen->grants = m->grants;
	mem->xen = xen;
	*ops = mem->ops ? *mem->ops : (struct memory_ops) { .map = map_nothing };
	ops->share = share;
	mem->ops = ops;
}

static struct device *make_device(uint8_t choice)
{
	static const char *const kinds[] = {
		"device=blk,socket=s",
		"device=net,socket=s,mac=52:54:00:12:34:56,mtu=1500",
		"device=fs,socket=s,tag=fuzz",
		"device=vsock,socket=s,guest-cid=3",
		"device=scsi,socket=s",
		"device=i2c,socket=s,reconnect=1",
		"device=input,socket=s",
		"device=sound,socket=s,queue-size=8",
		"device=any,socket=s,id=9,config=0011223344,queues=4",
		"device=any,socket=s,id=9,config-size=8,reconnect=0",
	};

	return machine_device(kinds[choice % (sizeof(kinds) / sizeof(kinds[0]))]);
}

void fuzz_one(struct input *in)
{
	uint8_t bits = take8(in);
	struct machine *m = machine_new(bits & 1);
	struct memory_xen xen = { .domid = 1 };
	struct memory_ops ops;
	struct device *dev;

	backend = (struct backend) {
		.in = in,
		.fd = -1,
		.requests = -1,
		.comes = true,
		.features = 1ULL << VIRTIO_F_VERSION_1 | 1ULL << VHOST_USER_F_PROTOCOL_FEATURES |
			    1ULL << VIRTIO_F_RING_PACKED,
		.protocol = bits & 8 ? take32(in) : UINT64_MAX,
	};
	if (bits & 3)
		make_xen(m, &xen, &ops);
	if (!(bits & 4))
		backend.protocol &= ~(1ULL << VU_PROTOCOL_F_STATUS);
	fuzz_peer = turn;
	m->win = window_create(&m->carrier, 0, &window_config_default);
	dev = make_device(take8(in));
	fuzz_check(m->win && dev && !slot_attach(&m->win->slots[0], dev));
	pass(0);
	while (in->left)
		step(m, in);
	pass(0);
	machine_free(m);
	hang_up();
}
