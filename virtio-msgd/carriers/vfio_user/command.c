// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a message asks for, and whether it has the length for that.
 */
#include <errno.h>

#include "carriers/vfio_user/internal.h"

uint32_t vf_payload(const struct vf_conn *conn)
{
	return conn->msg.hdr.size - sizeof(conn->msg.hdr);
}

/* They take the first places, see sock_receive() */
unsigned int vf_num_fds(const struct vf_conn *conn)
{
	unsigned int num = 0;

	while (num < VF_MAX_FDS && conn->fds[num] >= 0)
		num++;
	return num;
}

static int do_info(struct vf_conn *conn)
{
	struct vf_device_info *info = &conn->msg.info;

	if (info->argsz < sizeof(*info))
		return -EINVAL;
	*info = (struct vf_device_info) {
		.argsz = sizeof(*info),
		.flags = VFIO_DEVICE_FLAGS_PCI | VFIO_DEVICE_FLAGS_RESET,
		.num_regions = VFIO_PCI_NUM_REGIONS,
		.num_irqs = VFIO_PCI_NUM_IRQS,
	};
	return sizeof(*info);
}

/*
 * Reset: of what the driver did to the window. The memory stays, and so do the interrupts,
 * which are the VMM's to take away.
 */

/* The reply of what has asked for it: DEVICE_RESET, or a store to config space */
static int reset_result(const struct vf_conn *conn)
{
	return conn->msg.hdr.command == VF_REGION_WRITE ? sizeof(struct vf_region_io) : 0;
}

/* In a task */
static void reset(void *arg)
{
	struct vfio_user *vf = arg;
	struct vf_conn *conn;

	carrier_reset_windows(&vf->carrier);
	vf_irq_reset(vf);
	vf->resetting = false;
	conn = vf->reset_by;
	vf->reset_by = NULL;
	if (conn && conn->waits)
		vf_finish(conn, reset_result(conn));
}

int vf_reset(struct vf_conn *conn)
{
	struct vfio_user *vf = conn->vf;

	vf->reset_by = conn;
	/* One is under way that nobody waits for any more: it is as good as a new one */
	if (!vf->resetting) {
		vf->resetting = true;
		task_run(reset, vf);
	}
	if (!vf->resetting)
		return 0;
	vf_wait(conn);
	return VF_LATER;
}

static int do_reset(struct vf_conn *conn)
{
	vf_config_init(conn->vf);
	return vf_reset(conn);
}

int vf_give_up(struct vf_conn *conn)
{
	struct vfio_user *vf = conn->vf;

	if (conn->access) {
		vf_access_forget(conn);
		return vf_access_none(conn);
	}
	vf->reset_by = NULL;
	return -ETIMEDOUT;
}

/**
 * struct command - what is known of a message
 * @handle: see vf_handle()
 * @min: bytes of payload at least
 * @max: and at most
 */
struct command {
	int (*handle)(struct vf_conn *conn);
	size_t min;
	size_t max;
};

#define EXACTLY(type) sizeof(type), sizeof(type)

static const struct command commands[] = {
	[VF_VERSION] = { vf_do_version, sizeof(struct vf_version), VF_MAX_PAYLOAD },
	[VF_DMA_MAP] = { vf_do_map, EXACTLY(struct vf_dma_map) },
	[VF_DMA_UNMAP] = { vf_do_unmap, EXACTLY(struct vf_dma_unmap) },
	[VF_GET_INFO] = { do_info, EXACTLY(struct vf_device_info) },
	[VF_GET_REGION_INFO] = { vf_do_region_info, EXACTLY(struct vfio_region_info) },
	[VF_GET_IRQ_INFO] = { vf_do_irq_info, EXACTLY(struct vfio_irq_info) },
	[VF_SET_IRQS] = { vf_do_set_irqs, sizeof(struct vf_irq_set), VF_MAX_PAYLOAD },
	[VF_REGION_READ] = { vf_do_read, EXACTLY(struct vf_region_io) },
	[VF_REGION_WRITE] = { vf_do_write, sizeof(struct vf_region_io), VF_MAX_PAYLOAD },
	[VF_DEVICE_RESET] = { do_reset, 0, 0 },
};

int vf_handle(struct vf_conn *conn)
{
	uint16_t number = conn->msg.hdr.command;
	const struct command *command;

	if (number >= sizeof(commands) / sizeof(commands[0]) || !commands[number].handle)
		return -EOPNOTSUPP;
	command = &commands[number];
	if (vf_payload(conn) < command->min || vf_payload(conn) > command->max)
		return -EINVAL;
	return command->handle(conn);
}
