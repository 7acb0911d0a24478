/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Between the parts of what serves a ring:
 *
 * vring_serve.c  where it is, and what is the same for both kinds
 * vring_split.c  split rings
 * vring_packed.c packed rings
 * vring_chain.c  the buffers of a request
 */
#ifndef MSGD_VRING_INTERNAL_H
#define MSGD_VRING_INTERNAL_H

#include "model/vring.h"

static inline bool vring_has(const struct virtq *vr, unsigned int feature)
{
	return vr->features & 1ULL << feature;
}

/* vring_chain.c */

/* One more buffer, after what the chain has already: 0, -EINVAL or -EFAULT */
int vring_chain_add(struct virtq *vr, struct vring_chain *chain, uint64_t addr, uint32_t len,
		    bool write);
/* Let go of all buffers. */
void vring_chain_put(struct virtq *vr, struct vring_chain *chain);
/* Number of descriptors in an indirect table of @len bytes, 0 if it may not be */
uint32_t vring_table_entries(const struct virtq *vr, uint32_t len);

/* vring_split.c, vring_packed.c: as vring_pop() and so on, with the areas mapped */

int split_pop(struct virtq *vr, struct vring_chain *chain, const struct vring_desc *table,
	      const struct vring_avail *avail, struct vring_used *used);
void split_push(struct virtq *vr, const struct vring_chain *chain, uint32_t written,
		struct vring_used *used);
bool split_interrupt(struct virtq *vr, const struct vring_avail *avail);

int packed_pop(struct virtq *vr, struct vring_chain *chain,
	       const struct vring_packed_desc *ring, struct vring_packed_desc_event *event);
void packed_push(struct virtq *vr, const struct vring_chain *chain, uint32_t written,
		 struct vring_packed_desc *ring);
bool packed_interrupt(struct virtq *vr, const struct vring_packed_desc_event *event);

#endif
