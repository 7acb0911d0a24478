// SPDX-License-Identifier: GPL-2.0-only
#include "vhost_user/kind.h"

#include <endian.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_console.h>
#include <linux/virtio_fs.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_net.h>
#include <linux/virtio_scsi.h>
#include <linux/virtio_vsock.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/model.h"

#define BIT64(n)	(1ULL << (n))
/* Seconds */
#define RECONNECT	10
#define RECONNECT_MAX	3600
/* What a guest's CPU can stand still for; guests with much memory need more */
#define ANSWER		30
#define ANSWER_MAX	50

/* Lay @len bytes of @data over @config, as far as that goes */
static void put(uint8_t *config, uint32_t size, size_t offset, const void *data, size_t len)
{
	if (offset + len <= size)
		memcpy(config + offset, data, len);
}

static void adjust_nothing(const struct vu_options *opts, unsigned int queues, uint8_t *config,
			   uint32_t size)
{
	(void)opts;
	(void)queues;
	(void)config;
	(void)size;
}

/*
 * Block device
 */

static int blk_options(struct vu_options *opts, struct params *params, struct errmsg *err)
{
	uint64_t capacity = 0;

	if (params_number(params, "capacity", 1, UINT64_MAX >> 9, &capacity, err))
		return -1;
	if (capacity) {
		capacity = htole64(capacity);
		memcpy(opts->config, &capacity, sizeof(capacity));
		opts->config_size = offsetof(struct virtio_blk_config, max_discard_sectors);
		/* See blk_adjust() */
		opts->filled = BIT64(VIRTIO_BLK_F_MQ);
	}
	return 0;
}

static void blk_adjust(const struct vu_options *opts, unsigned int queues, uint8_t *config,
		       uint32_t size)
{
	uint16_t num = htole16(queues);

	(void)opts;
	put(config, size, offsetof(struct virtio_blk_config, num_queues), &num, sizeof(num));
}

/*
 * File system
 */

static int fs_options(struct vu_options *opts, struct params *params, struct errmsg *err)
{
	const char *tag = params_get(params, "tag");
	size_t room = sizeof(((struct virtio_fs_config *)0)->tag);

	if (!tag)
		return 0;
	if (!*tag || strlen(tag) > room)
		return errmsg_set(err, "tag=%s: 1 to %zu bytes are expected", tag, room);
	memcpy(opts->config, tag, strlen(tag));
	opts->config_size = sizeof(struct virtio_fs_config);
	return 0;
}

/* One queue is for requests of high priority, and not counted. */
static void fs_adjust(const struct vu_options *opts, unsigned int queues, uint8_t *config,
		      uint32_t size)
{
	uint32_t num = htole32(queues - 1);

	(void)opts;
	put(config, size, offsetof(struct virtio_fs_config, num_request_queues), &num,
	    sizeof(num));
}

/*
 * Network: the control queue is the frontend's business, so what needs one is
 * not offered.
 */

#define NET_CONTROLLED	(BIT64(VIRTIO_NET_F_CTRL_GUEST_OFFLOADS) | \
			 BIT64(VIRTIO_NET_F_CTRL_VQ) | BIT64(VIRTIO_NET_F_CTRL_RX) | \
			 BIT64(VIRTIO_NET_F_CTRL_VLAN) | \
			 BIT64(VIRTIO_NET_F_CTRL_RX_EXTRA) | \
			 BIT64(VIRTIO_NET_F_GUEST_ANNOUNCE) | BIT64(VIRTIO_NET_F_MQ) | \
			 BIT64(VIRTIO_NET_F_CTRL_MAC_ADDR) | \
			 BIT64(VIRTIO_NET_F_NOTF_COAL) | BIT64(VIRTIO_NET_F_RSS) | \
			 BIT64(VIRTIO_NET_F_HASH_REPORT))

static bool parse_mac(const char *text, uint8_t mac[6])
{
	unsigned int byte[6], i;
	char end;

	if (strlen(text) != 17 ||
	    sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%c", &byte[0], &byte[1], &byte[2], &byte[3],
		   &byte[4], &byte[5], &end) != 6 || byte[0] & 1)
		return false;
	for (i = 0; i < 6; i++)
		mac[i] = byte[i];
	return true;
}

static int net_options(struct vu_options *opts, struct params *params, struct errmsg *err)
{
	struct virtio_net_config config = { .status = htole16(VIRTIO_NET_S_LINK_UP) };
	const char *mac = params_get(params, "mac");
	uint64_t mtu = 0;

	if (params_number(params, "mtu", 68, 65535, &mtu, err))
		return -1;
	if (mac && !parse_mac(mac, config.mac))
		return errmsg_set(err, "mac=%s: an address of one station is expected, such as 52:54:00:12:34:56",
				  mac);
	if (mac)
		opts->features |= BIT64(VIRTIO_NET_F_MAC);
	if (mtu)
		opts->features |= BIT64(VIRTIO_NET_F_MTU);
	config.mtu = htole16(mtu);
	opts->filled = opts->features | BIT64(VIRTIO_NET_F_STATUS);
	opts->config_size = offsetof(struct virtio_net_config, speed);
	memcpy(opts->config, &config, opts->config_size);
	return 0;
}

/* The user's address and size count, whatever a backend has. */
static void net_adjust(const struct vu_options *opts, unsigned int queues, uint8_t *config,
		       uint32_t size)
{
	const size_t mtu = offsetof(struct virtio_net_config, mtu);

	(void)queues;
	if (opts->features & BIT64(VIRTIO_NET_F_MAC))
		put(config, size, 0, opts->config, 6);
	if (opts->features & BIT64(VIRTIO_NET_F_MTU))
		put(config, size, mtu, opts->config + mtu, 2);
}

/*
 * Sockets
 */

static int vsock_options(struct vu_options *opts, struct params *params, struct errmsg *err)
{
	uint64_t cid = 0;

	if (params_number(params, "guest-cid", 3, UINT32_MAX - 1, &cid, err))
		return -1;
	if (cid) {
		cid = htole64(cid);
		memcpy(opts->config, &cid, sizeof(cid));
		opts->config_size = sizeof(struct virtio_vsock_config);
	}
	return 0;
}

/*
 * SCSI: what the frontend knows as well as any backend
 */

static int scsi_options(struct vu_options *opts, struct params *params, struct errmsg *err)
{
	const struct virtio_scsi_config config = {
		/* A ring full, but for the request's and the response's headers */
		.seg_max = htole32(opts->queue_size - 2),
		.max_sectors = htole32(0xffff),
		.cmd_per_lun = htole32(opts->queue_size),
		.event_info_size = htole32(sizeof(struct virtio_scsi_event)),
		.sense_size = htole32(VIRTIO_SCSI_SENSE_DEFAULT_SIZE),
		.cdb_size = htole32(VIRTIO_SCSI_CDB_DEFAULT_SIZE),
		.max_target = htole16(255),
		.max_lun = htole32(16383),
	};

	(void)params;
	(void)err;
	memcpy(opts->config, &config, sizeof(config));
	opts->config_size = sizeof(config);
	return 0;
}

/* Two are for control and for events, and not counted. */
static void scsi_adjust(const struct vu_options *opts, unsigned int queues, uint8_t *config,
			uint32_t size)
{
	uint32_t num = htole32(queues - 2);

	(void)opts;
	put(config, size, offsetof(struct virtio_scsi_config, num_queues), &num, sizeof(num));
}

/*
 * Any device: config space by size from the backend, or by bytes from an option
 */

static int parse_hex(struct vu_options *opts, const char *text, struct errmsg *err)
{
	size_t len = strlen(text), i;
	unsigned int byte;

	if (!len || len % 2 || len / 2 > sizeof(opts->config) ||
	    strspn(text, "0123456789abcdefABCDEF") != len)
		return errmsg_set(err, "config=%s: up to %zu bytes, two hexadecimal digits each, are expected",
				  text, sizeof(opts->config));
	for (i = 0; i < len / 2; i++) {
		sscanf(text + 2 * i, "%2x", &byte);
		opts->config[i] = byte;
	}
	opts->config_size = len / 2;
	return 0;
}

static int any_options(struct vu_options *opts, struct params *params, struct errmsg *err)
{
	const char *config = params_get(params, "config");
	uint64_t id = 0, size = 0;

	if (params_number(params, "id", 1, UINT16_MAX, &id, err) ||
	    params_number(params, "config-size", 1, VU_MAX_CONFIG, &size, err))
		return -1;
	if (!id)
		return errmsg_set(err, "type=any needs id=N, the virtio device ID");
	opts->id = id;
	opts->config_sizes[0] = size;
	return config ? parse_hex(opts, config, err) : 0;
}

/* Younger than the headers of Debian 12 */
#define BLK_F_ZONED	17

/* Likewise */
#ifndef VIRTIO_BLK_F_SECURE_ERASE
#define VIRTIO_BLK_F_SECURE_ERASE	16
#endif

#define BLK_FIELDS	(BIT64(VIRTIO_BLK_F_SIZE_MAX) | BIT64(VIRTIO_BLK_F_SEG_MAX) | \
			 BIT64(VIRTIO_BLK_F_GEOMETRY) | BIT64(VIRTIO_BLK_F_BLK_SIZE) | \
			 BIT64(VIRTIO_BLK_F_TOPOLOGY) | BIT64(VIRTIO_BLK_F_CONFIG_WCE) | \
			 BIT64(VIRTIO_BLK_F_MQ) | BIT64(VIRTIO_BLK_F_DISCARD) | \
			 BIT64(VIRTIO_BLK_F_WRITE_ZEROES) | BIT64(VIRTIO_BLK_F_SECURE_ERASE) | \
			 BIT64(BLK_F_ZONED))
#define NET_FIELDS	(BIT64(VIRTIO_NET_F_MAC) | BIT64(VIRTIO_NET_F_MTU) | \
			 BIT64(VIRTIO_NET_F_MQ) | BIT64(VIRTIO_NET_F_STATUS) | \
			 BIT64(VIRTIO_NET_F_SPEED_DUPLEX) | BIT64(VIRTIO_NET_F_RSS) | \
			 BIT64(VIRTIO_NET_F_HASH_REPORT))

static const struct vu_kind kinds[] = {
	{
		.name = "blk",
		.id = VIRTIO_ID_BLOCK,
		.queues = 1,
		.many = true,
		.queue_size = 128,
		/* zoned, secure erase, write zeroes, topology */
		.config_sizes = { 96, 72, 60, 36 },
		.config_features = BLK_FIELDS,
		.needs_config = "capacity=SECTORS says how large the disk is",
		.resume = VU_RESUME_IDLE,
		.options = blk_options,
		.adjust_config = blk_adjust,
	}, {
		.name = "console",
		.id = VIRTIO_ID_CONSOLE,
		.queues = 2,
		.many = true,
		.queue_size = 128,
		.config_sizes = { 12 },
		.config_features = BIT64(VIRTIO_CONSOLE_F_SIZE) | BIT64(VIRTIO_CONSOLE_F_MULTIPORT),
		.adjust_config = adjust_nothing,
	}, {
		.name = "fs",
		.id = VIRTIO_ID_FS,
		.queues = 2,
		.many = true,
		.queue_size = 128,
		.config_sizes = { 40 },
		.needs_config = "tag=NAME gives it one",
		.options = fs_options,
		.adjust_config = fs_adjust,
	}, {
		.name = "gpio",
		.id = VIRTIO_ID_GPIO,
		.queues = 2,
		.queue_size = 256,
		.config_sizes = { 8 },
		.needs_config = "a GPIO device is of no use without",
		.adjust_config = adjust_nothing,
	}, {
		.name = "i2c",
		.id = VIRTIO_ID_I2C_ADAPTER,
		.queues = 1,
		.queue_size = 64,
		/* The specification has them done in order */
		.resume = VU_RESUME_REPEAT,
		.adjust_config = adjust_nothing,
	}, {
		.name = "input",
		.id = VIRTIO_ID_INPUT,
		.queues = 2,
		.queue_size = 64,
		.config_sizes = { 136 },
		.needs_config = "an input device is of no use without",
		.adjust_config = adjust_nothing,
	}, {
		.name = "net",
		.id = VIRTIO_ID_NET,
		.queues = 2,
		.queue_size = 256,
		.config_sizes = { 24, 20, 12 },
		.config_features = NET_FIELDS,
		.not_offered = NET_CONTROLLED,
		.resume = VU_RESUME_REPEAT,
		.options = net_options,
		.adjust_config = net_adjust,
	}, {
		.name = "rng",
		.id = VIRTIO_ID_RNG,
		.queues = 1,
		.queue_size = 64,
		.resume = VU_RESUME_IDLE,
		.adjust_config = adjust_nothing,
	}, {
		.name = "scsi",
		.id = VIRTIO_ID_SCSI,
		.queues = 3,
		.many = true,
		.queue_size = 128,
		.config_sizes = { sizeof(struct virtio_scsi_config) },
		.keeps_config = true,
		.options = scsi_options,
		.adjust_config = scsi_adjust,
	}, {
		.name = "sound",
		.id = VIRTIO_ID_SOUND,
		.queues = 4,
		.queue_size = 64,
		.config_sizes = { 16, 12 },
		.needs_config = "a sound device is of no use without",
		.adjust_config = adjust_nothing,
	}, {
		.name = "vsock",
		.id = VIRTIO_ID_VSOCK,
		.queues = 2,
		.unserved = 1,
		.queue_size = 128,
		.config_sizes = { sizeof(struct virtio_vsock_config) },
		.needs_config = "guest-cid=N is the guest's address",
		.options = vsock_options,
		.adjust_config = adjust_nothing,
	}, {
		.name = "any",
		.queues = 1,
		.many = true,
		.queue_size = 128,
		.options = any_options,
		.adjust_config = adjust_nothing,
	},
};

#define NUM_KINDS (sizeof(kinds) / sizeof(kinds[0]))

const struct vu_kind *vu_kind_find(const char *name)
{
	size_t i;

	for (i = 0; i < NUM_KINDS; i++) {
		if (!strcmp(kinds[i].name, name))
			return &kinds[i];
	}
	return NULL;
}

void vu_kind_names(char *text, unsigned int size)
{
	unsigned int len = 0;
	size_t i;

	for (i = 0; i < NUM_KINDS && len < size; i++)
		len += snprintf(text + len, size - len, "%s%s", i ? ", " : "", kinds[i].name);
}

/* queues=, which for a file system does not count the queue of high priority */
static int parse_queues(struct vu_options *opts, struct params *params, struct errmsg *err)
{
	const struct vu_kind *kind = opts->kind;
	bool fs = kind->id == VIRTIO_ID_FS;
	uint64_t queues = 0;

	if (kind->many &&
	    params_number(params, "queues", fs ? 1 : kind->queues, DEVICE_MAX_QUEUES - fs,
			  &queues, err))
		return -1;
	opts->queues = queues ? queues + fs : kind->many && !fs ? 0 : kind->queues;
	opts->min_queues = opts->queues ? opts->queues : kind->queues;
	return 0;
}

static int parse_common(struct vu_options *opts, struct params *params, struct errmsg *err)
{
	uint64_t size = opts->kind->queue_size, reconnect = RECONNECT;
	uint64_t answer = ANSWER;

	if (params_number(params, "queue-size", 2, DEVICE_QUEUE_MAX_SIZE, &size, err) ||
	    params_number(params, "reconnect", 0, RECONNECT_MAX, &reconnect, err) ||
	    params_number(params, "answer", 1, ANSWER_MAX, &answer, err) ||
	    params_bool(params, "ring-reset", &opts->ring_reset, err))
		return -1;
	if (size & (size - 1))
		return errmsg_set(err, "queue-size=%llu: a power of 2 is expected",
				  (unsigned long long)size);
	opts->queue_size = size;
	opts->reconnect_s = reconnect;
	opts->answer_s = answer;
	return parse_queues(opts, params, err);
}

int vu_options_parse(struct vu_options *opts, const struct vu_kind *kind, struct params *params,
		     struct errmsg *err)
{
	const char *path = params_get(params, "socket");

	*opts = (struct vu_options) { .kind = kind, .id = kind->id, .ring_reset = true };
	memcpy(opts->config_sizes, kind->config_sizes, sizeof(opts->config_sizes));
	if (!path || !*path)
		return errmsg_set(err, "a vhost-user device needs socket=PATH, where its backend listens");
	if (parse_common(opts, params, err) ||
	    (kind->options && kind->options(opts, params, err)))
		return -1;
	opts->path = strdup(path);
	return opts->path ? 0 : errmsg_set(err, "out of memory");
}

void vu_options_free(struct vu_options *opts)
{
	free(opts->path);
}
