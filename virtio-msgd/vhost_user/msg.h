/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The vhost-user protocol as it goes over the socket, in the machine's byte
 * order: what a frontend sends, and what a backend may send. The specification
 * is docs/interop/vhost-user.rst of QEMU.
 */
#ifndef MSGD_VHOST_USER_MSG_H
#define MSGD_VHOST_USER_MSG_H

#include <linux/vhost_types.h>
#include <stdint.h>

/* Feature bit of the backend that says there are protocol features */
#define VHOST_USER_F_PROTOCOL_FEATURES	30

enum vu_protocol_feature {
	VU_PROTOCOL_F_MQ = 0,
	VU_PROTOCOL_F_REPLY_ACK = 3,
	VU_PROTOCOL_F_BACKEND_REQ = 5,
	VU_PROTOCOL_F_CONFIG = 9,
	VU_PROTOCOL_F_INFLIGHT_SHMFD = 12,
	VU_PROTOCOL_F_RESET_DEVICE = 13,
	VU_PROTOCOL_F_CONFIGURE_MEM_SLOTS = 15,
	VU_PROTOCOL_F_STATUS = 16,
	VU_PROTOCOL_F_XEN_MMAP = 17,
};

/* Requests of the frontend */
enum vu_request {
	VU_GET_FEATURES = 1,
	VU_SET_FEATURES = 2,
	VU_SET_OWNER = 3,
	VU_SET_MEM_TABLE = 5,
	VU_SET_VRING_NUM = 8,
	VU_SET_VRING_ADDR = 9,
	VU_SET_VRING_BASE = 10,
	VU_GET_VRING_BASE = 11,
	VU_SET_VRING_KICK = 12,
	VU_SET_VRING_CALL = 13,
	VU_SET_VRING_ERR = 14,
	VU_GET_PROTOCOL_FEATURES = 15,
	VU_SET_PROTOCOL_FEATURES = 16,
	VU_GET_QUEUE_NUM = 17,
	VU_SET_VRING_ENABLE = 18,
	VU_SET_BACKEND_REQ_FD = 21,
	VU_GET_CONFIG = 24,
	VU_SET_CONFIG = 25,
	VU_GET_INFLIGHT_FD = 31,
	VU_SET_INFLIGHT_FD = 32,
	VU_RESET_DEVICE = 34,
	VU_GET_MAX_MEM_SLOTS = 36,
	VU_ADD_MEM_REG = 37,
	VU_REM_MEM_REG = 38,
	VU_SET_STATUS = 39,
	VU_GET_STATUS = 40,
};

/* Requests of the backend, on the channel of VU_SET_BACKEND_REQ_FD */
enum vu_backend_request {
	VU_BACKEND_CONFIG_CHANGE_MSG = 2,
};

/* Header flags */
#define VU_VERSION		0x1
#define VU_VERSION_MASK		0x3
#define VU_REPLY		0x4
#define VU_NEED_REPLY		0x8

/* Bytes of config space that one message can carry */
#define VU_MAX_CONFIG		256
/* Regions, and so descriptors, that one message can carry */
#define VU_MAX_REGIONS		8

/**
 * struct vu_region - a memory region; without XEN_MMAP only the first 32 bytes
 * @guest_addr: guest address
 * @size: bytes
 * @user_addr: the address that ring addresses in this region are based on
 * @mmap_offset: where it starts in the descriptor
 * @xen_flags: VU_XEN_*
 * @xen_domid: the guest
 */
struct vu_region {
	uint64_t guest_addr;
	uint64_t size;
	uint64_t user_addr;
	uint64_t mmap_offset;
	uint32_t xen_flags;
	uint32_t xen_domid;
};

#define VU_REGION_SIZE		32
#define VU_REGION_SIZE_XEN	40

#define VU_XEN_FOREIGN		0x1
#define VU_XEN_GRANT		0x2
/* Map what is needed when it is needed, not all at once */
#define VU_XEN_NO_ADVANCE_MAP	0x8

struct vu_config {
	uint32_t offset;
	uint32_t size;
	uint32_t flags;
	uint8_t data[VU_MAX_CONFIG];
};

#define VU_CONFIG_HEADER	12

/* With the padding that backends expect, although the specification has none */
struct vu_inflight {
	uint64_t mmap_size;
	uint64_t mmap_offset;
	uint16_t num_queues;
	uint16_t queue_size;
	uint32_t padding;
} __attribute__((packed));

#define VU_INFLIGHT_UNPADDED	20

/* The regions follow, VU_REGION_SIZE or VU_REGION_SIZE_XEN bytes each */
struct vu_regions {
	uint32_t num;
	uint32_t padding;
	uint8_t regions[VU_MAX_REGIONS * VU_REGION_SIZE_XEN];
};

#define VU_REGIONS_HEADER	8

/* Of VU_SET_VRING_KICK, _CALL, _ERR: the queue's index, or no descriptor */
#define VU_VRING_INDEX_MASK	0xff
#define VU_VRING_NO_FD		0x100

/**
 * struct vu_msg - one message
 * @request: enum vu_request, or enum vu_backend_request
 * @flags: VU_VERSION, VU_REPLY, VU_NEED_REPLY
 * @size: of the payload that is there
 */
struct vu_msg {
	uint32_t request;
	uint32_t flags;
	uint32_t size;
	union {
		uint64_t u64;
		struct vhost_vring_state state;
		struct vhost_vring_addr addr;
		struct vu_config config;
		struct vu_inflight inflight;
		struct vu_regions regions;
		uint8_t bytes[VU_REGIONS_HEADER + VU_MAX_REGIONS * VU_REGION_SIZE_XEN];
	} __attribute__((packed));
} __attribute__((packed));

#define VU_HEADER_SIZE		12
#define VU_MAX_PAYLOAD		(sizeof(struct vu_msg) - VU_HEADER_SIZE)

#endif
