// SPDX-License-Identifier: GPL-2.0-only
/* What is the same for both kinds of rings: where they are, and a request on its way */
#include <endian.h>
#include <errno.h>

#include "model/device.h"
#include "model/vring_internal.h"

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
 * Requests
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
	chain->removals = vr->mem->removals;
	if (packed(vr->features))
		ret = packed_pop(vr, chain, desc, device);
	else
		ret = split_pop(vr, chain, desc, driver, device);
	if (ret < 0)
		vring_chain_put(vr, chain);
	if (ret > 0)
		vr->taken += chain->slots;
	return ret;
}

int vring_push(struct virtq *vr, struct vring_chain *chain, uint32_t written)
{
	void *desc = memory_ref_get(vr->mem, &vr->desc);
	void *device = memory_ref_get(vr->mem, &vr->device);

	vring_chain_put(vr, chain);
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
	vring_chain_put(vr, chain);
}

bool vring_chain_valid(const struct virtq *vr, const struct vring_chain *chain)
{
	return vr->mem->removals == chain->removals;
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
