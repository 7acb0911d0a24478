// SPDX-License-Identifier: GPL-2.0-only
/*
 * Finds Xen guests and their virtio devices in xenstore, as they come and go:
 *
 *	backend/virtio/GUEST/INDEX/base, irq, type, transport, grant_usage,
 *	state, frontend
 *
 * below this domain's own directory, written by the toolstack. What is noted there
 * for the next virtio-msgd, which adopts the guests:
 *
 *	virtio-msgd/GUEST/server, uuid, INDEX/state
 */
#include "carrier_xen.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xenstore.h>

#include "carrier_xen_internal.h"

#define BACKEND		"backend/virtio"
#define RECORD		"virtio-msgd"

/* States of xenbus (xen/io/xenbus.h) */
#define STATE_CLOSING	5
#define STATE_CLOSED	6

static struct xs_handle *xs;
static struct event *xs_event;
static struct xen_guest *guests;

struct xen_device *xen_device(struct carrier *carrier)
{
	return (struct xen_device *)((char *)carrier -
				     offsetof(struct xen_device, carrier));
}

/*
 * xenstore
 */

__attribute__((format(printf, 1, 2)))
static char *store_read(const char *fmt, ...)
{
	unsigned int len;
	char *path, *value;
	va_list ap;
	int ret;

	va_start(ap, fmt);
	ret = vasprintf(&path, fmt, ap);
	va_end(ap);
	if (ret < 0)
		return NULL;
	value = xs_read(xs, XBT_NULL, path, &len);
	free(path);
	return value;
}

/* Replaces *value by the number in the node; false if there is none. */
static bool number(char *text, uint64_t *value)
{
	char *end;
	bool good;

	if (!text)
		return false;
	errno = 0;
	*value = strtoull(text, &end, 0);
	good = !errno && end != text && !*end;
	free(text);
	return good;
}

__attribute__((format(printf, 2, 3)))
static void store_write(const char *value, const char *fmt, ...)
{
	va_list ap;
	char *path;
	int ret;

	va_start(ap, fmt);
	ret = vasprintf(&path, fmt, ap);
	va_end(ap);
	if (ret < 0)
		return;
	if (!xs_write(xs, XBT_NULL, path, value, strlen(value)))
		log_limited("xen: cannot write %s: %s", path, strerror(errno));
	free(path);
}

/* What the last virtio-msgd noted about this guest: its server, or -1 */
static long recorded_server(const struct xen_guest *guest)
{
	char *uuid = store_read(RECORD "/%u/uuid", guest->domid);
	uint64_t server;
	long ret = -1;

	if (uuid && guest->uuid && !strcmp(uuid, guest->uuid) &&
	    number(store_read(RECORD "/%u/server", guest->domid), &server) &&
	    server <= UINT16_MAX)
		ret = server;
	free(uuid);
	return ret;
}

static void record_server(const struct xen_guest *guest)
{
	char server[8];

	snprintf(server, sizeof(server), "%u", guest->server);
	store_write(server, RECORD "/%u/server", guest->domid);
	store_write(guest->uuid ?: "", RECORD "/%u/uuid", guest->domid);
}

void xen_record_state(const struct xen_device *dev, const char *text)
{
	store_write(text, RECORD "/%u/%u/state", dev->guest->domid, dev->index);
}

/* NULL if there is none, or it is of another guest */
static char *recorded_state(const struct xen_device *dev)
{
	char *text = store_read(RECORD "/%u/%u/state", dev->guest->domid, dev->index);

	if (text && *text)
		return text;
	free(text);
	return NULL;
}

static void forget_record(unsigned int domid)
{
	char path[32];

	snprintf(path, sizeof(path), RECORD "/%u", domid);
	xs_rm(xs, XBT_NULL, path);
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
		if (dev->carrier.windows[w]->slot.dev)
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
	xen_memory_close(dev);
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

/* The device is gone from xenstore: let go of all that is the guest's. */
static void empty_device(struct xen_device *dev)
{
	if (!dev->present)
		return;
	dev->present = false;
	xen_state_forget(dev);
	if (!dev->carrier.windows[0])
		return;
	carrier_guest_gone(&dev->carrier);
	window_detach(dev->carrier.windows[0]);
	xen_eventfds_release(dev);
	xen_memory_close(dev);
	dev->page = 0;
	xen_state_save(dev);
	log_line("%s: gone", dev->carrier.name);
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
		window_attach(win, choice.device);
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
	dev->next = guest->devices;
	guest->devices = dev;
	return dev;
}

/*
 * Guests
 */

static struct xen_guest *find_guest(unsigned int domid)
{
	struct xen_guest *guest;

	for (guest = guests; guest; guest = guest->next)
		if (guest->domid == domid)
			return guest;
	return NULL;
}

static void free_guest(struct xen_guest *guest, bool dead)
{
	struct xen_guest **at;

	for (at = &guests; *at && *at != guest; at = &(*at)->next)
		;
	if (*at)
		*at = guest->next;
	while (guest->devices)
		free_device(guest->devices);
	xen_guest_close(guest, dead);
	if (dead) {
		forget_record(guest->domid);
		log_line("xen: %s: gone", guest->name);
	}
	free(guest->name);
	free(guest->uuid);
	free(guest);
}

static int describe_guest(struct xen_guest *guest)
{
	guest->name = store_read("/local/domain/%u/name", guest->domid);
	if (!guest->name && asprintf(&guest->name, "domain %u", guest->domid) < 0)
		guest->name = NULL;
	guest->uuid = store_read("/local/domain/%u/vm", guest->domid);
	if (!number(store_read("/local/domain/%u/memory/static-max", guest->domid),
		    &guest->ram_kib))
		guest->ram_kib = 0;
	return guest->name ? 0 : -ENOMEM;
}

static struct xen_guest *add_guest(unsigned int domid)
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
	guest->next = guests;
	guests = guest;
	return guest;
}

/*
 * Scanning
 */

static unsigned int state_of(char *text)
{
	uint64_t state;

	return number(text, &state) ? state : 0;
}

/* The toolstack, or the guest, wants the device to end. */
static bool closing(const char *path)
{
	char *frontend = store_read("%s/frontend", path);
	unsigned int state = state_of(store_read("%s/state", path));
	unsigned int front = 0;

	if (frontend)
		front = state_of(store_read("%s/state", frontend));
	free(frontend);
	return state == STATE_CLOSING || state == STATE_CLOSED ||
	       front == STATE_CLOSING || front == STATE_CLOSED;
}

/* Where a new device's window is; false if xenstore does not say. */
static bool read_base(struct xen_device *dev, const char *path)
{
	char *transport = store_read("%s/transport", path);
	bool mmio = transport && !strcmp(transport, "mmio");

	free(transport);
	if (mmio && number(store_read("%s/base", path), &dev->base))
		return true;
	log_line("%s: xenstore has no transport=mmio and base for it: ignored",
		 dev->carrier.name);
	return false;
}

/* The rest of what xenstore says of it; false if it is not all there. */
static bool read_device(struct xen_device *dev, const char *path)
{
	uint64_t irq, grants = 0;

	if (!number(store_read("%s/irq", path), &irq) || irq > UINT32_MAX) {
		log_line("%s: xenstore has no irq for it: nothing is in its window",
			 dev->carrier.name);
		return false;
	}
	dev->irq = irq;
	if (!number(store_read("%s/grant_usage", path), &grants))
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

static void new_device(unsigned int domid, unsigned int index, const char *path)
{
	struct xen_guest *guest = find_guest(domid);
	struct xen_device *dev;
	char *type;

	if (!guest)
		guest = add_guest(domid);
	if (!guest)
		return;
	dev = add_device(guest, index);
	if (!dev)
		return;
	dev->present = true;
	type = store_read("%s/type", path);
	if (read_base(dev, path) && claim(dev) && read_device(dev, path))
		start_device(dev, type ?: "");
	free(type);
	/* What the guest asked meanwhile, or while nobody was there */
	xen_guest_serve(guest);
}

static void scan_device(unsigned int domid, unsigned int index)
{
	struct xen_guest *guest = find_guest(domid);
	struct xen_device *dev = guest ? find_device(guest, index) : NULL;
	char path[64];

	snprintf(path, sizeof(path), BACKEND "/%u/%u", domid, index);
	if (closing(path)) {
		if (dev)
			empty_device(dev);
		if (state_of(store_read("%s/state", path)) != STATE_CLOSED)
			store_write("6", "%s/state", path);
	} else if (!dev) {
		new_device(domid, index, path);
	}
}

/* Call @visit for each number that is the name of a node below @path. */
static void each_number(const char *path,
			void (*visit)(unsigned int number, void *arg), void *arg)
{
	unsigned int i, count;
	uint64_t value;
	char **names;

	names = xs_directory(xs, XBT_NULL, path, &count);
	if (!names)
		return;
	for (i = 0; i < count; i++)
		if (number(strdup(names[i]), &value) && value <= UINT16_MAX)
			visit(value, arg);
	free(names);
}

static void visit_device(unsigned int index, void *arg)
{
	scan_device(*(unsigned int *)arg, index);
}

static void visit_guest(unsigned int domid, void *arg)
{
	char path[64];

	(void)arg;
	if (!xs_is_domain_introduced(xs, domid))
		return;
	snprintf(path, sizeof(path), BACKEND "/%u", domid);
	each_number(path, visit_device, &domid);
}

static void visit_record(unsigned int domid, void *arg)
{
	(void)arg;
	if (!find_guest(domid) && !xs_is_domain_introduced(xs, domid))
		forget_record(domid);
}

static bool in_store(const struct xen_device *dev)
{
	char *frontend = store_read(BACKEND "/%u/%u/frontend", dev->guest->domid,
				    dev->index);
	bool found = frontend;

	free(frontend);
	return found;
}

/* What is here but no longer there */
static void scan_gone(void)
{
	struct xen_guest *guest, *next;
	struct xen_device *dev;

	for (guest = guests; guest; guest = next) {
		next = guest->next;
		if (!xs_is_domain_introduced(xs, guest->domid)) {
			free_guest(guest, true);
			continue;
		}
		for (dev = guest->devices; dev; dev = dev->next)
			if (dev->present && !in_store(dev))
				empty_device(dev);
	}
}

static void scan(void)
{
	scan_gone();
	each_number(BACKEND, visit_guest, NULL);
}

static void store_event(evutil_socket_t fd, short what, void *arg)
{
	bool any = false;
	char **watch;

	(void)fd;
	(void)what;
	(void)arg;
	while ((watch = xs_check_watch(xs))) {
		free(watch);
		any = true;
	}
	if (any)
		scan();
}

int carrier_xen_start(struct errmsg *err)
{
	xs = xs_open(0);
	if (!xs)
		return errmsg_set(err, "cannot reach xenstore: %s; --xen needs root in Dom0 of a Xen host",
				  strerror(errno));
	if (!xs_watch(xs, BACKEND, "devices") ||
	    !xs_watch(xs, "@releaseDomain", "guests"))
		return errmsg_set(err, "cannot watch xenstore: %s; --xen needs the rights of Dom0",
				  strerror(errno));
	xs_event = event_new(loop, xs_fileno(xs), EV_READ | EV_PERSIST, store_event,
			     NULL);
	if (!xs_event || event_add(xs_event, NULL))
		return errmsg_set(err, "out of memory");
	each_number(RECORD, visit_record, NULL);
	scan();
	return 0;
}

void carrier_xen_stop(void)
{
	while (guests)
		free_guest(guests, false);
	if (xs_event)
		event_free(xs_event);
	if (xs)
		xs_close(xs);
	xs_event = NULL;
	xs = NULL;
	xen_rules_free();
}
