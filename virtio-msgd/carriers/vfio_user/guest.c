// SPDX-License-Identifier: GPL-2.0-only
/*
 * The function, and the guest that has it: a VMM that connects, and goes.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "carriers/vfio_user/internal.h"

#define FIRST_ID	0x10f0
#define LAST_ID		0x10ff

/* How long a device may take to let go of its last guest, when the program ends */
#define END_MS		1000

int vf_take_guest(struct vf_conn *conn)
{
	struct vfio_user *vf = conn->vf;

	if (vf->guest) {
		log_limited(&vf->carrier.log, "%s: another VMM is refused: there is one",
			    vf->carrier.name);
		return -EBUSY;
	}
	if (vf->leaving) {
		conn->state = VF_HELD;
		return VF_LATER;
	}
	event_del(conn->timer);
	conn->state = VF_SERVED;
	vf->guest = conn;
	vf->carrier.guest = true;
	/* The device may be another one than the last guest had */
	vf_irq_init(vf);
	vf_config_init(vf);
	log_limited(&vf->carrier.log, "%s: a guest connects", vf->carrier.name);
	return 0;
}

/* Window and memory are as if there had never been a guest. */
static void on_gone(struct carrier *carrier)
{
	struct vfio_user *vf = (struct vfio_user *)carrier;

	vf_ranges_clear(vf);
	vf->leaving = false;
	vf_unhold(vf);
}

void vf_guest_gone(struct vfio_user *vf)
{
	log_limited(&vf->carrier.log, "%s: the guest is gone", vf->carrier.name);
	vf->guest = NULL;
	vf->carrier.guest = false;
	vf_irq_clear(vf);
	vf->leaving = true;
	carrier_guest_gone(&vf->carrier, on_gone);
}

/*
 * The carrier
 */

static void vfio_user_close(struct carrier *carrier)
{
	struct vfio_user *vf = (struct vfio_user *)carrier;

	if (vf->listener)
		listener_free(vf->listener);
	else if (vf->fd >= 0)
		close(vf->fd);
	vf_close_all(vf);
	/* The guest's going may have to wait for a device */
	task_finish(END_MS);
	carrier_release(carrier);
	vf_ranges_clear(vf);
	if (vf->path)
		unlink(vf->path);
	free(vf->path);
	free(vf);
}

static const struct carrier_ops vfio_user_ops = {
	.interrupt = vf_interrupt,
	.queue_interrupt = vf_queue_interrupt,
	.close = vfio_user_close,
};

static int take_options(struct vfio_user *vf, struct params *params, struct errmsg *err)
{
	uint64_t device_id = FIRST_ID, vectors = 0;

	if (params_number(params, "device-id", FIRST_ID, LAST_ID, &device_id, err) ||
	    params_number(params, "vectors", 1, VF_MAX_VECTORS, &vectors, err) ||
	    params_bool(params, "msi", &vf->msi, err))
		return -1;
	if (vf->msi && vectors > VF_MAX_MSI)
		return errmsg_set(err, "vectors=%u: MSI has %u at most", (unsigned int)vectors,
				  VF_MAX_MSI);
	vf->device_id = device_id;
	vf->want_vectors = vectors;
	return 0;
}

static int open_socket(struct vfio_user *vf, const char *path, int listening, struct errmsg *err)
{
	vf->fd = listening;
	if (listening >= 0)
		return 0;
	vf->fd = sock_listen(path, err);
	if (vf->fd < 0)
		return -1;
	vf->path = strdup(path);
	return vf->path ? 0 : errmsg_set(err, "out of memory");
}

static int start(struct vfio_user *vf, const char *path, struct errmsg *err)
{
	char name[256];

	snprintf(name, sizeof(name), "vfio-user:%s", path);
	if (carrier_init(&vf->carrier, &vfio_user_ops, name))
		return errmsg_set(err, "out of memory");
	vf->carrier.guest = false;
	/* So far: there is room for more in the BAR */
	vf->carrier.max_windows = 1;
	/* Its vectors are those of one device's queues */
	vf->carrier.max_slots = 1;
	vf->listener = listener_new(vf->fd, name, vf_open, vf);
	if (vf->listener)
		return 0;
	carrier_remove(&vf->carrier);
	return errmsg_set(err, "out of memory");
}

struct carrier *carrier_vfio_user_create(struct params *params, int listening,
					 struct errmsg *err)
{
	const char *path = params_get(params, "path");
	struct vfio_user *vf;
	unsigned int v;

	if (!path || !*path) {
		errmsg_set(err, "vfio-user needs the path of a socket");
		return NULL;
	}
	vf = calloc(1, sizeof(*vf));
	if (!vf) {
		errmsg_set(err, "out of memory");
		return NULL;
	}
	for (v = 0; v < VF_MAX_VECTORS; v++)
		vf->vectors[v].fd = -1;
	if (!take_options(vf, params, err) && !open_socket(vf, path, listening, err) &&
	    !start(vf, path, err))
		return &vf->carrier;
	if (vf->path)
		unlink(vf->path);
	free(vf->path);
	free(vf);
	return NULL;
}
