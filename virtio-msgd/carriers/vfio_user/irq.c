// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interrupts: MSI-X or MSI, an eventfd for each vector. Vector 0 is for all that no queue
 * says, vector q + 1 for queue q.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <unistd.h>

#include "carriers/vfio_user/internal.h"

/*
 * A VMM takes eventfds away and gives them back as the guest's driver comes and goes: what is
 * raised in between must not be lost
 */
static void raise_vector(struct vfio_user *vf, unsigned int v)
{
	struct vf_vector *vector = &vf->vectors[v];
	const uint64_t one = 1;

	vector->latched = vector->fd < 0;
	/* One that is full has been raised, and one that is closed is the VMM's affair */
	if (vector->fd >= 0 && write(vector->fd, &one, sizeof(one)) < 0)
		return;
}

void vf_interrupt(struct carrier *carrier, unsigned int w)
{
	(void)w;
	raise_vector((struct vfio_user *)carrier, 0);
}

/*
 * A driver that got fewer vectors than there are serves the queues that have none by vector
 * 0; one that only has not asked for it yet finds nothing there, and the other one latched.
 */
void vf_queue_interrupt(struct carrier *carrier, unsigned int w, unsigned int q)
{
	struct vfio_user *vf = (struct vfio_user *)carrier;
	unsigned int v = q + 1 < vf->num_vectors ? q + 1 : 0;

	(void)w;
	raise_vector(vf, v);
	if (v && vf->vectors[v].latched)
		raise_vector(vf, 0);
}

static unsigned int default_vectors(const struct vfio_user *vf)
{
	const struct window *win = vf->carrier.windows[0];

	/* A device that comes later, or whose backend does, has not said how many queues it has */
	return 1 + (win && win->slots[0].owned && win->slots[0].owned->num_queues ? win->slots[0].owned->num_queues : 8);
}

void vf_irq_init(struct vfio_user *vf)
{
	unsigned int most = vf->msi ? VF_MAX_MSI : VF_MAX_VECTORS;

	vf->num_vectors = vf->want_vectors ?: default_vectors(vf);
	if (vf->num_vectors > most)
		vf->num_vectors = most;
}

void vf_irq_reset(struct vfio_user *vf)
{
	unsigned int v;

	for (v = 0; v < VF_MAX_VECTORS; v++)
		vf->vectors[v].latched = false;
}

static void set_fd(struct vfio_user *vf, unsigned int v, int fd)
{
	struct vf_vector *vector = &vf->vectors[v];

	if (vector->fd >= 0)
		close(vector->fd);
	vector->fd = fd;
	if (fd < 0)
		return;
	/* It may be anything, but nobody waits for it */
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	if (vector->latched)
		raise_vector(vf, v);
}

void vf_irq_clear(struct vfio_user *vf)
{
	unsigned int v;

	for (v = 0; v < VF_MAX_VECTORS; v++)
		set_fd(vf, v, -1);
	vf_irq_reset(vf);
}

/* How many there are of a kind. That for errors is there, since QEMU complains if not. */
static uint32_t num_irqs(const struct vfio_user *vf, uint32_t index)
{
	unsigned int num = 1;

	switch (index) {
	case VFIO_PCI_MSI_IRQ_INDEX:
		/* As many as the capability says, which knows powers of 2 only */
		while (num < vf->num_vectors)
			num *= 2;
		return vf->msi ? num : 0;
	case VFIO_PCI_MSIX_IRQ_INDEX:
		return vf->msi ? 0 : vf->num_vectors;
	case VFIO_PCI_ERR_IRQ_INDEX:
		return 1;
	default:
		return 0;
	}
}

/* With NORESIZE, QEMU would take all eventfds away to add one. */
int vf_do_irq_info(struct vf_conn *conn)
{
	struct vfio_irq_info *info = &conn->msg.irq;

	if (info->argsz < sizeof(*info) || info->index >= VFIO_PCI_NUM_IRQS)
		return -EINVAL;
	*info = (struct vfio_irq_info) {
		.argsz = sizeof(*info),
		.flags = VFIO_IRQ_INFO_EVENTFD,
		.index = info->index,
		.count = num_irqs(conn->vf, info->index),
	};
	return sizeof(*info);
}

/*
 * SET_IRQS
 */

static int assign(struct vf_conn *conn, const struct vf_irq_set *set)
{
	unsigned int num = vf_num_fds(conn), i;

	/* None: all that are named are taken back */
	if (vf_payload(conn) != sizeof(*set) || (num && num != set->count))
		return -EINVAL;
	/* That of errors is never raised */
	if (set->index == VFIO_PCI_ERR_IRQ_INDEX)
		return 0;
	for (i = 0; i < set->count; i++) {
		set_fd(conn->vf, set->start + i, num ? conn->fds[i] : -1);
		if (num)
			conn->fds[i] = -1;
	}
	return 0;
}

static void take_back_all(struct vfio_user *vf, uint32_t index)
{
	unsigned int v;

	if (index == VFIO_PCI_ERR_IRQ_INDEX || !num_irqs(vf, index))
		return;
	for (v = 0; v < VF_MAX_VECTORS; v++)
		set_fd(vf, v, -1);
}

/* The VMM itself raises some: all that are named, or by @chosen */
static int trigger(struct vf_conn *conn, const struct vf_irq_set *set, const uint8_t *chosen)
{
	uint32_t i;

	if (vf_payload(conn) != sizeof(*set) + (chosen ? set->count : 0))
		return -EINVAL;
	if (set->index == VFIO_PCI_ERR_IRQ_INDEX)
		return 0;
	for (i = 0; i < set->count; i++) {
		if (!chosen || chosen[i])
			raise_vector(conn->vf, set->start + i);
	}
	return 0;
}

static bool in_range(const struct vfio_user *vf, const struct vf_irq_set *set)
{
	uint32_t num = num_irqs(vf, set->index);

	return set->start <= num && set->count <= num - set->start;
}

int vf_do_set_irqs(struct vf_conn *conn)
{
	const struct vf_irq_set *set = &conn->msg.set;
	uint32_t data = set->flags & VFIO_IRQ_SET_DATA_TYPE_MASK;

	if (set->argsz < sizeof(*set) || set->index >= VFIO_PCI_NUM_IRQS ||
	    !in_range(conn->vf, set) ||
	    set->flags & ~(VFIO_IRQ_SET_DATA_TYPE_MASK | VFIO_IRQ_SET_ACTION_TYPE_MASK))
		return -EINVAL;
	/* None of ours can be masked */
	if ((set->flags & VFIO_IRQ_SET_ACTION_TYPE_MASK) != VFIO_IRQ_SET_ACTION_TRIGGER)
		return -EINVAL;
	switch (data) {
	case VFIO_IRQ_SET_DATA_EVENTFD:
		return assign(conn, set);
	case VFIO_IRQ_SET_DATA_BOOL:
		return trigger(conn, set, conn->msg.bytes + sizeof(*set));
	case VFIO_IRQ_SET_DATA_NONE:
		if (set->count)
			return trigger(conn, set, NULL);
		take_back_all(conn->vf, set->index);
		return 0;
	default:
		return -EINVAL;
	}
}
