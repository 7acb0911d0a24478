// SPDX-License-Identifier: GPL-2.0-only
#include "device.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <stdlib.h>

#include "carrier.h"
#include "log.h"
#include "model.h"
#include "window.h"

int device_init(struct device *dev, const struct device_ops *ops,
		const char *name, uint32_t id, unsigned int num_queues,
		uint32_t max_size)
{
	unsigned int i;

	if (num_queues > DEVICE_MAX_QUEUES || max_size > DEVICE_QUEUE_MAX_SIZE)
		return -EINVAL;
	dev->queues = calloc(num_queues ? num_queues : 1, sizeof(*dev->queues));
	if (!dev->queues)
		return -ENOMEM;
	for (i = 0; i < num_queues; i++)
		dev->queues[i].max_size = max_size;
	dev->ops = ops;
	dev->name = name;
	dev->id = id;
	dev->num_queues = num_queues;
	return 0;
}

void device_release(struct device *dev)
{
	free(dev->queues);
	dev->queues = NULL;
}

void device_arrive(struct device *dev)
{
	if (dev->win && !dev->slot)
		slot_plug(&dev->win->slot, dev);
}

void device_leave(struct device *dev)
{
	if (dev->slot)
		slot_unplug(dev->slot);
}

void device_used(struct device *dev, unsigned int q)
{
	if (dev->slot)
		dev->win->personality->used(dev->win, q);
}

static void changed(struct device *dev)
{
	dev->win->personality->changed(dev->win, SLOT_CHANGED_CONFIG);
}

void device_config_changed(struct device *dev)
{
	if (!dev->slot)
		return;
	dev->slot->generation++;
	changed(dev);
}

void device_broken(struct device *dev, const char *why)
{
	if (!dev->slot)
		return;
	log_limited("%s, window %u: %s: %s", dev->win->carrier->name, dev->win->index, dev->name,
		    why);
	/* Without a driver there is nobody to tell, and nothing to reset */
	if (!dev->slot->status || dev->slot->status & VIRTIO_CONFIG_S_NEEDS_RESET)
		return;
	dev->slot->status |= VIRTIO_CONFIG_S_NEEDS_RESET;
	changed(dev);
}

uint64_t device_features(const struct device *dev)
{
	if (!dev->slot || !(dev->slot->status & VIRTIO_CONFIG_S_FEATURES_OK))
		return 0;
	return dev->slot->features;
}

bool device_live(const struct device *dev)
{
	return dev->slot && dev->slot->status & VIRTIO_CONFIG_S_DRIVER_OK &&
	       !(dev->slot->status & VIRTIO_CONFIG_S_NEEDS_RESET);
}

struct memory *device_memory(const struct device *dev)
{
	return dev->win ? &dev->win->carrier->memory : NULL;
}

bool device_ioeventfd(struct device *dev, unsigned int q, int fd)
{
	struct carrier *carrier = dev->win ? dev->win->carrier : NULL;

	if (!carrier || !carrier->ops->ioeventfd)
		return false;
	return carrier->ops->ioeventfd(carrier, dev->win->index, q, fd);
}

bool device_irqfd(struct device *dev, unsigned int q, int fd)
{
	struct carrier *carrier = dev->win ? dev->win->carrier : NULL;

	if (!carrier || !carrier->ops->irqfd)
		return false;
	return carrier->ops->irqfd(carrier, dev->win->index, q, fd);
}
