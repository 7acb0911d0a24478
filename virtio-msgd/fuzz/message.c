// SPDX-License-Identifier: GPL-2.0-only
/*
 * Messages and registers of a window, in both personalities, with devices that exist and
 * one that does whatever a device may do.
 */
#include <endian.h>
#include <errno.h>
#include <linux/virtio_msg.h>
#include <linux/virtio_msg_mmio.h>
#include <stdlib.h>
#include <string.h>

#include "machine.h"

#define ANY_CONFIG	64
#define ANY_QUEUES	5

/**
 * struct any - a device that does as the input says
 * @dev: first
 * @in: the input
 * @config: config space
 */
struct any {
	struct device dev;
	struct input *in;
	uint8_t *config;
};

/* Of the run */
static struct input *input;

static struct any *to_any(struct device *dev)
{
	return (struct any *)dev;
}

static void wait_for(unsigned int ms)
{
	task_wait_fd(-1, 0, loop_now_ms() + ms);
}

/* Mostly 0, and mostly at once */
static int any_result(struct device *dev)
{
	uint8_t choice = take8(to_any(dev)->in);

	if (dev->waits && choice == 3)
		wait_for(take8(to_any(dev)->in));
	return choice == 1 ? -EAGAIN : choice == 2 ? -EIO : 0;
}

static int any_config_read(struct device *dev, uint32_t offset, void *buf, uint32_t len)
{
	memcpy(buf, to_any(dev)->config + offset, len);
	return any_result(dev);
}

static int any_config_write(struct device *dev, uint32_t offset, const void *buf, uint32_t len)
{
	memcpy(to_any(dev)->config + offset, buf, len);
	return any_result(dev);
}

static bool any_features_ok(struct device *dev, uint64_t features)
{
	fuzz_check(!(features & ~slot_offered(dev->slot)));
	return !any_result(dev);
}

static int any_start(struct device *dev)
{
	return any_result(dev);
}

static int any_queue_start(struct device *dev, unsigned int q)
{
	const struct device_queue *queue = &dev->queues[q];

	fuzz_check(q < ANY_QUEUES && queue->enabled && !queue->started);
	fuzz_check(queue->size && queue->size <= queue->max_size);
	return any_result(dev);
}

static int any_queue_stop(struct device *dev, unsigned int q)
{
	fuzz_check(q < ANY_QUEUES && dev->queues[q].started);
	return any_result(dev);
}

static int64_t any_queue_suspend(struct device *dev, unsigned int q)
{
	fuzz_check(dev->queues[q].started);
	return any_result(dev);
}

static void any_kick(struct device *dev, unsigned int q, uint32_t data)
{
	(void)data;
	fuzz_check(q < ANY_QUEUES && dev->queues[q].started && device_live(dev));
	if (take8(to_any(dev)->in) == 1)
		device_broken(dev, "fuzz");
	device_used(dev, q);
}

static int any_reset(struct device *dev)
{
	return any_result(dev);
}

static bool any_shm(struct device *dev, uint32_t id, uint64_t *addr, uint64_t *len)
{
	(void)dev;
	*addr = id;
	*len = 1;
	return id & 1;
}

static void any_destroy(struct device *dev)
{
	fuzz_check(!dev->slot && !dev->home);
	device_release(dev);
	free(to_any(dev)->config);
	free(dev);
}

static const struct device_ops any_ops = {
	.config_read = any_config_read,
	.config_write = any_config_write,
	.features_ok = any_features_ok,
	.start = any_start,
	.queue_start = any_queue_start,
	.queue_stop = any_queue_stop,
	.queue_suspend = any_queue_suspend,
	.kick = any_kick,
	.reset = any_reset,
	.shm = any_shm,
	.destroy = any_destroy,
};

static struct device *any_new(struct input *in)
{
	struct any *any = calloc(1, sizeof(*any));

	fuzz_check(any && !device_init(&any->dev, &any_ops, "any", 42, ANY_QUEUES, 64));
	any->in = in;
	any->dev.waits = take8(in) & 1;
	any->config = calloc(1, ANY_CONFIG);
	fuzz_check(any->config);
	any->dev.features = 0xf | VRING_FEATURES;
	any->dev.config_size = ANY_CONFIG;
	any->dev.config_reported = true;
	any->dev.queues[ANY_QUEUES - 1].max_size = 0;
	return &any->dev;
}

static void attach(struct machine *m)
{
	struct input *in = input;
	static const char *const kinds[] = {
		"device=i2c,packed=on,in-order=on,notification-data=on",
		"device=blk,size=4096,packed=on",
		"device=blk,size=512,read-only=on,coalesce=off,delay=1000",
		"device=rng,packed=on,indirect=off,event-idx=off",
	};
	const size_t num = sizeof(kinds) / sizeof(kinds[0]);
	uint8_t choice = take8(in);
	struct device *dev = choice < num ? machine_device(kinds[choice]) : any_new(in);

	fuzz_check(dev);
	if (slot_attach(&m->win->slots[m->slot], dev))
		dev->ops->destroy(dev);
}

static void make_window(struct machine *m, struct input *in)
{
	static const unsigned int slots[] = { 1, 4, 44, 64 };
	uint8_t bits = take8(in);
	struct window_config config = {
		.mmio = bits & 1,
		.page = !(bits & 2),
		.strict = bits & 4,
		.access_platform = bits & 8,
		.msg_size = VIRTIO_MSG_SIZE_MIN + take8(in) % (WINDOW_MSG_SIZE -
							       VIRTIO_MSG_SIZE_MIN + 1),
		.num_slots = bits & 1 ? 1 : slots[bits >> 6],
	};

	m->carrier.no_page = bits & 16;
	m->win = window_create(&m->carrier, 0, &config);
	fuzz_check(m->win);
	if (!(bits & 32))
		attach(m);
}

/*
 * A request
 */

#define MOST	(WINDOW_MSG_SIZE + 16)

/* Whom a whole message is for, where there are several */
static void address(struct machine *m, uint8_t choice, struct virtio_msg_header *hdr)
{
	if (m->win->config.num_slots == 1)
		return;
	if (choice & 0x80)
		hdr->type = VIRTIO_MSG_TYPE_BUS;
	else
		hdr->dev_num = htole16(choice >> 1);
}

/* Bytes as they come, or a header that fits what follows it */
static size_t take_message(struct machine *m, struct input *in, uint8_t *to)
{
	struct virtio_msg_header hdr = { 0 };
	uint8_t choice = take8(in);
	size_t len = take8(in), words = 0;
	const uint8_t *data;
	uint64_t addr;

	if (!(choice & 1)) {
		data = take_bytes(in, &len);
		memcpy(to, data, len);
		return len;
	}
	address(m, choice, &hdr);
	hdr.msg_id = len;
	hdr.token = take8(in);
	len = sizeof(hdr);
	for (words = take8(in) % 13; words; words--, len += 4) {
		uint32_t word = htole32(take_edge(in));

		memcpy(to + len, &word, sizeof(word));
	}
	/* SET_VQUEUE's, which nobody would guess */
	for (words = take8(in) % 4; words; words--, len += 8) {
		addr = htole64(take_addr(m, in));
		memcpy(to + len, &addr, sizeof(addr));
	}
	hdr.msg_size = htole16(len);
	memcpy(to, &hdr, sizeof(hdr));
	return len;
}

/* At the end of memory that is as long as it may be */
static void direct(struct machine *m)
{
	struct input *in = input;
	size_t max = m->win->config.msg_size, len;
	uint8_t message[MOST] = { 0 };
	void *request, *response;
	int ret;

	len = take_message(m, in, message);
	request = malloc(len);
	response = malloc(max);
	fuzz_check(request && response);
	memcpy(request, message, len);
	ret = slot_message(&m->win->slots[m->slot], request, len, response, max);
	if (ret > 0) {
		const struct virtio_msg_header *hdr = response, *asked = request;

		fuzz_check((size_t)ret <= max && le16toh(hdr->msg_size) == ret);
		fuzz_check(hdr->type == VIRTIO_MSG_TYPE_RESPONSE && hdr->token == asked->token);
		fuzz_check(hdr->msg_id == asked->msg_id);
	}
	free(request);
	free(response);
}

static void by_window(struct machine *m, struct input *in)
{
	uint8_t message[MOST] = { 0 };
	size_t len = take_message(m, in, message), i;
	uint32_t word;

	for (i = 0; i < len; i += 4) {
		memcpy(&word, message + i, sizeof(word));
		machine_write(m, VIRTIO_MSG_MMIO_WINDOW + i, 4, le32toh(word));
	}
	for (i = 0; i < WINDOW_MSG_SIZE; i += 4)
		machine_read(m, VIRTIO_MSG_MMIO_WINDOW + i, 4);
}

static void by_page(struct machine *m, struct input *in)
{
	uint8_t message[MOST] = { 0 };
	uint64_t page = machine_addr(m, take8(in) % 16 * 4096);
	size_t len;

	if (take8(in) & 1)
		machine_write(m, VIRTIO_MSG_MMIO_PAGE, 8,
			      page | VIRTIO_MSG_MMIO_PAGE_ON);
	len = take_message(m, in, message);
	machine_poke(m, page, message, len);
	machine_write(m, VIRTIO_MSG_MMIO_DOORBELL, 4, 1);
}

/*
 * Other doings
 */

static void access_register(struct machine *m, struct input *in)
{
	uint8_t kind = take8(in);
	unsigned int size = kind & 0x40 ? take8(in) : 1U << (kind & 3);
	uint64_t offset = kind & 0x20 ? take_edge(in) : take8(in) * 4;

	if (kind & 0x80)
		machine_read(m, offset, size);
	else if (kind & 0x10)
		machine_write(m, offset, size, take_addr(m, in));
	else
		machine_write(m, offset, size, take_edge(in));
}

/* Up to where queues can be set up; whether that worked is not the point */
static void negotiate(struct machine *m)
{
	struct input *in = input;
	struct slot *slot = &m->win->slots[m->slot];

	if (!slot->dev)
		return;
	slot_set_status(slot, 0);
	slot_set_features(slot, 0, slot_offered(slot) & ~take32(in));
	slot_set_features(slot, 1, (slot_offered(slot) & ~take64(in)) >> 32 | 1);
	slot_set_status(slot, VIRTIO_CONFIG_S_FEATURES_OK);
}

static void device_event(struct machine *m)
{
	struct input *in = input;
	struct device *dev = m->win->slots[m->slot].owned;

	if (!dev)
		return;
	switch (take8(in) % 6) {
	case 0:
		device_config_changed(dev);
		break;
	case 1:
		device_broken(dev, "fuzz");
		break;
	case 2:
		device_leave(dev);
		break;
	case 3:
		device_arrive(dev);
		break;
	case 4:
		device_used(dev, take8(in));
		break;
	case 5:
		slot_suspend(&m->win->slots[m->slot]);
		break;
	}
}

static void change_status(struct machine *m)
{
	if (m->win->slots[m->slot].dev)
		slot_set_status(&m->win->slots[m->slot], take_status(input));
}

static void change_device(struct machine *m)
{
	if (slot_detach(&m->win->slots[m->slot]))
		attach(m);
}

static void step(struct machine *m, struct input *in)
{
	uint8_t choice = take8(in);

	m->slot = choice / 11 % m->win->config.num_slots;
	switch (choice % 11) {
	case 0:
		by_window(m, in);
		break;
	case 1:
		by_page(m, in);
		break;
	case 2:
		machine_locked(m, direct);
		break;
	case 3:
		take_poke(m, in);
		break;
	case 4:
		machine_locked(m, negotiate);
		break;
	case 5:
		machine_locked(m, change_status);
		break;
	case 6:
		machine_locked(m, device_event);
		break;
	case 7:
		fuzz_pass(take8(in));
		break;
	case 8:
		machine_locked(m, change_device);
		break;
	case 9:
		machine_reboot(m);
		break;
	default:
		access_register(m, in);
	}
}

/* Whatever happened, the next driver finds a slot as it should be. */
static void check_slot(const struct slot *slot)
{
	unsigned int q;

	fuzz_check(!slot->status && !slot->features && !slot->resetting);
	for (q = 0; slot->dev && q < slot->dev->num_queues; q++)
		fuzz_check(!slot->dev->queues[q].enabled && !slot->dev->queues[q].started);
}

static void check_end(struct machine *m)
{
	unsigned int i;

	task_finish(0);
	window_reset(m->win);
	for (i = 0; i < m->win->config.num_slots; i++)
		check_slot(&m->win->slots[i]);
}

void fuzz_one(struct input *in)
{
	struct machine *m = machine_new(take8(in) & 1);

	input = in;
	make_window(m, in);
	while (in->left)
		step(m, in);
	check_end(m);
	machine_free(m);
}
