/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests have in common: a guest with memory and one window, a device
 * that records what is asked of it, and the driver's end of messages and rings.
 */
#ifndef TEST_GUEST_H
#define TEST_GUEST_H

#include <endian.h>
#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_msg.h>
#include <linux/virtio_msg_mmio.h>
#include <linux/virtio_ring.h>
#include <stdbool.h>

#include "event_loop.h"
#include "model/model.h"
#include "base/base.h"

#define GUEST_BASE	0x40000000ULL
#define GUEST_SIZE	0x200000ULL

/* Where the tests put things */
#define GUEST_PAGE	(GUEST_BASE + 0x1000)
#define GUEST_RING	(GUEST_BASE + 0x10000)
#define GUEST_DATA	(GUEST_BASE + 0x100000)

#define STATUS_DRIVER		(VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER)
#define STATUS_FEATURES		(STATUS_DRIVER | VIRTIO_CONFIG_S_FEATURES_OK)
#define STATUS_OK		(STATUS_FEATURES | VIRTIO_CONFIG_S_DRIVER_OK)
#define VERSION_1		(1ULL << VIRTIO_F_VERSION_1)

/**
 * struct guest - it
 * @carrier: how it is connected
 * @win: its first window
 * @mem: its memory
 * @interrupts: how many it got
 * @token: of its last message
 * @dev_num: the device its messages are for
 * @type: VIRTIO_MSG_TYPE_BUS: they are for the bus
 */
struct guest {
	struct carrier carrier;
	struct window *win;
	uint8_t *mem;
	unsigned int interrupts;
	uint16_t token;
	uint16_t dev_num;
	uint8_t type;
};

/* A guest with a window as @config says (NULL: the default) and @dev in it. */
struct guest *guest_new(const struct window_config *config, struct device *dev);
/* Frees the window's device, too. */
void guest_free(struct guest *g);

/* Where a guest address is; fails the test outside memory */
void *guest_ptr(struct guest *g, uint64_t addr);

uint64_t guest_read(struct guest *g, uint32_t offset, unsigned int size);
void guest_write(struct guest *g, uint32_t offset, unsigned int size, uint64_t value);

/**
 * struct reply - a response, as the driver finds it
 * @there: there was one
 */
struct reply {
	bool there;
	union {
		struct virtio_msg_header hdr;
		struct virtio_msg_get_device_info_resp info;
		struct virtio_msg_config config;
		struct virtio_msg_status status;
		struct virtio_msg_get_vqueue_resp vqueue;
		struct virtio_msg_get_shm_resp shm;
		uint32_t words[64];
		uint8_t bytes[256];
	};
};

/* Send a message of @words after the header, through the Window register */
struct reply guest_send(struct guest *g, uint8_t id, unsigned int num, const uint32_t *words);
#define guest_call(g, id, ...) \
	guest_send(g, id, sizeof((uint32_t[]){ __VA_ARGS__ }) / sizeof(uint32_t), \
		   (uint32_t[]){ __VA_ARGS__ })
/* The same through the message page, which is on at GUEST_PAGE */
struct reply guest_page_send(struct guest *g, uint8_t id, unsigned int num,
			     const uint32_t *words);
/* Any bytes through the Window register, padded to 4 */
struct reply guest_raw(struct guest *g, const void *request, size_t len);

uint32_t guest_status(struct guest *g);
/* The resulting status */
uint32_t guest_set_status(struct guest *g, uint32_t status);
/* Up to FEATURES_OK with these features; asserts that they were accepted */
void guest_negotiate(struct guest *g, uint64_t features);
/* Set up queue @q with @size entries at GUEST_RING; whether it was answered */
bool guest_enable_queue(struct guest *g, uint32_t q, uint32_t size);

/**
 * struct fake - a device for the tests of the model
 * @config: its config space
 * @start, @queue_start, @queue_stop, @kick, @reset, @unplugged: number of calls
 * @last_queue: what the last call with a queue was about
 * @last_data: of the last kick
 * @refuse_features: features_ok says no
 * @start_result, @queue_start_result, @queue_stop_result, @reset_result: what these return
 */
struct fake {
	struct device dev;
	uint8_t config[64];
	unsigned int start;
	unsigned int queue_start;
	unsigned int queue_stop;
	unsigned int kick;
	unsigned int reset;
	unsigned int unplugged;
	unsigned int last_queue;
	uint32_t last_data;
	bool refuse_features;
	int start_result;
	int queue_start_result;
	int queue_stop_result;
	int reset_result;
};

#define FAKE_ID		42
#define FAKE_QUEUES	3
#define FAKE_MAX_SIZE	256
#define FAKE_SHM_ADDR	0x123400000000ULL
#define FAKE_SHM_LEN	0x10000ULL

struct fake *fake_new(void);

/**
 * struct fixture - a guest with a fake device, what many tests begin with
 * @g: the guest
 * @fake: the device in its window
 */
struct fixture {
	struct guest *g;
	struct fake *fake;
};

/* cmocka's setup and teardown of one: *state; @config NULL: the default */
int fixture_setup_with(void **state, const struct window_config *config);
int fixture_setup(void **state);
int fixture_teardown(void **state);

/**
 * struct ring - the driver's end of a virtqueue
 * @g: whose
 * @features: negotiated ones
 * @size: entries
 * @base: where its areas are, 0x1000 apart
 * @next: where the next buffer goes (packed: slot)
 * @wrap: packed: the driver's wrap counter
 * @used: used entries seen (packed: slot)
 * @used_wrap: packed: wrap counter for them
 */
struct ring {
	struct guest *g;
	uint64_t features;
	uint16_t size;
	uint64_t base;
	uint16_t next;
	bool wrap;
	uint16_t used;
	bool used_wrap;
};

struct buf {
	uint64_t addr;
	uint32_t len;
	bool write;
};

void ring_init(struct ring *ring, struct guest *g, uint64_t features, uint16_t size);
/* Descriptor @i: split */
struct vring_desc *ring_desc(struct ring *ring, unsigned int i);
struct vring_packed_desc *ring_packed(struct ring *ring, unsigned int i);
struct vring_avail *ring_avail(struct ring *ring);
struct vring_used *ring_used(struct ring *ring);
struct vring_packed_desc_event *ring_driver_event(struct ring *ring);
struct vring_packed_desc_event *ring_device_event(struct ring *ring);
/* Make @num buffers available as one chain, which starts at entry ring->next */
void ring_add(struct ring *ring, const struct buf *bufs, unsigned int num);
/* The next used entry: false if there is none. @slots: how long its chain was */
bool ring_get(struct ring *ring, unsigned int slots, uint32_t *id, uint32_t *len);

#endif
