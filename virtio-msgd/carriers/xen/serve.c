// SPDX-License-Identifier: GPL-2.0-only
/*
 * A Xen guest and its virtio devices, as they come and go in xenstore:
 *
 *	backend/virtio/GUEST/INDEX/base, irq, type, transport, grant_usage,
 *	state, frontend
 *
 * below this domain's own directory, written by the toolstack. What is noted there
 * for the next virtio-msgd, which adopts the guests:
 *
 *	virtio-msgd/GUEST/server, uuid, INDEX/state
 */
#include "carriers/xen/xen.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "carriers/xen/internal.h"

/* States of xenbus (xen/io/xenbus.h) */
#define STATE_CLOSING	5
#define STATE_CLOSED	6

/* The guest that this process serves; NULL until it has a device */
static struct xen_guest *the_guest;
static bool the_guest_is_dead;
static unsigned int the_domid;
static const struct carrier_xen_ops *the_ops;
/* A description was heard before anybody serves: it is looked at then */
static bool serving;

struct xen_device *xen_device(struct carrier *carrier)
{
	return (struct xen_device *)((char *)carrier -
				     offsetof(struct xen_device, carrier));
}

/*
 * What is noted for the next process
 */

/* What the last virtio-msgd noted about this guest: its server, or -1 */
static long recorded_server(const struct xen_guest *guest)
{
	char *uuid = xen_mirror_read(XEN_RECORD "/%u/uuid", guest->domid);
	uint64_t server;
	long ret = -1;

	if (uuid && guest->uuid && !strcmp(uuid, guest->uuid) &&
	    xen_mirror_number(xen_mirror_read(XEN_RECORD "/%u/server", guest->domid), &server) &&
	    server <= UINT16_MAX)
		ret = server;
	free(uuid);
	return ret;
}

static void record_server(const struct xen_guest *guest)
{
	char server[8];

	snprintf(server, sizeof(server), "%u", guest->server);
	xen_mirror_write(server, XEN_RECORD "/%u/server", guest->domid);
	xen_mirror_write(guest->uuid ?: "", XEN_RECORD "/%u/uuid", guest->domid);
}

void xen_record_state(const struct xen_device *dev, const char *text)
{
	xen_mirror_write(text, XEN_RECORD "/%u/%u/state", dev->guest->domid, dev->index);
}

/* NULL if there is none, or it is of another guest */
static char *recorded_state(const struct xen_device *dev)
{
	char *text = xen_mirror_read(XEN_RECORD "/%u/%u/state", dev->guest->domid, dev->index);

	if (text && *text)
		return text;
	free(text);
	return NULL;
}

/*
 * Devices
 */

static void interrupt(struct carrier *carrier, unsigned int w)
{
	struct xen_device *dev = xen_device(carrier);
	struct xen_guest *guest = dev->guest;

	if (dev->leaving)
		return;
	/* The device has come, to a driver that knows it already. */
	if (dev->restore) {
		if (dev->carrier.windows[w]->slots[0].dev)
			xen_state_restore(dev);
		return;
	}
	xen_state_changed(dev);
	/* Refused only for a guest that is dying. */
	xendevicemodel_set_irq_level(guest->dm, guest->domid, dev->irq, 1);
	xendevicemodel_set_irq_level(guest->dm, guest->domid, dev->irq, 0);
}

static void free_device(struct xen_device *dev)
{
	struct xen_device **at;

	for (at = &dev->guest->devices; *at != dev; at = &(*at)->next)
		;
	dev->leaving = true;
	/* Let go of the message page first: what follows is not for the driver to see. */
	if (dev->carrier.windows[0])
		dev->carrier.windows[0]->personality->reset(dev->carrier.windows[0]);
	carrier_release(&dev->carrier);
	xen_eventfds_release(dev);
	*at = dev->next;
	xen_state_forget(dev);
	free(dev->saved);
	free(dev);
}

/* The program ends, but the guest does not. */
static void close_device(struct carrier *carrier)
{
	struct xen_device *dev = xen_device(carrier);

	dev->leaving = true;
	xen_state_leave(dev);
	free_device(dev);
}

static const struct carrier_ops ops = {
	.interrupt = interrupt,
	.ioeventfd = xen_ioeventfd,
	.irqfd = xen_irqfd,
	.close = close_device,
};

/* Nothing of it is under way any more. */
static void on_gone(struct carrier *carrier)
{
	struct xen_device *dev = xen_device(carrier);
	struct window *win = carrier->windows[0];
	unsigned int i;

	for (i = 0; i < win->config.num_slots; i++) {
		task_lock(&win->slots[i].lock);
		slot_detach(&win->slots[i]);
		task_unlock(&win->slots[i].lock);
	}
	xen_eventfds_release(dev);
	dev->page = 0;
	xen_state_save(dev);
	log_line("%s: gone", dev->carrier.name);
}

/* The device is gone from xenstore: let go of all that is the guest's. */
static void empty_device(struct xen_device *dev)
{
	if (!dev->present)
		return;
	dev->present = false;
	xen_state_forget(dev);
	if (dev->carrier.windows[0])
		carrier_guest_gone(&dev->carrier, on_gone);
}

/*
 * Claim the window before all else, which may take time, so that the guest never
 * touches an unclaimed one.
 */
static bool claim(struct xen_device *dev)
{
	struct xen_guest *guest = dev->guest;
	struct errmsg err;

	if (!xen_guest_claim(guest, dev->base, &err) &&
	    (guest->enabled || !xen_guest_enable(guest, &err)))
		return true;
	log_line("%s: %s", dev->carrier.name, err.text);
	return false;
}

static void start_device(struct xen_device *dev, const char *type)
{
	struct xen_guest *guest = dev->guest;
	struct xen_choice choice;
	struct errmsg err;
	struct window *win;

	if (xen_choose(guest, dev->index, type, &choice, &err))
		log_line("%s: %s: the slot stays empty", dev->carrier.name,
			 err.text);
	dev->use_ioeventfd = choice.use_ioeventfd;
	dev->use_irqfd = choice.use_irqfd;
	dev->carrier.translates = dev->grants;
	win = window_create(&dev->carrier, 0, &choice.window);
	if (!win)
		errmsg_set(&err, "cannot make the window: %s", strerror(errno));
	if (!win || xen_memory_open(dev, &err)) {
		log_line("%s: %s", dev->carrier.name, err.text);
		if (choice.device)
			choice.device->ops->destroy(choice.device);
		return;
	}
	log_line("%s: window at %#llx, interrupt %u, %s, %s", dev->carrier.name,
		 (unsigned long long)dev->base, dev->irq,
		 dev->grants ? "grants" : "all of the guest's RAM mapped",
		 choice.device ? choice.device->name : "empty");
	if (guest->adopted)
		xen_state_adopt(dev, recorded_state(dev));
	if (choice.device)
		slot_attach(&win->slots[0], choice.device);
}

static struct xen_device *add_device(struct xen_guest *guest, unsigned int index)
{
	struct xen_device *dev = calloc(1, sizeof(*dev));
	char name[128];

	if (!dev)
		return NULL;
	dev->guest = guest;
	dev->index = index;
	snprintf(name, sizeof(name), "xen:%s/%u", guest->name, index);
	if (carrier_init(&dev->carrier, &ops, name)) {
		free(dev);
		return NULL;
	}
	dev->carrier.max_slots = XEN_MAX_SLOTS;
	dev->next = guest->devices;
	guest->devices = dev;
	return dev;
}

/*
 * Guests
 */

static void free_guest(struct xen_guest *guest, bool dead)
{
	while (guest->devices)
		free_device(guest->devices);
	xen_guest_close(guest, dead);
	if (dead) {
		xen_mirror_forget(guest->domid);
		log_line("xen: %s: gone", guest->name);
	}
	log_limit_end(&guest->log);
	free(guest->name);
	free(guest->uuid);
	free(guest);
}

static int describe_guest(struct xen_guest *guest)
{
	guest->name = xen_mirror_read("/local/domain/%u/name", guest->domid);
	if (!guest->name && asprintf(&guest->name, "domain %u", guest->domid) < 0)
		guest->name = NULL;
	guest->uuid = xen_mirror_read("/local/domain/%u/vm", guest->domid);
	if (!xen_mirror_number(xen_mirror_read("/local/domain/%u/memory/static-max", guest->domid),
		    &guest->ram_kib))
		guest->ram_kib = 0;
	return guest->name ? 0 : -ENOMEM;
}

static struct xen_guest *make_guest(unsigned int domid)
{
	struct xen_guest *guest = calloc(1, sizeof(*guest));
	struct errmsg err;

	if (!guest)
		return NULL;
	guest->domid = domid;
	guest->privcmd = -1;
	if (describe_guest(guest)) {
		free_guest(guest, false);
		return NULL;
	}
	if (xen_guest_open(guest, recorded_server(guest), &err)) {
		log_line("xen: %s: %s", guest->name, err.text);
		free_guest(guest, false);
		return NULL;
	}
	record_server(guest);
	return guest;
}

/*
 * Scanning
 */

static unsigned int state_of(char *text)
{
	uint64_t state;

	return xen_mirror_number(text, &state) ? state : 0;
}

/* The toolstack, or the guest, wants the device to end. */
static bool closing(const char *path)
{
	char *frontend = xen_mirror_read("%s/frontend", path);
	unsigned int state = state_of(xen_mirror_read("%s/state", path));
	unsigned int front = 0;

	if (frontend)
		front = state_of(xen_mirror_read("%s/state", frontend));
	free(frontend);
	return state == STATE_CLOSING || state == STATE_CLOSED ||
	       front == STATE_CLOSING || front == STATE_CLOSED;
}

/* Where a new device's window is; false if xenstore does not say. */
static bool read_base(struct xen_device *dev, const char *path)
{
	char *transport = xen_mirror_read("%s/transport", path);
	bool mmio = transport && !strcmp(transport, "mmio");

	free(transport);
	if (mmio && xen_mirror_number(xen_mirror_read("%s/base", path), &dev->base))
		return true;
	log_line("%s: xenstore has no transport=mmio and base for it: ignored",
		 dev->carrier.name);
	return false;
}

/* The rest of what xenstore says of it; false if it is not all there. */
static bool read_device(struct xen_device *dev, const char *path)
{
	uint64_t irq, grants = 0;

	if (!xen_mirror_number(xen_mirror_read("%s/irq", path), &irq) || irq > UINT32_MAX) {
		log_line("%s: xenstore has no irq for it: nothing is in its window",
			 dev->carrier.name);
		return false;
	}
	dev->irq = irq;
	if (!xen_mirror_number(xen_mirror_read("%s/grant_usage", path), &grants))
		log_line("%s: xenstore has no grant_usage for it: taken as 0",
			 dev->carrier.name);
	dev->grants = grants;
	return true;
}

static struct xen_device *find_device(struct xen_guest *guest, unsigned int index)
{
	struct xen_device *dev;

	for (dev = guest->devices; dev; dev = dev->next)
		if (dev->index == index)
			return dev;
	return NULL;
}

static void new_device(unsigned int index, const char *path)
{
	struct xen_device *dev;
	char *type;

	if (!the_guest)
		the_guest = make_guest(the_domid);
	if (!the_guest)
		return;
	dev = add_device(the_guest, index);
	if (!dev)
		return;
	dev->present = true;
	type = xen_mirror_read("%s/type", path);
	if (read_base(dev, path) && claim(dev) && read_device(dev, path))
		start_device(dev, type ?: "");
	free(type);
	/* What the guest asked meanwhile, or while nobody was there */
	xen_guest_serve(the_guest);
}

static void scan_device(unsigned int index, void *arg)
{
	struct xen_device *dev = the_guest ? find_device(the_guest, index) : NULL;
	char path[64];

	(void)arg;
	snprintf(path, sizeof(path), XEN_BACKEND "/%u/%u", the_domid, index);
	if (closing(path)) {
		if (dev)
			empty_device(dev);
		if (state_of(xen_mirror_read("%s/state", path)) != STATE_CLOSED)
			xen_mirror_write(XEN_CLOSED, "%s/state", path);
	} else if (!dev) {
		new_device(index, path);
	}
}

static bool in_store(const struct xen_device *dev)
{
	char *frontend = xen_mirror_read(XEN_BACKEND "/%u/%u/frontend", dev->guest->domid,
				    dev->index);
	bool found = frontend;

	free(frontend);
	return found;
}

/* What is here but no longer there */
static void scan_gone(void)
{
	struct xen_device *dev;

	for (dev = the_guest ? the_guest->devices : NULL; dev; dev = dev->next)
		if (dev->present && !in_store(dev))
			empty_device(dev);
}

static void scan(void)
{
	char path[32];

	if (!xen_mirror_introduced()) {
		/* Something of it may be under way: the rest is done at the end. */
		the_guest_is_dead = true;
		the_ops->over();
		return;
	}
	scan_gone();
	snprintf(path, sizeof(path), XEN_BACKEND "/%u", the_domid);
	xen_mirror_each(path, scan_device, NULL);
}

void xen_guest_changed(void)
{
	if (serving)
		scan();
}

int xen_ask_device(bool grants)
{
	return the_ops->device(grants);
}

int carrier_xen_serve(unsigned int domid, const struct carrier_xen_ops *process,
		      struct errmsg *err)
{
	the_domid = domid;
	the_ops = process;
	if (xen_mirror_open(process->note, err))
		return -1;
	/* With all that has to be opened, while this process may */
	if (xen_mirror_introduced())
		the_guest = make_guest(domid);
	serving = true;
	scan();
	return 0;
}

void carrier_xen_stop(void)
{
	serving = false;
	if (the_guest)
		free_guest(the_guest, the_guest_is_dead);
	else if (the_guest_is_dead)
		xen_mirror_forget(the_domid);
	the_guest = NULL;
	xen_mirror_close();
	xen_rules_free();
}
