/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The device's end of a virtqueue, split or packed, for built-in devices.
 *
 * Nothing in a ring is believed: indices, lengths and addresses are copied once
 * and checked, addresses against guest memory, at each use. An error from any
 * function means that the driver broke the ring: the device calls
 * device_broken() and uses the ring no more.
 */
#ifndef MSGD_VRING_H
#define MSGD_VRING_H

#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "model/memory.h"

/* Younger than the headers of Debian 12 */
#ifndef VIRTIO_F_NOTIFICATION_DATA
#define VIRTIO_F_NOTIFICATION_DATA	38
#endif

struct device_queue;

/* Descriptors of one chain, indirect ones included */
#define VRING_MAX_SEGMENTS	64

/**
 * struct virtq - a virtqueue that is being served
 * @mem: the guest's memory
 * @features: what the driver accepted
 * @size: number of descriptors
 * @desc: descriptor area
 * @driver: driver area
 * @device: device area
 * @next_avail: next entry to look at (split: running index; packed: slot)
 * @next_used: next entry to write, likewise
 * @avail_wrap: packed: the driver's wrap counter at @next_avail
 * @used_wrap: packed: the device's wrap counter at @next_used
 * @used_since: entries used since vring_interrupt() was last asked
 * @taken: entries that were popped and not pushed yet
 */
struct virtq {
	struct memory *mem;
	uint64_t features;
	uint16_t size;
	struct memory_ref desc;
	struct memory_ref driver;
	struct memory_ref device;
	uint16_t next_avail;
	uint16_t next_used;
	bool avail_wrap;
	bool used_wrap;
	uint32_t used_since;
	uint32_t taken;
};

/**
 * struct vring_chain - the buffers of one request
 * @id: what names it to the driver
 * @slots: ring entries it takes (packed)
 * @num_out: segments of @seg that the device reads
 * @num_in: segments after them that it writes
 * @len: bytes of all segments, less than 4 GiB
 * @removals: of the memory that they are in
 * @seg: the segments, checked and mapped
 */
struct vring_chain {
	uint16_t id;
	uint16_t slots;
	unsigned int num_out;
	unsigned int num_in;
	uint64_t len;
	uint64_t removals;
	struct iovec seg[VRING_MAX_SEGMENTS];
};

/* Feature bits that rings served by this code may offer */
#define VRING_FEATURES	(1ULL << VIRTIO_RING_F_INDIRECT_DESC | \
			 1ULL << VIRTIO_RING_F_EVENT_IDX | \
			 1ULL << VIRTIO_F_RING_PACKED | \
			 1ULL << VIRTIO_F_IN_ORDER | \
			 1ULL << VIRTIO_F_NOTIFICATION_DATA | \
			 1ULL << VIRTIO_F_RING_RESET)

/*
 * Whether a queue of this size may be where the driver says: size and
 * alignments are allowed, and all three areas are memory of the guest. 0,
 * -EINVAL or -EFAULT.
 */
int vring_check(struct memory *mem, const struct device_queue *queue,
		uint64_t features);

/* Serve a queue as the driver set it up: 0, -EINVAL or -EFAULT. */
int vring_start(struct virtq *vr, struct memory *mem,
		const struct device_queue *queue, uint64_t features);
/* Let go of its memory. Harmless on a ring that was not started. */
void vring_stop(struct virtq *vr);

/*
 * Take the next request: 1 with @chain filled in, 0 if there is none (the
 * driver then kicks when it has one), -errno if the ring is broken. Each chain
 * goes back by vring_push(), in the order it was taken, with the number of
 * bytes that were written into it.
 */
int vring_pop(struct virtq *vr, struct vring_chain *chain);
int vring_push(struct virtq *vr, struct vring_chain *chain, uint32_t written);
/* Let go of one that does not go back, because the queue is stopped. */
void vring_drop(struct virtq *vr, struct vring_chain *chain);
/* Its buffers are where they were when it was taken. */
bool vring_chain_valid(const struct virtq *vr, const struct vring_chain *chain);

/* Whether the driver wants an interrupt for what was pushed since last asked */
bool vring_interrupt(struct virtq *vr);

/* Total length of the segments the device may write, and may read */
size_t vring_in_len(const struct vring_chain *chain);
size_t vring_out_len(const struct vring_chain *chain);

/*
 * Copy @len bytes from what the device may read, or to what it may write,
 * beginning @skip bytes into it. The caller has compared with the lengths above.
 */
void vring_read(const struct vring_chain *chain, size_t skip, void *buf, size_t len);
void vring_write(const struct vring_chain *chain, size_t skip, const void *buf, size_t len);
/* The same with zeros */
void vring_clear(const struct vring_chain *chain, size_t skip, size_t len);

#endif
