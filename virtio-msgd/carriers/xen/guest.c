// SPDX-License-Identifier: GPL-2.0-only
/*
 * A Xen guest's IOREQ server. When one of its vCPUs touches a claimed window, the
 * hypervisor writes a request into that vCPU's slot of a page that is mapped
 * here, signals the vCPU's event channel, and holds the vCPU until the slot says
 * that the response is ready and the channel is signalled back.
 *
 * The page belongs to the hypervisor, the guest cannot write it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <linux/virtio_msg_mmio.h>

#include "carriers/xen/internal.h"

/* Longer than any interrupt handler waits for its CPU */
#define LEFT_SECONDS	1

static struct xen_device *find_device(struct xen_guest *guest, uint64_t addr)
{
	struct xen_device *dev;

	for (dev = guest->devices; dev; dev = dev->next)
		if (addr >= dev->base && addr - dev->base < WINDOW_SIZE)
			return dev;
	return NULL;
}

/* The vCPU's request is carried out: let it go on. */
static void respond(struct xen_vcpu *vcpu, uint64_t data)
{
	struct xen_guest *guest = vcpu->guest;
	unsigned int i = vcpu - guest->vcpus;
	volatile struct ioreq *slot = &guest->page->vcpu_ioreq[i];

	slot->data = data;
	__atomic_thread_fence(__ATOMIC_RELEASE);
	slot->state = STATE_IORESP_READY;
	xenevtchn_notify(guest->evtchn, vcpu->port);
	vcpu->events--;
}

/* It changes nothing that is kept for the next virtio-msgd. */
static bool is_kick(const struct xen_device *dev, uint64_t offset)
{
	const uint64_t first = VIRTIO_MSG_MMIO_QUEUE_NOTIFY(0);
	const struct window *win = dev->carrier.windows[0];

	return win && offset >= first && offset < first + 4 * win->config.num_slots;
}

static void on_done(struct window_access *access)
{
	struct xen_vcpu *vcpu = (struct xen_vcpu *)access;
	struct xen_device *dev = vcpu->dev;

	vcpu->waits = false;
	if (access->write && !is_kick(dev, access->offset) && dev->present)
		xen_state_save(dev);
	respond(vcpu, access->value);
}

/* Do what the request asks; what makes no sense reads as 0 and writes nothing. */
static void handle_access(struct xen_vcpu *vcpu, const struct ioreq *req)
{
	struct xen_device *dev = find_device(vcpu->guest, req->addr);
	struct window *win = dev ? dev->carrier.windows[0] : NULL;

	if (!dev || req->data_is_ptr || req->count != 1 || req->size > 8)
		log_limited(&vcpu->guest->log, "xen: %s: access at %#llx of %u bytes, %u times: ignored",
			    vcpu->guest->name, (unsigned long long)req->addr,
			    req->size, req->count);
	if (!win || req->data_is_ptr || req->count != 1 || req->size > 8) {
		respond(vcpu, req->dir == IOREQ_READ ? 0 : req->data);
		return;
	}
	vcpu->waits = true;
	vcpu->dev = dev;
	vcpu->access = (struct window_access) {
		.offset = req->addr - dev->base,
		.size = req->size,
		.write = req->dir != IOREQ_READ,
		.value = req->data,
		.done = on_done,
	};
	if (vcpu->access.write)
		xen_state_page(dev, vcpu->access.offset, req->size, req->data);
	window_access(win, &vcpu->access);
}

static void handle_request(struct xen_vcpu *vcpu, const struct ioreq *req)
{
	switch (req->type) {
	case IOREQ_TYPE_COPY:
		handle_access(vcpu, req);
		return;
	case IOREQ_TYPE_INVALIDATE:
		/*
		 * The guest gives memory back, a page each time. What is mapped, here
		 * and in backends, holds the old page until the guest ends: it is
		 * nobody else's, and the guest has no use for it.
		 */
		break;
	default:
		log_limited(&vcpu->guest->log, "xen: %s: request of unknown type %u: ignored",
			    vcpu->guest->name, req->type);
	}
	respond(vcpu, req->data);
}

static bool overdue(const struct xen_vcpu *vcpu)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec - vcpu->left_at.tv_sec > LEFT_SECONDS;
}

/*
 * For a driver whose device is about to come back there is no answer yet. Its
 * notifications do not need one: queues start with a look at what is in them.
 */
static bool held(struct xen_guest *guest, const struct ioreq *req)
{
	const struct xen_device *dev = find_device(guest, req->addr);

	return req->type == IOREQ_TYPE_COPY && dev && dev->restore &&
	       !is_kick(dev, req->addr - dev->base);
}

/*
 * Answer a vCPU's request: false if there is none that is not the kernel's.
 *
 * @left: look for what was left to the kernel and is still there. Its handler may
 * have looked before the ioeventfd was assigned, and will not look again.
 */
static bool serve_vcpu(struct xen_vcpu *vcpu, bool left)
{
	static const struct timeval later = { .tv_sec = LEFT_SECONDS };
	struct xen_guest *guest = vcpu->guest;
	volatile struct ioreq *slot = &guest->page->vcpu_ioreq[vcpu - guest->vcpus];
	struct ioreq req;

	if (vcpu->waits)
		return true;
	/* Being processed: by an earlier virtio-msgd that died of it, or then */
	if (slot->state != STATE_IOREQ_READY && slot->state != STATE_IOREQ_INPROCESS)
		return false;
	/* The hypervisor filled the slot in before it changed the state. */
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	memcpy(&req, (const void *)slot, sizeof(req));
	if (held(guest, &req))
		return true;
	if (xen_ioeventfd_takes(guest, &req) && !(left && overdue(vcpu))) {
		if (!left)
			clock_gettime(CLOCK_MONOTONIC, &vcpu->left_at);
		if (!event_pending(guest->left, EV_TIMEOUT, NULL))
			event_add(guest->left, &later);
		return false;
	}

	slot->state = STATE_IOREQ_INPROCESS;
	handle_request(vcpu, &req);
	return true;
}

static void serve(struct xen_guest *guest, bool left)
{
	unsigned int i;

	for (i = 0; i < guest->num_vcpus; i++)
		serve_vcpu(&guest->vcpus[i], left);
}

void xen_guest_serve(struct xen_guest *guest)
{
	if (guest->enabled)
		serve(guest, false);
}

void xen_guest_serve_later(struct xen_guest *guest)
{
	static const struct timeval now;

	event_add(guest->again, &now);
}

static void guest_again(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	serve(arg, false);
}

static void guest_left(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	serve(arg, true);
}

/*
 * Each request comes with one event. Those of @vcpu that are for nothing that was answered
 * here were for notifications that the kernel took, or will take. Whose, can mostly still
 * be seen in the slot; the vCPU may have gone on to its next request.
 */
static void count_ioeventfds(struct xen_vcpu *vcpu)
{
	struct xen_guest *guest = vcpu->guest;
	uint64_t addr = guest->page->vcpu_ioreq[vcpu - guest->vcpus].addr;
	struct xen_device *dev = find_device(guest, addr);

	if (!dev || !dev->ioeventfds || !is_kick(dev, addr - dev->base)) {
		for (dev = guest->devices; dev && !dev->ioeventfds; dev = dev->next)
			;
	}
	for (; vcpu->events > 0; vcpu->events--) {
		if (dev && dev->carrier.windows[0])
			dev->carrier.windows[0]->counters.ioeventfds++;
	}
}

static void guest_event(evutil_socket_t fd, short what, void *arg)
{
	struct xen_guest *guest = arg;
	unsigned int i;
	int port;

	(void)fd;
	(void)what;
	port = xenevtchn_pending(guest->evtchn);
	if (port < 0)
		return;
	for (i = 0; i < guest->num_vcpus; i++) {
		struct xen_vcpu *vcpu = &guest->vcpus[i];

		if (vcpu->port != (uint32_t)port)
			continue;
		vcpu->events++;
		if (!serve_vcpu(vcpu, false))
			count_ioeventfds(vcpu);
	}
	xenevtchn_unmask(guest->evtchn, port);
}

static int open_handles(struct xen_guest *guest, struct errmsg *err)
{
	guest->dm = xendevicemodel_open(NULL, 0);
	guest->fmem = xenforeignmemory_open(NULL, 0);
	guest->gnttab = xengnttab_open(NULL, 0);
	guest->evtchn = xenevtchn_open(NULL, 0);
	guest->privcmd = open("/dev/xen/privcmd", O_RDWR | O_CLOEXEC);
	if (!guest->dm || !guest->fmem || !guest->gnttab || !guest->evtchn || guest->privcmd < 0)
		return errmsg_set(err, "cannot open /dev/xen/privcmd, gntdev and evtchn: %s",
				  strerror(errno));
	if (xendevicemodel_restrict(guest->dm, guest->domid) ||
	    xenforeignmemory_restrict(guest->fmem, guest->domid) ||
	    xen_restrict(guest->privcmd, guest->domid))
		return errmsg_set(err, "cannot restrict handles to domain %u: %s",
				  guest->domid, strerror(errno));
	return 0;
}

static int find_server(struct xen_guest *guest, long adopt, struct errmsg *err)
{
	if (adopt >= 0 &&
	    !xendevicemodel_get_ioreq_server_info(guest->dm, guest->domid, adopt,
						  NULL, NULL, NULL)) {
		guest->server = adopt;
		guest->have_server = true;
		guest->adopted = true;
		log_line("xen: %s: adopted, IOREQ server %ld", guest->name, adopt);
		return 0;
	}
	if (xendevicemodel_create_ioreq_server(guest->dm, guest->domid,
					       HVM_IOREQSRV_BUFIOREQ_OFF,
					       &guest->server)) {
		if (errno == ENOSYS || errno == EOPNOTSUPP)
			return errmsg_set(err, "this hypervisor has no IOREQ server: build Xen with CONFIG_IOREQ_SERVER");
		return errmsg_set(err, "cannot make an IOREQ server: %s",
				  strerror(errno));
	}
	guest->have_server = true;
	return 0;
}

static int map_page(struct xen_guest *guest, struct errmsg *err)
{
	unsigned int vcpus;
	void *page = NULL;

	if (xendevicemodel_nr_vcpus(guest->dm, guest->domid, &vcpus))
		return errmsg_set(err, "cannot ask for the number of vCPUs: %s",
				  strerror(errno));
	if (vcpus > XEN_MAX_VCPUS)
		return errmsg_set(err, "%u vCPUs are more than one page of requests has room for",
				  vcpus);
	guest->resource =
		xenforeignmemory_map_resource(guest->fmem, guest->domid,
					      XENMEM_resource_ioreq_server,
					      guest->server,
					      XENMEM_resource_ioreq_server_frame_ioreq(0),
					      1, &page, PROT_READ | PROT_WRITE, 0);
	if (!guest->resource)
		return errmsg_set(err, "cannot map the page of requests: %s",
				  strerror(errno));
	guest->page = page;
	guest->num_vcpus = vcpus;
	return 0;
}

int xen_guest_open(struct xen_guest *guest, long adopt, struct errmsg *err)
{
	if (open_handles(guest, err) || find_server(guest, adopt, err) ||
	    map_page(guest, err))
		return -1;

	guest->event = event_new(loop, xenevtchn_fd(guest->evtchn),
				 EV_READ | EV_PERSIST, guest_event, guest);
	guest->again = evtimer_new(loop, guest_again, guest);
	guest->left = evtimer_new(loop, guest_left, guest);
	if (!guest->event || !guest->again || !guest->left || event_add(guest->event, NULL))
		return errmsg_set(err, "out of memory");
	return 0;
}

int xen_guest_enable(struct xen_guest *guest, struct errmsg *err)
{
	unsigned int vcpu;
	int port;

	/* The slots name their event channels once the server is enabled. */
	if (xendevicemodel_set_ioreq_server_state(guest->dm, guest->domid,
						  guest->server, 1))
		return errmsg_set(err, "cannot enable the IOREQ server: %s",
				  strerror(errno));
	for (vcpu = 0; vcpu < guest->num_vcpus; vcpu++) {
		port = xenevtchn_bind_interdomain(guest->evtchn, guest->domid,
						  guest->page->vcpu_ioreq[vcpu].vp_eport);
		if (port < 0)
			return errmsg_set(err, "cannot bind the event channel of vCPU %u: %s%s",
					  vcpu, strerror(errno), errno == EINVAL && guest->adopted ?
					  "; its last process was killed with ioeventfds, start the guest anew" :
					  "");
		guest->ports[vcpu] = port;
		guest->vcpus[vcpu].guest = guest;
		guest->vcpus[vcpu].port = port;
	}
	guest->enabled = true;
	return 0;
}

int xen_guest_claim(struct xen_guest *guest, uint64_t base, struct errmsg *err)
{
	uint64_t last = base + WINDOW_SIZE - 1;

	if (last < base || base & (WINDOW_SIZE - 1))
		return errmsg_set(err, "window at %#llx: not a multiple of %#x",
				  (unsigned long long)base, WINDOW_SIZE);
	/* An adopted server has its windows already. */
	if (xendevicemodel_map_io_range_to_ioreq_server(guest->dm, guest->domid,
							guest->server, 1, base, last) &&
	    errno != EEXIST)
		return errmsg_set(err, "cannot claim the window at %#llx: %s",
				  (unsigned long long)base, strerror(errno));
	return 0;
}

void xen_guest_close(struct xen_guest *guest, bool dead)
{
	if (guest->event)
		event_free(guest->event);
	if (guest->again)
		event_free(guest->again);
	if (guest->left)
		event_free(guest->left);
	if (guest->resource)
		xenforeignmemory_unmap_resource(guest->fmem, guest->resource);
	guest->resource = NULL;
	guest->page = NULL;
	/*
	 * A living guest's next access would abort without the server; the next
	 * virtio-msgd adopts it.
	 */
	if (dead && guest->have_server)
		xendevicemodel_destroy_ioreq_server(guest->dm, guest->domid,
						    guest->server);
	if (guest->evtchn)
		xenevtchn_close(guest->evtchn);
	if (guest->gnttab)
		xengnttab_close(guest->gnttab);
	if (guest->fmem)
		xenforeignmemory_close(guest->fmem);
	if (guest->dm)
		xendevicemodel_close(guest->dm);
	if (guest->privcmd >= 0)
		close(guest->privcmd);
}
