// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a device calls, see device.h: word from it to the slot that it is in, and to
 * the carrier of that.
 */
#include <linux/virtio_config.h>

#include "base/base.h"
#include "model/slot.h"

void device_arrive(struct device *dev)
{
	if (dev->home && !dev->slot)
		slot_plug(dev->home, dev);
}

void device_leave(struct device *dev)
{
	if (dev->slot)
		slot_unplug(dev->slot);
}

void device_used(struct device *dev, unsigned int q)
{
	if (dev->slot)
		dev->slot->ops->used(dev->slot, q);
}

static void changed(struct device *dev)
{
	dev->slot->ops->changed(dev->slot, SLOT_CHANGED_CONFIG);
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
	log_limited(&dev->log, "%s, %s: %s: %s", dev->slot->carrier->name, dev->slot->name,
		    dev->name, why);
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
	return dev->home ? &dev->home->carrier->memory : NULL;
}

bool device_ioeventfd(struct device *dev, unsigned int q, int fd)
{
	struct carrier *carrier = dev->home ? dev->home->carrier : NULL;

	if (!carrier || !carrier->ops->ioeventfd)
		return false;
	return carrier->ops->ioeventfd(carrier, dev->home, q, fd);
}

bool device_irqfd(struct device *dev, unsigned int q, int fd)
{
	struct carrier *carrier = dev->home ? dev->home->carrier : NULL;

	if (!carrier || !carrier->ops->irqfd)
		return false;
	/* The driver has to know before the first interrupt that says nothing else */
	if (fd >= 0 && !dev->home->uncounted) {
		dev->home->uncounted = true;
		dev->home->ops->uncounted(dev->home);
	}
	return carrier->ops->irqfd(carrier, dev->home, q, fd);
}
