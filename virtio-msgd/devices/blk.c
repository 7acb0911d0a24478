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
 */
struct blk {
	struct builtin builtin;
	struct virtio_blk_config config;
	uint8_t *data;
	uint64_t size;
	bool read_only;
};

/* Where @len bytes from @sector on are; NULL if they are not all on the disk */
static uint8_t *sectors(struct blk *blk, uint64_t sector, uint64_t len)
{
	if (len % SECTOR || len > blk->size || sector > (blk->size - len) / SECTOR)
		return NULL;
	return blk->data + sector * SECTOR;
}

static uint8_t transfer(struct blk *blk, const struct vring_chain *chain, uint64_t sector,
			bool write)
{
	size_t len = write ? vring_out_len(chain) - sizeof(struct virtio_blk_outhdr) :
			     vring_in_len(chain) - 1;
	uint8_t *at = sectors(blk, sector, len);

	if (!at || (write && blk->read_only))
		return VIRTIO_BLK_S_IOERR;
	if (write)
		vring_read(chain, sizeof(struct virtio_blk_outhdr), at, len);
	else
		vring_write(chain, 0, at, len);
	return VIRTIO_BLK_S_OK;
}

/* Both make the sectors zero, which nobody may rely on after a discard */
static uint8_t clear(struct blk *blk, const struct vring_chain *chain)
{
	size_t len = vring_out_len(chain) - sizeof(struct virtio_blk_outhdr);
	struct virtio_blk_discard_write_zeroes ranges[MAX_RANGES];
	size_t num = len / sizeof(ranges[0]), i;
	uint8_t *at;

	if (blk->read_only || !num || num > MAX_RANGES || len % sizeof(ranges[0]))
		return VIRTIO_BLK_S_IOERR;
	vring_read(chain, sizeof(struct virtio_blk_outhdr), ranges, len);
	for (i = 0; i < num; i++) {
		uint64_t bytes = (uint64_t)le32toh(ranges[i].num_sectors) * SECTOR;

		at = sectors(blk, le64toh(ranges[i].sector), bytes);
		if (!at)
			return VIRTIO_BLK_S_IOERR;
		memset(at, 0, bytes);
	}
	return VIRTIO_BLK_S_OK;
}

static uint8_t get_id(const struct vring_chain *chain)
{
	char id[VIRTIO_BLK_ID_BYTES] = "virtio-msgd";

	if (vring_in_len(chain) - 1 < sizeof(id))
		return VIRTIO_BLK_S_IOERR;
	vring_write(chain, 0, id, sizeof(id));
	return VIRTIO_BLK_S_OK;
}

static uint8_t execute(struct blk *blk, const struct vring_chain *chain)
{
	struct virtio_blk_outhdr hdr;

	vring_read(chain, 0, &hdr, sizeof(hdr));
	switch (le32toh(hdr.type)) {
	case VIRTIO_BLK_T_IN:
		return transfer(blk, chain, le64toh(hdr.sector), false);
	case VIRTIO_BLK_T_OUT:
		return transfer(blk, chain, le64toh(hdr.sector), true);
	case VIRTIO_BLK_T_FLUSH:
		return VIRTIO_BLK_S_OK;
	case VIRTIO_BLK_T_GET_ID:
		return get_id(chain);
	case VIRTIO_BLK_T_DISCARD:
	case VIRTIO_BLK_T_WRITE_ZEROES:
		return clear(blk, chain);
	default:
		return VIRTIO_BLK_S_UNSUPP;
	}
}

static uint32_t blk_request(struct builtin *b, const struct vring_chain *chain)
{
	size_t in_len = vring_in_len(chain);
	uint8_t status;

	/* Without room for the status there is nobody to tell */
	if (!in_len || vring_out_len(chain) < sizeof(struct virtio_blk_outhdr))
		return 0;
	status = execute((struct blk *)b, chain);
	vring_write(chain, in_len - 1, &status, 1);
	return in_len;
}

/* Of all the fields only the cache's mode is the driver's; it changes nothing here */
static int blk_config_write(struct builtin *b, uint32_t offset, const void *buf, uint32_t len)
{
	struct blk *blk = (struct blk *)b;
	const uint8_t *wce = buf;

	if (offset != offsetof(struct virtio_blk_config, wce) || len != 1 || *wce > 1)
		return -EPERM;
	blk->config.wce = *wce;
	return 0;
}

static int resize(struct blk *blk, struct params *params, struct errmsg *err)
{
	uint64_t size = blk->size ? blk->size : DEFAULT_SIZE;
	uint8_t *data;

	if (params_number(params, "size", SECTOR, MAX_SIZE, &size, err))
		return -1;
	if (size % SECTOR)
		return errmsg_set(err, "size=%llu: a multiple of %d is expected",
				  (unsigned long long)size, SECTOR);
	data = realloc(blk->data, size);
	if (!data)
		return errmsg_set(err, "out of memory");
	if (size > blk->size)
		memset(data + blk->size, 0, size - blk->size);
	blk->data = data;
	blk->size = size;
	blk->config.capacity = htole64(size / SECTOR);
	return 0;
}

static int blk_set(struct builtin *b, struct params *params, struct errmsg *err)
{
	struct blk *blk = (struct blk *)b;
	uint64_t before = blk->size;

	if (resize(blk, params, err))
		return -1;
	if (blk->size != before)
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
	blk->config.max_discard_sectors = htole32(MAX_SIZE / SECTOR);
	blk->config.max_discard_seg = htole32(MAX_RANGES);
	blk->config.discard_sector_alignment = htole32(1);
	blk->config.max_write_zeroes_sectors = htole32(MAX_SIZE / SECTOR);
	blk->config.max_write_zeroes_seg = htole32(MAX_RANGES);
	return features | 1ULL << VIRTIO_BLK_F_DISCARD | 1ULL << VIRTIO_BLK_F_WRITE_ZEROES;
}

static struct device *blk_create(struct params *params, struct errmsg *err)
{
	struct blk *blk = calloc(1, sizeof(*blk));

	if (!blk) {
		errmsg_set(err, "out of memory");
		return NULL;
	}
	blk->builtin.request = blk_request;
	blk->builtin.config = &blk->config;
	blk->builtin.config_write = blk_config_write;
	blk->builtin.set = blk_set;
	blk->builtin.release = blk_release;
	if (params_bool(params, "read-only", &blk->read_only, err) ||
	    resize(blk, params, err) ||
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
