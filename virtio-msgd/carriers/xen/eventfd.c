// SPDX-License-Identifier: GPL-2.0-only
/*
 * ioeventfd and irqfd for Xen guests, by the kernel's privcmd driver
 * (CONFIG_XEN_PRIVCMD_EVENTFD, drivers/xen/privcmd.c).
 *
 * The kernel's interrupt handler looks at a vCPU's request and, if it is a
 * notification with an ioeventfd, completes it and signals the eventfd. This
 * process is woken by the same interrupt and may look before the kernel does: it
 * leaves every request alone that the kernel will take.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/virtio_msg_mmio.h>

#include "carriers/xen/internal.h"

/* The ABI of <linux/xen/privcmd.h>, which cannot be included in a program */
struct privcmd_irqfd {
	uint64_t dm_op;
	uint32_t size;
	uint32_t fd;
	uint32_t flags;
	uint16_t dom;
	uint8_t pad[2];
};

struct privcmd_ioeventfd {
	uint64_t ioreq;
	uint64_t ports;
	uint64_t addr;
	uint32_t addr_len;
	uint32_t event_fd;
	uint32_t vcpus;
	uint32_t vq;
	uint32_t flags;
	uint16_t dom;
	uint8_t pad[2];
};

#define PRIVCMD_DEASSIGN	1	/* in the flags of both */
#define IOCTL_PRIVCMD_RESTRICT	_IOC(_IOC_NONE, 'P', 6, sizeof(uint16_t))
#define IOCTL_PRIVCMD_IRQFD	_IOW('P', 8, struct privcmd_irqfd)
#define IOCTL_PRIVCMD_IOEVENTFD	_IOW('P', 9, struct privcmd_ioeventfd)

#define NOTIFY_SIZE	4
#define NOTIFY_QUEUE	0xffff

/* Where in the window notifications of the device come that an ioeventfd is for */
static unsigned int notify_offset(const struct xen_eventfd *e)
{
	return VIRTIO_MSG_MMIO_QUEUE_NOTIFY(e->slot);
}

int xen_restrict(int privcmd, uint16_t domid)
{
	return ioctl(privcmd, IOCTL_PRIVCMD_RESTRICT, &domid);
}

static bool ioctl_ioeventfd(struct xen_device *dev, const struct xen_eventfd *e,
			    uint32_t flags)
{
	struct xen_guest *guest = dev->guest;
	struct privcmd_ioeventfd arg = {
		.ioreq = (uintptr_t)guest->page,
		.ports = (uintptr_t)guest->ports,
		/* The kernel takes it for where a virtio-mmio window begins */
		.addr = dev->base + notify_offset(e) - VIRTIO_MSG_MMIO_QUEUE_NOTIFY(0),
		.addr_len = NOTIFY_SIZE,
		.event_fd = e->fd,
		.vcpus = guest->num_vcpus,
		.vq = e->queue,
		.flags = flags,
		.dom = guest->domid,
	};

	return !ioctl(guest->privcmd, IOCTL_PRIVCMD_IOEVENTFD, &arg);
}

static bool ioctl_irqfd(struct xen_device *dev, const struct xen_eventfd *e,
			uint32_t flags)
{
	/* For an edge-triggered interrupt, raising the line is all it takes. */
	struct xen_dm_op op = {
		.op = XEN_DMOP_set_irq_level,
		.u.set_irq_level = { .irq = dev->irq, .level = 1 },
	};
	struct privcmd_irqfd arg = {
		.dm_op = (uintptr_t)&op,
		.size = sizeof(op),
		.fd = e->fd,
		.flags = flags,
		.dom = dev->guest->domid,
	};

	return !ioctl(dev->guest->privcmd, IOCTL_PRIVCMD_IRQFD, &arg);
}

typedef bool (*eventfd_ioctl)(struct xen_device *dev,
			      const struct xen_eventfd *e, uint32_t flags);

static void release(struct xen_device *dev, struct xen_eventfd **at,
		    eventfd_ioctl call)
{
	struct xen_eventfd *e = *at;

	call(dev, e, PRIVCMD_DEASSIGN);
	*at = e->next;
	close(e->fd);
	free(e);
}

static bool assign(struct xen_device *dev, struct xen_eventfd **list,
		   const struct slot *slot, unsigned int queue, int fd, eventfd_ioctl call)
{
	struct xen_eventfd **at, *e;

	for (at = list; *at; at = &(*at)->next) {
		if ((*at)->slot == slot->number && (*at)->queue == queue) {
			release(dev, at, call);
			break;
		}
	}
	if (fd < 0)
		return true;

	e = calloc(1, sizeof(*e));
	if (!e)
		return false;
	e->slot = slot->number;
	e->queue = queue;
	e->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (e->fd < 0 || !call(dev, e, 0)) {
		if (e->fd >= 0)
			close(e->fd);
		free(e);
		return false;
	}
	e->next = *list;
	*list = e;
	return true;
}

bool xen_ioeventfd(struct carrier *carrier, const struct slot *slot, unsigned int queue,
		   int fd)
{
	struct xen_device *dev = xen_device(carrier);
	bool assigned;

	if (!dev->use_ioeventfd)
		return false;
	assigned = assign(dev, &dev->ioeventfds, slot, queue, fd, ioctl_ioeventfd);
	/*
	 * A request may have been left to the kernel, which did not find the
	 * ioeventfd any more: nobody else will answer it.
	 */
	if (fd < 0)
		xen_guest_serve_later(dev->guest);
	return assigned;
}

bool xen_irqfd(struct carrier *carrier, const struct slot *slot, unsigned int queue,
	       int fd)
{
	struct xen_device *dev = xen_device(carrier);

	if (!dev->use_irqfd)
		return false;
	return assign(dev, &dev->irqfds, slot, queue, fd, ioctl_irqfd);
}

void xen_eventfds_release(struct xen_device *dev)
{
	while (dev->ioeventfds)
		release(dev, &dev->ioeventfds, ioctl_ioeventfd);
	while (dev->irqfds)
		release(dev, &dev->irqfds, ioctl_irqfd);
	xen_guest_serve_later(dev->guest);
}

bool xen_ioeventfd_takes(const struct xen_guest *guest, const struct ioreq *req)
{
	const struct xen_device *dev;
	const struct xen_eventfd *e;

	if (req->type != IOREQ_TYPE_COPY || req->dir != IOREQ_WRITE ||
	    req->size != NOTIFY_SIZE)
		return false;
	for (dev = guest->devices; dev; dev = dev->next) {
		for (e = dev->ioeventfds; e; e = e->next)
			if (req->addr == dev->base + notify_offset(e) &&
			    e->queue == (req->data & NOTIFY_QUEUE))
				return true;
	}
	return false;
}
