/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The device model: a slot, the device in it, and their state as the driver
 * sees it - status, accepted features, queues, config generation. It keeps the
 * order of virtio's rules, whichever way the driver's wishes came: by messages
 * (message.c) or by virtio-mmio registers (window_mmio.c).
 */
#ifndef MSGD_SLOT_H
#define MSGD_SLOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/base.h"
#include "model/carrier.h"
#include "model/device.h"

#define SLOT_CHANGED_CONFIG	0x1	/* config or status */
#define SLOT_CHANGED_DEVICE	0x2	/* the device came or went */

struct slot;

/**
 * struct slot_ops - what a slot tells to what shows it to the driver
 * @used: queue @q has used buffers
 * @changed: SLOT_CHANGED_* bits: what is new
 * @uncounted: from now on interrupts may come for its used buffers without @used
 */
struct slot_ops {
	void (*used)(struct slot *slot, unsigned int q);
	void (*changed)(struct slot *slot, unsigned int what);
	void (*uncounted)(struct slot *slot);
};

/**
 * struct slot - the place for a device
 * @ops: whom to tell
 * @carrier: the guest
 * @window: number of the window there
 * @number: of the slot in the window: the device number of messages
 * @name: both, for the log and the user: "window 3", or "window 3.1" if there are more
 * @access_platform: offer VIRTIO_F_ACCESS_PLATFORM, and insist on it, as on a
 *	carrier that translates addresses
 * @lock: held while the driver's wishes are carried out, which may take a while
 * @owned: the device that the user gave it; in it while it is ready
 * @dev: the device, NULL: empty
 * @status: device status
 * @generation: config generation: neither reset nor the next device sets it back
 * @arrivals: how often a device was put in
 * @features: what the driver accepted, as far as it has told
 * @features_bad: it accepted something that nobody offers
 * @strict: a SET_CONFIG with a stale generation is refused
 * @resetting: a reset has begun and is not complete (device_ops.reset)
 * @uncounted: an irqfd of its device's was assigned since it was last without a driver
 * @kicks: buffers announced to it that came through this process
 * @interrupts: raised by this process for its used buffers
 * @log: of what the driver causes
 */
struct slot {
	const struct slot_ops *ops;
	struct carrier *carrier;
	unsigned int window;
	unsigned int number;
	char name[24];
	bool access_platform;
	struct task_lock lock;
	struct device *owned;
	struct device *dev;
	uint8_t status;
	uint32_t generation;
	uint32_t arrivals;
	uint64_t features;
	bool features_bad;
	bool strict;
	bool resetting;
	bool uncounted;
	uint64_t kicks;
	uint64_t interrupts;
	struct log_limit log;
};

/* Give the slot a device, which it owns from then on: 0 or -EBUSY. */
int slot_attach(struct slot *slot, struct device *dev);
/* Take the device away from the driver and destroy it; -ENODEV if none. */
int slot_detach(struct slot *slot);

/* Put a device into an empty slot: 0 or -EBUSY. The driver is told. */
int slot_plug(struct slot *slot, struct device *dev);
/* Take it out (resets it first): the caller owns it now. NULL if empty. */
struct device *slot_unplug(struct slot *slot);

/* What the driver hands out are DMA addresses (VIRTIO_F_ACCESS_PLATFORM) */
bool slot_translates(const struct slot *slot);
/* What the device in the slot offers, with what the model adds */
uint64_t slot_offered(const struct slot *slot);

/* The driver's wishes; the slot has a device in it, and is locked but for a kick. */
uint8_t slot_get_status(struct slot *slot);
void slot_set_status(struct slot *slot, uint32_t status);
/* The driver's features, a block of 32; -EBUSY after FEATURES_OK. */
int slot_set_features(struct slot *slot, uint32_t block, uint32_t features);
/* NULL: there is no such queue */
struct device_queue *slot_queue(struct slot *slot, uint32_t q);
/* Set a queue up with the given size and addresses; 0 or -errno. */
int slot_enable_queue(struct slot *slot, uint32_t q,
		      const struct device_queue *setup);
/* Stop a queue and forget its setup; 0 or -errno. */
int slot_reset_queue(struct slot *slot, uint32_t q);
void slot_kick(struct slot *slot, uint32_t q, uint32_t data);
int slot_config_read(struct slot *slot, uint64_t offset, void *buf,
		     uint64_t len);
int slot_config_write(struct slot *slot, uint64_t offset, const void *buf,
		      uint64_t len);

/*
 * This process ends, the driver goes on with the next one: stop serving, but let
 * all that the driver set up be. device_queue.base then says where each queue is.
 */
void slot_suspend(struct slot *slot);

/* The guest left: reset, whatever the device says. */
void slot_clear(struct slot *slot);

/*
 * One message. @request is @len bytes that nobody changes meanwhile; both
 * buffers are aligned to 8 bytes and @max, the maximum message size, is at least
 * VIRTIO_MSG_SIZE_MIN. Returns the size of the response, 0 if there is none
 * because it was an event, -EINVAL if there is none because the request is
 * malformed, unknown, for a device that is not there, or was refused.
 */
int slot_message(struct slot *slot, const void *request, size_t len,
		 void *response, size_t max);

#endif
