// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a VMM sends over a vfio-user socket: connections, messages in any order and in
 * pieces, descriptors, memory that comes and goes, and accesses to a device that is at work.
 */
#include <linux/virtio_msg.h>
#include <linux/virtio_msg_mmio.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "carriers/vfio_user/protocol.h"
#include "carriers/vfio_user/vfio_user.h"
#include "machine.h"

#define CONNS	3
#define FILE_SIZE	(2 * GUEST_SIZE)

/**
 * struct run - a carrier, and who connects to it
 * @in: the input
 * @carrier: the carrier
 * @where: it listens
 * @fds: connections, -1: none
 * @memory: the guest's memory
 * @event: an eventfd
 * @ops: of a device that takes its time
 * @msg: the message that is made
 */
struct run {
	struct input *in;
	struct carrier *carrier;
	struct fuzz_address where;
	int fds[CONNS];
	int memory;
	int event;
	struct device_ops ops;
	struct vf_message msg;
};

/* How long a device takes at most, in milliseconds: longer than a VMM waits */
#define SLOW_MS	6000

static int slow_reset(struct device *dev)
{
	(void)dev;
	task_wait_fd(-1, 0, loop_now_ms() + SLOW_MS);
	return 0;
}

static int slow_start(struct device *dev)
{
	(void)dev;
	task_wait_fd(-1, 0, loop_now_ms() + SLOW_MS / 4);
	return 0;
}

static struct device *slow_device(struct run *run, struct device *dev)
{
	run->ops = *dev->ops;
	run->ops.reset = slow_reset;
	run->ops.start = slow_start;
	dev->ops = &run->ops;
	dev->waits = true;
	return dev;
}

static void start(struct run *run)
{
	static const char *const kinds[] = { "device=blk,size=4096", "device=i2c", "device=rng" };
	static const char *const options[] = { "", ",msi=on", ",vectors=1", ",vectors=40" };
	uint8_t how = take8(run->in);
	struct params params = { 0 };
	struct errmsg err;
	struct device *dev;
	struct window *win;
	unsigned int i;
	char text[64];

	snprintf(text, sizeof(text), "/nowhere%s", options[how % 4]);
	fuzz_check(!params_parse(&params, text, "path", &err));
	run->carrier = carrier_vfio_user_create(&params, fuzz_listen(&run->where), &err);
	params_free(&params);
	fuzz_check(run->carrier);
	win = window_create(run->carrier, 0, &window_config_default);
	fuzz_check(win);
	if (how / 4 % 4 < 3) {
		dev = machine_device(kinds[how / 4 % 4]);
		fuzz_check(dev);
		fuzz_check(!slot_attach(&win->slots[0], how & 0x80 ? slow_device(run, dev) : dev));
	}
	run->memory = fuzz_memfd(FILE_SIZE);
	run->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	fuzz_check(run->event >= 0);
	for (i = 0; i < CONNS; i++)
		run->fds[i] = -1;
}

static void stop(struct run *run)
{
	unsigned int i;

	for (i = 0; i < CONNS; i++) {
		if (run->fds[i] >= 0)
			close(run->fds[i]);
	}
	/* What it has sent before is done, in bounded time, and then it is gone */
	for (i = 0; i < 20 && (run->carrier->guest || task_count()); i++)
		fuzz_pass(SLOW_MS);
	fuzz_check(!run->carrier->guest && !run->carrier->memory.num_regions);
	run->carrier->ops->close(run->carrier);
	close(run->memory);
	close(run->event);
}

/* A message with a header that is mostly right, in one piece or in two */
static void send_message(struct run *run, int fd, uint16_t command, size_t payload,
			 const int *fds, unsigned int num)
{
	size_t size = sizeof(run->msg.hdr) + payload, first;
	uint8_t how = take8(run->in);

	run->msg.hdr = (struct vf_header) {
		.id = how,
		.command = command,
		.size = how == 1 ? take_edge(run->in) : size,
		.flags = how == 2 ? take_edge(run->in) : how & 0x10 ? VF_NO_REPLY : 0,
	};
	first = how & 0x80 ? take8(run->in) % size + 1 : size;
	fuzz_send(fd, &run->msg, first, fds, num);
	if (first == size)
		return;
	fuzz_pass(0);
	fuzz_send(fd, (char *)&run->msg + first, size - first, fds, num & 1);
}

/* One of the 4-byte words of what was made is another, maybe */
static void spoil(struct run *run, size_t payload)
{
	uint8_t how = take8(run->in);
	uint32_t value;

	if (how < 0xe0 || payload < sizeof(value))
		return;
	value = take_edge(run->in);
	memcpy(run->msg.bytes + how % (payload / sizeof(value)) * sizeof(value), &value,
	       sizeof(value));
}

static void say_version(struct run *run, int fd)
{
	static const char offer[] =
		"{\"capabilities\":{\"max_msg_fds\":16,\"max_data_xfer_size\":1048576}}";
	size_t len = sizeof(offer);
	const uint8_t *text = (const uint8_t *)offer;

	if (take8(run->in) & 0x80) {
		len = take8(run->in);
		text = take_bytes(run->in, &len);
	}
	run->msg.version.major = 0;
	run->msg.version.minor = 1;
	if (len)
		memcpy(run->msg.json, text, len);
	spoil(run, sizeof(run->msg.version));
	send_message(run, fd, VF_VERSION, sizeof(run->msg.version) + len, NULL, 0);
}

static void map_memory(struct run *run, int fd)
{
	const int fds[] = { run->memory, run->event };
	uint8_t how = take8(run->in);
	uint64_t pages = how & 7;

	run->msg.map = (struct vf_dma_map) {
		.argsz = sizeof(run->msg.map),
		.flags = how & 0x40 ? VF_DMA_READ : VF_DMA_READ | VF_DMA_WRITE,
		.offset = take8(run->in) % 32 * 4096ULL,
		.addr = GUEST_BASE + (how >> 3 & 7) * 4096ULL,
		.size = pages ? pages * 4096 : GUEST_SIZE,
	};
	spoil(run, sizeof(run->msg.map));
	send_message(run, fd, VF_DMA_MAP, sizeof(run->msg.map), how & 0x80 ? fds + 1 : fds,
		     how & 0x80 ? take8(run->in) % 2 : 1);
}

static void unmap_memory(struct run *run, int fd)
{
	uint8_t how = take8(run->in);
	uint64_t pages = how & 7;

	run->msg.unmap = (struct vf_dma_unmap) {
		.argsz = sizeof(run->msg.unmap),
		.flags = how & 0x80 ? VF_UNMAP_ALL : 0,
		.addr = how & 0x80 ? 0 : GUEST_BASE + (how >> 3 & 7) * 4096ULL,
		.size = how & 0x80 ? 0 : pages ? pages * 4096 : GUEST_SIZE,
	};
	spoil(run, sizeof(run->msg.unmap));
	send_message(run, fd, VF_DMA_UNMAP, sizeof(run->msg.unmap), NULL, 0);
}

static void ask_info(struct run *run, int fd)
{
	static const size_t sizes[] = {
		sizeof(struct vf_device_info), sizeof(struct vfio_region_info), 16,
		sizeof(struct vfio_irq_info),
	};
	uint8_t choice = take8(run->in) % 4;

	memset(run->msg.bytes, 0, sizes[choice]);
	run->msg.region.argsz = sizes[choice];
	/* The same place for both */
	run->msg.region.index = take_edge(run->in);
	send_message(run, fd, VF_GET_INFO + choice, sizes[choice], NULL, 0);
}

static void set_irqs(struct run *run, int fd)
{
	uint8_t how = take8(run->in);
	int fds[20];
	unsigned int i, num = how & 0x20 ? take8(run->in) % 21 : 0;
	size_t extra = how & 0x10 ? take8(run->in) : 0;

	for (i = 0; i < 20; i++)
		fds[i] = run->event;
	run->msg.set = (struct vf_irq_set) {
		.argsz = sizeof(run->msg.set),
		.flags = (how & 0x80 ? VFIO_IRQ_SET_DATA_NONE : how & 0x40 ? VFIO_IRQ_SET_DATA_BOOL :
			  VFIO_IRQ_SET_DATA_EVENTFD) | VFIO_IRQ_SET_ACTION_TRIGGER,
		.index = how & 7,
		.start = take8(run->in),
		.count = how & 8 ? take_edge(run->in) : num,
	};
	memset(run->msg.bytes + sizeof(run->msg.set), 1, extra);
	spoil(run, sizeof(run->msg.set));
	send_message(run, fd, VF_SET_IRQS, sizeof(run->msg.set) + extra, fds, num);
}

static void access_region(struct run *run, int fd)
{
	static const uint32_t counts[] = { 4, 8, 4, 2, 1, 16, 4096, 3 };
	uint8_t how = take8(run->in);
	bool write = how & 0x80;
	uint64_t value = how & 0x40 ? GUEST_BASE + take16(run->in) : take_edge(run->in);
	uint32_t count = counts[how & 7];

	run->msg.io = (struct vf_region_io) {
		.offset = how & 0x20 ? take16(run->in) : take8(run->in) * 4,
		.region = how & 0x10 ? take8(run->in) % 10 : VFIO_PCI_BAR0_REGION_INDEX,
		.count = count,
	};
	memset(run->msg.data, how, count);
	memcpy(run->msg.data, &value, sizeof(value));
	spoil(run, sizeof(run->msg.io));
	send_message(run, fd, write ? VF_REGION_WRITE : VF_REGION_READ,
		     sizeof(run->msg.io) + (write ? count : 0), NULL, 0);
}

/* A store to the window that is right */
static void store(struct run *run, int fd, uint32_t offset, uint32_t count, uint64_t value)
{
	run->msg.io = (struct vf_region_io) { .offset = offset, .count = count };
	memcpy(run->msg.data, &value, count);
	send_message(run, fd, VF_REGION_WRITE, sizeof(run->msg.io) + count, NULL, 0);
}

/* What a driver does first: chance would not find it */
static void send_status(struct run *run, int fd)
{
	uint32_t status = take_status(run->in);

	store(run, fd, VIRTIO_MSG_MMIO_WINDOW, 8, VIRTIO_MSG_SET_DEVICE_STATUS << 8 | 12ULL << 48);
	store(run, fd, VIRTIO_MSG_MMIO_WINDOW + 8, 4, status);
}

static void send_bytes(struct run *run, int fd)
{
	const int fds[] = { run->memory, run->event, run->memory };
	unsigned int num = take8(run->in) % 4;
	size_t len = take8(run->in);
	const uint8_t *data = take_bytes(run->in, &len);

	fuzz_send(fd, data, len, fds, num);
}

static void any_command(struct run *run, int fd)
{
	size_t len = take8(run->in);
	uint16_t command = take8(run->in);
	const uint8_t *data = take_bytes(run->in, &len);

	if (len)
		memcpy(run->msg.bytes, data, len);
	send_message(run, fd, command, len, NULL, 0);
}

/* The guest cuts its memory off, or writes to it: a request, or a ring */
static void change_memory(struct run *run)
{
	uint8_t choice = take8(run->in);
	size_t len = take8(run->in);
	const uint8_t *data;

	if (choice < 3) {
		fuzz_check(!ftruncate(run->memory, choice * 4096));
	} else if (choice == 3) {
		fuzz_check(!ftruncate(run->memory, FILE_SIZE));
	} else {
		data = take_bytes(run->in, &len);
		fuzz_check(pwrite(run->memory, data, len, take16(run->in)) == (ssize_t)len);
	}
}

static void step(struct run *run)
{
	uint8_t choice = take8(run->in);
	int *fd = &run->fds[choice / 16 % CONNS];

	switch (choice % 16) {
	case 0:
		fuzz_connect(&run->where, fd);
		say_version(run, *fd);
		break;
	case 1:
		say_version(run, *fd);
		break;
	case 2:
	case 3:
		map_memory(run, *fd);
		break;
	case 4:
		unmap_memory(run, *fd);
		break;
	case 5:
		ask_info(run, *fd);
		break;
	case 6:
		set_irqs(run, *fd);
		break;
	case 7:
		any_command(run, *fd);
		break;
	case 8:
		send_bytes(run, *fd);
		break;
	case 9:
		if (*fd >= 0)
			close(*fd);
		*fd = -1;
		break;
	case 10:
		shutdown(*fd, take8(run->in) % 3);
		break;
	case 11:
		fuzz_pass(take16(run->in));
		break;
	case 12:
		change_memory(run);
		break;
	case 13:
		send_status(run, *fd);
		break;
	default:
		access_region(run, *fd);
	}
	fuzz_pass(0);
	/* Some replies are taken late, or never */
	if (*fd >= 0 && choice < 0xe0)
		fuzz_drain(*fd);
}

void fuzz_one(struct input *in)
{
	struct run run = { .in = in };

	start(&run);
	while (in->left)
		step(&run);
	stop(&run);
}
