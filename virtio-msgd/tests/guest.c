// SPDX-License-Identifier: GPL-2.0-only
#include "guest.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static void guest_interrupt(struct carrier *carrier, unsigned int w)
{
	(void)w;
	((struct guest *)carrier)->interrupts++;
}

static const struct carrier_ops guest_ops = {
	.interrupt = guest_interrupt,
};

struct guest *guest_new(const struct window_config *config, struct device *dev)
{
	struct guest *g = calloc(1, sizeof(*g));
	int fd = memfd_create("guest", MFD_CLOEXEC);

	assert_non_null(g);
	assert_int_equal(ftruncate(fd, GUEST_SIZE), 0);
	assert_int_equal(carrier_init(&g->carrier, &guest_ops, "test"), 0);
	assert_int_equal(memory_add(&g->carrier.memory, GUEST_BASE, GUEST_SIZE, fd, 0), 0);
	g->mem = g->carrier.memory.regions[0].host;
	g->win = window_create(&g->carrier, 0, config ? config : &window_config_default);
	assert_non_null(g->win);
	if (dev)
		assert_int_equal(slot_attach(&g->win->slots[0], dev), 0);
	/* The driver comes after the device: nothing to tell it */
	window_reset(g->win);
	g->interrupts = 0;
	g->win->counters = (struct counters) { .kicks = 0 };
	return g;
}

void guest_free(struct guest *g)
{
	task_finish(0);
	carrier_release(&g->carrier);
	free(g);
}

void *guest_ptr(struct guest *g, uint64_t addr)
{
	assert_in_range(addr, GUEST_BASE, GUEST_BASE + GUEST_SIZE - 1);
	return g->mem + (addr - GUEST_BASE);
}

struct cpu {
	struct window_access access;
	bool done;
};

static void on_done(struct window_access *access)
{
	((struct cpu *)access)->done = true;
}

/* As a guest's CPU does it, which waits while others of the loop go on */
static uint64_t cpu_access(struct guest *g, uint32_t offset, unsigned int size, bool write,
			   uint64_t value)
{
	struct cpu cpu = { .access = { .offset = offset, .size = size, .write = write,
				       .value = value, .done = on_done } };

	window_access(g->win, &cpu.access);
	while (!cpu.done)
		event_base_loop(loop, EVLOOP_ONCE);
	return cpu.access.value;
}

uint64_t guest_read(struct guest *g, uint32_t offset, unsigned int size)
{
	return cpu_access(g, offset, size, false, 0);
}

void guest_write(struct guest *g, uint32_t offset, unsigned int size, uint64_t value)
{
	cpu_access(g, offset, size, true, value);
}

/* Read the Window register; a response has a size of at least a header */
static struct reply window_reply(struct guest *g)
{
	struct reply reply = { 0 };
	unsigned int i;

	for (i = 0; i < 64; i++)
		reply.words[i] = htole32(guest_read(g, VIRTIO_MSG_MMIO_WINDOW + 4 * i, 4));
	reply.there = le16toh(reply.hdr.msg_size) >= sizeof(reply.hdr);
	return reply;
}

struct reply guest_raw(struct guest *g, const void *request, size_t len)
{
	uint32_t words[128] = { 0 };
	size_t i;

	assert_in_range(len, 1, sizeof(words));
	memcpy(words, request, len);
	for (i = 0; i < (len + 3) / 4; i++)
		guest_write(g, VIRTIO_MSG_MMIO_WINDOW + 4 * i, 4, le32toh(words[i]));
	return window_reply(g);
}

struct message {
	struct virtio_msg_header hdr;
	uint32_t words[120];
};

static struct message make_message(struct guest *g, uint8_t id, unsigned int num,
				   const uint32_t *words)
{
	struct message m = { .hdr = { .type = g->type, .msg_id = id,
				      .dev_num = htole16(g->dev_num) } };
	unsigned int i;

	assert_in_range(num, 0, 120);
	if (!++g->token)
		g->token++;
	m.hdr.token = htole16(g->token);
	m.hdr.msg_size = htole16(sizeof(m.hdr) + num * sizeof(*words));
	for (i = 0; i < num; i++)
		m.words[i] = htole32(words[i]);
	return m;
}

static struct reply check_reply(struct guest *g, uint8_t id, struct reply reply)
{
	if (reply.there) {
		assert_int_equal(reply.hdr.type, VIRTIO_MSG_TYPE_RESPONSE | g->type);
		assert_int_equal(reply.hdr.msg_id, id);
		assert_int_equal(le16toh(reply.hdr.dev_num), g->dev_num);
		assert_int_equal(le16toh(reply.hdr.token), g->token);
	} else {
		static const uint8_t zeros[sizeof(reply.bytes)];

		assert_memory_equal(reply.bytes, zeros, sizeof(zeros));
	}
	return reply;
}

struct reply guest_send(struct guest *g, uint8_t id, unsigned int num, const uint32_t *words)
{
	struct message m = make_message(g, id, num, words);

	return check_reply(g, id, guest_raw(g, &m, le16toh(m.hdr.msg_size)));
}

struct reply guest_page_send(struct guest *g, uint8_t id, unsigned int num,
			     const uint32_t *words)
{
	struct message m = make_message(g, id, num, words);
	struct virtio_msg_mmio_page *page = guest_ptr(g, GUEST_PAGE);
	struct reply reply = { 0 };

	memcpy(page->request, &m, le16toh(m.hdr.msg_size));
	((struct virtio_msg_header *)page->response)->token = 0;
	guest_write(g, VIRTIO_MSG_MMIO_DOORBELL, 4, 1);
	if (((struct virtio_msg_header *)page->response)->token) {
		memcpy(reply.bytes, page->response, sizeof(reply.bytes));
		reply.there = true;
	}
	return check_reply(g, id, reply);
}

uint32_t guest_status(struct guest *g)
{
	struct reply reply = guest_send(g, VIRTIO_MSG_GET_DEVICE_STATUS, 0, NULL);

	assert_true(reply.there);
	assert_int_equal(le16toh(reply.hdr.msg_size), sizeof(reply.status));
	return le32toh(reply.status.status);
}

uint32_t guest_set_status(struct guest *g, uint32_t status)
{
	struct reply reply = guest_call(g, VIRTIO_MSG_SET_DEVICE_STATUS, status);

	assert_true(reply.there);
	assert_int_equal(le16toh(reply.hdr.msg_size), sizeof(reply.status));
	return le32toh(reply.status.status);
}

void guest_negotiate(struct guest *g, uint64_t features)
{
	assert_int_equal(guest_set_status(g, 0), 0);
	assert_int_equal(guest_set_status(g, STATUS_DRIVER), STATUS_DRIVER);
	assert_true(guest_call(g, VIRTIO_MSG_SET_DRIVER_FEATURES, 0, 2, (uint32_t)features,
			       features >> 32).there);
	assert_int_equal(guest_set_status(g, STATUS_FEATURES), STATUS_FEATURES);
}

bool guest_enable_queue(struct guest *g, uint32_t q, uint32_t size)
{
	return guest_call(g, VIRTIO_MSG_SET_VQUEUE, q, VIRTIO_MSG_VQUEUE_ENABLED, size, 0,
			  (uint32_t)GUEST_RING, 0, (uint32_t)GUEST_RING + 0x1000, 0,
			  (uint32_t)GUEST_RING + 0x2000, 0).there;
}

/*
 * The fake device
 */

static struct fake *to_fake(struct device *dev)
{
	return (struct fake *)dev;
}

static int fake_config_read(struct device *dev, uint32_t offset, void *buf, uint32_t len)
{
	assert_in_range(len, 1, 64);
	assert_in_range(offset, 0, 64 - len);
	memcpy(buf, to_fake(dev)->config + offset, len);
	return 0;
}

static int fake_config_write(struct device *dev, uint32_t offset, const void *buf, uint32_t len)
{
	assert_in_range(len, 1, 64);
	assert_in_range(offset, 0, 64 - len);
	memcpy(to_fake(dev)->config + offset, buf, len);
	return 0;
}

static bool fake_features_ok(struct device *dev, uint64_t features)
{
	assert_int_equal(features & ~slot_offered(dev->slot), 0);
	return !to_fake(dev)->refuse_features;
}

static int fake_start(struct device *dev)
{
	to_fake(dev)->start++;
	return to_fake(dev)->start_result;
}

static int fake_queue_start(struct device *dev, unsigned int q)
{
	assert_true(dev->queues[q].enabled);
	assert_false(dev->queues[q].started);
	assert_true(dev->slot->status & VIRTIO_CONFIG_S_DRIVER_OK);
	to_fake(dev)->queue_start++;
	to_fake(dev)->last_queue = q;
	return to_fake(dev)->queue_start_result;
}

static int fake_queue_stop(struct device *dev, unsigned int q)
{
	assert_true(dev->queues[q].started);
	to_fake(dev)->queue_stop++;
	to_fake(dev)->last_queue = q;
	return to_fake(dev)->queue_stop_result;
}

static void fake_kick(struct device *dev, unsigned int q, uint32_t data)
{
	assert_true(dev->queues[q].started);
	to_fake(dev)->kick++;
	to_fake(dev)->last_queue = q;
	to_fake(dev)->last_data = data;
}

static int fake_reset(struct device *dev)
{
	to_fake(dev)->reset++;
	return to_fake(dev)->reset_result;
}

static bool fake_shm(struct device *dev, uint32_t id, uint64_t *addr, uint64_t *len)
{
	(void)dev;
	*addr = FAKE_SHM_ADDR;
	*len = FAKE_SHM_LEN;
	return id == 1;
}

static void fake_unplugged(struct device *dev)
{
	unsigned int q;

	for (q = 0; q < dev->num_queues; q++)
		assert_false(dev->queues[q].started);
	assert_null(dev->slot);
	to_fake(dev)->unplugged++;
}

static void fake_destroy(struct device *dev)
{
	assert_null(dev->slot);
	assert_null(dev->home);
	device_release(dev);
	free(dev);
}

static const struct device_ops fake_ops = {
	.config_read = fake_config_read,
	.config_write = fake_config_write,
	.features_ok = fake_features_ok,
	.start = fake_start,
	.queue_start = fake_queue_start,
	.queue_stop = fake_queue_stop,
	.kick = fake_kick,
	.reset = fake_reset,
	.shm = fake_shm,
	.unplugged = fake_unplugged,
	.destroy = fake_destroy,
};

struct fake *fake_new(void)
{
	struct fake *fake = calloc(1, sizeof(*fake));
	unsigned int i;

	assert_non_null(fake);
	assert_int_equal(device_init(&fake->dev, &fake_ops, "fake", FAKE_ID, FAKE_QUEUES,
				     FAKE_MAX_SIZE), 0);
	fake->dev.features = 0xf | VRING_FEATURES;
	fake->dev.vendor = 0x1234;
	fake->dev.uuid[0] = 0xab;
	fake->dev.config_size = sizeof(fake->config);
	fake->dev.config_reported = true;
	for (i = 0; i < sizeof(fake->config); i++)
		fake->config[i] = i;
	return fake;
}

/*
 * The driver's end of a ring
 */

#define AVAIL_FLAG	(1 << VRING_PACKED_DESC_F_AVAIL)
#define USED_FLAG	(1 << VRING_PACKED_DESC_F_USED)

static bool is_packed(const struct ring *ring)
{
	return ring->features & 1ULL << VIRTIO_F_RING_PACKED;
}

void ring_init(struct ring *ring, struct guest *g, uint64_t features, uint16_t size)
{
	*ring = (struct ring) {
		.g = g,
		.features = features,
		.size = size,
		.base = GUEST_RING,
		.wrap = true,
		.used_wrap = true,
	};
	memset(guest_ptr(g, ring->base), 0, 0x3000);
}

struct vring_desc *ring_desc(struct ring *ring, unsigned int i)
{
	return (struct vring_desc *)guest_ptr(ring->g, ring->base) + i;
}

struct vring_packed_desc *ring_packed(struct ring *ring, unsigned int i)
{
	return (struct vring_packed_desc *)guest_ptr(ring->g, ring->base) + i;
}

struct vring_avail *ring_avail(struct ring *ring)
{
	return guest_ptr(ring->g, ring->base + 0x1000);
}

struct vring_used *ring_used(struct ring *ring)
{
	return guest_ptr(ring->g, ring->base + 0x2000);
}

struct vring_packed_desc_event *ring_driver_event(struct ring *ring)
{
	return guest_ptr(ring->g, ring->base + 0x1000);
}

struct vring_packed_desc_event *ring_device_event(struct ring *ring)
{
	return guest_ptr(ring->g, ring->base + 0x2000);
}

static void split_add(struct ring *ring, const struct buf *bufs, unsigned int num)
{
	struct vring_avail *avail = ring_avail(ring);
	unsigned int head = ring->next % ring->size, i;

	for (i = 0; i < num; i++) {
		unsigned int at = (ring->next + i) % ring->size;

		*ring_desc(ring, at) = (struct vring_desc) {
			.addr = htole64(bufs[i].addr),
			.len = htole32(bufs[i].len),
			.flags = htole16((bufs[i].write ? VRING_DESC_F_WRITE : 0) |
					 (i + 1 < num ? VRING_DESC_F_NEXT : 0)),
			.next = htole16((at + 1) % ring->size),
		};
	}
	ring->next += num;
	avail->ring[le16toh(avail->idx) % ring->size] = htole16(head);
	avail->idx = htole16(le16toh(avail->idx) + 1);
}

static void packed_add(struct ring *ring, const struct buf *bufs, unsigned int num)
{
	uint16_t head = ring->next;
	unsigned int i;

	for (i = 0; i < num; i++) {
		*ring_packed(ring, ring->next) = (struct vring_packed_desc) {
			.addr = htole64(bufs[i].addr),
			.len = htole32(bufs[i].len),
			.id = htole16(head),
			.flags = htole16((bufs[i].write ? VRING_DESC_F_WRITE : 0) |
					 (i + 1 < num ? VRING_DESC_F_NEXT : 0) |
					 (ring->wrap ? AVAIL_FLAG : USED_FLAG)),
		};
		if (++ring->next == ring->size) {
			ring->next = 0;
			ring->wrap = !ring->wrap;
		}
	}
}

void ring_add(struct ring *ring, const struct buf *bufs, unsigned int num)
{
	if (is_packed(ring))
		packed_add(ring, bufs, num);
	else
		split_add(ring, bufs, num);
}

static bool packed_get(struct ring *ring, unsigned int slots, uint32_t *id, uint32_t *len)
{
	const struct vring_packed_desc *desc = ring_packed(ring, ring->used);
	bool avail = le16toh(desc->flags) & AVAIL_FLAG;
	bool used = le16toh(desc->flags) & USED_FLAG;

	if (avail != used || used != ring->used_wrap)
		return false;
	*id = le16toh(desc->id);
	*len = le32toh(desc->len);
	ring->used += slots;
	if (ring->used >= ring->size) {
		ring->used -= ring->size;
		ring->used_wrap = !ring->used_wrap;
	}
	return true;
}

bool ring_get(struct ring *ring, unsigned int slots, uint32_t *id, uint32_t *len)
{
	const struct vring_used *used = ring_used(ring);
	const struct vring_used_elem *elem;

	if (is_packed(ring))
		return packed_get(ring, slots, id, len);
	if (ring->used == le16toh(used->idx))
		return false;
	elem = &used->ring[ring->used++ % ring->size];
	*id = le32toh(elem->id);
	*len = le32toh(elem->len);
	return true;
}

int fixture_setup_with(void **state, const struct window_config *config)
{
	static struct fixture f;

	f.fake = fake_new();
	f.g = guest_new(config, &f.fake->dev);
	*state = &f;
	return 0;
}

int fixture_setup(void **state)
{
	return fixture_setup_with(state, NULL);
}

int fixture_teardown(void **state)
{
	guest_free(((struct fixture *)*state)->g);
	return 0;
}
