// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which guests have virtio devices, by what toolstacks write into xenstore.
 */
#include "carriers/xen/xen.h"

#include <stdio.h>
#include <stdlib.h>

#include "carriers/xen/internal.h"

static void (*report)(unsigned int domid, const char *name);
static void (*report_change)(void);

static void visit_device(unsigned int index, void *arg)
{
	unsigned int *num = arg;

	(void)index;
	++*num;
}

static void visit_guest(unsigned int domid, void *arg)
{
	unsigned int devices = 0;
	char path[32], *name;

	(void)arg;
	snprintf(path, sizeof(path), XEN_BACKEND "/%u", domid);
	xen_store_each(path, visit_device, &devices);
	if (!devices || !xs_is_domain_introduced(xen_store, domid))
		return;
	name = xen_store_read("/local/domain/%u/name", domid);
	if (name || asprintf(&name, "domain %u", domid) >= 0)
		report(domid, name);
	free(name);
}

static void visit_record(unsigned int domid, void *arg)
{
	char path[32];

	(void)arg;
	snprintf(path, sizeof(path), XEN_RECORD "/%u", domid);
	if (!xs_is_domain_introduced(xen_store, domid))
		xen_store_remove(path);
}

static void on_change(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	if (!xen_store_changed())
		return;
	xen_store_each(XEN_BACKEND, visit_guest, NULL);
	report_change();
}

int carrier_xen_find(void (*found)(unsigned int domid, const char *name),
		     void (*changed)(void), struct errmsg *err)
{
	report = found;
	report_change = changed;
	if (xen_store_open(on_change, err) || xen_store_watch(XEN_BACKEND, err) ||
	    xen_store_watch("@releaseDomain", err))
		return -1;
	xen_store_each(XEN_RECORD, visit_record, NULL);
	xen_store_each(XEN_BACKEND, visit_guest, NULL);
	return 0;
}

void carrier_xen_find_stop(void)
{
	xen_store_close();
}
