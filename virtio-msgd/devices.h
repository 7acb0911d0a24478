/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kinds of devices that can be named in device=KIND.
 */
#ifndef MSGD_DEVICES_H
#define MSGD_DEVICES_H

#include "device.h"
#include "params.h"

/**
 * struct device_kind - makes devices
 * @name: what device=NAME says
 * @create: a new device, not yet in a window; asks @params for what it
 *	understands (params_unknown() is the caller's). NULL with @err set
 */
struct device_kind {
	const char *name;
	struct device *(*create)(struct params *params, struct errmsg *err);
};

extern const struct device_kind device_blk;
extern const struct device_kind device_i2c;
extern const struct device_kind device_rng;
/* device=vhost-user,type=TYPE,socket=PATH, or device=TYPE,socket=PATH */
extern const struct device_kind device_vhost_user;
bool device_is_vhost_user(const char *name);

/*
 * Make the device that @params name (device=KIND and what the kind knows).
 * 0 with *dev set, to NULL if no device is named; or -1 with @err set.
 */
int devices_create(struct params *params, struct device **dev,
		   struct errmsg *err);

#endif
