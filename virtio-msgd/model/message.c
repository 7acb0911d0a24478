// SPDX-License-Identifier: GPL-2.0-only
/*
 * The messages of transport revision 1: every request is checked here, carried
 * out by the model, and answered. A request that is not answered got a 0.
 */
#include <endian.h>
#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_msg.h>
#include <string.h>

#include "model/slot.h"
#include "model/vring.h"

/**
 * struct message - a request that is being answered
 * @slot: whom it is for
 * @req: the request, @len bytes
 * @len: its size, which is that in its header
 * @resp: the response, for @max bytes
 * @max: largest response
 */
struct message {
	struct slot *slot;
	const void *req;
	size_t len;
	void *resp;
	size_t max;
};

static size_t get_device_info(struct message *m)
{
	struct virtio_msg_get_device_info_resp *resp = m->resp;
	const struct device *dev = m->slot->dev;

	if (sizeof(*resp) > m->max)
		return 0;
	memset(&resp->device_id, 0, sizeof(*resp) - sizeof(resp->hdr));
	if (dev) {
		resp->device_id = htole32(dev->id);
		resp->vendor_id = htole32(dev->vendor);
		memcpy(resp->uuid, dev->uuid, sizeof(resp->uuid));
		resp->num_feature_blocks = htole32(2);
		resp->config_size = htole32(dev->config_size);
		resp->max_virtqueues = htole32(dev->num_queues);
	}
	return sizeof(*resp);
}

static size_t get_device_features(struct message *m)
{
	const struct virtio_msg_get_features *req = m->req;
	struct virtio_msg_features *resp = m->resp;
	uint32_t block = le32toh(req->block_index);
	uint32_t num = le32toh(req->num_blocks);
	uint64_t offered = slot_offered(m->slot);
	uint32_t i;

	if (num > (m->max - sizeof(*resp)) / sizeof(uint32_t) || block + num < block)
		return 0;
	resp->block_index = req->block_index;
	resp->num_blocks = req->num_blocks;
	for (i = 0; i < num; i++) {
		uint32_t bits = block + i < 2 ? offered >> (32 * (block + i)) : 0;

		resp->features[i] = htole32(bits);
	}
	return sizeof(*resp) + num * sizeof(uint32_t);
}

static size_t set_driver_features(struct message *m)
{
	const struct virtio_msg_features *req = m->req;
	uint32_t block = le32toh(req->block_index);
	uint32_t num = le32toh(req->num_blocks);
	uint32_t i;

	if (num != (m->len - sizeof(*req)) / sizeof(uint32_t) ||
	    (m->len - sizeof(*req)) % sizeof(uint32_t) || block + num < block)
		return 0;
	for (i = 0; i < num; i++) {
		if (slot_set_features(m->slot, block + i, le32toh(req->features[i])))
			return 0;
	}
	return sizeof(struct virtio_msg_header);
}

static size_t get_config(struct message *m)
{
	const struct virtio_msg_get_config *req = m->req;
	struct virtio_msg_config *resp = m->resp;
	uint32_t len = le32toh(req->length);

	if (len > m->max - sizeof(*resp) ||
	    slot_config_read(m->slot, le32toh(req->offset), resp->data, len))
		return 0;
	resp->generation = htole32(m->slot->generation);
	resp->offset = req->offset;
	resp->length = req->length;
	return sizeof(*resp) + len;
}

static size_t set_config(struct message *m)
{
	const struct virtio_msg_config *req = m->req;
	struct virtio_msg_config *resp = m->resp;
	uint32_t len = le32toh(req->length);
	bool applied;

	if (!len || len != m->len - sizeof(*req))
		return 0;
	applied = !(m->slot->strict && le32toh(req->generation) != m->slot->generation) &&
		  !slot_config_write(m->slot, le32toh(req->offset), req->data, len);
	resp->generation = htole32(m->slot->generation);
	resp->offset = req->offset;
	resp->length = applied ? req->length : 0;
	return sizeof(*resp);
}

static size_t answer_status(struct message *m)
{
	struct virtio_msg_status *resp = m->resp;

	resp->status = htole32(slot_get_status(m->slot));
	return sizeof(*resp);
}

static size_t set_device_status(struct message *m)
{
	const struct virtio_msg_status *req = m->req;

	slot_set_status(m->slot, le32toh(req->status));
	return answer_status(m);
}

/* A queue that does not exist has a max_size of 0 */
static size_t get_vqueue(struct message *m)
{
	const struct virtio_msg_vqueue *req = m->req;
	struct virtio_msg_get_vqueue_resp *resp = m->resp;
	const struct device_queue none = { 0 };
	const struct device_queue *queue = slot_queue(m->slot, le32toh(req->index));

	if (!queue)
		queue = &none;
	resp->index = req->index;
	resp->max_size = htole32(queue->max_size);
	resp->cur_size = htole32(queue->size);
	resp->flags = htole32(queue->enabled ? VIRTIO_MSG_VQUEUE_ENABLED : 0);
	resp->desc_addr = htole64(queue->desc);
	resp->driver_addr = htole64(queue->driver);
	resp->device_addr = htole64(queue->device);
	return sizeof(*resp);
}

static size_t set_vqueue(struct message *m)
{
	const struct virtio_msg_set_vqueue *req = m->req;
	const struct device_queue setup = {
		.size = le32toh(req->size),
		.desc = le64toh(req->desc_addr),
		.driver = le64toh(req->driver_addr),
		.device = le64toh(req->device_addr),
	};
	struct device_queue *queue = slot_queue(m->slot, le32toh(req->index));

	if (le32toh(req->flags) & VIRTIO_MSG_VQUEUE_ENABLED) {
		if (slot_enable_queue(m->slot, le32toh(req->index), &setup))
			return 0;
	} else {
		/* Nothing is served yet: the addresses are checked with the flag */
		if (!queue || queue->enabled || setup.size > queue->max_size)
			return 0;
		queue->size = setup.size;
		queue->desc = setup.desc;
		queue->driver = setup.driver;
		queue->device = setup.device;
	}
	return sizeof(struct virtio_msg_header);
}

static size_t reset_vqueue(struct message *m)
{
	const struct virtio_msg_vqueue *req = m->req;

	if (!(device_features(m->slot->dev) & 1ULL << VIRTIO_F_RING_RESET) ||
	    slot_reset_queue(m->slot, le32toh(req->index)))
		return 0;
	return sizeof(struct virtio_msg_header);
}

static size_t get_shm(struct message *m)
{
	const struct virtio_msg_get_shm *req = m->req;
	struct virtio_msg_get_shm_resp *resp = m->resp;
	struct device *dev = m->slot->dev;
	uint64_t addr = 0, len = 0;

	if (!dev->ops->shm || !dev->ops->shm(dev, le32toh(req->shmid), &addr, &len)) {
		addr = 0;
		len = 0;
	}
	resp->shmid = req->shmid;
	resp->reserved = 0;
	resp->length = htole64(len);
	resp->address = htole64(addr);
	return sizeof(*resp);
}

static size_t event_avail(struct message *m)
{
	const struct virtio_msg_event_avail *req = m->req;
	uint32_t q = le32toh(req->index);
	uint32_t next = le32toh(req->next_offset);
	uint32_t data = q;

	/* As vring_notification_data() has it: the wrap bit is the top bit in both */
	if (device_features(m->slot->dev) & 1ULL << VIRTIO_F_NOTIFICATION_DATA)
		data |= (next & 0x7fff) << 16 | (next & VIRTIO_MSG_AVAIL_WRAP) |
			(next & 0x8000) << 16;
	slot_kick(m->slot, q, data);
	return 0;
}

/**
 * struct handler - of one message
 * @size: of the request, its fixed part
 * @tail: it may be longer
 * @empty: it may be for an empty slot
 * @handle: carries it out; the size of the response, or 0
 */
struct handler {
	uint16_t size;
	bool tail;
	bool empty;
	size_t (*handle)(struct message *m);
};

static const struct handler handlers[] = {
	[VIRTIO_MSG_GET_DEVICE_INFO] = {
		.size = sizeof(struct virtio_msg_header),
		.empty = true,
		.handle = get_device_info,
	},
	[VIRTIO_MSG_GET_DEVICE_FEATURES] = {
		.size = sizeof(struct virtio_msg_get_features),
		.handle = get_device_features,
	},
	[VIRTIO_MSG_SET_DRIVER_FEATURES] = {
		.size = sizeof(struct virtio_msg_features),
		.tail = true,
		.handle = set_driver_features,
	},
	[VIRTIO_MSG_GET_CONFIG] = {
		.size = sizeof(struct virtio_msg_get_config),
		.handle = get_config,
	},
	[VIRTIO_MSG_SET_CONFIG] = {
		.size = sizeof(struct virtio_msg_config),
		.tail = true,
		.handle = set_config,
	},
	[VIRTIO_MSG_GET_DEVICE_STATUS] = {
		.size = sizeof(struct virtio_msg_header),
		.handle = answer_status,
	},
	[VIRTIO_MSG_SET_DEVICE_STATUS] = {
		.size = sizeof(struct virtio_msg_status),
		.handle = set_device_status,
	},
	[VIRTIO_MSG_GET_VQUEUE] = {
		.size = sizeof(struct virtio_msg_vqueue),
		.handle = get_vqueue,
	},
	[VIRTIO_MSG_SET_VQUEUE] = {
		.size = sizeof(struct virtio_msg_set_vqueue),
		.handle = set_vqueue,
	},
	[VIRTIO_MSG_RESET_VQUEUE] = {
		.size = sizeof(struct virtio_msg_vqueue),
		.handle = reset_vqueue,
	},
	[VIRTIO_MSG_GET_SHM] = {
		.size = sizeof(struct virtio_msg_get_shm),
		.handle = get_shm,
	},
	[VIRTIO_MSG_EVENT_AVAIL] = {
		.size = sizeof(struct virtio_msg_event_avail),
		.handle = event_avail,
	},
};

/* Who handles it, or NULL if it is malformed, unknown or for nobody here */
static const struct handler *find_handler(const struct slot *slot,
					  const struct virtio_msg_header *hdr,
					  size_t len)
{
	const struct handler *handler;

	if (hdr->type & (VIRTIO_MSG_TYPE_RESPONSE | VIRTIO_MSG_TYPE_BUS) ||
	    le16toh(hdr->dev_num) != slot->number ||
	    hdr->msg_id >= sizeof(handlers) / sizeof(handlers[0]))
		return NULL;
	handler = &handlers[hdr->msg_id];
	if (!handler->handle || (!slot->dev && !handler->empty))
		return NULL;
	if (len < handler->size || (len > handler->size && !handler->tail))
		return NULL;
	return handler;
}

int slot_message(struct slot *slot, const void *request, size_t len,
		 void *response, size_t max)
{
	const struct virtio_msg_header *hdr = request;
	struct virtio_msg_header *answer = response;
	struct message m = {
		.slot = slot,
		.req = request,
		.len = len,
		.resp = response,
		.max = max,
	};
	const struct handler *handler;
	size_t size;

	if (len < sizeof(*hdr) || len > max || le16toh(hdr->msg_size) != len)
		return -EINVAL;
	handler = find_handler(slot, hdr, len);
	if (!handler)
		return -EINVAL;
	size = handler->handle(&m);
	if (!size)
		return hdr->msg_id & VIRTIO_MSG_ID_EVENT ? 0 : -EINVAL;

	answer->type = VIRTIO_MSG_TYPE_RESPONSE;
	answer->msg_id = hdr->msg_id;
	answer->dev_num = hdr->dev_num;
	answer->token = hdr->token;
	answer->msg_size = htole16(size);
	return size;
}
