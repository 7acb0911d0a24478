// SPDX-License-Identifier: GPL-2.0-only
/*
 * I2C: a transfer is of one or more requests, all but its last with
 * VIRTIO_I2C_FLAGS_FAIL_NEXT. On the bus they are one: what a backend did of them is
 * lost with it, and the rest means something else to the chip (a register is read
 * that nobody wrote the address of). So the rest fails.
 */
#include <endian.h>
#include <errno.h>
#include <linux/virtio_i2c.h>

#include "model/model.h"
#include "vhost_user/internal.h"

static bool is_request(const struct vring_chain *chain)
{
	return vring_out_len(chain) >= sizeof(struct virtio_i2c_out_hdr) &&
	       vring_in_len(chain) >= sizeof(struct virtio_i2c_in_hdr);
}

static bool takes_next(const struct vring_chain *chain)
{
	struct virtio_i2c_out_hdr hdr;

	vring_read(chain, 0, &hdr, sizeof(hdr));
	return le32toh(hdr.flags) & VIRTIO_I2C_FLAGS_FAIL_NEXT;
}

/*
 * The request done last had others after it. If it cannot be read any more then that is
 * not known, and an error is better than wrong data.
 */
static bool last_takes_next(struct virtq *vr)
{
	struct vring_chain chain;
	bool takes = true;

	vr->next_avail--;
	if (vring_pop(vr, &chain) == 1) {
		takes = !is_request(&chain) || takes_next(&chain);
		vring_drop(vr, &chain);
	}
	vr->next_avail = vr->next_used;
	vr->taken = 0;
	return takes;
}

/*
 * Whether the next request belongs to a transfer of which some were done. A driver makes
 * the requests of a transfer available together: if one that waits has the descriptors
 * of the one done last, then it was made later, and begins with another transfer.
 */
static bool in_a_transfer(struct virtq *vr)
{
	const struct vring_avail *avail = memory_ref_get(vr->mem, &vr->driver);
	uint16_t mask = vr->size - 1;
	uint16_t waiting, last, i;

	if (!avail)
		return false;
	waiting = le16toh(__atomic_load_n(&avail->idx, __ATOMIC_ACQUIRE)) - vr->next_used;
	/* If all descriptors wait, so do those of the last one */
	if (!waiting || waiting >= vr->size)
		return false;
	last = avail->ring[(vr->next_used - 1) & mask];
	for (i = 0; i < waiting; i++) {
		if (avail->ring[(vr->next_used + i) & mask] == last)
			return false;
	}
	return last_takes_next(vr);
}

static int fail_request(struct virtq *vr, struct vring_chain *chain)
{
	const uint8_t status = VIRTIO_I2C_MSG_ERR;
	size_t len = vring_in_len(chain);

	vring_clear(chain, 0, len - sizeof(status));
	vring_write(chain, len - sizeof(status), &status, sizeof(status));
	return vring_push(vr, chain, len);
}

static int fail_rest(struct virtq *vr)
{
	struct vring_chain chain;
	bool more = true;
	unsigned int i;
	int ret = 0;

	/* A ring full at most: the driver may be adding to it */
	for (i = 0; i < vr->size && more && !ret; i++) {
		ret = vring_pop(vr, &chain);
		if (ret <= 0)
			return ret;
		if (!is_request(&chain)) {
			vring_drop(vr, &chain);
			return -EINVAL;
		}
		more = takes_next(&chain);
		ret = fail_request(vr, &chain);
	}
	return ret;
}

int vu_i2c_resume(struct vhost_user *vu, unsigned int q, uint32_t *base)
{
	struct device_queue queue = vu->dev.queues[q];
	struct virtq vr;
	int ret;

	queue.resume = true;
	ret = vring_start(&vr, device_memory(&vu->dev), &queue, device_features(&vu->dev));
	if (ret)
		return ret;
	if (in_a_transfer(&vr)) {
		log_limited(&vu->dev.log, "vhost-user %s: the transfer that was under way fails",
			    vu->options.path);
		ret = fail_rest(&vr);
	}
	*base = vr.next_used;
	vring_stop(&vr);
	return ret;
}
