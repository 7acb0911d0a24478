// SPDX-License-Identifier: GPL-2.0-only
#include "model/vring.h"

#include <endian.h>
#include <errno.h>
#include <linux/virtio_ring.h>
#include <string.h>

#include "model/device.h"

static bool has(const struct virtq *vr, unsigned int feature)
{
	return vr->features & 1ULL << feature;
}

/*
 * The areas of a queue
 */

struct areas {
	uint64_t desc;
	uint64_t driver;
	uint64_t device;
};

static bool packed(uint64_t features)
{
	return features & 1ULL << VIRTIO_F_RING_PACKED;
}

static struct areas area_sizes(uint64_t features, uint64_t size)
{
	uint64_t event = features & 1ULL << VIRTIO_RING_F_EVENT_IDX ? sizeof(uint16_t) : 0;

	if (packed(features))
		return (struct areas) {
			.desc = size * sizeof(struct vring_packed_desc),
			.driver = sizeof(struct vring_packed_desc_event),
			.device = sizeof(struct vring_packed_desc_event),
		};
	return (struct areas) {
		.desc = size * sizeof(struct vring_desc),
		.driver = sizeof(struct vring_avail) + size * sizeof(uint16_t) + event,
		.device = sizeof(struct vring_used) + size * sizeof(struct vring_used_elem) + event,
	};
}

static bool setup_valid(const struct device_queue *queue, uint64_t features)
{
	uint64_t driver_align = packed(features) ? 4 : 2;

	if (!queue->size || queue->size > DEVICE_QUEUE_MAX_SIZE)
		return false;
	if (!packed(features) && queue->size & (queue->size - 1))
		return false;
	return !(queue->desc % 16) && !(queue->driver % driver_align) && !(queue->device % 4);
}

static bool there(struct memory *mem, uint64_t addr, uint64_t len, bool write)
{
	void *ptr = memory_get(mem, addr, len, write);

	if (ptr)
		memory_put(mem, ptr, len);
	return ptr;
}

int vring_check(struct memory *mem, const struct device_queue *queue,
		uint64_t features)
{
	struct areas areas = area_sizes(features, queue->size);

	if (!setup_valid(queue, features))
		return -EINVAL;
	if (!there(mem, queue->desc, areas.desc, packed(features)) ||
	    !there(mem, queue->driver, areas.driver, false) ||
	    !there(mem, queue->device, areas.device, true))
		return -EFAULT;
	return 0;
}

/* What is used was served, by whoever had the ring before; packed rings do not tell. */
static int vring_resume(struct virtq *vr)
{
	const struct vring_used *used = memory_ref_get(vr->mem, &vr->device);

	if (packed(vr->features)) {
		vring_stop(vr);
		return -EINVAL;
	}
	vr->next_used = le16toh(__atomic_load_n(&used->idx, __ATOMIC_ACQUIRE));
	vr->next_avail = vr->next_used;
	return 0;
}

int vring_start(struct virtq *vr, struct memory *mem,
		const struct device_queue *queue, uint64_t features)
{
	struct areas areas = area_sizes(features, queue->size);

	if (!setup_valid(queue, features))
		return -EINVAL;
	*vr = (struct virtq) {
		.mem = mem,
		.features = features,
		.size = queue->size,
		.avail_wrap = true,
		.used_wrap = true,
	};
	if (memory_ref_set(mem, &vr->desc, queue->desc, areas.desc) ||
	    memory_ref_set(mem, &vr->driver, queue->driver, areas.driver) ||
	    memory_ref_set(mem, &vr->device, queue->device, areas.device)) {
		vring_stop(vr);
		return -EFAULT;
	}
	return queue->resume ? vring_resume(vr) : 0;
}

void vring_stop(struct virtq *vr)
{
	if (!vr->mem)
		return;
	memory_ref_clear(vr->mem, &vr->desc);
	memory_ref_clear(vr->mem, &vr->driver);
	memory_ref_clear(vr->mem, &vr->device);
	vr->mem = NULL;
}

/*
 * Chains
 */

static void chain_put(struct virtq *vr, struct vring_chain *chain)
{
	unsigned int i;

	for (i = 0; i < chain->num_out + chain->num_in; i++)
		memory_put(vr->mem, chain->seg[i].iov_base, chain->seg[i].iov_len);
	chain->num_out = 0;
	chain->num_in = 0;
}

/* One buffer, after what the chain has already */
static int chain_add(struct virtq *vr, struct vring_chain *chain, uint64_t addr,
		     uint32_t len, bool write)
{
	unsigned int n = chain->num_out + chain->num_in;
	void *ptr;

	if (n == VRING_MAX_SEGMENTS || (chain->num_in && !write))
		return -EINVAL;
	/* Longer ones no driver makes, and no used length can tell of */
	chain->len += len;
	if (chain->len > UINT32_MAX)
		return -EINVAL;
	ptr = memory_get(vr->mem, addr, len, write);
	if (!ptr)
		return -EFAULT;
	chain->seg[n] = (struct iovec) { .iov_base = ptr, .iov_len = len };
	if (write)
		chain->num_in++;
	else
		chain->num_out++;
	return 0;
}

/* Number of descriptors in an indirect table of @len bytes, 0 if it may not be */
static uint32_t table_entries(const struct virtq *vr, uint32_t len)
{
	if (!has(vr, VIRTIO_RING_F_INDIRECT_DESC) || len % sizeof(struct vring_desc))
		return 0;
	return len / sizeof(struct vring_desc);
}

/*
 * Split rings
 */

/*
 * Follow a chain through a table of @num descriptors. The number of segments
 * is limited, so that a loop ends.
 */
static int split_follow(struct virtq *vr, struct vring_chain *chain,
			const struct vring_desc *table, uint32_t num, uint16_t i)
{
	struct vring_desc desc;
	int ret;

	for (;;) {
		if (i >= num)
			return -EINVAL;
		memcpy(&desc, &table[i], sizeof(desc));
		if (desc.flags & htole16(VRING_DESC_F_INDIRECT))
			return -EINVAL;
		ret = chain_add(vr, chain, le64toh(desc.addr), le32toh(desc.len),
				desc.flags & htole16(VRING_DESC_F_WRITE));
		if (ret || !(desc.flags & htole16(VRING_DESC_F_NEXT)))
			return ret;
		i = le16toh(desc.next);
	}
}

static int split_chain(struct virtq *vr, struct vring_chain *chain,
		       const struct vring_desc *table, uint16_t head)
{
	struct vring_desc desc;
	uint32_t num;
	void *indirect;
	int ret;

	if (head >= vr->size)
		return -EINVAL;
	memcpy(&desc, &table[head], sizeof(desc));
	if (!(desc.flags & htole16(VRING_DESC_F_INDIRECT)))
		return split_follow(vr, chain, table, vr->size, head);

	num = table_entries(vr, le32toh(desc.len));
	if (!num || desc.flags & htole16(VRING_DESC_F_NEXT))
		return -EINVAL;
	indirect = memory_get(vr->mem, le64toh(desc.addr), le32toh(desc.len), false);
	if (!indirect)
		return -EFAULT;
	ret = split_follow(vr, chain, indirect, num, 0);
	memory_put(vr->mem, indirect, le32toh(desc.len));
	return ret;
}

static uint16_t split_avail_idx(const struct vring_avail *avail)
{
	return le16toh(__atomic_load_n(&avail->idx, __ATOMIC_ACQUIRE));
}

/* The ring is empty: ask for a kick, then look again */
static uint16_t split_want_kick(struct virtq *vr, const struct vring_avail *avail,
				struct vring_used *used)
{
	if (has(vr, VIRTIO_RING_F_EVENT_IDX)) {
		uint16_t *avail_event = (uint16_t *)&used->ring[vr->size];

		__atomic_store_n(avail_event, htole16(vr->next_avail), __ATOMIC_RELAXED);
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
	}
	return split_avail_idx(avail);
}

static int split_pop(struct virtq *vr, struct vring_chain *chain,
		     const struct vring_desc *table, const struct vring_avail *avail,
		     struct vring_used *used)
{
	uint16_t idx = split_avail_idx(avail);
	int ret;

	if (idx == vr->next_avail)
		idx = split_want_kick(vr, avail, used);
	if (idx == vr->next_avail)
		return 0;
	if ((uint16_t)(idx - vr->next_avail) > vr->size - vr->taken)
		return -EINVAL;

	chain->id = le16toh(avail->ring[vr->next_avail & (vr->size - 1)]);
	chain->slots = 1;
	ret = split_chain(vr, chain, table, chain->id);
	if (ret)
		return ret;
	vr->next_avail++;
	return 1;
}

static void split_push(struct virtq *vr, const struct vring_chain *chain,
		       uint32_t written, struct vring_used *used)
{
	struct vring_used_elem *elem = &used->ring[vr->next_used & (vr->size - 1)];

	elem->id = htole32(chain->id);
	elem->len = htole32(written);
	vr->next_used++;
	__atomic_store_n(&used->idx, htole16(vr->next_used), __ATOMIC_RELEASE);
}

static bool split_interrupt(struct virtq *vr, const struct vring_avail *avail)
{
	uint16_t event;

	if (!has(vr, VIRTIO_RING_F_EVENT_IDX))
		return !(le16toh(avail->flags) & VRING_AVAIL_F_NO_INTERRUPT);
	event = le16toh(avail->ring[vr->size]);
	return vring_need_event(event, vr->next_used, vr->next_used - vr->used_since);
}

/*
 * Packed rings
 */

#define PACKED_AVAIL	(1 << VRING_PACKED_DESC_F_AVAIL)
#define PACKED_USED	(1 << VRING_PACKED_DESC_F_USED)

static bool packed_available(const struct virtq *vr, const struct vring_packed_desc *ring)
{
	uint16_t flags = le16toh(__atomic_load_n(&ring[vr->next_avail].flags, __ATOMIC_ACQUIRE));
	bool avail = flags & PACKED_AVAIL, used = flags & PACKED_USED;

	return avail == vr->avail_wrap && used != vr->avail_wrap;
}

/* The ring is empty: ask for a kick, then look again */
static bool packed_want_kick(struct virtq *vr, const struct vring_packed_desc *ring,
			     struct vring_packed_desc_event *event)
{
	if (has(vr, VIRTIO_RING_F_EVENT_IDX)) {
		uint16_t off_wrap = vr->next_avail |
				    vr->avail_wrap << VRING_PACKED_EVENT_F_WRAP_CTR;

		event->off_wrap = htole16(off_wrap);
		__atomic_store_n(&event->flags, htole16(VRING_PACKED_EVENT_FLAG_DESC),
				 __ATOMIC_RELEASE);
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
	}
	return packed_available(vr, ring);
}

/* All entries of an indirect table are one chain */
static int packed_indirect(struct virtq *vr, struct vring_chain *chain,
			   const struct vring_packed_desc *desc)
{
	uint32_t num = table_entries(vr, le32toh(desc->len)), i;
	const struct vring_packed_desc *table;
	int ret = 0;

	if (!num || chain->slots != 1 || desc->flags & htole16(VRING_DESC_F_NEXT))
		return -EINVAL;
	table = memory_get(vr->mem, le64toh(desc->addr), le32toh(desc->len), false);
	if (!table)
		return -EFAULT;
	for (i = 0; i < num && !ret; i++) {
		struct vring_packed_desc entry;

		memcpy(&entry, &table[i], sizeof(entry));
		if (entry.flags & htole16(VRING_DESC_F_INDIRECT))
			ret = -EINVAL;
		else
			ret = chain_add(vr, chain, le64toh(entry.addr), le32toh(entry.len),
					entry.flags & htole16(VRING_DESC_F_WRITE));
	}
	memory_put(vr->mem, (void *)table, le32toh(desc->len));
	return ret;
}

static int packed_chain(struct virtq *vr, struct vring_chain *chain,
			const struct vring_packed_desc *ring)
{
	uint16_t i = vr->next_avail;
	struct vring_packed_desc desc;
	int ret;

	do {
		if (chain->slots == vr->size - vr->taken)
			return -EINVAL;
		memcpy(&desc, &ring[i], sizeof(desc));
		chain->id = le16toh(desc.id);
		chain->slots++;
		if (desc.flags & htole16(VRING_DESC_F_INDIRECT))
			return packed_indirect(vr, chain, &desc);
		ret = chain_add(vr, chain, le64toh(desc.addr), le32toh(desc.len),
				desc.flags & htole16(VRING_DESC_F_WRITE));
		if (ret)
			return ret;
		i = i + 1 == vr->size ? 0 : i + 1;
	} while (desc.flags & htole16(VRING_DESC_F_NEXT));
	return 0;
}

static void packed_advance(const struct virtq *vr, uint16_t slots, uint16_t *next, bool *wrap)
{
	uint32_t sum = (uint32_t)*next + slots;

	if (sum >= vr->size) {
		sum -= vr->size;
		*wrap = !*wrap;
	}
	*next = sum;
}

static int packed_pop(struct virtq *vr, struct vring_chain *chain,
		      const struct vring_packed_desc *ring,
		      struct vring_packed_desc_event *event)
{
	int ret;

	/* A full ring has nothing new, whatever its flags say */
	if (vr->taken == vr->size)
		return 0;
	if (!packed_available(vr, ring) && !packed_want_kick(vr, ring, event))
		return 0;
	ret = packed_chain(vr, chain, ring);
	if (ret)
		return ret;
	packed_advance(vr, chain->slots, &vr->next_avail, &vr->avail_wrap);
	return 1;
}

static void packed_push(struct virtq *vr, const struct vring_chain *chain,
			uint32_t written, struct vring_packed_desc *ring)
{
	struct vring_packed_desc *desc = &ring[vr->next_used];
	uint16_t flags = 0;

	if (vr->used_wrap)
		flags |= PACKED_AVAIL | PACKED_USED;
	if (written)
		flags |= VRING_DESC_F_WRITE;
	desc->id = htole16(chain->id);
	desc->len = htole32(written);
	__atomic_store_n(&desc->flags, htole16(flags), __ATOMIC_RELEASE);
	packed_advance(vr, chain->slots, &vr->next_used, &vr->used_wrap);
}

static bool packed_interrupt(struct virtq *vr, const struct vring_packed_desc_event *event)
{
	uint16_t flags = le16toh(__atomic_load_n(&event->flags, __ATOMIC_ACQUIRE));
	uint16_t off_wrap = le16toh(event->off_wrap);
	uint16_t at = off_wrap & ~(1 << VRING_PACKED_EVENT_F_WRAP_CTR);
	bool wrap = off_wrap & 1 << VRING_PACKED_EVENT_F_WRAP_CTR;

	if (flags == VRING_PACKED_EVENT_FLAG_DISABLE)
		return false;
	if (flags != VRING_PACKED_EVENT_FLAG_DESC || !has(vr, VIRTIO_RING_F_EVENT_IDX))
		return true;
	if (wrap != vr->used_wrap)
		at -= vr->size;
	return vring_need_event(at, vr->next_used, vr->next_used - vr->used_since);
}

/*
 * Both
 */

int vring_pop(struct virtq *vr, struct vring_chain *chain)
{
	void *desc = memory_ref_get(vr->mem, &vr->desc);
	void *driver = memory_ref_get(vr->mem, &vr->driver);
	void *device = memory_ref_get(vr->mem, &vr->device);
	int ret;

	if (!desc || !driver || !device)
		return -EFAULT;
	chain->slots = 0;
	chain->num_out = 0;
	chain->num_in = 0;
	chain->len = 0;
	chain->generation = vr->mem->generation;
	if (packed(vr->features))
		ret = packed_pop(vr, chain, desc, device);
	else
		ret = split_pop(vr, chain, desc, driver, device);
	if (ret < 0)
		chain_put(vr, chain);
	if (ret > 0)
		vr->taken += chain->slots;
	return ret;
}

int vring_push(struct virtq *vr, struct vring_chain *chain, uint32_t written)
{
	void *desc = memory_ref_get(vr->mem, &vr->desc);
	void *device = memory_ref_get(vr->mem, &vr->device);

	chain_put(vr, chain);
	if (!desc || !device)
		return -EFAULT;
	if (packed(vr->features))
		packed_push(vr, chain, written, desc);
	else
		split_push(vr, chain, written, device);
	vr->taken -= chain->slots;
	vr->used_since += chain->slots;
	return 0;
}

void vring_drop(struct virtq *vr, struct vring_chain *chain)
{
	chain_put(vr, chain);
}

bool vring_chain_valid(const struct virtq *vr, const struct vring_chain *chain)
{
	return vr->mem->generation == chain->generation;
}

bool vring_interrupt(struct virtq *vr)
{
	void *driver = memory_ref_get(vr->mem, &vr->driver);
	bool want;

	if (!driver || !vr->used_since)
		return false;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (packed(vr->features))
		want = packed_interrupt(vr, driver);
	else
		want = split_interrupt(vr, driver);
	vr->used_since = 0;
	return want;
}

static size_t total(const struct iovec *seg, unsigned int num)
{
	size_t len = 0;

	while (num--)
		len += seg[num].iov_len;
	return len;
}

size_t vring_in_len(const struct vring_chain *chain)
{
	return total(chain->seg + chain->num_out, chain->num_in);
}

size_t vring_out_len(const struct vring_chain *chain)
{
	return total(chain->seg, chain->num_out);
}

/* The part of @seg that is left after *@skip bytes, at most @len; 0: all of it is skipped */
static size_t skip_segment(const struct iovec *seg, size_t *skip, size_t len, uint8_t **at)
{
	size_t here = *skip < seg->iov_len ? *skip : seg->iov_len;
	size_t left = seg->iov_len - here;

	*skip -= here;
	*at = (uint8_t *)seg->iov_base + here;
	return left < len ? left : len;
}

void vring_read(const struct vring_chain *chain, size_t skip, void *buf, size_t len)
{
	const struct iovec *seg = chain->seg;
	uint8_t *to = buf, *from;
	unsigned int i;
	size_t n;

	for (i = 0; i < chain->num_out && len; i++, to += n, len -= n) {
		n = skip_segment(&seg[i], &skip, len, &from);
		memcpy(to, from, n);
	}
}

void vring_write(const struct vring_chain *chain, size_t skip, const void *buf, size_t len)
{
	const struct iovec *seg = chain->seg + chain->num_out;
	const uint8_t *from = buf;
	unsigned int i;
	uint8_t *to;
	size_t n;

	for (i = 0; i < chain->num_in && len; i++, from += n, len -= n) {
		n = skip_segment(&seg[i], &skip, len, &to);
		memcpy(to, from, n);
	}
}

void vring_clear(const struct vring_chain *chain, size_t skip, size_t len)
{
	const struct iovec *seg = chain->seg + chain->num_out;
	unsigned int i;
	uint8_t *to;
	size_t n;

	for (i = 0; i < chain->num_in && len; i++, len -= n) {
		n = skip_segment(&seg[i], &skip, len, &to);
		memset(to, 0, n);
	}
}
