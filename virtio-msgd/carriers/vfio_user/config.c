// SPDX-License-Identifier: GPL-2.0-only
/*
 * Config space. The VMM emulates most of what a driver does there; what it asks us for, and
 * writes through to us, is the same as of a device that is not emulated.
 */
#include <endian.h>
#include <linux/pci_regs.h>
#include <linux/virtio_ids.h>
#include <string.h>

#include "carriers/vfio_user/internal.h"

#define VENDOR		0x1af4	/* its devices 10f0 to 10ff are for experiments */

/* Where the capabilities are */
#define CAP_PM		0x40
#define CAP_EXP		0x48
#define CAP_MSI		0x84	/* or MSI-X */

/* In the BAR of MSI-X: the table, then the pending bits */
#define PBA_OFFSET	(VF_BAR_SIZE / 2)

_Static_assert(VF_MAX_VECTORS * PCI_MSIX_ENTRY_SIZE <= PBA_OFFSET, "room for the table");
_Static_assert(CAP_EXP + PCI_CAP_EXP_ENDPOINT_SIZEOF_V2 <= CAP_MSI, "room for PCIe");

/**
 * struct class - what kind of a function a device is
 * @id: of the device, virtio's
 * @class: base class and subclass
 */
struct class {
	uint32_t id;
	uint16_t class;
};

/* None that a driver of something else would look for */
static const struct class classes[] = {
	{ VIRTIO_ID_NET, 0x0200 },	/* Ethernet controller */
	{ VIRTIO_ID_BLOCK, 0x0180 },	/* mass storage, other */
	{ VIRTIO_ID_CONSOLE, 0x0780 },	/* communication, other */
	{ VIRTIO_ID_SCSI, 0x0100 },	/* SCSI controller */
	{ VIRTIO_ID_INPUT, 0x0980 },	/* input, other */
	{ VIRTIO_ID_VSOCK, 0x0780 },	/* communication, other */
	{ VIRTIO_ID_SOUND, 0x0401 },	/* audio device */
	{ VIRTIO_ID_FS, 0x0180 },	/* mass storage, other */
};

/* Of a device in none of these */
#define CLASS_OTHER	0xff00

static uint16_t class_of(const struct vfio_user *vf)
{
	const struct window *win = vf->carrier.windows[0];
	unsigned int i;

	for (i = 0; win && win->slots[0].owned && i < sizeof(classes) / sizeof(classes[0]); i++) {
		if (classes[i].id == win->slots[0].owned->id)
			return classes[i].class;
	}
	return CLASS_OTHER;
}

static void set8(struct vf_config *config, unsigned int at, uint8_t value, uint8_t writable)
{
	config->bytes[at] = value;
	config->writable[at] = writable;
}

static void set16(struct vf_config *config, unsigned int at, uint16_t value, uint16_t writable)
{
	set8(config, at, value, writable);
	set8(config, at + 1, value >> 8, writable >> 8);
}

static void set32(struct vf_config *config, unsigned int at, uint32_t value, uint32_t writable)
{
	set16(config, at, value, writable);
	set16(config, at + 2, value >> 16, writable >> 16);
}

static void set_header(const struct vfio_user *vf, struct vf_config *config)
{
	const uint32_t bar = ~(uint32_t)(VF_BAR_SIZE - 1);

	set16(config, PCI_VENDOR_ID, VENDOR, 0);
	set16(config, PCI_DEVICE_ID, vf->device_id, 0);
	set16(config, PCI_COMMAND, 0, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER |
	      PCI_COMMAND_PARITY | PCI_COMMAND_SERR | PCI_COMMAND_INTX_DISABLE);
	set16(config, PCI_STATUS, PCI_STATUS_CAP_LIST, 0);
	set16(config, PCI_CLASS_DEVICE, class_of(vf), 0);
	set8(config, PCI_CACHE_LINE_SIZE, 0, 0xff);
	set32(config, PCI_BASE_ADDRESS_0, PCI_BASE_ADDRESS_SPACE_MEMORY, bar);
	if (!vf->msi)
		set32(config, PCI_BASE_ADDRESS_1, PCI_BASE_ADDRESS_SPACE_MEMORY, bar);
	set16(config, PCI_SUBSYSTEM_VENDOR_ID, VENDOR, 0);
	set16(config, PCI_SUBSYSTEM_ID, vf->device_id, 0);
	set8(config, PCI_CAPABILITY_LIST, CAP_PM, 0);
	set8(config, PCI_INTERRUPT_LINE, 0, 0xff);
}

static void set_cap(struct vf_config *config, unsigned int at, uint8_t id, uint8_t next)
{
	set8(config, at + PCI_CAP_LIST_ID, id, 0);
	set8(config, at + PCI_CAP_LIST_NEXT, next, 0);
}

/* Nothing is lost on the way back from D3hot */
static void set_pm(struct vf_config *config)
{
	set_cap(config, CAP_PM, PCI_CAP_ID_PM, CAP_EXP);
	set16(config, CAP_PM + PCI_PM_PMC, 3, 0);
	set16(config, CAP_PM + PCI_PM_CTRL, PCI_PM_CTRL_NO_SOFT_RESET, PCI_PM_CTRL_STATE_MASK);
}

/* The slowest link there is, since there is none */
static void set_exp(struct vf_config *config)
{
	const unsigned int at = CAP_EXP;

	set_cap(config, at, PCI_CAP_ID_EXP, CAP_MSI);
	set16(config, at + PCI_EXP_FLAGS, 2 | PCI_EXP_TYPE_ENDPOINT << 4, 0);
	set32(config, at + PCI_EXP_DEVCAP, PCI_EXP_DEVCAP_RBER | PCI_EXP_DEVCAP_FLR, 0);
	set16(config, at + PCI_EXP_DEVCTL, PCI_EXP_DEVCTL_RELAX_EN | PCI_EXP_DEVCTL_NOSNOOP_EN,
	      (uint16_t)~PCI_EXP_DEVCTL_BCR_FLR);
	set32(config, at + PCI_EXP_LNKCAP, PCI_EXP_LNKCAP_SLS_2_5GB | 1 << 4, 0);
	set16(config, at + PCI_EXP_LNKCTL, 0, PCI_EXP_LNKCTL_ASPMC | PCI_EXP_LNKCTL_CCC);
	set16(config, at + PCI_EXP_LNKSTA, PCI_EXP_LNKSTA_CLS_2_5GB | PCI_EXP_LNKSTA_NLW_X1, 0);
	set16(config, at + PCI_EXP_DEVCTL2, 0, UINT16_MAX);
	set16(config, at + PCI_EXP_LNKCTL2, PCI_EXP_LNKCTL2_TLS_2_5GT, 0);
}

static void set_msix(const struct vfio_user *vf, struct vf_config *config)
{
	set_cap(config, CAP_MSI, PCI_CAP_ID_MSIX, 0);
	set16(config, CAP_MSI + PCI_MSIX_FLAGS, vf->num_vectors - 1,
	      PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
	set32(config, CAP_MSI + PCI_MSIX_TABLE, VF_MSIX_BAR, 0);
	set32(config, CAP_MSI + PCI_MSIX_PBA, PBA_OFFSET | VF_MSIX_BAR, 0);
}

static void set_msi(const struct vfio_user *vf, struct vf_config *config)
{
	unsigned int order = 0;

	while (1U << order < vf->num_vectors)
		order++;
	set_cap(config, CAP_MSI, PCI_CAP_ID_MSI, 0);
	set16(config, CAP_MSI + PCI_MSI_FLAGS, PCI_MSI_FLAGS_64BIT | order << 1,
	      PCI_MSI_FLAGS_ENABLE | PCI_MSI_FLAGS_QSIZE);
	set32(config, CAP_MSI + PCI_MSI_ADDRESS_LO, 0, ~3U);
	set32(config, CAP_MSI + PCI_MSI_ADDRESS_HI, 0, UINT32_MAX);
	set16(config, CAP_MSI + PCI_MSI_DATA_64, 0, UINT16_MAX);
}

void vf_config_init(struct vfio_user *vf)
{
	struct vf_config *config = &vf->config;

	memset(config, 0, sizeof(*config));
	set_header(vf, config);
	set_pm(config);
	set_exp(config);
	if (vf->msi)
		set_msi(vf, config);
	else
		set_msix(vf, config);
}

void vf_config_read(const struct vfio_user *vf, uint32_t offset, uint8_t *to, uint32_t count)
{
	const struct vf_config *config = &vf->config;
	uint32_t i;

	for (i = 0; i < count; i++)
		to[i] = offset + i < sizeof(config->bytes) ? config->bytes[offset + i] : 0;
}

bool vf_config_write(struct vfio_user *vf, uint32_t offset, const uint8_t *from, uint32_t count)
{
	const uint32_t flr = CAP_EXP + PCI_EXP_DEVCTL + 1;
	struct vf_config *config = &vf->config;
	bool reset = false;
	uint32_t i;

	for (i = 0; i < count && offset + i < sizeof(config->bytes); i++) {
		uint8_t *byte = &config->bytes[offset + i];
		uint8_t writable = config->writable[offset + i];

		*byte = (*byte & ~writable) | (from[i] & writable);
		reset |= offset + i == flr && from[i] & PCI_EXP_DEVCTL_BCR_FLR >> 8;
	}
	return reset;
}
