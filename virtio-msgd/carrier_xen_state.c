// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a guest's driver and its device agreed on, kept in xenstore for the next
 * virtio-msgd: with it that one goes on where this one ended, however it ended.
 *
 * It is kept from DRIVER_OK on, or while there is a message page. What is lost is a
 * message that the driver was just writing into the Window register, and what a
 * driver had done before DRIVER_OK; both fail as if the device had been reset.
 */
#include <inttypes.h>
#include <linux/virtio_config.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/virtio_msg_mmio.h>

#include "carrier_xen_internal.h"

/* xenstore takes 4096 bytes */
#define STATE_SIZE	4096
/* A queue takes at most this many characters, and a device before them */
#define QUEUE_CHARS	64
#define STATE_QUEUES	((STATE_SIZE - 128) / QUEUE_CHARS)

#define HEAD_FORMAT	"%" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNx64
#define QUEUE_FORMAT	" %" SCNx64 ":%" SCNx64 ":%" SCNx64 ":%" SCNx64 ":%" SCNx64

void xen_state_page(struct xen_device *dev, uint64_t offset, unsigned int size,
		    uint64_t value)
{
	if (dev->carrier.windows[0]->config.mmio)
		return;
	if (offset == VIRTIO_MSG_MMIO_PAGE && size == 8)
		dev->page = value;
	else if (offset == VIRTIO_MSG_MMIO_PAGE)
		dev->page_low = value;
	else if (offset == VIRTIO_MSG_MMIO_PAGE + 4 && size == 4)
		dev->page = value << 32 | dev->page_low;
}

/* As text; an empty one if there is nothing to keep. @text: STATE_SIZE bytes */
static void describe(const struct xen_device *dev, char *text)
{
	const struct slot *slot = &dev->carrier.windows[0]->slot;
	bool ok = slot->dev && slot->status & VIRTIO_CONFIG_S_DRIVER_OK;
	size_t len, q;

	*text = '\0';
	if (!ok && !(dev->page & VIRTIO_MSG_MMIO_PAGE_ON))
		return;
	len = sprintf(text, "%" PRIx64 " %x %" PRIx64 " %x %x", dev->page,
		      ok ? slot->status : 0, ok ? slot->features : 0,
		      slot->generation, slot->arrivals);
	for (q = 0; ok && q < slot->dev->num_queues && q < STATE_QUEUES; q++) {
		const struct device_queue *queue = &slot->dev->queues[q];

		if (queue->enabled)
			len += sprintf(text + len, " %zx:%x:%" PRIx64 ":%" PRIx64 ":%" PRIx64,
				       q, queue->size, queue->desc, queue->driver,
				       queue->device);
	}
}

void xen_state_save(struct xen_device *dev)
{
	char text[STATE_SIZE];

	if (dev->restore)
		return;
	describe(dev, text);
	if (dev->saved && !strcmp(dev->saved, text))
		return;
	free(dev->saved);
	dev->saved = strdup(text);
	xen_record_state(dev, text);
}

static bool restore_queues(struct slot *slot, const char *text)
{
	uint64_t q, size, desc, driver, device;
	int n;

	while (*text) {
		if (sscanf(text, QUEUE_FORMAT "%n", &q, &size, &desc, &driver, &device,
			   &n) != 5)
			return false;
		const struct device_queue setup = {
			.size = size,
			.desc = desc,
			.driver = driver,
			.device = device,
			.resume = true,
		};

		if (size > DEVICE_QUEUE_MAX_SIZE || slot_enable_queue(slot, q, &setup))
			return false;
		text += n;
	}
	return true;
}

/* Wish again, in the driver's place, what it had wished. */
static bool restore_driver(struct slot *slot, uint64_t status, uint64_t features,
			   const char *queues)
{
	slot_set_status(slot, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
	slot_set_features(slot, 0, features);
	slot_set_features(slot, 1, features >> 32);
	slot_set_status(slot, slot->status | VIRTIO_CONFIG_S_FEATURES_OK);
	if (!restore_queues(slot, queues))
		return false;
	slot_set_status(slot, slot->status | VIRTIO_CONFIG_S_DRIVER_OK);
	return slot->status & VIRTIO_CONFIG_S_DRIVER_OK &&
	       !((slot->status | status) & VIRTIO_CONFIG_S_NEEDS_RESET);
}

static bool restore(struct xen_device *dev, const char *text)
{
	struct window *win = dev->carrier.windows[0];
	uint64_t page, status, features, generation, arrivals;
	struct slot *slot = &win->slot;
	bool good;
	int n;

	if (sscanf(text, HEAD_FORMAT "%n", &page, &status, &features, &generation,
		   &arrivals, &n) != 5)
		return false;
	/* For the driver it is the device that it knows, whose config may differ. */
	slot->generation = generation + 1;
	slot->arrivals = arrivals;
	good = !status || restore_driver(slot, status, features, text + n);
	/* In any case: without the page the driver cannot even reset the device. */
	dev->page = page;
	if (page & VIRTIO_MSG_MMIO_PAGE_ON)
		window_write(win, VIRTIO_MSG_MMIO_PAGE, 8, page);
	return good;
}

void xen_state_restore(struct xen_device *dev)
{
	struct window *win = dev->carrier.windows[0];
	char *text = dev->restore;

	dev->restore = NULL;
	if (restore(dev, text))
		log_line("%s: goes on", dev->carrier.name);
	else
		device_broken(win->slot.dev, "its state cannot be restored");
	free(text);
	/* That the device came is no news to the driver; what was lost is. */
	if (!win->config.mmio)
		window_read(win, VIRTIO_MSG_MMIO_EVENT, 4);
	xen_state_save(dev);
	dev->carrier.ops->interrupt(&dev->carrier, 0);
}
