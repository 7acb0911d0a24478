// SPDX-License-Identifier: GPL-2.0-only
/*
 * Messages to the bus, that is to a window and not to a device behind it.
 */
#include <endian.h>
#include <errno.h>
#include <linux/virtio_msg.h>
#include <string.h>

#include "model/window.h"

/* Device numbers that a response tells of: all there may be, in whole bytes */
static unsigned int num_numbers(const struct window *win)
{
	return (win->config.num_slots + 7) & ~7U;
}

static size_t get_devices(struct window *win, const struct virtio_msg_bus_get_devices *req,
			  struct virtio_msg_bus_get_devices_resp *resp, size_t max)
{
	unsigned int first = le16toh(req->offset), count = le16toh(req->count), i;
	unsigned int room = (max - sizeof(*resp)) * 8, end = num_numbers(win);

	if (first % 8 || count % 8 || !count)
		return 0;
	count = count < room ? count : room;
	if (first >= end)
		count = 0;
	else if (count > end - first)
		count = end - first;
	memset(resp->bitmap, 0, count / 8);
	for (i = 0; i < count && first + i < win->config.num_slots; i++)
		resp->bitmap[i / 8] |= (win->slots[first + i].dev != NULL) << (i % 8);
	resp->offset = req->offset;
	resp->next_offset = htole16(first + count < end && count ? first + count : 0);
	resp->count = htole16(count);
	return sizeof(*resp) + count / 8;
}

int window_bus_message(struct window *win, const void *request, size_t len, void *response,
		       size_t max)
{
	const struct virtio_msg_header *hdr = request;
	struct virtio_msg_header *answer = response;
	size_t size = 0;

	if (hdr->type & VIRTIO_MSG_TYPE_RESPONSE || le16toh(hdr->msg_size) != len)
		return -EINVAL;
	if (hdr->msg_id == VIRTIO_MSG_BUS_GET_DEVICES &&
	    len == sizeof(struct virtio_msg_bus_get_devices)) {
		size = get_devices(win, request, response, max);
	} else if (hdr->msg_id == VIRTIO_MSG_BUS_PING && len == sizeof(struct virtio_msg_bus_ping)) {
		memcpy(response, request, len);
		size = len;
	}
	if (!size)
		return -EINVAL;
	answer->type = VIRTIO_MSG_TYPE_RESPONSE | VIRTIO_MSG_TYPE_BUS;
	answer->msg_id = hdr->msg_id;
	answer->dev_num = hdr->dev_num;
	answer->token = hdr->token;
	answer->msg_size = htole16(size);
	return size;
}
