/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MSGD_CARRIER_VFIO_USER_H
#define MSGD_CARRIER_VFIO_USER_H

#include "base/base.h"
#include "model/model.h"

/*
 * Wait for a VMM at the socket "path", and be a PCI function for it ("device-id", "msi",
 * "vectors"); @listening: that socket, which somebody else made and will remove, or -1. NULL
 * with @err set.
 */
struct carrier *carrier_vfio_user_create(struct params *params, int listening,
					 struct errmsg *err);

#endif
