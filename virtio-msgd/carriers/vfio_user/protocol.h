/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Messages of the vfio-user protocol, version 0.0, as far as they are known here. All in
 * the host's byte order; <linux/vfio.h> has the parts that VFIO has as well.
 */
#ifndef MSGD_VFIO_USER_PROTOCOL_H
#define MSGD_VFIO_USER_PROTOCOL_H

#include <linux/vfio.h>
#include <stdint.h>

#define VF_MAJOR	0
#define VF_MINOR	0

enum vf_command {
	VF_VERSION = 1,
	VF_DMA_MAP = 2,
	VF_DMA_UNMAP = 3,
	VF_GET_INFO = 4,
	VF_GET_REGION_INFO = 5,
	VF_GET_IRQ_INFO = 7,
	VF_SET_IRQS = 8,
	VF_REGION_READ = 9,
	VF_REGION_WRITE = 10,
	VF_DEVICE_RESET = 13,
};

/* Flags of a header */
#define VF_TYPE		0x0f
#define VF_REPLY	0x01
#define VF_NO_REPLY	0x10
#define VF_ERROR	0x20

/* Flags of DMA_MAP and DMA_UNMAP */
#define VF_DMA_READ	0x1
#define VF_DMA_WRITE	0x2
#define VF_UNMAP_ALL	0x2

/* What we say that we take */
#define VF_MAX_FDS	16
#define VF_MAX_DATA	4096
#define VF_PAGE_SIZE	4096

struct vf_header {
	uint16_t id;
	uint16_t command;
	uint32_t size;
	uint32_t flags;
	uint32_t error;
};

struct vf_version {
	uint16_t major;
	uint16_t minor;
};

struct vf_dma_map {
	uint32_t argsz;
	uint32_t flags;
	uint64_t offset;
	uint64_t addr;
	uint64_t size;
};

struct vf_dma_unmap {
	uint32_t argsz;
	uint32_t flags;
	uint64_t addr;
	uint64_t size;
};

struct vf_device_info {
	uint32_t argsz;
	uint32_t flags;
	uint32_t num_regions;
	uint32_t num_irqs;
};

struct vf_region_io {
	uint64_t offset;
	uint32_t region;
	uint32_t count;
};

/* struct vfio_irq_set, without what is behind it */
struct vf_irq_set {
	uint32_t argsz;
	uint32_t flags;
	uint32_t index;
	uint32_t start;
	uint32_t count;
};

/* The longest message is a read or a write */
#define VF_MAX_PAYLOAD	(sizeof(struct vf_region_io) + VF_MAX_DATA)

struct vf_message {
	struct vf_header hdr;
	union {
		struct vf_dma_map map;
		struct vf_dma_unmap unmap;
		struct vf_device_info info;
		struct vfio_region_info region;
		struct vfio_irq_info irq;
		struct vf_irq_set set;
		struct {
			struct vf_version version;
			char json[VF_MAX_DATA];
		};
		struct {
			struct vf_region_io io;
			uint8_t data[VF_MAX_DATA];
		};
		uint8_t bytes[VF_MAX_PAYLOAD];
	};
};

_Static_assert(sizeof(struct vf_header) == 16, "layout of a header");
_Static_assert(sizeof(struct vf_dma_map) == 32, "layout of DMA_MAP");
_Static_assert(sizeof(struct vf_dma_unmap) == 24, "layout of DMA_UNMAP");
_Static_assert(sizeof(struct vf_irq_set) == 20, "layout of SET_IRQS");
_Static_assert(sizeof(struct vf_region_io) == 16, "layout of REGION_READ");

#endif
