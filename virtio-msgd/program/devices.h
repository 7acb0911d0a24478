/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kinds of devices that can be named in device=KIND.
 */
#ifndef MSGD_DEVICES_H
#define MSGD_DEVICES_H

#include "base/base.h"
#include "model/model.h"

/*
 * Make the device that @params name (device=KIND and what the kind knows).
 * 0 with *dev set, to NULL if no device is named; or -1 with @err set.
 */
int devices_create(struct params *params, struct device **dev,
		   struct errmsg *err);

#endif
