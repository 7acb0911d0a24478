// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loads and stores: of the window, which may take a while, and of config space. What the VMM
 * emulates itself, the tables of MSI-X, reads as 0 here.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "carriers/vfio_user/internal.h"

static uint32_t region_size(const struct vfio_user *vf, uint32_t index)
{
	switch (index) {
	case VF_WINDOW_BAR:
		return VF_BAR_SIZE;
	case VF_MSIX_BAR:
		return vf->msi ? 0 : VF_BAR_SIZE;
	case VFIO_PCI_CONFIG_REGION_INDEX:
		return VF_CONFIG_SIZE;
	default:
		return 0;
	}
}

int vf_do_region_info(struct vf_conn *conn)
{
	struct vfio_region_info *info = &conn->msg.region;
	uint32_t size;

	if (info->argsz < sizeof(*info) || info->index >= VFIO_PCI_NUM_REGIONS)
		return -EINVAL;
	size = region_size(conn->vf, info->index);
	*info = (struct vfio_region_info) {
		.argsz = sizeof(*info),
		.flags = size ? VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE : 0,
		.index = info->index,
		.size = size,
	};
	return sizeof(*info);
}

/*
 * The window
 */

/**
 * struct vf_access - a load or a store of the window
 * @access: what the window knows of it
 * @vf: of this function
 * @conn: who waits for it, NULL: nobody any more
 */
struct vf_access {
	struct window_access access;
	struct vfio_user *vf;
	struct vf_conn *conn;
};

/* The reply of a store is what says where it was, that of a load has the data behind it. */
static int result(struct vf_conn *conn)
{
	struct vf_region_io *io = &conn->msg.io;
	uint64_t value = htole64(conn->loaded);

	if (conn->msg.hdr.command == VF_REGION_WRITE)
		return sizeof(*io);
	memcpy(conn->msg.data, &value, io->count);
	return sizeof(*io) + io->count;
}

static void on_done(struct window_access *access)
{
	struct vf_access *a = (struct vf_access *)access;
	struct vf_conn *conn = a->conn;

	if (!conn)
		a->vf->given_up--;
	if (conn) {
		conn->access = NULL;
		conn->loaded = access->value;
	}
	free(a);
	if (conn && conn->waits)
		vf_finish(conn, result(conn));
}

void vf_access_forget(struct vf_conn *conn)
{
	conn->access->conn = NULL;
	conn->access = NULL;
	conn->vf->given_up++;
}

/* As of a function that is not there */
int vf_access_none(struct vf_conn *conn)
{
	conn->loaded = UINT64_MAX;
	return result(conn);
}

static int access_window(struct vf_conn *conn, struct window *win, uint64_t value)
{
	const struct vf_region_io *io = &conn->msg.io;
	struct vf_access *a = malloc(sizeof(*a));

	if (!a)
		return vf_access_none(conn);
	*a = (struct vf_access) {
		.access = {
			.offset = io->offset % WINDOW_SIZE,
			.size = io->count,
			.write = conn->msg.hdr.command == VF_REGION_WRITE,
			.value = value,
			.done = on_done,
		},
		.vf = conn->vf,
		.conn = conn,
	};
	conn->access = a;
	window_access(win, &a->access);
	if (!conn->access)
		return result(conn);
	vf_wait(conn);
	return VF_LATER;
}

/* What is no window reads as 0; one whose reset takes its time is not there, as it were. */
static int access_bar(struct vf_conn *conn, uint64_t value)
{
	const struct vf_region_io *io = &conn->msg.io;
	struct vfio_user *vf = conn->vf;
	struct window *win = io->offset < WINDOW_SIZE ? vf->carrier.windows[0] : NULL;

	if (io->count > sizeof(value) || io->count & (io->count - 1) || io->offset % io->count)
		return -EINVAL;
	if (vf->resetting || vf->given_up == VF_MAX_GIVEN_UP)
		return vf_access_none(conn);
	if (win)
		return access_window(conn, win, value);
	conn->loaded = 0;
	return result(conn);
}

/*
 * All regions
 */

static bool valid(const struct vf_conn *conn)
{
	const struct vf_region_io *io = &conn->msg.io;
	uint64_t size = region_size(conn->vf, io->region);

	return io->count && io->count <= VF_MAX_DATA && io->offset <= size &&
	       io->count <= size - io->offset;
}

int vf_do_read(struct vf_conn *conn)
{
	struct vf_region_io *io = &conn->msg.io;

	if (!valid(conn))
		return -EINVAL;
	if (io->region == VF_WINDOW_BAR)
		return access_bar(conn, 0);
	if (io->region == VF_MSIX_BAR)
		memset(conn->msg.data, 0, io->count);
	else
		vf_config_read(conn->vf, io->offset, conn->msg.data, io->count);
	return sizeof(*io) + io->count;
}

int vf_do_write(struct vf_conn *conn)
{
	struct vf_region_io *io = &conn->msg.io;
	uint64_t value = 0;

	if (!valid(conn) || vf_payload(conn) != sizeof(*io) + io->count)
		return -EINVAL;
	if (io->region == VF_WINDOW_BAR) {
		if (io->count <= sizeof(value))
			memcpy(&value, conn->msg.data, io->count);
		return access_bar(conn, le64toh(value));
	}
	if (io->region == VFIO_PCI_CONFIG_REGION_INDEX &&
	    vf_config_write(conn->vf, io->offset, conn->msg.data, io->count)) {
		int ret = vf_reset(conn);

		return ret ? ret : (int)sizeof(*io);
	}
	return sizeof(*io);
}
