// SPDX-License-Identifier: GPL-2.0-only
/*
 * In place of the Xen carrier where Xen's libraries are missing.
 */
#include <errno.h>

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

int carrier_xen_find(void (*found)(unsigned int domid, const char *name),
		     void (*changed)(void), struct errmsg *err)
{
	(void)found;
	(void)changed;
	return missing(err);
}

void carrier_xen_find_stop(void)
{
}

json_t *carrier_xen_describe(unsigned int domid)
{
	(void)domid;
	return NULL;
}

void carrier_xen_note(unsigned int domid, const json_t *notes)
{
	(void)domid;
	(void)notes;
}

int carrier_xen_device(unsigned int domid, bool grants)
{
	(void)domid;
	(void)grants;
	return -ENODEV;
}

void carrier_xen_hear(const json_t *description)
{
	(void)description;
}

void carrier_xen_note_again(void)
{
}

int carrier_xen_serve(unsigned int domid, const struct carrier_xen_ops *process,
		      struct errmsg *err)
{
	(void)domid;
	(void)process;
	return missing(err);
}

void carrier_xen_stop(void)
{
}
