// SPDX-License-Identifier: GPL-2.0-only
/*
 * Xen guests, for the parent: found in xenstore, and what their processes, which have no
 * rights, have done by it.
 */
#include "program/xen_parent.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"
#include "carriers/xen/xen.h"
#include "program/channel.h"
#include "program/config.h"
#include "program/guests_internal.h"

static const struct config *the_config;

static void tell(struct guest *guest)
{
	json_t *description = carrier_xen_describe(guest->domain);

	if (description)
		channel_send(guest->channel, json_pack("{s:o}", "xen", description));
}

static void found(unsigned int domid, const char *name)
{
	struct guest *guest;
	char key[8];

	snprintf(key, sizeof(key), "%u", domid);
	if (!the_config || guest_find(key))
		return;
	guest = config_xen_guest(the_config, domid, name);
	if (!guest) {
		log_line("xen: %s: out of memory", name);
		return;
	}
	guest->domain = domid;
	guest_start_found(guest);
}

static void changed(void)
{
	struct guest *guest;

	for (guest = guests; guest; guest = guest->next) {
		if (guest->domain >= 0 && guest->channel)
			tell(guest);
	}
}

int xen_find(const struct config *config, struct errmsg *err)
{
	the_config = config;
	return carrier_xen_find(found, changed, err);
}

void xen_find_no_more(void)
{
	the_config = NULL;
}

void guest_xen_note(struct guest *guest, const json_t *notes)
{
	if (guest->domain >= 0)
		carrier_xen_note(guest->domain, notes);
}

/*
 * Devices: a process asks with a number that comes back, and whether it is grants that
 * its backend needs
 */

static void stop_listening(struct guest *guest)
{
	if (guest->asked)
		event_free(guest->asked);
	guest->asked = NULL;
	if (guest->devices >= 0)
		close(guest->devices);
	guest->devices = -1;
}

static void on_asked(evutil_socket_t fd, short what, void *arg)
{
	struct guest *guest = arg;
	struct device_answer answer = { 0 };
	struct device_request request;
	int device = -1;
	ssize_t n;

	(void)what;
	n = sock_receive(fd, &request, sizeof(request), NULL, 0, NULL);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n == sizeof(request)) {
		device = carrier_xen_device(guest->domain, request.grants);
		answer.number = request.number;
		answer.error = device < 0 ? -device : 0;
	}
	/* One that does not take answers gets none */
	if (n != sizeof(request) ||
	    sock_send(fd, &answer, sizeof(answer), &device, device >= 0) != sizeof(answer))
		stop_listening(guest);
	if (device >= 0)
		close(device);
}

void guest_xen_begin(struct guest *guest)
{
	if (guest->domain < 0)
		return;
	tell(guest);
	if (guest->devices < 0)
		return;
	guest->asked = event_new(loop, guest->devices, EV_READ | EV_PERSIST, on_asked, guest);
	if (!guest->asked || event_add(guest->asked, NULL))
		log_line("%s: out of memory", guest->name);
}

void guest_xen_end(struct guest *guest)
{
	stop_listening(guest);
}
