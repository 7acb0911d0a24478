// SPDX-License-Identifier: GPL-2.0-only
/* Split rings */
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "model/vring_internal.h"

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
		ret = vring_chain_add(vr, chain, le64toh(desc.addr), le32toh(desc.len),
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

	num = vring_table_entries(vr, le32toh(desc.len));
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
	if (vring_has(vr, VIRTIO_RING_F_EVENT_IDX)) {
		uint16_t *avail_event = (uint16_t *)&used->ring[vr->size];

		__atomic_store_n(avail_event, htole16(vr->next_avail), __ATOMIC_RELAXED);
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
	}
	return split_avail_idx(avail);
}

int split_pop(struct virtq *vr, struct vring_chain *chain, const struct vring_desc *table,
	      const struct vring_avail *avail, struct vring_used *used)
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

void split_push(struct virtq *vr, const struct vring_chain *chain, uint32_t written,
		struct vring_used *used)
{
	struct vring_used_elem *elem = &used->ring[vr->next_used & (vr->size - 1)];

	elem->id = htole32(chain->id);
	elem->len = htole32(written);
	vr->next_used++;
	__atomic_store_n(&used->idx, htole16(vr->next_used), __ATOMIC_RELEASE);
}

bool split_interrupt(struct virtq *vr, const struct vring_avail *avail)
{
	uint16_t event;

	if (!vring_has(vr, VIRTIO_RING_F_EVENT_IDX))
		return !(le16toh(avail->flags) & VRING_AVAIL_F_NO_INTERRUPT);
	event = le16toh(avail->ring[vr->size]);
	return vring_need_event(event, vr->next_used, vr->next_used - vr->used_since);
}
