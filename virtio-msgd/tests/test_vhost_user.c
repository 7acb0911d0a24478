// SPDX-License-Identifier: GPL-2.0-only
/* The vhost-user frontend against a backend that does what it is told. */
#include "guest.h"

#include <linux/virtio_blk.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_net.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "program/devices.h"
#include "fake_backend.h"
#include "vhost_user/conn.h"

#define BIT(n)		(1ULL << (n))
#define P(name)		(1ULL << VU_PROTOCOL_F_##name)
#define ALL_PROTOCOL	(P(MQ) | P(REPLY_ACK) | P(BACKEND_REQ) | P(CONFIG) | \
			 P(INFLIGHT_SHMFD) | P(CONFIGURE_MEM_SLOTS) | P(STATUS))
#define SECOND		1000
#define MAX_SECONDS	4

static struct backend b;
static struct guest *g;

static struct device *create(const char *options)
{
	struct params params = { 0 };
	struct device *dev;
	char text[160];
	struct errmsg err;

	snprintf(text, sizeof(text), "%s,socket=%s", options, b.path);
	assert_int_equal(params_parse(&params, text, NULL, &err), 0);
	assert_int_equal(devices_create(&params, &dev, &err), 0);
	assert_int_equal(params_unknown(&params, &err), 0);
	params_free(&params);
	return dev;
}

static int setup(void **state)
{
	loop_setup(state);
	backend_init(&b);
	return 0;
}

static int teardown(void **state)
{
	if (g)
		guest_free(g);
	g = NULL;
	backend_stop(&b);
	return loop_teardown(state);
}

static bool present(void)
{
	return g->win->slots[0].dev;
}

static bool absent(void)
{
	return !g->win->slots[0].dev;
}

static bool needs_reset(void)
{
	return g->win->slots[0].status & VIRTIO_CONFIG_S_NEEDS_RESET;
}

static bool interrupted(void)
{
	return g->interrupts;
}

/* Run the loop until something is so */
static bool comes(bool (*so)(void), unsigned int ms)
{
	uint64_t end = loop_now_ms() + ms;

	while (!so() && loop_now_ms() < end) {
		loop_run();
		usleep(1000);
	}
	return so();
}

static void run_for(unsigned int ms)
{
	uint64_t end = loop_now_ms() + ms;

	while (loop_now_ms() < end) {
		loop_run();
		usleep(1000);
	}
}

/* A guest, and a device whose backend is there */
static void plug(const char *options)
{
	backend_start(&b);
	g = guest_new(NULL, create(options));
	assert_true(comes(present, MAX_SECONDS * SECOND));
}

/* The backend is a disk's, with all there is in the protocol */
static void plug_disk(const char *options)
{
	b.protocol = ALL_PROTOCOL;
	b.config_size = 36;
	plug(options);
}

static void drive(uint64_t features, unsigned int queues)
{
	unsigned int q;

	guest_negotiate(g, VERSION_1 | features);
	for (q = 0; q < queues; q++)
		assert_true(guest_enable_queue(g, q, 16));
	assert_int_equal(guest_set_status(g, STATUS_OK), STATUS_OK);
	g->interrupts = 0;
}

static uint64_t offered(void)
{
	struct reply r = guest_call(g, VIRTIO_MSG_GET_DEVICE_FEATURES, 0, 2);

	assert_true(r.there);
	return le32toh(r.words[4]) | (uint64_t)le32toh(r.words[5]) << 32;
}

static uint32_t generation(void)
{
	return g->win->slots[0].generation;
}

static uint8_t config_byte(uint32_t offset)
{
	struct reply r = guest_call(g, VIRTIO_MSG_GET_CONFIG, offset, 1);

	assert_true(r.there);
	return r.config.data[0];
}

static void queue_works(unsigned int q)
{
	backend_signalled(b.queues[q].kick);
	guest_write(g, VIRTIO_MSG_MMIO_QUEUE_NOTIFY(0), 4, q);
	assert_true(backend_signalled(b.queues[q].kick));
	assert_false(backend_signalled(b.queues[q].kick));
	g->interrupts = 0;
	backend_signal(b.queues[q].call);
	assert_true(comes(interrupted, SECOND));
}

/* What a driver does with a backend that offers everything */
static void everything(void **state)
{
	struct backend_queue *queue = &b.queues[1];
	uint64_t ring;

	(void)state;
	b.protocol = ALL_PROTOCOL;
	b.features |= BIT(9) | 1ULL << VIRTIO_F_ACCESS_PLATFORM | 1ULL << 38;
	b.config_size = 60;
	plug("device=blk,queues=3");
	assert_int_equal(g->win->slots[0].dev->id, VIRTIO_ID_BLOCK);
	assert_int_equal(g->win->slots[0].dev->num_queues, 3);
	assert_int_equal(g->win->slots[0].dev->config_size, 60);
	assert_true(g->win->slots[0].dev->config_reported);
	assert_int_equal(offered(), VERSION_1 | BIT(9) | 1ULL << VIRTIO_F_RING_RESET);
	assert_int_equal(b.accepted_protocol, ALL_PROTOCOL);

	drive(BIT(9), 3);
	assert_int_equal(b.accepted, VERSION_1 | BIT(9) | 1ULL << VHOST_USER_F_PROTOCOL_FEATURES);
	assert_int_equal(b.status, STATUS_OK);
	assert_int_equal(b.num_regions, 1);
	assert_int_equal(b.regions[0].guest_addr, GUEST_BASE);
	assert_int_equal(b.regions[0].size, GUEST_SIZE);
	assert_true(b.inflight >= 0);
	assert_int_equal(b.inflight_given.mmap_size, 3 * BACKEND_RECORD);
	assert_int_equal(b.inflight_given.num_queues, 3);
	assert_int_equal(b.inflight_given.queue_size, 128);

	ring = (uintptr_t)guest_ptr(g, GUEST_RING);
	assert_int_equal(queue->num, 16);
	assert_int_equal(queue->base, 0);
	assert_int_equal(queue->addr.desc_user_addr, ring);
	assert_int_equal(queue->addr.desc_user_addr - b.regions[0].user_addr,
			 GUEST_RING - GUEST_BASE);
	assert_true(queue->enabled);
	queue_works(0);
	queue_works(1);
	queue_works(2);

	assert_int_equal(guest_set_status(g, 0), 0);
	assert_int_equal(backend_count(&b, VU_GET_VRING_BASE), 3);
	assert_int_equal(b.status, 0);
	assert_int_equal(b.num_regions, 0);
	drive(0, 3);
	queue_works(1);
	assert_int_equal(b.connections, 1);
}

/* Without any protocol feature, not even the bit that says there are some */
static void nothing_but_basics(void **state)
{
	(void)state;
	b.features = VERSION_1;
	plug("device=blk,capacity=2048");
	assert_int_equal(g->win->slots[0].dev->num_queues, 1);
	assert_int_equal(config_byte(1), 0x08);
	drive(0, 1);
	assert_int_equal(b.accepted, VERSION_1);
	queue_works(0);
	assert_int_equal(guest_set_status(g, 0), 0);
	assert_int_equal(backend_count(&b, VU_GET_PROTOCOL_FEATURES), 0);
	assert_int_equal(backend_count(&b, VU_SET_VRING_ENABLE), 0);
	assert_int_equal(backend_count(&b, VU_GET_VRING_BASE), 1);
	drive(0, 1);
	queue_works(0);
}

static void queue_reset(void **state)
{
	(void)state;
	b.protocol = P(MQ);
	plug("device=blk,queues=2,capacity=8");
	drive(1ULL << VIRTIO_F_RING_RESET, 2);
	backend_forget(&b);
	assert_true(guest_call(g, VIRTIO_MSG_RESET_VQUEUE, 1).there);
	assert_int_equal(backend_count(&b, VU_GET_VRING_BASE), 1);
	assert_int_equal(b.queues[1].kick, -1);
	queue_works(0);
	assert_true(guest_enable_queue(g, 1, 8));
	assert_int_equal(b.queues[1].num, 8);
	queue_works(1);
}

static void packed_ring(void **state)
{
	(void)state;
	b.protocol = P(MQ);
	b.features |= 1ULL << VIRTIO_F_RING_PACKED;
	plug("device=rng");
	drive(1ULL << VIRTIO_F_RING_PACKED, 1);
	assert_int_equal(b.queues[0].base, 0x80008000);
}

static void xen_mmap_regions(void **state)
{
	(void)state;
	b.protocol = P(MQ) | P(XEN_MMAP);
	plug("device=i2c");
	drive(0, 1);
	assert_int_equal(b.accepted_protocol, P(MQ) | P(XEN_MMAP));
	assert_int_equal(b.num_regions, 1);
	assert_int_equal(b.regions[0].guest_addr, GUEST_BASE);
	assert_int_equal(b.regions[0].xen_flags, 0);
}

static void broken_queue_reported(void **state)
{
	(void)state;
	plug("device=rng");
	drive(0, 1);
	backend_signal(b.queues[0].err);
	assert_true(comes(needs_reset, SECOND));
	assert_int_equal(guest_set_status(g, 0), 0);
}

/*
 * Config space
 */

static void config_change_is_reported(void **state)
{
	uint32_t before;

	(void)state;
	b.config[4] = 17;
	plug_disk("device=blk");
	drive(0, 1);
	before = generation();
	assert_int_equal(config_byte(4), 17);
	backend_forget(&b);
	assert_int_equal(config_byte(4), 17);
	assert_int_equal(backend_count(&b, VU_GET_CONFIG), 0);

	backend_change_config(&b, 4, 18);
	assert_int_equal(config_byte(4), 17);
	assert_true(comes(interrupted, SECOND));
	assert_int_equal(generation(), before + 1);
	assert_int_equal(config_byte(4), 18);
	assert_int_equal(backend_count(&b, VU_GET_CONFIG), 1);
}

static void config_without_reports(void **state)
{
	uint32_t before;

	(void)state;
	b.protocol = P(CONFIG);
	b.config_size = 36;
	b.config[4] = 17;
	plug("device=blk");
	assert_false(g->win->slots[0].dev->config_reported);
	drive(0, 1);
	before = generation();
	assert_int_equal(config_byte(4), 17);
	assert_int_equal(generation(), before);
	pthread_mutex_lock(&b.lock);
	b.config[5] = 1;
	pthread_mutex_unlock(&b.lock);
	assert_int_equal(config_byte(4), 17);
	assert_int_equal(generation(), before + 1);
}

/* A backend that cannot say what its config is now: what it said last stays */
static void config_that_is_refused(void **state)
{
	uint32_t before;

	(void)state;
	b.config[4] = 17;
	plug_disk("device=blk");
	drive(0, 1);
	before = generation();
	pthread_mutex_lock(&b.lock);
	b.config_size = 0;
	pthread_mutex_unlock(&b.lock);
	backend_forget(&b);
	backend_change_config(&b, 4, 18);
	run_for(50);
	assert_int_equal(backend_count(&b, VU_GET_CONFIG), 1);
	assert_int_equal(config_byte(4), 17);
	assert_int_equal(generation(), before);
	assert_int_equal(le32toh(guest_call(g, VIRTIO_MSG_SET_CONFIG, 0, 20, 4, 1).config.length),
			 4);
	assert_int_equal(config_byte(20), 1);
	assert_false(needs_reset());
	queue_works(0);
}

static void config_without_reports_is_refused(void **state)
{
	(void)state;
	b.protocol = P(CONFIG);
	b.config_size = 36;
	b.config[4] = 17;
	plug("device=blk");
	drive(0, 1);
	pthread_mutex_lock(&b.lock);
	b.config_size = 0;
	pthread_mutex_unlock(&b.lock);
	assert_int_equal(config_byte(4), 17);
	assert_false(needs_reset());
	backend_misbehave(&b, SHORT, VU_GET_CONFIG);
	assert_int_equal(config_byte(4), 17);
	assert_true(needs_reset());
}

static void config_write(void **state)
{
	struct reply r;

	(void)state;
	plug_disk("device=blk");
	drive(0, 1);
	r = guest_call(g, VIRTIO_MSG_SET_CONFIG, 0, 20, 4, 1);
	assert_true(r.there);
	assert_int_equal(le32toh(r.config.length), 4);
	assert_int_equal(b.config[20], 1);
	assert_int_equal(config_byte(20), 1);

	backend_misbehave(&b, REFUSE, VU_SET_CONFIG);
	r = guest_call(g, VIRTIO_MSG_SET_CONFIG, 0, 20, 4, 2);
	assert_true(!r.there || !r.config.length);
	assert_int_equal(b.config[20], 1);
	assert_int_equal(config_byte(20), 1);
	assert_false(needs_reset());
}

static void config_that_is_the_frontends(void **state)
{
	(void)state;
	b.protocol = P(CONFIG);
	b.config_size = 36;
	b.config[20] = 96;
	plug("device=scsi");
	drive(0, 3);
	assert_int_equal(le32toh(guest_call(g, VIRTIO_MSG_SET_CONFIG, 0, 20, 4, 96).config.length),
			 4);
	assert_false(le32toh(guest_call(g, VIRTIO_MSG_SET_CONFIG, 0, 20, 4, 97).config.length));
	assert_int_equal(backend_count(&b, VU_SET_CONFIG), 0);
}

static void config_by_options(void **state)
{
	static const uint8_t mac[] = { 0x52, 0x54, 0, 0x12, 0x34, 0x56 };
	struct reply r;

	(void)state;
	plug("device=net,mac=52:54:00:12:34:56,mtu=1400");
	assert_int_equal(offered() & 0xffffff, BIT(VIRTIO_NET_F_MAC) | BIT(VIRTIO_NET_F_MTU));
	r = guest_call(g, VIRTIO_MSG_GET_CONFIG, 0, 12);
	assert_true(r.there);
	assert_memory_equal(r.config.data, mac, sizeof(mac));
	assert_int_equal(r.config.data[10] | r.config.data[11] << 8, 1400);
	assert_true(g->win->slots[0].dev->config_reported);
	drive(BIT(VIRTIO_NET_F_MAC), 2);
	assert_int_equal(b.accepted, VERSION_1 | 1ULL << VHOST_USER_F_PROTOCOL_FEATURES);
}

static void options_that_are_wrong(void **state)
{
	static const char *const wrong[] = {
		"device=fs", "device=vhost-user,socket=/x", "device=vhost-user,type=x,socket=/x",
		"device=net,socket=/x,mac=1:2:3", "device=net,socket=/x,mac=53:54:00:12:34:56",
		"device=fs,socket=/x,tag=", "device=vsock,socket=/x,guest-cid=2",
		"device=blk,socket=/x,queue-size=100", "device=blk,socket=/x,queues=0",
		"device=vhost-user,type=any,socket=/x",
		"device=vhost-user,type=any,id=4,config=abc,socket=/x",
		"device=rng,socket=/x,queues=2",
	};
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct params params = { 0 };
		struct device *dev = NULL;
		struct errmsg err = { "" };

		assert_int_equal(params_parse(&params, wrong[i], NULL, &err), 0);
		if (!devices_create(&params, &dev, &err))
			assert_int_equal(params_unknown(&params, &err), -1);
		assert_true(*err.text);
		if (dev)
			dev->ops->destroy(dev);
		params_free(&params);
	}
}

/*
 * Backends that come and go
 */

static void backend_comes_late(void **state)
{
	(void)state;
	g = guest_new(NULL, create("device=rng"));
	run_for(50);
	assert_true(absent());
	backend_start(&b);
	assert_true(comes(present, MAX_SECONDS * SECOND));
	assert_true(interrupted());
}

static void backend_goes_without_a_driver(void **state)
{
	(void)state;
	plug("device=rng");
	backend_stop(&b);
	assert_true(comes(absent, SECOND));
	backend_start(&b);
	assert_true(comes(present, MAX_SECONDS * SECOND));
	drive(0, 1);
	queue_works(0);
}

/* Nothing says which requests were done: the driver has to start over */
static void backend_dies_at_work(void **state)
{
	(void)state;
	b.protocol = P(MQ) | P(REPLY_ACK);
	plug("device=any,id=63");
	drive(0, 1);
	backend_stop(&b);
	assert_true(comes(needs_reset, SECOND));
	assert_true(interrupted());
	backend_start(&b);
	run_for(200);
	assert_true(needs_reset());
	assert_int_equal(guest_set_status(g, 0), 0);
	run_for(20);
	assert_true(comes(present, MAX_SECONDS * SECOND));
	drive(0, 1);
	queue_works(0);
}

/* A driver that resets while nobody is there finds an empty slot until it is */
static void reset_without_backend(void **state)
{
	(void)state;
	plug("device=i2c,reconnect=0");
	drive(0, 1);
	backend_stop(&b);
	assert_true(comes(needs_reset, SECOND));
	assert_int_equal(guest_set_status(g, 0), 0);
	assert_true(comes(absent, SECOND));
	backend_start(&b);
	assert_true(comes(present, MAX_SECONDS * SECOND));
	drive(0, 1);
}

static bool resumed(void)
{
	bool is;

	pthread_mutex_lock(&b.lock);
	is = b.queues[0].kick >= 0 && b.queues[0].enabled;
	pthread_mutex_unlock(&b.lock);
	return is;
}

static void backend_comes_back_to_its_requests(void **state)
{
	struct vring_used *used;

	(void)state;
	plug_disk("device=blk");
	drive(0, 1);
	used = guest_ptr(g, g->win->slots[0].dev->queues[0].device);
	used->idx = htole16(0xfffe);
	backend_stop(&b);
	run_for(50);
	assert_false(needs_reset());
	backend_forget(&b);
	backend_start(&b);
	assert_true(comes(resumed, MAX_SECONDS * SECOND));
	loop_run();
	assert_int_equal(b.queues[0].base, 0xfffe);
	assert_int_equal(backend_count(&b, VU_GET_INFLIGHT_FD), 0);
	assert_int_equal(backend_count(&b, VU_SET_INFLIGHT_FD), 1);
	assert_true(backend_signalled(b.queues[0].kick));
	assert_true(interrupted());
	assert_int_equal(guest_status(g), STATUS_OK);
	queue_works(0);
}

/* Another process of the backend, whose config space begins with this at 20 */
static void backend_is_replaced(uint8_t config20)
{
	backend_stop(&b);
	backend_forget(&b);
	b.config[20] = config20;
	backend_start(&b);
}

/* What the driver chose, a cache without write-back say, holds for each backend */
static void backend_comes_back_to_config_as_written(void **state)
{
	(void)state;
	plug_disk("device=blk");
	drive(0, 1);
	guest_call(g, VIRTIO_MSG_SET_CONFIG, 0, 20, 4, 1);
	backend_is_replaced(5);
	assert_true(comes(resumed, MAX_SECONDS * SECOND));
	assert_int_equal(backend_count(&b, VU_SET_CONFIG), 1);
	assert_int_equal(b.config[20], 1);
	assert_int_equal(config_byte(20), 1);
	assert_int_equal(guest_status(g), STATUS_OK);

	/* Not across a reset */
	assert_int_equal(guest_set_status(g, 0), 0);
	drive(0, 1);
	backend_is_replaced(5);
	assert_true(comes(resumed, MAX_SECONDS * SECOND));
	assert_int_equal(backend_count(&b, VU_SET_CONFIG), 0);
	assert_int_equal(config_byte(20), 5);
}

static void backend_comes_back_and_refuses_config(void **state)
{
	(void)state;
	plug_disk("device=blk");
	drive(0, 1);
	guest_call(g, VIRTIO_MSG_SET_CONFIG, 0, 20, 4, 1);
	b.how = REFUSE;
	b.when = VU_SET_CONFIG;
	backend_is_replaced(5);
	assert_true(comes(needs_reset, MAX_SECONDS * SECOND));
}

/* Of queue 0's ring: what the driver made available, what the backend has used */
static void set_indices(uint16_t avail, uint16_t used)
{
	const struct device_queue *queue = &g->win->slots[0].dev->queues[0];
	struct vring_avail *driver = guest_ptr(g, queue->driver);
	struct vring_used *device = guest_ptr(g, queue->device);

	driver->idx = htole16(avail);
	device->idx = htole16(used);
}

/* It dies while it is told where to go on, and nothing is lost with that */
static void backend_dies_again_when_it_comes_back(void **state)
{
	static const uint32_t at[] = { VU_GET_FEATURES, VU_SET_FEATURES, VU_SET_INFLIGHT_FD,
				       VU_SET_VRING_ADDR, VU_SET_VRING_ENABLE };
	unsigned int i, connections;

	(void)state;
	plug_disk("device=blk");
	drive(0, 1);
	((struct vring_avail *)guest_ptr(g, g->win->slots[0].dev->queues[0].driver))->idx = htole16(1);
	for (i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		backend_stop(&b);
		b.how = CLOSE;
		b.when = at[i];
		connections = b.connections;
		backend_start(&b);
		run_for(150);
		assert_true(b.connections > connections);
		assert_false(needs_reset());
		backend_misbehave(&b, BEHAVE, 0);
		assert_true(comes(resumed, MAX_SECONDS * SECOND));
		run_for(20);
		assert_int_equal(guest_status(g), STATUS_OK);
		queue_works(0);
		/* What it completes meanwhile says that it is no use to give up */
		((struct vring_used *)guest_ptr(g, g->win->slots[0].dev->queues[0].device))->idx =
			htole16(i + 1);
	}
}

/* A backend that a request kills again and again */
static void backend_never_stays(void **state)
{
	unsigned int i;

	(void)state;
	plug_disk("device=blk");
	drive(0, 1);
	for (i = 0; i < 4; i++) {
		assert_false(needs_reset());
		backend_stop(&b);
		backend_start(&b);
		assert_int_equal(comes(resumed, SECOND), i < 3);
		run_for(20);
	}
	assert_true(needs_reset());
}

/* Only the record says which of the requests were done */
static void backend_comes_back_without_record(void **state)
{
	(void)state;
	plug_disk("device=blk");
	drive(0, 1);
	backend_stop(&b);
	b.protocol &= ~P(INFLIGHT_SHMFD);
	backend_start(&b);
	assert_true(comes(needs_reset, MAX_SECONDS * SECOND));
	assert_int_equal(backend_count(&b, VU_SET_VRING_KICK), 1);
}

/*
 * Packed rings: the record has the only word on where to go on
 */

struct state {
	uint8_t inflight;
	uint8_t padding;
	uint16_t next;
	uint16_t last;
	uint16_t num;
	uint8_t descriptor[24];
};

struct record {
	uint64_t features;
	uint16_t version;
	uint16_t desc_num;
	uint16_t free_head;
	uint16_t old_free_head;
	uint16_t used_idx;
	uint16_t old_used_idx;
	uint8_t used_wrap;
	uint8_t old_used_wrap;
	uint8_t padding[10];
	struct state desc[128];
};

/* Of the second queue: it came to 14, with requests of 2 and 3 descriptors in flight */
static struct record two_in_flight(void)
{
	struct record record = {
		.version = 1, .desc_num = 128, .free_head = 5, .old_free_head = 5,
		.used_idx = 14, .old_used_idx = 14, .used_wrap = 1, .old_used_wrap = 1,
	};
	unsigned int i;

	for (i = 0; i < 128; i++)
		record.desc[i].next = i + 1;
	record.desc[0].inflight = 1;
	record.desc[0].num = 2;
	record.desc[2].inflight = 1;
	record.desc[2].num = 3;
	return record;
}

/*
 * The backend dies and leaves @record, and a descriptor with @flags at 14; another
 * comes in vain, or is told where to go on.
 */
static bool goes_on_from(const struct record *record, uint16_t flags, uint32_t *base)
{
	struct vring_packed_desc *ring;
	bool is;

	b.features |= 1ULL << VIRTIO_F_RING_PACKED;
	plug_disk("device=blk,queues=2");
	drive(1ULL << VIRTIO_F_RING_PACKED, 2);
	assert_int_equal(pwrite(b.inflight, record, sizeof(*record), BACKEND_RECORD),
			 sizeof(*record));
	ring = guest_ptr(g, g->win->slots[0].dev->queues[1].desc);
	ring[14].flags = htole16(flags);
	backend_stop(&b);
	run_for(20);
	assert_false(needs_reset());
	backend_start(&b);
	comes(resumed, SECOND);
	run_for(50);
	is = !needs_reset();
	*base = b.queues[1].base;
	if (is) {
		assert_int_equal(b.queues[0].base, 0x80008000);
		queue_works(1);
	}
	guest_free(g);
	g = NULL;
	backend_stop(&b);
	return is;
}

static void packed_ring_goes_on(void **state)
{
	struct record record = two_in_flight();
	uint32_t base;

	(void)state;
	/* 14 + 5 descriptors of 16: once around */
	assert_true(goes_on_from(&record, 0, &base));
	assert_int_equal(base, 0x800e0003);
	record.used_wrap = record.old_used_wrap = 0;
	assert_true(goes_on_from(&record, 0, &base));
	assert_int_equal(base, 0x000e8003);
	/* No backend has begun with it */
	memset(&record, 0, sizeof(record));
	assert_true(goes_on_from(&record, 0, &base));
	assert_int_equal(base, 0x80008000);
	/* A request that was being taken is not in flight: its states are still free */
	record = two_in_flight();
	record.old_free_head = 2;
	assert_true(goes_on_from(&record, 0, &base));
	assert_int_equal(base, 0x800e0000);
	/* One that was being completed is in flight as long as the ring has it available */
	record = two_in_flight();
	record.used_idx = 1;
	record.used_wrap = 0;
	record.free_head = 2;
	assert_true(goes_on_from(&record, 1 << VRING_PACKED_DESC_F_AVAIL, &base));
	assert_int_equal(base, 0x800e0003);
	assert_true(goes_on_from(&record, 1 << VRING_PACKED_DESC_F_AVAIL |
				 1 << VRING_PACKED_DESC_F_USED, &base));
	assert_int_equal(base, 0x00010003);
}

static void packed_record_that_is_nonsense(void **state)
{
	struct record record = two_in_flight();
	uint32_t base;

	(void)state;
	record.version = 2;
	assert_false(goes_on_from(&record, 0, &base));
	record = two_in_flight();
	record.desc_num = 127;
	assert_false(goes_on_from(&record, 0, &base));
	record = two_in_flight();
	record.used_idx = record.old_used_idx = 16;
	assert_false(goes_on_from(&record, 0, &base));
	record = two_in_flight();
	record.desc[2].num = 15;
	assert_false(goes_on_from(&record, 0, &base));
	record.desc[2].num = 65535;
	assert_false(goes_on_from(&record, 0, &base));
	/* A free list without end is no harm */
	record = two_in_flight();
	record.desc[9].next = 5;
	assert_true(goes_on_from(&record, 0, &base));
}

/* What is recorded of a queue that is reset meanwhile must not be done in its next ring */
static void queue_reset_while_waiting(void **state)
{
	(void)state;
	plug_disk("device=blk,queues=2");
	drive(1ULL << VIRTIO_F_RING_RESET, 2);
	backend_stop(&b);
	run_for(20);
	assert_true(guest_call(g, VIRTIO_MSG_RESET_VQUEUE, 0).there);
	assert_true(guest_enable_queue(g, 0, 16));
	backend_forget(&b);
	backend_start(&b);
	assert_true(comes(resumed, MAX_SECONDS * SECOND));
	run_for(20);
	assert_int_equal(backend_count(&b, VU_GET_INFLIGHT_FD), 1);
	queue_works(0);
	queue_works(1);

	/* The other queue has requests, of which nobody would know any more */
	((struct vring_avail *)guest_ptr(g, g->win->slots[0].dev->queues[1].driver))->idx = htole16(1);
	backend_stop(&b);
	run_for(20);
	assert_false(needs_reset());
	assert_true(guest_call(g, VIRTIO_MSG_RESET_VQUEUE, 0).there);
	assert_true(needs_reset());
}

/* Of a packed ring a backend could only take its place from the record */
static void packed_queue_reset(void **state)
{
	(void)state;
	b.features |= 1ULL << VIRTIO_F_RING_PACKED;
	plug_disk("device=blk");
	drive(1ULL << VIRTIO_F_RING_RESET | 1ULL << VIRTIO_F_RING_PACKED, 1);
	assert_true(guest_call(g, VIRTIO_MSG_RESET_VQUEUE, 0).there);
	assert_true(guest_enable_queue(g, 0, 16));
	queue_works(0);
	backend_stop(&b);
	assert_true(comes(needs_reset, SECOND));
}

/* A driver that is just starting has nothing to lose */
static void backend_dies_in_setup(void **state)
{
	(void)state;
	plug_disk("device=blk,queues=2");
	guest_negotiate(g, VERSION_1);
	assert_true(guest_enable_queue(g, 0, 16));
	assert_true(guest_enable_queue(g, 1, 16));
	backend_misbehave(&b, CLOSE, VU_SET_VRING_NUM);
	assert_int_equal(guest_set_status(g, STATUS_OK), STATUS_OK | VIRTIO_CONFIG_S_NEEDS_RESET);
	backend_misbehave(&b, BEHAVE, 0);
	run_for(300);
	assert_int_equal(b.connections, 2);
	assert_int_equal(b.queues[0].kick, -1);
	assert_int_equal(guest_set_status(g, 0), 0);
	run_for(20);
	drive(0, 2);
	queue_works(1);
}

/* One that sets a queue up again has other queues, whose requests wait */
static void backend_dies_when_a_queue_is_enabled(void **state)
{
	(void)state;
	plug_disk("device=blk,queues=2");
	drive(1ULL << VIRTIO_F_RING_RESET, 2);
	assert_true(guest_call(g, VIRTIO_MSG_RESET_VQUEUE, 1).there);
	backend_misbehave(&b, CLOSE, VU_SET_VRING_NUM);
	assert_true(guest_enable_queue(g, 1, 16));
	assert_false(needs_reset());
	backend_misbehave(&b, BEHAVE, 0);
	assert_true(comes(resumed, MAX_SECONDS * SECOND));
	run_for(20);
	assert_int_equal(guest_status(g), STATUS_OK);
	queue_works(0);
	queue_works(1);
}

/* Without a record: only if nothing was in flight */
static void idle_backend_comes_back(void **state)
{
	(void)state;
	plug("device=blk,capacity=8");
	drive(0, 1);
	set_indices(7, 7);
	backend_stop(&b);
	run_for(50);
	assert_false(needs_reset());
	backend_start(&b);
	assert_true(comes(resumed, MAX_SECONDS * SECOND));
	assert_int_equal(b.queues[0].base, 7);
	run_for(20);
	queue_works(0);

	set_indices(8, 7);
	backend_stop(&b);
	assert_true(comes(needs_reset, SECOND));
}

/* What is done in order goes on with the first request that is not done */
static void orderly_backend_comes_back(void **state)
{
	(void)state;
	plug("device=i2c");
	drive(0, 1);
	set_indices(9, 7);
	backend_stop(&b);
	run_for(50);
	assert_false(needs_reset());
	backend_start(&b);
	assert_true(comes(resumed, MAX_SECONDS * SECOND));
	loop_run();
	assert_int_equal(b.queues[0].base, 7);
	assert_true(backend_signalled(b.queues[0].kick));
}

/*
 * A driver that another virtio-msgd left: what the ring has, and what that one knew of
 * where its backend was. @goes_on: -1: the backend is not given the ring
 */
static const struct adoption {
	const char *options;
	uint64_t features;
	int64_t base;
	uint16_t avail;
	uint16_t used;
	int64_t goes_on;
} adoptions[] = {
	/* All that was begun is done, whether or not the backend could be asked */
	{ "device=blk,capacity=8", 0, 7, 9, 7, 7 },
	{ "device=blk,capacity=8", 0, -1, 9, 9, 9 },
	{ "device=blk,capacity=8", 0, 0xffff, 2, 0xffff, 0xffff },
	/* It may not be */
	{ "device=blk,capacity=8", 0, -1, 9, 7, -1 },
	{ "device=blk,capacity=8", 0, 8, 9, 7, -1 },
	/* It is done in order */
	{ "device=i2c", 0, -1, 9, 7, 7 },
	{ "device=i2c", 0, 8, 9, 7, 7 },
	/* The user does not want it; the backend has a state of its own */
	{ "device=i2c,reconnect=0", 0, 9, 9, 9, -1 },
	{ "device=any,id=63", 0, 9, 9, 9, -1 },
	/* Packed rings: only the backend knew */
	{ "device=i2c", 1ULL << VIRTIO_F_RING_PACKED, 0x80078007, 0, 0, 0x80078007 },
	{ "device=i2c", 1ULL << VIRTIO_F_RING_PACKED, 0x80078008, 0, 0, -1 },
	{ "device=i2c", 1ULL << VIRTIO_F_RING_PACKED, -1, 0, 0, -1 },
};

static void adopt(const struct adoption *a)
{
	const struct device_queue setup = {
		.size = 16,
		.desc = GUEST_RING,
		.driver = GUEST_RING + 0x1000,
		.device = GUEST_RING + 0x2000,
		.resume = true,
		.base = a->base,
	};
	uint32_t broken = a->goes_on < 0 ? VIRTIO_CONFIG_S_NEEDS_RESET : 0;

	b.features |= a->features;
	plug(a->options);
	guest_negotiate(g, VERSION_1 | a->features);
	assert_int_equal(slot_enable_queue(&g->win->slots[0], 0, &setup), 0);
	if (!a->features)
		set_indices(a->avail, a->used);
	assert_int_equal(guest_set_status(g, STATUS_OK), STATUS_OK | broken);
	assert_int_equal(b.queues[0].kick >= 0, a->goes_on >= 0);
	if (a->goes_on >= 0) {
		assert_int_equal(b.queues[0].base, a->goes_on);
		assert_true(backend_signalled(b.queues[0].kick));
		assert_true(interrupted());
	}
}

static void adopted_driver(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(adoptions) / sizeof(adoptions[0]); i++) {
		adopt(&adoptions[i]);
		guest_free(g);
		g = NULL;
		backend_stop(&b);
	}
	b.listener = 0;
}

static void adopted_driver_whose_backend_dies(void **state)
{
	static const struct adoption a = { "device=blk,capacity=8", 0, 7, 9, 7, -1 };

	(void)state;
	backend_misbehave(&b, CLOSE, VU_SET_MEM_TABLE);
	adopt(&a);
	backend_misbehave(&b, BEHAVE, 0);
	run_for(300);
	assert_int_equal(b.connections, 2);
	assert_int_equal(b.queues[0].kick, -1);
}

/* What this process notes for the next one */
static void left_driver(void **state)
{
	const struct device_queue *queue;

	(void)state;
	plug("device=i2c");
	drive(0, 1);
	queue = &g->win->slots[0].dev->queues[0];
	b.queues[0].base = 0xabc;
	backend_forget(&b);
	slot_suspend(&g->win->slots[0]);
	assert_int_equal(backend_count(&b, VU_GET_VRING_BASE), 1);
	assert_int_equal(queue->base, 0xabc);
	/* For the driver nothing has changed, nor has the memory */
	assert_true(queue->enabled);
	assert_int_equal(queue->desc, GUEST_RING);
	assert_int_equal(guest_status(g), STATUS_OK);
	assert_int_equal(backend_count(&b, VU_SET_MEM_TABLE), 0);
	/* The end of the program resets it, which is the backend's affair only */
	assert_int_equal(slot_detach(&g->win->slots[0]), 0);
	assert_int_equal(backend_count(&b, VU_GET_VRING_BASE), 1);
}

/* A backend that stops its queue with its thread still at a request */
static void *finish_later(void *arg)
{
	struct vring_used *used = arg;
	unsigned int ms;

	for (ms = 0; ms < SECOND && !backend_count(&b, VU_GET_VRING_BASE); ms++)
		usleep(1000);
	usleep(50000);
	__atomic_store_n(&used->idx, htole16(3), __ATOMIC_RELEASE);
	return NULL;
}

static void left_in_the_middle_of_a_request(void **state)
{
	const struct device_queue *queue;
	pthread_t thread;

	(void)state;
	plug("device=i2c");
	drive(0, 1);
	set_indices(3, 2);
	queue = &g->win->slots[0].dev->queues[0];
	b.queues[0].base = 3;
	backend_forget(&b);
	assert_int_equal(pthread_create(&thread, NULL, finish_later,
					guest_ptr(g, queue->device)), 0);
	slot_suspend(&g->win->slots[0]);
	/* It was left the time to finish it */
	assert_int_equal(((struct vring_used *)guest_ptr(g, queue->device))->idx, htole16(3));
	assert_int_equal(queue->base, 3);
	pthread_join(thread, NULL);
}

static void left_without_backend(void **state)
{
	(void)state;
	plug("device=i2c");
	drive(0, 1);
	backend_stop(&b);
	run_for(50);
	slot_suspend(&g->win->slots[0]);
	assert_int_equal(g->win->slots[0].dev->queues[0].base, -1);
}

/* It had the ring for a moment: who knows what it did */
static void backend_without_record_dies_when_a_queue_is_enabled(void **state)
{
	static const struct device_queue second = {
		.size = 16,
		.desc = GUEST_RING + 0x10000,
		.driver = GUEST_RING + 0x11000,
		.device = GUEST_RING + 0x12000,
	};
	struct vring_avail *avail;

	(void)state;
	b.protocol = P(MQ);
	plug("device=blk,capacity=8,queues=2");
	drive(0, 1);
	avail = guest_ptr(g, second.driver);
	avail->idx = htole16(1);
	backend_misbehave(&b, CLOSE, VU_SET_VRING_ENABLE);
	assert_true(slot_enable_queue(&g->win->slots[0], 1, &second) < 0);
	assert_true(needs_reset());
}

static void backend_does_not_come_back(void **state)
{
	(void)state;
	plug("device=net,reconnect=1");
	drive(0, 2);
	backend_stop(&b);
	run_for(300);
	assert_false(needs_reset());
	assert_true(comes(needs_reset, 2 * SECOND));
}

static void other_backend_comes_back(void **state)
{
	(void)state;
	b.features |= BIT(9);
	plug_disk("device=blk");
	drive(BIT(9), 1);
	backend_stop(&b);
	b.features &= ~BIT(9);
	backend_start(&b);
	assert_true(comes(needs_reset, MAX_SECONDS * SECOND));
	assert_int_equal(guest_set_status(g, 0), 0);
	run_for(50);
	assert_true(comes(present, SECOND));
	assert_false(offered() & BIT(9));
}

static void removed_at_work(void **state)
{
	(void)state;
	plug("device=rng");
	drive(0, 1);
	assert_int_equal(slot_detach(&g->win->slots[0]), 0);
	assert_int_equal(backend_count(&b, VU_GET_VRING_BASE), 1);
	assert_true(absent());
	assert_int_equal(slot_attach(&g->win->slots[0], create("device=rng")), 0);
	assert_true(comes(present, MAX_SECONDS * SECOND));
	drive(0, 1);
	queue_works(0);
}

/*
 * Backends that misbehave
 */

static const enum misbehave faults[] = { HANG, CLOSE, GARBAGE, OTHER, SHORT };

#define NUM_FAULTS (sizeof(faults) / sizeof(faults[0]))

/* Whatever happens when it is asked what it offers, it is asked again */
static void misbehaves_in_negotiation(void **state)
{
	static const uint32_t at[] = { VU_GET_FEATURES, VU_GET_PROTOCOL_FEATURES,
				       VU_GET_QUEUE_NUM, VU_GET_MAX_MEM_SLOTS,
				       VU_SET_BACKEND_REQ_FD, VU_GET_CONFIG };
	unsigned int i;

	(void)state;
	b.protocol = ALL_PROTOCOL;
	b.config_size = 36;
	for (i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		b.how = faults[i % NUM_FAULTS];
		b.when = at[i];
		backend_start(&b);
		g = guest_new(NULL, create("device=blk,answer=1"));
		run_for(100);
		assert_true(absent());
		backend_misbehave(&b, BEHAVE, 0);
		assert_true(comes(present, MAX_SECONDS * SECOND));
		guest_free(g);
		g = NULL;
		backend_stop(&b);
	}
	b.listener = 0;
}

static void refuses_features_it_offered(void **state)
{
	(void)state;
	b.protocol = P(REPLY_ACK);
	b.features |= BIT(9);
	plug("device=rng");
	backend_misbehave(&b, REFUSE, VU_SET_FEATURES);
	guest_set_status(g, STATUS_DRIVER);
	assert_true(guest_call(g, VIRTIO_MSG_SET_DRIVER_FEATURES, 0, 2, BIT(9), 1).there);
	assert_int_equal(guest_set_status(g, STATUS_FEATURES), STATUS_DRIVER);
	backend_misbehave(&b, BEHAVE, 0);
	assert_int_equal(guest_set_status(g, 0), 0);
	drive(BIT(9), 1);
}

/* At each step of a start: the driver is told, within bounded time */
static void misbehaves_in_setup(void **state)
{
	static const uint32_t at[] = { VU_ADD_MEM_REG, VU_GET_INFLIGHT_FD, VU_SET_INFLIGHT_FD,
				       VU_SET_VRING_NUM, VU_SET_VRING_BASE, VU_SET_VRING_ADDR,
				       VU_SET_VRING_CALL, VU_SET_VRING_ERR, VU_SET_VRING_KICK,
				       VU_SET_VRING_ENABLE };
	unsigned int i;
	uint64_t start;

	(void)state;
	b.protocol = ALL_PROTOCOL;
	b.config_size = 36;
	for (i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		plug("device=blk,reconnect=0,answer=1");
		guest_negotiate(g, VERSION_1);
		assert_true(guest_enable_queue(g, 0, 16));
		backend_misbehave(&b, faults[i % NUM_FAULTS], at[i]);
		start = loop_now_ms();
		assert_int_equal(guest_set_status(g, STATUS_OK),
				 STATUS_OK | VIRTIO_CONFIG_S_NEEDS_RESET);
		assert_in_range(loop_now_ms() - start, 0, 2 * SECOND);
		/* A backend that is restarted serves the same device again */
		backend_stop(&b);
		b.how = BEHAVE;
		backend_start(&b);
		run_for(50);
		assert_int_equal(guest_set_status(g, 0), 0);
		run_for(20);
		assert_true(comes(present, MAX_SECONDS * SECOND));
		drive(0, 1);
		queue_works(0);
		guest_free(g);
		g = NULL;
		backend_stop(&b);
	}
	b.listener = 0;
}

/* Slower than most, within what the option allows */
static void takes_its_time(void **state)
{
	(void)state;
	b.protocol = ALL_PROTOCOL;
	b.config_size = 36;
	b.delay_ms = 1300;
	b.when = VU_ADD_MEM_REG;
	plug("device=blk,answer=4");
	drive(0, 1);
	queue_works(0);
	pthread_mutex_lock(&b.lock);
	b.when = VU_GET_VRING_BASE;
	pthread_mutex_unlock(&b.lock);
	assert_int_equal(guest_set_status(g, 0), 0);
}

/* Each answer comes in time, but not all that one request of the driver takes */
static void takes_its_time_again_and_again(void **state)
{
	uint64_t start;

	(void)state;
	b.protocol = ALL_PROTOCOL;
	b.config_size = 36;
	b.num_queues = 2;
	b.delay_ms = 700;
	b.when = VU_SET_VRING_NUM;
	plug("device=blk,answer=1,reconnect=0");
	guest_negotiate(g, VERSION_1);
	assert_true(guest_enable_queue(g, 0, 16));
	assert_true(guest_enable_queue(g, 1, 16));
	start = loop_now_ms();
	assert_int_equal(guest_set_status(g, STATUS_OK), STATUS_OK | VIRTIO_CONFIG_S_NEEDS_RESET);
	/* The second answer would have come after 1.4 s; a timer may be a little early */
	assert_in_range(loop_now_ms() - start, SECOND - 20, 1399);
}

/* No reset is complete while a backend may still write to memory */
static void hangs_in_reset(void **state)
{
	uint64_t start;

	(void)state;
	plug("device=rng,answer=1");
	drive(0, 1);
	backend_misbehave(&b, HANG, VU_GET_VRING_BASE);
	start = loop_now_ms();
	assert_int_equal(guest_set_status(g, 0), STATUS_OK | VIRTIO_CONFIG_S_NEEDS_RESET);
	assert_in_range(loop_now_ms() - start, SECOND, 2 * SECOND);
	start = loop_now_ms();
	assert_int_equal(guest_set_status(g, 0), STATUS_OK | VIRTIO_CONFIG_S_NEEDS_RESET);
	assert_in_range(loop_now_ms() - start, 0, SECOND / 2);
	assert_true(present());
	/* When it lets go the device leaves, to be found anew */
	backend_misbehave(&b, BEHAVE, 0);
	backend_stop(&b);
	assert_true(comes(absent, SECOND));
	backend_start(&b);
	assert_true(comes(present, MAX_SECONDS * SECOND));
	drive(0, 1);
	queue_works(0);
}

static void hangs_in_queue_reset(void **state)
{
	(void)state;
	plug("device=rng,answer=1");
	drive(1ULL << VIRTIO_F_RING_RESET, 1);
	backend_misbehave(&b, HANG, VU_GET_VRING_BASE);
	assert_false(guest_call(g, VIRTIO_MSG_RESET_VQUEUE, 0).there);
	assert_true(needs_reset());
}

static void says_what_nobody_asked(void **state)
{
	struct vu_msg msg = { .request = VU_GET_FEATURES, .flags = VU_VERSION | VU_REPLY };

	(void)state;
	plug("device=rng");
	drive(0, 1);
	assert_true(send(b.conn, &msg, VU_HEADER_SIZE, MSG_NOSIGNAL) > 0);
	assert_true(comes(needs_reset, SECOND));
}

static void backend_requests_are_checked(void **state)
{
	struct vu_msg msg = { .request = 99, .flags = VU_VERSION | VU_NEED_REPLY };
	struct vu_msg reply;

	(void)state;
	plug_disk("device=blk");
	drive(0, 1);
	/* Unknown: refused */
	assert_true(send(b.backend_req, &msg, VU_HEADER_SIZE, MSG_NOSIGNAL) > 0);
	run_for(50);
	assert_int_equal(recv(b.backend_req, &reply, sizeof(reply), MSG_DONTWAIT),
			 VU_HEADER_SIZE + 8);
	assert_int_equal(reply.request, 99);
	assert_int_equal(reply.flags, VU_VERSION | VU_REPLY);
	assert_int_equal(reply.u64, 1);
	assert_false(needs_reset());
	/* Not even a message: the end */
	msg.flags = 0;
	assert_true(send(b.backend_req, &msg, VU_HEADER_SIZE, MSG_NOSIGNAL) > 0);
	assert_true(comes(needs_reset, SECOND));
}

static void useless_backends(void **state)
{
	(void)state;
	b.features = 1ULL << VHOST_USER_F_PROTOCOL_FEATURES;
	backend_start(&b);
	g = guest_new(NULL, create("device=rng"));
	run_for(100);
	assert_true(absent());
	pthread_mutex_lock(&b.lock);
	b.features |= VERSION_1;
	b.protocol = P(MQ);
	b.num_queues = 0;
	pthread_mutex_unlock(&b.lock);
	assert_true(comes(present, MAX_SECONDS * SECOND));
}

#define vu_test(name)	cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		vu_test(everything),
		vu_test(nothing_but_basics),
		vu_test(queue_reset),
		vu_test(packed_ring),
		vu_test(xen_mmap_regions),
		vu_test(broken_queue_reported),
		vu_test(config_change_is_reported),
		vu_test(config_without_reports),
		vu_test(config_that_is_refused),
		vu_test(config_without_reports_is_refused),
		vu_test(config_write),
		vu_test(config_that_is_the_frontends),
		vu_test(config_by_options),
		vu_test(options_that_are_wrong),
		vu_test(backend_comes_late),
		vu_test(backend_goes_without_a_driver),
		vu_test(backend_dies_at_work),
		vu_test(reset_without_backend),
		vu_test(backend_comes_back_to_its_requests),
		vu_test(backend_comes_back_to_config_as_written),
		vu_test(backend_comes_back_and_refuses_config),
		vu_test(backend_dies_again_when_it_comes_back),
		vu_test(backend_never_stays),
		vu_test(backend_comes_back_without_record),
		vu_test(packed_ring_goes_on),
		vu_test(packed_record_that_is_nonsense),
		vu_test(queue_reset_while_waiting),
		vu_test(packed_queue_reset),
		vu_test(backend_dies_in_setup),
		vu_test(backend_dies_when_a_queue_is_enabled),
		vu_test(idle_backend_comes_back),
		vu_test(orderly_backend_comes_back),
		vu_test(adopted_driver),
		vu_test(adopted_driver_whose_backend_dies),
		vu_test(left_driver),
		vu_test(left_in_the_middle_of_a_request),
		vu_test(left_without_backend),
		vu_test(backend_without_record_dies_when_a_queue_is_enabled),
		vu_test(backend_does_not_come_back),
		vu_test(other_backend_comes_back),
		vu_test(removed_at_work),
		vu_test(misbehaves_in_negotiation),
		vu_test(refuses_features_it_offered),
		vu_test(misbehaves_in_setup),
		vu_test(takes_its_time),
		vu_test(takes_its_time_again_and_again),
		vu_test(hangs_in_reset),
		vu_test(hangs_in_queue_reset),
		vu_test(says_what_nobody_asked),
		vu_test(backend_requests_are_checked),
		vu_test(useless_backends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
