// SPDX-License-Identifier: GPL-2.0-only
/*
 * In place of the Xen carrier where Xen's libraries are missing.
 */
#include "carriers/xen/xen.h"

static int missing(struct errmsg *err)
{
	return errmsg_set(err, "this virtio-msgd was built without Xen's libraries: install libxen-dev and build it again");
}

int carrier_xen_rule(struct params *params, carrier_xen_window *window, struct errmsg *err)
{
	(void)window;
	(void)params;
	return missing(err);
}

bool carrier_xen_wanted(void)
{
	return false;
}

int carrier_xen_find(void (*found)(unsigned int domid, const char *name), struct errmsg *err)
{
	(void)found;
	return missing(err);
}

void carrier_xen_find_stop(void)
{
}

int carrier_xen_serve(unsigned int domid, void (*over)(void), struct errmsg *err)
{
	(void)domid;
	(void)over;
	return missing(err);
}

void carrier_xen_stop(void)
{
}
