/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * virtio-msg: for buses with the window of <uapi/linux/virtio_msg_mmio.h>
 */
#ifndef _DRIVERS_VIRTIO_VIRTIO_MSG_WINDOW_H
#define _DRIVERS_VIRTIO_VIRTIO_MSG_WINDOW_H

#include <linux/irqreturn.h>
#include <linux/types.h>
#include <linux/virtio_msg.h>
#include <linux/virtio_msg_mailbox.h>
#include <uapi/linux/virtio_msg_mmio.h>

/* The slot that is there also without VIRTIO_MSG_MMIO_F_DEVICES */
#define VIRTIO_MSG_WINDOW_SLOT	0

/**
 * struct virtio_msg_window_params - parameters of a bus's module
 * @page: use the message page where the device side offers it
 * @timeout: milliseconds a response may take where it may be late
 */
struct virtio_msg_window_params {
	bool page;
	unsigned int timeout;
};

/**
 * struct virtio_msg_window - a window
 * @bus: what the core sees of it; its parent and window are the bus's to fill in
 * @base: its registers
 * @params: parameters of the bus's module, which may change
 * @can_page: there may be a message page: the device side's view of memory is
 *	the CPU's, and a change in the page is followed by an interrupt of its own
 * @dma: the device side takes DMA addresses, whatever it says of the page
 * @posted: a store to the window may arrive after the CPU has gone on
 * @max_slots: how many devices behind it the bus can serve
 *
 * The bus fills these in before virtio_msg_window_init(). The rest is private.
 */
struct virtio_msg_window {
	struct virtio_msg_bus bus;
	void __iomem *base;
	const struct virtio_msg_window_params *params;
	bool can_page;
	bool dma;
	bool posted;
	unsigned int max_slots;

	/* private: see virtio_msg_window.c */
	u16 features;
	struct virtio_msg_mailbox mailbox;
	struct virtio_msg_mmio_page __rcu *page;
	dma_addr_t page_dma;
	bool page_is_dma;
	bool late;
	unsigned int looks;
	bool arrived;
	u32 sequence;
	struct virtio_msg_mmio_slot seen[VIRTIO_MSG_MMIO_PAGE_SLOTS];
	__le32 used[VIRTIO_MSG_MMIO_PAGE_SLOTS];
	struct virtio_msg_mmio_slot scanned[VIRTIO_MSG_MMIO_PAGE_SLOTS];
	u64 scanned_known;
};

#define to_virtio_msg_window(_bus) \
	container_of(_bus, struct virtio_msg_window, bus)

/* For &struct virtio_msg_bus_ops */
int virtio_msg_window_transfer(struct virtio_msg_bus *bus,
			       struct virtio_msg_header *request,
			       struct virtio_msg_header *response, size_t size,
			       bool atomic);
bool virtio_msg_window_notify(struct virtio_msg_device *vmdev,
			      struct virtqueue *vq, u32 data);
int virtio_msg_window_arrive(struct virtio_msg_bus *bus);
int virtio_msg_window_another(struct virtio_msg_bus *bus, u16 dev_num);
bool virtio_msg_window_peek(struct virtio_msg_device *vmdev,
			    struct virtio_msg_state *state);

bool virtio_msg_window_alive(struct virtio_msg_window *window);
irqreturn_t virtio_msg_window_interrupt(struct virtio_msg_window *window,
					bool used);
int virtio_msg_window_setup_mask(struct device *dev);
int virtio_msg_window_init(struct virtio_msg_window *window);
int virtio_msg_window_register(struct virtio_msg_window *window);
void virtio_msg_window_unregister(struct virtio_msg_window *window);
void virtio_msg_window_shutdown(struct virtio_msg_window *window);
#ifdef CONFIG_PM_SLEEP
int virtio_msg_window_freeze(struct virtio_msg_window *window);
int virtio_msg_window_restore(struct virtio_msg_window *window);
#endif

#endif /* _DRIVERS_VIRTIO_VIRTIO_MSG_WINDOW_H */
