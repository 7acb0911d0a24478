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

#include "carriers/xen/internal.h"

/* What xenstore takes; an attribute of a virtqueue takes at most so much of it */
#define STATE_SIZE	4096
#define QUEUE_CHARS	80
#define STATE_QUEUES	((STATE_SIZE - 128) / QUEUE_CHARS)

/* In front, for a virtio-msgd that writes something else */
#define STATE_FORMAT	"1"

#define HEAD_FORMAT	STATE_FORMAT " %" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNx64 \
			" %" SCNx64
#define QUEUE_FORMAT	" %" SCNx64 ":%" SCNx64 ":%" SCNx64 ":%" SCNx64 ":%" SCNx64 ":%" SCNi64

/* How long a guest waits for a device, whose backend may have to be started again */
#define LATE_SECONDS	5

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

static unsigned int num_enabled(const struct device *dev)
{
	unsigned int q, num = 0;

	for (q = 0; q < dev->num_queues; q++)
		num += dev->queues[q].enabled;
	return num;
}

/*
 * As text; an empty one if there is nothing to keep. @text: STATE_SIZE bytes. Of a device
 * with more queues than there is room for the next virtio-msgd sees that it is not all.
 */
static void describe(const struct xen_device *dev, char *text)
{
	const struct slot *slot = &dev->carrier.windows[0]->slots[0];
	bool ok = slot->dev && slot->status & VIRTIO_CONFIG_S_DRIVER_OK;
	unsigned int q, written = 0;
	size_t len;

	*text = '\0';
	if (!ok && !(dev->page & VIRTIO_MSG_MMIO_PAGE_ON))
		return;
	len = sprintf(text, STATE_FORMAT " %" PRIx64 " %x %" PRIx64 " %x %x %x", dev->page,
		      ok ? slot->status : 0, ok ? slot->features : 0,
		      slot->generation, slot->arrivals, ok ? num_enabled(slot->dev) : 0);
	for (q = 0; ok && q < slot->dev->num_queues && written < STATE_QUEUES; q++) {
		const struct device_queue *queue = &slot->dev->queues[q];

		if (!queue->enabled)
			continue;
		written++;
		len += sprintf(text + len, " %x:%x:%" PRIx64 ":%" PRIx64 ":%" PRIx64 ":%" PRId64,
			       q, queue->size, queue->desc, queue->driver, queue->device,
			       queue->base);
	}
}

void xen_state_save(struct xen_device *dev)
{
	const struct slot *slot = &dev->carrier.windows[0]->slots[0];
	char text[STATE_SIZE];

	if (dev->restore)
		return;
	dev->saved_status = slot->status;
	dev->saved_generation = slot->generation;
	describe(dev, text);
	if (dev->saved && !strcmp(dev->saved, text))
		return;
	free(dev->saved);
	dev->saved = strdup(text);
	xen_record_state(dev, text);
}

void xen_state_changed(struct xen_device *dev)
{
	const struct slot *slot = &dev->carrier.windows[0]->slots[0];

	if (slot->status != dev->saved_status || slot->generation != dev->saved_generation)
		xen_state_save(dev);
}

static bool restore_queue(struct slot *slot, const char *text, int *n)
{
	uint64_t q, size, desc, driver, device;
	int64_t base;

	if (sscanf(text, QUEUE_FORMAT "%n", &q, &size, &desc, &driver, &device, &base, n) != 6)
		return false;
	const struct device_queue setup = {
		.size = size,
		.desc = desc,
		.driver = driver,
		.device = device,
		.resume = true,
		.base = base,
	};

	return q < DEVICE_MAX_QUEUES && size <= DEVICE_QUEUE_MAX_SIZE && base >= -1 &&
	       base <= UINT32_MAX && !slot_enable_queue(slot, q, &setup);
}

static bool restore_queues(struct slot *slot, const char *text, uint64_t num)
{
	int n;

	for (; num && restore_queue(slot, text, &n); num--)
		text += n;
	return !num && !*text;
}

/* Wish again, in the driver's place, what it had wished. */
static bool restore_driver(struct slot *slot, uint64_t status, uint64_t features,
			   const char *queues, uint64_t num_queues)
{
	slot_set_status(slot, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
	slot_set_features(slot, 0, features);
	slot_set_features(slot, 1, features >> 32);
	slot_set_status(slot, slot->status | VIRTIO_CONFIG_S_FEATURES_OK);
	if (!restore_queues(slot, queues, num_queues))
		return false;
	slot_set_status(slot, slot->status | VIRTIO_CONFIG_S_DRIVER_OK);
	return slot->status & VIRTIO_CONFIG_S_DRIVER_OK &&
	       !((slot->status | status) & VIRTIO_CONFIG_S_NEEDS_RESET);
}

/* For the driver it is the slot that it knows, with the page that it gave. */
static bool restore(struct xen_device *dev, const char *text)
{
	uint64_t page, status, features, generation, arrivals, num_queues;
	struct window *win = dev->carrier.windows[0];
	struct slot *slot = &win->slots[0];
	bool good;
	int n;

	if (sscanf(text, HEAD_FORMAT "%n", &page, &status, &features, &generation,
		   &arrivals, &num_queues, &n) != 6) {
		/* So that it is a device that needs a reset, not one without a driver */
		if (slot->dev)
			slot_set_status(slot, VIRTIO_CONFIG_S_ACKNOWLEDGE);
		return false;
	}
	slot->generation = generation;
	slot->arrivals = arrivals;
	good = slot->dev && (!status || restore_driver(slot, status, features, text + n,
						       num_queues));
	/* In any case: without the page the driver cannot even reset the device. */
	dev->page = page;
	if (page & VIRTIO_MSG_MMIO_PAGE_ON)
		window_write(win, VIRTIO_MSG_MMIO_PAGE, 8, page);
	return good;
}

/* Give the driver back what there is of its device; its accesses may go on. */
static bool end_of_waiting(struct xen_device *dev)
{
	char *text = dev->restore;
	bool good;

	dev->restore = NULL;
	event_free(dev->late);
	dev->late = NULL;
	good = restore(dev, text);
	free(text);
	xen_guest_serve_later(dev->guest);
	return good;
}

void xen_state_restore(struct xen_device *dev)
{
	struct window *win = dev->carrier.windows[0];

	if (end_of_waiting(dev))
		log_line("%s: goes on", dev->carrier.name);
	else
		device_broken(win->slots[0].dev, "its state cannot be restored");
	/* That the device came is no news to the driver; that its config may differ is. */
	if (!win->config.mmio)
		window_read(win, VIRTIO_MSG_MMIO_EVENT, 4);
	device_config_changed(win->slots[0].dev);
	xen_state_save(dev);
}

static void late(evutil_socket_t fd, short what, void *arg)
{
	struct xen_device *dev = arg;
	struct window *win = dev->carrier.windows[0];

	(void)fd;
	(void)what;
	log_line("%s: its device is not there, and is taken away from the guest until it is",
		 dev->carrier.name);
	end_of_waiting(dev);
	win->personality->changed(win, &win->slots[0], SLOT_CHANGED_DEVICE);
	xen_state_save(dev);
}

void xen_state_adopt(struct xen_device *dev, char *text)
{
	static const struct timeval wait = { .tv_sec = LATE_SECONDS };

	if (!text)
		return;
	dev->late = evtimer_new(loop, late, dev);
	if (!dev->late || event_add(dev->late, &wait)) {
		free(text);
		return;
	}
	dev->restore = text;
}

void xen_state_forget(struct xen_device *dev)
{
	if (dev->late)
		event_free(dev->late);
	dev->late = NULL;
	free(dev->restore);
	dev->restore = NULL;
}

void xen_state_leave(struct xen_device *dev)
{
	struct window *win = dev->carrier.windows[0];

	if (!win || !dev->present || dev->restore)
		return;
	slot_suspend(&win->slots[0]);
	xen_state_save(dev);
}
