// SPDX-License-Identifier: GPL-2.0-only
/*
 * In place of the Xen carrier where Xen's libraries are missing.
 */
#include <errno.h>

#include "carrier_xen.h"

static int missing(struct errmsg *err)
{
	return errmsg_set(err, "this virtio-msgd was built without Xen's libraries: install libxen-dev and build it again");
}

int carrier_xen_rule(struct params *params, struct errmsg *err)
{
	(void)params;
	return missing(err);
}

bool carrier_xen_wanted(void)
{
	return false;
}

int carrier_xen_start(struct errmsg *err)
{
	return missing(err);
}

void carrier_xen_stop(void)
{
}

bool xen_memory(const struct memory *mem, struct xen_memory *info)
{
	(void)mem;
	(void)info;
	return false;
}

int xen_memory_fd(const struct memory *mem)
{
	(void)mem;
	return -ENOTSUP;
}
