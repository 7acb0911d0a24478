// SPDX-License-Identifier: GPL-2.0-only
#include "model/slot.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <string.h>

#include "base/base.h"
#include "model/vring.h"

/* Status bits that a driver may set */
#define DRIVER_STATUS	(VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER | \
			 VIRTIO_CONFIG_S_DRIVER_OK | VIRTIO_CONFIG_S_FEATURES_OK | \
			 VIRTIO_CONFIG_S_FAILED)

#define BIT64(n)	(1ULL << (n))

static void complain(struct slot *slot, const char *what)
{
	log_limited(&slot->log, "%s, %s: the guest %s", slot->carrier->name, slot->name, what);
}

static bool has(const struct slot *slot, uint8_t status)
{
	return slot->status & status;
}

bool slot_translates(const struct slot *slot)
{
	return slot->carrier->translates || slot->access_platform;
}

uint64_t slot_offered(const struct slot *slot)
{
	uint64_t features = slot->dev->features | BIT64(VIRTIO_F_VERSION_1);

	if (slot_translates(slot))
		features |= BIT64(VIRTIO_F_ACCESS_PLATFORM);
	return features;
}

static bool features_acceptable(struct slot *slot)
{
	uint64_t needed = BIT64(VIRTIO_F_VERSION_1);
	struct device *dev = slot->dev;

	if (slot_translates(slot))
		needed |= BIT64(VIRTIO_F_ACCESS_PLATFORM);
	if (slot->features_bad || slot->features & ~slot_offered(slot) ||
	    (slot->features & needed) != needed)
		return false;
	return !dev->ops->features_ok || dev->ops->features_ok(dev, slot->features);
}

int slot_set_features(struct slot *slot, uint32_t block, uint32_t features)
{
	unsigned int shift = block * 32;

	if (slot->resetting || has(slot, VIRTIO_CONFIG_S_FEATURES_OK))
		return -EBUSY;
	if (block > 1) {
		slot->features_bad |= features != 0;
		return 0;
	}
	slot->features &= ~((uint64_t)UINT32_MAX << shift);
	slot->features |= (uint64_t)features << shift;
	return 0;
}

struct device_queue *slot_queue(struct slot *slot, uint32_t q)
{
	struct device *dev = slot->dev;

	if (!dev || q >= dev->num_queues || !dev->queues[q].max_size)
		return NULL;
	return &dev->queues[q];
}

static int queue_start(struct slot *slot, unsigned int q)
{
	struct device *dev = slot->dev;
	int ret = dev->ops->queue_start ? dev->ops->queue_start(dev, q) : 0;

	if (ret) {
		device_broken(dev, "a queue cannot be served");
		return ret;
	}
	dev->queues[q].started = true;
	if (dev->queues[q].kicked && dev->ops->kick)
		dev->ops->kick(dev, q, q);
	dev->queues[q].kicked = false;
	/* From here on it is as if no other virtio-msgd had had it. */
	dev->queues[q].resume = false;
	dev->queues[q].base = -1;
	return 0;
}

/* Stop a queue if it is served; what cannot be stopped stays marked as started. */
static int queue_stop(struct slot *slot, unsigned int q)
{
	struct device *dev = slot->dev;
	struct device_queue *queue = &dev->queues[q];
	int ret = 0;

	if (queue->started && dev->ops->queue_stop)
		ret = dev->ops->queue_stop(dev, q);
	if (ret) {
		device_broken(dev, "a queue cannot be stopped");
		return ret;
	}
	*queue = (struct device_queue) { .max_size = queue->max_size };
	return 0;
}

static void start(struct slot *slot)
{
	struct device *dev = slot->dev;
	unsigned int q;

	slot->status |= VIRTIO_CONFIG_S_DRIVER_OK;
	if (dev->ops->start && dev->ops->start(dev)) {
		device_broken(dev, "it cannot be started");
		return;
	}
	for (q = 0; q < dev->num_queues; q++) {
		if (dev->queues[q].enabled && queue_start(slot, q))
			return;
	}
}

/*
 * Stop everything: 0 when nothing touches the guest's memory any more and the
 * status reads 0; -EAGAIN when that takes longer; or another error.
 */
static int reset(struct slot *slot)
{
	struct device *dev = slot->dev;
	unsigned int q;
	int ret = 0;

	slot->resetting = true;
	for (q = 0; q < dev->num_queues; q++) {
		int err = queue_stop(slot, q);

		ret = ret ? ret : err;
	}
	if (!ret && dev->ops->reset)
		ret = dev->ops->reset(dev);
	if (ret == -EAGAIN)
		return ret;

	slot->resetting = false;
	if (ret) {
		slot->status |= VIRTIO_CONFIG_S_NEEDS_RESET;
		return ret;
	}
	slot->status = 0;
	slot->features = 0;
	slot->features_bad = false;
	slot->uncounted = false;
	return 0;
}

void slot_suspend(struct slot *slot)
{
	struct device *dev = slot->dev;
	unsigned int q;

	for (q = 0; dev && q < dev->num_queues; q++) {
		struct device_queue *queue = &dev->queues[q];

		queue->base = -1;
		if (!queue->started || !dev->ops->queue_suspend)
			continue;
		queue->base = dev->ops->queue_suspend(dev, q);
		queue->started = queue->base < 0;
	}
}

void slot_clear(struct slot *slot)
{
	struct device *dev = slot->dev;
	unsigned int q;

	if (!dev || !reset(slot))
		return;
	for (q = 0; q < dev->num_queues; q++)
		dev->queues[q] = (struct device_queue) { .max_size = dev->queues[q].max_size };
	slot->status = 0;
	slot->features = 0;
	slot->features_bad = false;
	slot->resetting = false;
}

uint8_t slot_get_status(struct slot *slot)
{
	if (!slot->dev)
		return 0;
	if (slot->resetting)
		reset(slot);
	return slot->status;
}

void slot_set_status(struct slot *slot, uint32_t status)
{
	uint32_t set = status & DRIVER_STATUS & ~slot->status;

	if (!status) {
		reset(slot);
		return;
	}
	if (slot->resetting)
		return;

	slot->status |= set & ~(VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK);
	if (set & VIRTIO_CONFIG_S_FEATURES_OK) {
		if (features_acceptable(slot))
			slot->status |= VIRTIO_CONFIG_S_FEATURES_OK;
		else
			complain(slot, "accepts features that cannot be had, or not those needed");
	}
	if (set & VIRTIO_CONFIG_S_DRIVER_OK) {
		if (!has(slot, VIRTIO_CONFIG_S_FEATURES_OK))
			complain(slot, "sets DRIVER_OK without FEATURES_OK");
		else if (!has(slot, VIRTIO_CONFIG_S_NEEDS_RESET))
			start(slot);
	}
}

int slot_enable_queue(struct slot *slot, uint32_t q,
		      const struct device_queue *setup)
{
	struct device_queue *queue = slot_queue(slot, q);
	struct device_queue new;
	int ret;

	if (!queue || slot->resetting || !has(slot, VIRTIO_CONFIG_S_FEATURES_OK)) {
		complain(slot, "enables a queue that does not exist, or too early");
		return -EINVAL;
	}
	if (queue->enabled) {
		complain(slot, "enables a queue that is enabled");
		return -EBUSY;
	}
	if (setup->size > queue->max_size)
		ret = -EINVAL;
	else
		ret = vring_check(&slot->carrier->memory, setup, slot->features);
	if (ret) {
		complain(slot, ret == -EFAULT ? "puts a queue outside its memory" :
			 "gives a queue a size or alignment that is not allowed");
		return ret;
	}

	new = *setup;
	new.max_size = queue->max_size;
	new.enabled = true;
	new.started = false;
	*queue = new;
	if (has(slot, VIRTIO_CONFIG_S_DRIVER_OK) && !has(slot, VIRTIO_CONFIG_S_NEEDS_RESET))
		return queue_start(slot, q);
	return 0;
}

int slot_reset_queue(struct slot *slot, uint32_t q)
{
	if (!slot_queue(slot, q) || slot->resetting)
		return -EINVAL;
	return queue_stop(slot, q);
}

void slot_kick(struct slot *slot, uint32_t q, uint32_t data)
{
	struct device_queue *queue = slot_queue(slot, q);

	slot->kicks++;
	if (!queue || !queue->enabled) {
		complain(slot, "notifies a queue that is not set up");
		return;
	}
	/*
	 * What was made available before DRIVER_OK is looked at when it comes; what
	 * is while the device is told of it, maybe not
	 */
	if (!queue->started)
		queue->kicked = slot->lock.held;
	else if (!has(slot, VIRTIO_CONFIG_S_NEEDS_RESET) && slot->dev->ops->kick)
		slot->dev->ops->kick(slot->dev, q, data);
}

static bool config_range(const struct slot *slot, uint64_t offset, uint64_t len)
{
	uint64_t size = slot->dev->config_size;

	return offset <= size && len <= size - offset;
}

int slot_config_read(struct slot *slot, uint64_t offset, void *buf,
		     uint64_t len)
{
	struct device *dev = slot->dev;

	if (!config_range(slot, offset, len))
		return -EINVAL;
	if (!len)
		return 0;
	if (!dev->ops->config_read)
		return -EINVAL;
	return dev->ops->config_read(dev, offset, buf, len);
}

int slot_config_write(struct slot *slot, uint64_t offset, const void *buf,
		      uint64_t len)
{
	struct device *dev = slot->dev;

	if (!len || !config_range(slot, offset, len))
		return -EINVAL;
	if (!dev->ops->config_write)
		return -EPERM;
	return dev->ops->config_write(dev, offset, buf, len);
}

int slot_attach(struct slot *slot, struct device *dev)
{
	if (slot->owned)
		return -EBUSY;
	slot->owned = dev;
	dev->home = slot;
	if (dev->ops->attached)
		dev->ops->attached(dev);
	else
		device_arrive(dev);
	return 0;
}

int slot_detach(struct slot *slot)
{
	struct device *dev = slot->owned;

	if (!dev)
		return -ENODEV;
	device_leave(dev);
	slot->owned = NULL;
	dev->home = NULL;
	dev->ops->destroy(dev);
	return 0;
}

int slot_plug(struct slot *slot, struct device *dev)
{
	if (slot->dev)
		return -EBUSY;
	slot->dev = dev;
	dev->slot = slot;
	slot->arrivals++;
	slot->generation++;
	slot->ops->changed(slot, SLOT_CHANGED_DEVICE);
	return 0;
}

struct device *slot_unplug(struct slot *slot)
{
	struct device *dev = slot->dev;

	if (!dev)
		return NULL;
	slot_clear(slot);
	slot->dev = NULL;
	dev->slot = NULL;
	if (dev->ops->unplugged)
		dev->ops->unplugged(dev);
	slot->ops->changed(slot, SLOT_CHANGED_DEVICE);
	return dev;
}
