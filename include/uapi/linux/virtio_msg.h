/* SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause) */
/*
 * virtio-msg: the messages of transport revision 1
 *
 * Every message starts with struct virtio_msg_header. All fields are little
 * endian, whatever the byte order of either side, and all of them are aligned
 * to their size, so nothing here needs packing.
 */
#ifndef _UAPI_LINUX_VIRTIO_MSG_H
#define _UAPI_LINUX_VIRTIO_MSG_H

#include <linux/types.h>

#define VIRTIO_MSG_REVISION_1		1

/* Limits of a bus instance's maximum message size, in bytes */
#define VIRTIO_MSG_SIZE_MIN		52
#define VIRTIO_MSG_SIZE_MAX		65535
/* What a bus should offer: a header and 256 bytes */
#define VIRTIO_MSG_SIZE_RECOMMENDED	264

/* Transport feature bits of a bus instance */
#define VIRTIO_MSG_F_STRICT_CONFIG_GENERATION	0

/* virtio_msg_header.type; the other bits are sent as 0 and ignored */
#define VIRTIO_MSG_TYPE_RESPONSE	0x01
#define VIRTIO_MSG_TYPE_BUS		0x02

/* virtio_msg_header.msg_id: bit 6 tells an event, bit 7 is implementation-defined */
#define VIRTIO_MSG_ID_EVENT		0x40
#define VIRTIO_MSG_ID_IMPL_DEFINED	0x80

/* Transport messages */
#define VIRTIO_MSG_GET_DEVICE_INFO	0x02
#define VIRTIO_MSG_GET_DEVICE_FEATURES	0x03
#define VIRTIO_MSG_SET_DRIVER_FEATURES	0x04
#define VIRTIO_MSG_GET_CONFIG		0x05
#define VIRTIO_MSG_SET_CONFIG		0x06
#define VIRTIO_MSG_GET_DEVICE_STATUS	0x07
#define VIRTIO_MSG_SET_DEVICE_STATUS	0x08
#define VIRTIO_MSG_GET_VQUEUE		0x09
#define VIRTIO_MSG_SET_VQUEUE		0x0a
#define VIRTIO_MSG_RESET_VQUEUE		0x0b
#define VIRTIO_MSG_GET_SHM		0x0c

#define VIRTIO_MSG_EVENT_CONFIG		0x40
#define VIRTIO_MSG_EVENT_AVAIL		0x41
#define VIRTIO_MSG_EVENT_USED		0x42

/* Bus messages: VIRTIO_MSG_TYPE_BUS is set, dev_num is 0 */
#define VIRTIO_MSG_BUS_GET_DEVICES	0x02
#define VIRTIO_MSG_BUS_PING		0x03

#define VIRTIO_MSG_BUS_EVENT_DEVICE	0x40

/**
 * struct virtio_msg_header - in front of every message
 * @type: VIRTIO_MSG_TYPE_* bits
 * @msg_id: which message
 * @dev_num: the device on its bus instance; 0 in bus messages
 * @token: belongs to the bus; copied from a request to its response
 * @msg_size: header and payload, in bytes
 */
struct virtio_msg_header {
	__u8 type;
	__u8 msg_id;
	__le16 dev_num;
	__le16 token;
	__le16 msg_size;
};

/* GET_DEVICE_INFO; a device_id of 0 is an empty slot */
struct virtio_msg_get_device_info_resp {
	struct virtio_msg_header hdr;
	__le32 device_id;
	__le32 vendor_id;
	__u8 uuid[16];
	__le32 num_feature_blocks;
	__le32 config_size;
	__le32 max_virtqueues;
	__le32 admin_vq_start;
	__le32 admin_vq_count;
};

/* GET_DEVICE_FEATURES, both ways; SET_DRIVER_FEATURES: blocks of 32 bits */
struct virtio_msg_get_features {
	struct virtio_msg_header hdr;
	__le32 block_index;
	__le32 num_blocks;
};

struct virtio_msg_features {
	struct virtio_msg_header hdr;
	__le32 block_index;
	__le32 num_blocks;
	__le32 features[];
};

struct virtio_msg_get_config {
	struct virtio_msg_header hdr;
	__le32 offset;
	__le32 length;
};

/* The response to GET_CONFIG; SET_CONFIG, both ways */
struct virtio_msg_config {
	struct virtio_msg_header hdr;
	__le32 generation;
	__le32 offset;
	__le32 length;
	__u8 data[];
};

/* The response to GET_DEVICE_STATUS; SET_DEVICE_STATUS, both ways */
struct virtio_msg_status {
	struct virtio_msg_header hdr;
	__le32 status;
};

/* GET_VQUEUE, RESET_VQUEUE, EVENT_USED */
struct virtio_msg_vqueue {
	struct virtio_msg_header hdr;
	__le32 index;
};

#define VIRTIO_MSG_VQUEUE_ENABLED	0x01	/* in the flags of the next two */

struct virtio_msg_get_vqueue_resp {
	struct virtio_msg_header hdr;
	__le32 index;
	__le32 max_size;
	__le32 cur_size;
	__le32 flags;
	__le64 desc_addr;
	__le64 driver_addr;
	__le64 device_addr;
};

struct virtio_msg_set_vqueue {
	struct virtio_msg_header hdr;
	__le32 index;
	__le32 flags;
	__le32 size;
	__le32 reserved;
	__le64 desc_addr;
	__le64 driver_addr;
	__le64 device_addr;
};

struct virtio_msg_get_shm {
	struct virtio_msg_header hdr;
	__le32 shmid;
};

/* A length of 0: there is no such region */
struct virtio_msg_get_shm_resp {
	struct virtio_msg_header hdr;
	__le32 shmid;
	__le32 reserved;
	__le64 length;
	__le64 address;
};

struct virtio_msg_event_config {
	struct virtio_msg_header hdr;
	__le32 device_status;
	__le32 generation;
	__le32 offset;
	__le32 length;
	__u8 data[];
};

/* next_offset is 0 unless VIRTIO_F_NOTIFICATION_DATA was negotiated */
#define VIRTIO_MSG_AVAIL_WRAP		0x80000000

struct virtio_msg_event_avail {
	struct virtio_msg_header hdr;
	__le32 index;
	__le32 next_offset;
};

/* offset and count are multiples of 8; a next_offset of 0 is the end */
struct virtio_msg_bus_get_devices {
	struct virtio_msg_header hdr;
	__le16 offset;
	__le16 count;
};

struct virtio_msg_bus_get_devices_resp {
	struct virtio_msg_header hdr;
	__le16 offset;
	__le16 next_offset;
	__le16 count;
	__u8 bitmap[];
};

struct virtio_msg_bus_ping {
	struct virtio_msg_header hdr;
	__le32 data;
};

#define VIRTIO_MSG_DEVICE_ADDED		1
#define VIRTIO_MSG_DEVICE_REMOVED	2
#define VIRTIO_MSG_DEVICE_IMPL_DEFINED	0x8000

struct virtio_msg_bus_event_device {
	struct virtio_msg_header hdr;
	__le16 dev_num;
	__le16 state;
};

#endif /* _UAPI_LINUX_VIRTIO_MSG_H */
