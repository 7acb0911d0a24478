// SPDX-License-Identifier: GPL-2.0-only
/* Packed rings */
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "model/vring_internal.h"

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
	if (vring_has(vr, VIRTIO_RING_F_EVENT_IDX)) {
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
	uint32_t num = vring_table_entries(vr, le32toh(desc->len)), i;
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
			ret = vring_chain_add(vr, chain, le64toh(entry.addr), le32toh(entry.len),
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
		ret = vring_chain_add(vr, chain, le64toh(desc.addr), le32toh(desc.len),
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

int packed_pop(struct virtq *vr, struct vring_chain *chain,
	       const struct vring_packed_desc *ring, struct vring_packed_desc_event *event)
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

void packed_push(struct virtq *vr, const struct vring_chain *chain, uint32_t written,
		 struct vring_packed_desc *ring)
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

bool packed_interrupt(struct virtq *vr, const struct vring_packed_desc_event *event)
{
	uint16_t flags = le16toh(__atomic_load_n(&event->flags, __ATOMIC_ACQUIRE));
	uint16_t off_wrap = le16toh(event->off_wrap);
	uint16_t at = off_wrap & ~(1 << VRING_PACKED_EVENT_F_WRAP_CTR);
	bool wrap = off_wrap & 1 << VRING_PACKED_EVENT_F_WRAP_CTR;

	if (flags == VRING_PACKED_EVENT_FLAG_DISABLE)
		return false;
	if (flags != VRING_PACKED_EVENT_FLAG_DESC || !vring_has(vr, VIRTIO_RING_F_EVENT_IDX))
		return true;
	if (wrap != vr->used_wrap)
		at -= vr->size;
	return vring_need_event(at, vr->next_used, vr->next_used - vr->used_since);
}
