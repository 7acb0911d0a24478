// SPDX-License-Identifier: GPL-2.0-only
/*
 * The backend's record of requests in flight: kept for the next one. What is in
 * it is between backends, except that of a packed ring it is the only one to say
 * where the next backend has to go on.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_ring.h>
#include <stdlib.h>
#include <unistd.h>

#include "model/model.h"
#include "vhost_user/internal.h"

void vu_inflight_drop(struct vhost_user *vu)
{
	if (vu->inflight_fd >= 0)
		close(vu->inflight_fd);
	vu->inflight_fd = -1;
}

static int inflight_get(struct vhost_user *vu)
{
	struct vu_msg msg;
	int fd, ret;

	vu->inflight = (struct vu_inflight) {
		.num_queues = vu_num_backend_queues(vu),
		.queue_size = vu->dev.queues[0].max_size,
	};
	msg.inflight = vu->inflight;
	ret = vu_get(vu, &msg, VU_GET_INFLIGHT_FD, sizeof(msg.inflight),
		     VU_INFLIGHT_UNPADDED, sizeof(msg.inflight), &fd);
	if (ret)
		return ret;
	/* None is what a backend answers that has no need of it */
	if (fd >= 0 && !msg.inflight.mmap_size) {
		close(fd);
		fd = -1;
	}
	/* Of the reply, only where it is is the backend's to say */
	vu->inflight.mmap_size = msg.inflight.mmap_size;
	vu->inflight.mmap_offset = msg.inflight.mmap_offset;
	vu->inflight_fd = fd;
	return 0;
}

int vu_inflight_share(struct vhost_user *vu)
{
	struct vu_msg msg;
	int ret = 0;

	if (!vu_has(vu, VU_PROTOCOL_F_INFLIGHT_SHMFD))
		return 0;
	if (vu->inflight_fd < 0)
		ret = inflight_get(vu);
	if (ret || vu->inflight_fd < 0)
		return ret;
	msg.inflight = vu->inflight;
	return vu_set(vu, &msg, VU_SET_INFLIGHT_FD, sizeof(msg.inflight), &vu->inflight_fd, 1);
}

/*
 * Packed rings. The record is memory of the backend's: it is read, never mapped,
 * and each value is checked.
 */

struct packed_state {
	uint8_t inflight;
	uint8_t padding;
	uint16_t next;
	uint16_t last;
	uint16_t num;
	uint64_t counter;
	uint16_t id;
	uint16_t flags;
	uint32_t len;
	uint64_t addr;
};

struct packed_record {
	uint64_t features;
	uint16_t version;
	uint16_t desc_num;
	uint16_t free_head;
	uint16_t old_free_head;
	uint16_t used_idx;
	uint16_t old_used_idx;
	uint8_t used_wrap;
	uint8_t old_used_wrap;
	uint8_t padding[10];
	struct packed_state desc[];
};

_Static_assert(sizeof(struct packed_record) == 32, "as it is in the specification");

/**
 * struct packed_at - a place in a packed ring, with the record's free list as of then
 * @idx: in the ring
 * @wrap: counter
 * @free_head: the first state that is free
 */
struct packed_at {
	uint16_t idx;
	bool wrap;
	uint16_t free_head;
};

/*
 * A copy of queue @q's part of the record, to be freed; NULL if it cannot be had.
 * Of other files than those that can be sealed nobody knows how long a read takes.
 */
static struct packed_record *read_packed(const struct vhost_user *vu, unsigned int q)
{
	const struct vu_inflight *where = &vu->inflight;
	size_t len = sizeof(struct packed_record) +
		     where->queue_size * sizeof(struct packed_state);
	/* Each queue has an equal part */
	uint64_t part = where->num_queues ? where->mmap_size / where->num_queues : 0;
	uint64_t offset = where->mmap_offset + q * part;
	struct packed_record *record;

	if (q >= where->num_queues || part < len || offset > INT64_MAX - len ||
	    fcntl(vu->inflight_fd, F_GET_SEALS) < 0)
		return NULL;
	record = malloc(len);
	if (!record || pread(vu->inflight_fd, record, len, offset) != (ssize_t)len) {
		free(record);
		return NULL;
	}
	return record;
}

/* Whether the descriptor at @at is not what the driver made available there any more */
static int used_there(struct vhost_user *vu, const struct device_queue *queue,
		      const struct packed_at *at)
{
	uint64_t addr = queue->desc + at->idx * sizeof(struct vring_packed_desc);
	const uint16_t avail = 1 << VRING_PACKED_DESC_F_AVAIL, used = 1 << VRING_PACKED_DESC_F_USED;
	struct memory *mem = device_memory(&vu->dev);
	struct vring_packed_desc *desc = memory_get(mem, addr, sizeof(*desc), false);
	uint16_t flags;

	if (!desc)
		return -EFAULT;
	flags = le16toh(__atomic_load_n(&desc->flags, __ATOMIC_ACQUIRE));
	memory_put(mem, desc, sizeof(*desc));
	return (flags & (avail | used)) != (at->wrap ? avail : used);
}

/* How far the last backend came: a batch that it was about to complete is, or is not */
static int find_used(struct vhost_user *vu, const struct device_queue *queue,
		     const struct packed_record *record, struct packed_at *at)
{
	int used;

	*at = (struct packed_at) { record->old_used_idx, record->old_used_wrap,
				   record->old_free_head };
	if (at->idx >= queue->size)
		return -EPROTO;
	if (record->used_idx == at->idx && record->used_wrap == record->old_used_wrap)
		return 0;
	used = used_there(vu, queue, at);
	if (used > 0)
		*at = (struct packed_at) { record->used_idx, record->used_wrap,
					   record->free_head };
	return used < 0 ? used : at->idx >= queue->size ? -EPROTO : 0;
}

/* How many descriptors the requests in flight have; states that are free do not count. */
static int count_in_flight(struct packed_record *record, const struct packed_at *at,
			   unsigned int max)
{
	unsigned int i, num = record->desc_num, e = at->free_head, count = 0;

	for (i = 0; i < num && e < num; i++) {
		record->desc[e].inflight = 0;
		e = record->desc[e].next;
	}
	for (i = 0; i < num && count <= max; i++) {
		if (record->desc[i].inflight)
			count += record->desc[i].num;
	}
	return count <= max ? (int)count : -EPROTO;
}

static int packed_base(struct vhost_user *vu, const struct device_queue *queue,
		       struct packed_record *record, uint32_t *base)
{
	struct packed_at at;
	uint32_t avail;
	int ret;

	/* No backend has seen the ring */
	if (!record->version)
		return 0;
	if (record->version != 1 || record->desc_num != vu->inflight.queue_size)
		return -EPROTO;
	ret = find_used(vu, queue, record, &at);
	if (!ret)
		ret = count_in_flight(record, &at, queue->size);
	if (ret < 0)
		return ret;
	avail = at.idx + ret;
	*base = avail % queue->size | (at.wrap ^ (avail >= queue->size)) << 15 |
		(uint32_t)at.idx << 16 | (uint32_t)at.wrap << 31;
	return 0;
}

int vu_inflight_packed_base(struct vhost_user *vu, unsigned int q, uint32_t *base)
{
	struct packed_record *record = vu->inflight_fd < 0 ? NULL : read_packed(vu, q);
	int ret = record ? packed_base(vu, &vu->dev.queues[q], record, base) : -ENOTSUP;

	free(record);
	return ret;
}
