// SPDX-License-Identifier: GPL-2.0-only
/*
 * Plain virtio-mmio, version 2, over the same device model: for drivers that
 * know nothing else, and to measure against.
 */
#include <endian.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <stdlib.h>
#include <string.h>

#include "model/window.h"

#define MMIO_MAGIC	0x74726976	/* "virt" */
#define MMIO_VERSION	2
#define MMIO_SHM_SEL	0x0ac
#define MMIO_SHM_FIRST	0x0b0
#define MMIO_SHM_LAST	0x0bc

/**
 * struct mmio_window - what the registers remember
 * @device_features_sel: which block DeviceFeatures shows
 * @driver_features_sel: which block DriverFeatures takes
 * @queue_sel: which queue the queue registers are about
 * @setup: what they were given, until QueueReady
 * @isr: InterruptStatus
 * @shm_sel: which shared memory region the registers are about
 */
struct mmio_window {
	uint32_t device_features_sel;
	uint32_t driver_features_sel;
	uint32_t queue_sel;
	struct device_queue setup;
	uint32_t isr;
	uint32_t shm_sel;
};

static uint32_t features_read(const struct window *win, const struct mmio_window *mw)
{
	if (mw->device_features_sel > 1)
		return 0;
	return slot_offered(&win->slots[0]) >> (32 * mw->device_features_sel);
}

/* All ones: there is no such region */
static uint32_t shm_read(struct window *win, uint32_t offset)
{
	struct mmio_window *mw = win->priv;
	struct device *dev = win->slots[0].dev;
	uint64_t addr, len;

	if (!dev->ops->shm || !dev->ops->shm(dev, mw->shm_sel, &addr, &len)) {
		addr = UINT64_MAX;
		len = UINT64_MAX;
	}
	switch (offset) {
	case MMIO_SHM_FIRST:
		return len;
	case MMIO_SHM_FIRST + 4:
		return len >> 32;
	case MMIO_SHM_FIRST + 8:
		return addr;
	default:
		return addr >> 32;
	}
}

static uint64_t config_read(struct window *win, uint32_t offset, unsigned int size)
{
	uint64_t value = 0;

	if (slot_config_read(&win->slots[0], offset, &value, size))
		return 0;
	return le64toh(value);
}

static uint32_t device_read(struct window *win, uint32_t offset)
{
	struct mmio_window *mw = win->priv;
	const struct device_queue *queue = slot_queue(&win->slots[0], mw->queue_sel);

	switch (offset) {
	case VIRTIO_MMIO_VENDOR_ID:
		return win->slots[0].dev->vendor;
	case VIRTIO_MMIO_DEVICE_FEATURES:
		return features_read(win, mw);
	case VIRTIO_MMIO_QUEUE_NUM_MAX:
		return queue ? queue->max_size : 0;
	case VIRTIO_MMIO_QUEUE_READY:
		return queue && queue->enabled;
	case VIRTIO_MMIO_INTERRUPT_STATUS:
		return mw->isr;
	case VIRTIO_MMIO_STATUS:
		/* Not even a look while something else is under way */
		if (win->slots[0].lock.held && !task_here())
			return win->slots[0].status;
		return slot_get_status(&win->slots[0]);
	case MMIO_SHM_FIRST ... MMIO_SHM_LAST:
		return shm_read(win, offset);
	case VIRTIO_MMIO_CONFIG_GENERATION:
		return win->slots[0].generation;
	default:
		return 0;
	}
}

static uint64_t mmio_read(struct window *win, uint32_t offset, unsigned int size)
{
	const struct device *dev = win->slots[0].dev;

	if (dev && offset >= VIRTIO_MMIO_CONFIG)
		return config_read(win, offset - VIRTIO_MMIO_CONFIG, size);
	if (size != 4)
		return 0;
	switch (offset) {
	case VIRTIO_MMIO_MAGIC_VALUE:
		return MMIO_MAGIC;
	case VIRTIO_MMIO_VERSION:
		return MMIO_VERSION;
	case VIRTIO_MMIO_DEVICE_ID:
		return dev ? dev->id : 0;
	default:
		return dev ? device_read(win, offset) : 0;
	}
}

static void set_low(uint64_t *addr, uint32_t value)
{
	*addr = (*addr & ~(uint64_t)UINT32_MAX) | value;
}

static void set_high(uint64_t *addr, uint32_t value)
{
	*addr = (*addr & UINT32_MAX) | (uint64_t)value << 32;
}

static void write_ready(struct window *win, struct mmio_window *mw, uint32_t value)
{
	if (value == 1)
		slot_enable_queue(&win->slots[0], mw->queue_sel, &mw->setup);
	else if (!value)
		slot_reset_queue(&win->slots[0], mw->queue_sel);
}

static void write_status(struct window *win, struct mmio_window *mw, uint32_t value)
{
	slot_set_status(&win->slots[0], value);
	if (!win->slots[0].status)
		*mw = (struct mmio_window) { 0 };
}

static void device_write(struct window *win, uint32_t offset, uint32_t value)
{
	struct mmio_window *mw = win->priv;

	switch (offset) {
	case VIRTIO_MMIO_DEVICE_FEATURES_SEL:
		mw->device_features_sel = value;
		break;
	case VIRTIO_MMIO_DRIVER_FEATURES_SEL:
		mw->driver_features_sel = value;
		break;
	case VIRTIO_MMIO_DRIVER_FEATURES:
		slot_set_features(&win->slots[0], mw->driver_features_sel, value);
		break;
	case VIRTIO_MMIO_QUEUE_SEL:
		mw->queue_sel = value;
		mw->setup = (struct device_queue) { 0 };
		break;
	case VIRTIO_MMIO_QUEUE_NUM:
		mw->setup.size = value;
		break;
	case VIRTIO_MMIO_QUEUE_DESC_LOW:
		set_low(&mw->setup.desc, value);
		break;
	case VIRTIO_MMIO_QUEUE_DESC_HIGH:
		set_high(&mw->setup.desc, value);
		break;
	case VIRTIO_MMIO_QUEUE_AVAIL_LOW:
		set_low(&mw->setup.driver, value);
		break;
	case VIRTIO_MMIO_QUEUE_AVAIL_HIGH:
		set_high(&mw->setup.driver, value);
		break;
	case VIRTIO_MMIO_QUEUE_USED_LOW:
		set_low(&mw->setup.device, value);
		break;
	case VIRTIO_MMIO_QUEUE_USED_HIGH:
		set_high(&mw->setup.device, value);
		break;
	case VIRTIO_MMIO_QUEUE_READY:
		write_ready(win, mw, value);
		break;
	case VIRTIO_MMIO_QUEUE_NOTIFY:
		counters_kick(&win->counters, value);
		slot_kick(&win->slots[0], value & 0xffff, value);
		break;
	case VIRTIO_MMIO_INTERRUPT_ACK:
		mw->isr &= ~value;
		break;
	case VIRTIO_MMIO_STATUS:
		write_status(win, mw, value);
		break;
	case MMIO_SHM_SEL:
		mw->shm_sel = value;
		break;
	}
}

static void mmio_write(struct window *win, uint32_t offset, unsigned int size, uint64_t value)
{
	if (!win->slots[0].dev)
		return;
	if (offset >= VIRTIO_MMIO_CONFIG) {
		value = htole64(value);
		slot_config_write(&win->slots[0], offset - VIRTIO_MMIO_CONFIG, &value, size);
	} else if (size == 4) {
		device_write(win, offset, value);
	}
}

/* What asks something of the device, or reads what that may change */
static enum window_wait mmio_waits(struct window *win, uint32_t offset, unsigned int size,
				   bool write)
{
	(void)size;
	if (offset >= VIRTIO_MMIO_CONFIG)
		return WINDOW_WAITS;
	switch (offset) {
	case VIRTIO_MMIO_STATUS:
		return write || (win->slots[0].resetting && !win->slots[0].lock.held) ? WINDOW_WAITS :
			WINDOW_NOW;
	case VIRTIO_MMIO_QUEUE_READY:
		return write ? WINDOW_WAITS : WINDOW_NOW;
	default:
		return WINDOW_NOW;
	}
}

static void mmio_used(struct window *win, struct slot *slot, unsigned int q)
{
	struct mmio_window *mw = win->priv;

	(void)slot;
	(void)q;
	mw->isr |= VIRTIO_MMIO_INT_VRING;
	window_interrupt(win);
}

/* virtio-mmio has no word for a device that comes or goes */
static void mmio_changed(struct window *win, struct slot *slot, unsigned int what)
{
	struct mmio_window *mw = win->priv;

	(void)slot;
	if (!(what & SLOT_CHANGED_CONFIG))
		return;
	mw->isr |= VIRTIO_MMIO_INT_CONFIG;
	window_interrupt(win);
}

/* Every interrupt means: look at all queues */
static void mmio_uncounted(struct window *win, struct slot *slot)
{
	(void)win;
	(void)slot;
}

static void *mmio_create(struct window *win)
{
	(void)win;
	return calloc(1, sizeof(struct mmio_window));
}

static void mmio_reset(struct window *win)
{
	*(struct mmio_window *)win->priv = (struct mmio_window) { 0 };
}

static void mmio_destroy(struct window *win)
{
	free(win->priv);
}

const struct personality personality_mmio = {
	.name = "mmio",
	.create = mmio_create,
	.waits = mmio_waits,
	.destroy = mmio_destroy,
	.read = mmio_read,
	.write = mmio_write,
	.used = mmio_used,
	.changed = mmio_changed,
	.uncounted = mmio_uncounted,
	.reset = mmio_reset,
};
