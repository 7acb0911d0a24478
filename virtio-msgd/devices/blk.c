// SPDX-License-Identifier: GPL-2.0-only
/*
 * virtio-blk: a disk in this program's memory. It keeps what is written for as
 * long as the device exists; its size can be changed while it is in use.
 */
#include <endian.h>
#include <errno.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_ids.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "devices/builtin.h"
#include "devices/devices.h"

#define SECTOR		512
#define DEFAULT_SIZE	(16ULL << 20)
#define MAX_SIZE	(1ULL << 30)
#define MAX_RANGES	16

/* One segment is the header, one the status */
#define MAX_DATA_SEGMENTS	(VRING_MAX_SEGMENTS - 2)

/**
 * struct blk - the disk
 * @builtin: the device, first
 * @config: config space
 * @data: what is on it
 * @size: its size in bytes
 * @read_only: writing to it is refused
 * @hdr: of the request that is carried out
 * @ranges: of a discard or write zeroes
 * @num_ranges: how many
 * @done: bytes of the request, or of the first of the ranges that is not done
 * @range: which that is
 */
struct blk {
	struct builtin builtin;
	struct virtio_blk_config config;
	uint8_t *data;
	uint64_t size;
	bool read_only;
	struct virtio_blk_outhdr hdr;
	struct virtio_blk_discard_write_zeroes ranges[MAX_RANGES];
	unsigned int num_ranges;
	uint64_t done;
	unsigned int range;
};

static bool has(const struct blk *blk, unsigned int feature)
{
	return device_features(&blk->builtin.dev) & 1ULL << feature;
}

/* Where @len bytes from @sector on are; NULL if they are not all on the disk */
static uint8_t *sectors(struct blk *blk, uint64_t sector, uint64_t len)
{
	if (len % SECTOR || len > blk->size || sector > (blk->size - len) / SECTOR)
		return NULL;
	return blk->data + sector * SECTOR;
}

/*
 * Each of these does a part of the request, from blk->done on: bytes done. *@more is
 * set if that was not all of it, otherwise the status.
 */

static size_t finish(struct blk *blk, uint8_t status)
{
	builtin_status(&blk->builtin, status);
	return 0;
}

static size_t transfer(struct blk *blk, size_t budget, bool write, bool *more)
{
	struct builtin_request *req = &blk->builtin.req;
	size_t len = write ? vring_out_len(&req->chain) - sizeof(blk->hdr) :
			     vring_in_len(&req->chain) - 1;
	/* The disk may have become another since the last part */
	uint8_t *at = sectors(blk, le64toh(blk->hdr.sector), len);
	size_t part = len - blk->done;

	if (!at || (write && blk->read_only))
		return finish(blk, VIRTIO_BLK_S_IOERR);
	if (part > budget) {
		part = budget;
		*more = true;
	}
	if (write) {
		vring_read(&req->chain, sizeof(blk->hdr) + blk->done, at + blk->done, part);
	} else {
		vring_write(&req->chain, blk->done, at + blk->done, part);
		req->filled = blk->done + part;
	}
	blk->done += part;
	if (!*more)
		finish(blk, VIRTIO_BLK_S_OK);
	return part;
}

/* What is wrong with a range, which all of it has to be asked before any is cleared */
static uint8_t check_range(struct blk *blk, const struct virtio_blk_discard_write_zeroes *range,
			   bool discard)
{
	uint32_t num = le32toh(range->num_sectors), flags = le32toh(range->flags);
	uint32_t known = discard ? 0 : VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP;
	uint32_t max = le32toh(discard ? blk->config.max_discard_sectors :
					 blk->config.max_write_zeroes_sectors);

	if (flags & ~known)
		return VIRTIO_BLK_S_UNSUPP;
	if (num > max || !sectors(blk, le64toh(range->sector), (uint64_t)num * SECTOR))
		return VIRTIO_BLK_S_IOERR;
	return VIRTIO_BLK_S_OK;
}

static uint8_t take_ranges(struct blk *blk, bool discard)
{
	const struct vring_chain *chain = &blk->builtin.req.chain;
	size_t len = vring_out_len(chain) - sizeof(blk->hdr);
	uint8_t status = VIRTIO_BLK_S_OK;
	unsigned int i;

	if (blk->read_only || !len || len > sizeof(blk->ranges) || len % sizeof(blk->ranges[0]))
		return VIRTIO_BLK_S_IOERR;
	vring_read(chain, sizeof(blk->hdr), blk->ranges, len);
	blk->num_ranges = len / sizeof(blk->ranges[0]);
	for (i = 0; i < blk->num_ranges && status == VIRTIO_BLK_S_OK; i++)
		status = check_range(blk, &blk->ranges[i], discard);
	return status;
}

/* Both make the sectors zero, which nobody may rely on after a discard */
static size_t clear(struct blk *blk, size_t budget, bool discard, bool *more)
{
	const struct virtio_blk_discard_write_zeroes *range = &blk->ranges[blk->range];
	size_t cleared = 0, part;
	uint64_t len;
	uint8_t *at;

	if (!blk->range && !blk->done) {
		uint8_t status = take_ranges(blk, discard);

		if (status != VIRTIO_BLK_S_OK)
			return finish(blk, status);
	}
	for (; blk->range < blk->num_ranges && budget; blk->range++, range++, blk->done = 0) {
		len = (uint64_t)le32toh(range->num_sectors) * SECTOR;
		at = sectors(blk, le64toh(range->sector), len);
		if (!at)
			return finish(blk, VIRTIO_BLK_S_IOERR);
		part = len - blk->done < budget ? len - blk->done : budget;
		memset(at + blk->done, 0, part);
		blk->done += part;
		budget -= part;
		cleared += part;
		if (blk->done < len)
			break;
	}
	*more = blk->range < blk->num_ranges;
	if (!*more)
		finish(blk, VIRTIO_BLK_S_OK);
	return cleared;
}

static size_t get_id(struct blk *blk)
{
	struct builtin_request *req = &blk->builtin.req;
	char id[VIRTIO_BLK_ID_BYTES] = "virtio-msgd";

	if (vring_in_len(&req->chain) - 1 < sizeof(id))
		return finish(blk, VIRTIO_BLK_S_IOERR);
	vring_write(&req->chain, 0, id, sizeof(id));
	req->filled = sizeof(id);
	return finish(blk, VIRTIO_BLK_S_OK);
}

/* Without room for the status there is nobody to tell */
static bool blk_begin(struct builtin *b)
{
	const struct vring_chain *chain = &b->req.chain;
	struct blk *blk = (struct blk *)b;

	if (!vring_in_len(chain) || vring_out_len(chain) < sizeof(blk->hdr))
		return false;
	vring_read(chain, 0, &blk->hdr, sizeof(blk->hdr));
	blk->done = 0;
	blk->range = 0;
	return true;
}

static size_t blk_step(struct builtin *b, size_t budget, bool *more)
{
	struct blk *blk = (struct blk *)b;
	uint32_t type = le32toh(blk->hdr.type);

	*more = false;
	switch (type) {
	case VIRTIO_BLK_T_IN:
	case VIRTIO_BLK_T_OUT:
		return transfer(blk, budget, type == VIRTIO_BLK_T_OUT, more);
	case VIRTIO_BLK_T_FLUSH:
		return finish(blk, VIRTIO_BLK_S_OK);
	case VIRTIO_BLK_T_GET_ID:
		return get_id(blk);
	case VIRTIO_BLK_T_DISCARD:
	case VIRTIO_BLK_T_WRITE_ZEROES:
		return clear(blk, budget, type == VIRTIO_BLK_T_DISCARD, more);
	default:
		return finish(blk, VIRTIO_BLK_S_UNSUPP);
	}
}

/* A cache that cannot be flushed may not be one that writes back */
static void blk_accepted(struct builtin *b, uint64_t features)
{
	struct blk *blk = (struct blk *)b;

	blk->config.wce = features & 1ULL << VIRTIO_BLK_F_FLUSH ? 1 : 0;
}

/* The next driver finds the cache's mode as if there had been no other */
static void blk_reset(struct builtin *b)
{
	((struct blk *)b)->config.wce = 1;
}

/* Of all the fields only the cache's mode is the driver's; it changes nothing here */
static int blk_config_write(struct builtin *b, uint32_t offset, const void *buf, uint32_t len)
{
	struct blk *blk = (struct blk *)b;
	const uint8_t *wce = buf;

	if (offset != offsetof(struct virtio_blk_config, wce) || len != 1 || *wce > 1 ||
	    !has(blk, VIRTIO_BLK_F_CONFIG_WCE))
		return -EPERM;
	/* Without FLUSH there is nothing to write back with */
	if (*wce && !has(blk, VIRTIO_BLK_F_FLUSH))
		return -EPERM;
	blk->config.wce = *wce;
	return 0;
}

static int choose_size(struct params *params, uint64_t *size, struct errmsg *err)
{
	if (params_number(params, "size", SECTOR, MAX_SIZE, size, err))
		return -1;
	if (*size % SECTOR)
		return errmsg_set(err, "size=%llu: a multiple of %d is expected",
				  (unsigned long long)*size, SECTOR);
	return 0;
}

/* All that one request can clear is not more than there is */
static void set_limits(struct blk *blk)
{
	uint64_t max = blk->size / SECTOR / MAX_RANGES;
	uint32_t each = htole32(max ? max : 1);

	if (blk->read_only)
		return;
	blk->config.max_discard_sectors = each;
	blk->config.max_write_zeroes_sectors = each;
}

static int resize(struct blk *blk, uint64_t size, struct errmsg *err)
{
	/* Of a new disk, only what is written becomes memory */
	uint8_t *data = blk->data ? realloc(blk->data, size) : calloc(1, size);

	if (!data)
		return errmsg_set(err, "out of memory");
	if (blk->data && size > blk->size)
		memset(data + blk->size, 0, size - blk->size);
	blk->data = data;
	blk->size = size;
	blk->config.capacity = htole64(size / SECTOR);
	set_limits(blk);
	return 0;
}

static int blk_set(struct builtin *b, struct params *params, struct errmsg *err)
{
	struct blk *blk = (struct blk *)b;
	uint64_t size = blk->size;

	if (choose_size(params, &size, err) || params_unknown(params, err))
		return -1;
	if (size == blk->size)
		return 0;
	if (resize(blk, size, err))
		return -1;
	device_config_changed(&b->dev);
	return 0;
}

static void blk_release(struct builtin *b)
{
	free(((struct blk *)b)->data);
}

/* What the device can do, and what the driver finds in config space of it */
static uint64_t describe(struct blk *blk)
{
	uint64_t features = 1ULL << VIRTIO_BLK_F_SEG_MAX | 1ULL << VIRTIO_BLK_F_BLK_SIZE |
			    1ULL << VIRTIO_BLK_F_FLUSH | 1ULL << VIRTIO_BLK_F_CONFIG_WCE;

	blk->config.seg_max = htole32(MAX_DATA_SEGMENTS);
	blk->config.blk_size = htole32(SECTOR);
	blk->config.wce = 1;
	if (blk->read_only)
		return features | 1ULL << VIRTIO_BLK_F_RO;
	set_limits(blk);
	blk->config.max_discard_seg = htole32(MAX_RANGES);
	blk->config.discard_sector_alignment = htole32(1);
	blk->config.max_write_zeroes_seg = htole32(MAX_RANGES);
	return features | 1ULL << VIRTIO_BLK_F_DISCARD | 1ULL << VIRTIO_BLK_F_WRITE_ZEROES;
}

static struct device *blk_create(struct params *params, struct errmsg *err)
{
	struct blk *blk = calloc(1, sizeof(*blk));
	uint64_t size = DEFAULT_SIZE;

	if (!blk) {
		errmsg_set(err, "out of memory");
		return NULL;
	}
	blk->builtin.begin = blk_begin;
	blk->builtin.step = blk_step;
	blk->builtin.accepted = blk_accepted;
	blk->builtin.reset = blk_reset;
	blk->builtin.config = &blk->config;
	blk->builtin.config_write = blk_config_write;
	blk->builtin.set = blk_set;
	blk->builtin.release = blk_release;
	if (params_bool(params, "read-only", &blk->read_only, err) ||
	    choose_size(params, &size, err) || resize(blk, size, err) ||
	    builtin_init(&blk->builtin, "blk", VIRTIO_ID_BLOCK, describe(blk), params, err)) {
		free(blk->data);
		free(blk);
		return NULL;
	}
	blk->builtin.dev.config_size = sizeof(blk->config);
	return &blk->builtin.dev;
}

const struct device_kind device_blk = {
	.name = "blk",
	.create = blk_create,
};
