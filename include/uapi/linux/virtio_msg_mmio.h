/* SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause) */
/*
 * virtio-msg over MMIO: registers of the window, layout of the message page
 *
 * Registers are little endian and accessed with their natural alignment. A
 * 64-bit register may also be accessed as two 32-bit halves, low half first.
 */
#ifndef _UAPI_LINUX_VIRTIO_MSG_MMIO_H
#define _UAPI_LINUX_VIRTIO_MSG_MMIO_H

#include <linux/types.h>

/* Smallest window: what toolstacks give a virtio-mmio device */
#define VIRTIO_MSG_MMIO_SIZE		0x200

/* "vmsg" - read only, 32 bits */
#define VIRTIO_MSG_MMIO_MAGIC		0x000
#define VIRTIO_MSG_MMIO_MAGIC_VALUE	0x67736d76

/* Who is there - read only, 64 bits */
#define VIRTIO_MSG_MMIO_IDENTITY	0x008
#define VIRTIO_MSG_MMIO_ID_VERSION(id)	((id) & 0xffff)
#define VIRTIO_MSG_MMIO_ID_REVISION(id)	(((id) >> 16) & 0xffff)
#define VIRTIO_MSG_MMIO_ID_MSG_SIZE(id)	(((id) >> 32) & 0xffff)
#define VIRTIO_MSG_MMIO_ID_FEATURES(id)	(((id) >> 48) & 0xffff)

#define VIRTIO_MSG_MMIO_VERSION		1

/* BusFeatures, the upper 16 bits of Identity */
#define VIRTIO_MSG_MMIO_F_PAGE		0x0001	/* a message page may be used */
#define VIRTIO_MSG_MMIO_F_PAGE_DMA	0x0002	/* its address is a DMA address */
#define VIRTIO_MSG_MMIO_F_TRANSPORT	0x0004	/* TransportFeatures is not 0 */
#define VIRTIO_MSG_MMIO_F_CONFIG_CACHE	0x0008	/* config may be cached */
#define VIRTIO_MSG_MMIO_F_LATE		0x0010	/* responses may be late */
#define VIRTIO_MSG_MMIO_F_DEVICES	0x0020	/* Slots and ConfigSlots are there */

/* Transport feature bits (VIRTIO_MSG_F_*) - read only, 32 bits */
#define VIRTIO_MSG_MMIO_TRANSPORT_FEATURES	0x010

/*
 * How many slots there are - read only, 32 bits. Only with F_DEVICES; otherwise
 * there is one, number 0. A slot's number is its device's number in messages.
 * Which slots have a device is asked with GET_DEVICES.
 */
#define VIRTIO_MSG_MMIO_SLOTS		0x014

/* What happened, cleared by reading - read only, 32 bits */
#define VIRTIO_MSG_MMIO_EVENT		0x01c
#define VIRTIO_MSG_MMIO_EVENT_CONFIG	0x02	/* config or status changed */
#define VIRTIO_MSG_MMIO_EVENT_DEVICE	0x04	/* a device came or went */

/*
 * The message page - write only, 64 bits. Replaces the page in force; when the
 * store completes, the device side has let go of the old page and filled in
 * the status block of the new one.
 */
#define VIRTIO_MSG_MMIO_PAGE		0x020
#define VIRTIO_MSG_MMIO_PAGE_ON		0x1
#define VIRTIO_MSG_MMIO_PAGE_LATE	0x2	/* late responses are waited for */

/*
 * Whose config or status changed, a bit for each slot, cleared by reading - read
 * only, 64 bits. Only with F_DEVICES, and of use while there is no message page:
 * looked at when Event has EVENT_CONFIG.
 */
#define VIRTIO_MSG_MMIO_CONFIG_SLOTS	0x028

/*
 * How long a response may be late: the driver side waits for this many
 * milliseconds, unless it is told another number, and then goes on without. The
 * device side has to have given up before, for example on the process that it
 * waits for itself, and to respond.
 */
#define VIRTIO_MSG_MMIO_TIMEOUT_MS	35000

/*
 * Process the request in the message page - write only, 32 bits. When the
 * store completes, the response is in the page, with one exception: with F_LATE
 * offered and PAGE_LATE set, the response's token may not be the request's yet.
 * The device side then writes the response when it has it, last its token, with
 * release semantics, and raises the interrupt. The driver side may wait for that
 * or look at the token now and then. A request that is sent before, by a driver
 * side that has given up, takes the place of the one under way: the device side
 * finishes what it does, does not respond to it any more, and then looks at the
 * new one. The response to the old one may still be written until the store of
 * the new one completes, so what has another token than the request's is passed
 * over. Page replaces or switches off the page at any time; then, too, nothing is
 * written to the old one after the store. A request that gets no response is told
 * from one whose response is late by a header with its token, whose msg_size is 0.
 */
#define VIRTIO_MSG_MMIO_DOORBELL	0x040

/*
 * EVENT_AVAIL for the device in a slot - write only, 32 bits: the queue's
 * index in bits 15-0 and, with VIRTIO_F_NOTIFICATION_DATA, the rest of the
 * notification data above it. The smallest window has room for SMALL_SLOTS of
 * these registers below Window; those of the slots from there on, HIGH, are behind
 * it, in a window of SIZE_LARGE bytes, where a message ends before them.
 */
#define VIRTIO_MSG_MMIO_SMALL_SLOTS	44
#define VIRTIO_MSG_MMIO_SIZE_LARGE	0x400
#define VIRTIO_MSG_MMIO_QUEUE_NOTIFY(slot)	(0x050 + 4 * (slot))
#define VIRTIO_MSG_MMIO_QUEUE_NOTIFY_HIGH(slot)	(0x150 + 4 * (slot))

/*
 * A request is written from here in ascending order, padded to 4 bytes, and is
 * processed when its last byte has arrived; writing the first word starts
 * over. Reads return the response, or zeros if there is none.
 */
#define VIRTIO_MSG_MMIO_WINDOW		0x100

/* The message page */
#define VIRTIO_MSG_MMIO_PAGE_SIZE	4096
#define VIRTIO_MSG_MMIO_PAGE_MSG_SIZE	1024
#define VIRTIO_MSG_MMIO_PAGE_SLOTS	64

/**
 * struct virtio_msg_mmio_slot - what the device side says of a slot
 * @device_status: status of the slot's device
 * @generation: config generation of the slot's device
 * @device_id: the virtio device ID, 0 if the slot is empty
 * @arrivals: rises each time a device is put into the slot
 */
struct virtio_msg_mmio_slot {
	__le32 device_status;
	__le32 generation;
	__le32 device_id;
	__le32 arrivals;
};

/**
 * struct virtio_msg_mmio_page - the message page
 * @request: written by the driver side before it rings the doorbell
 * @response: written by the device side before the doorbell's store completes,
 *	or later, see VIRTIO_MSG_MMIO_DOORBELL
 * @sequence: raised by the device side, with release semantics, after it
 *	changed @slot and before it raises the interrupt
 * @reserved: 0
 * @slot: the status block, written by the device side only
 * @used: with F_DEVICES: raised by the device side, with release semantics, when
 *	the slot's device has used buffers and before it raises the interrupt
 * @uncounted: likewise, a bit for each slot: an interrupt may be because of used
 *	buffers of the slot's device without a change of @used. Set before the first
 *	such interrupt
 * @cacheable: with F_DEVICES, in place of F_CONFIG_CACHE, a bit for each slot: the
 *	config of its device may be cached
 * @reserved2: 0
 */
struct virtio_msg_mmio_page {
	__u8 request[VIRTIO_MSG_MMIO_PAGE_MSG_SIZE];
	__u8 response[VIRTIO_MSG_MMIO_PAGE_MSG_SIZE];
	__le32 sequence;
	__u8 reserved[60];
	struct virtio_msg_mmio_slot slot[VIRTIO_MSG_MMIO_PAGE_SLOTS];
	__le32 used[VIRTIO_MSG_MMIO_PAGE_SLOTS];
	__le64 uncounted;
	__le64 cacheable;
	__u8 reserved2[688];
};

#endif /* _UAPI_LINUX_VIRTIO_MSG_MMIO_H */
