// SPDX-License-Identifier: GPL-2.0-only
/* The buffers of a request: made of descriptors, read and written */
#include <errno.h>
#include <string.h>

#include "model/vring_internal.h"

void vring_chain_put(struct virtq *vr, struct vring_chain *chain)
{
	unsigned int i;

	for (i = 0; i < chain->num_out + chain->num_in; i++)
		memory_put(vr->mem, chain->seg[i].iov_base, chain->seg[i].iov_len);
	chain->num_out = 0;
	chain->num_in = 0;
}

int vring_chain_add(struct virtq *vr, struct vring_chain *chain, uint64_t addr,
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

uint32_t vring_table_entries(const struct virtq *vr, uint32_t len)
{
	if (!vring_has(vr, VIRTIO_RING_F_INDIRECT_DESC) || len % sizeof(struct vring_desc))
		return 0;
	return len / sizeof(struct vring_desc);
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
