// SPDX-License-Identifier: GPL-2.0-only
#include "program/devices.h"

#include <string.h>

#include "devices/devices.h"
#include "vhost_user/vhost_user.h"

static const struct device_kind *const kinds[] = {
	&device_blk,
	&device_i2c,
	&device_rng,
	&device_vhost_user,
};

#define NUM_KINDS (sizeof(kinds) / sizeof(kinds[0]))

static int unknown_kind(const char *name, struct errmsg *err)
{
	char list[128] = "";
	size_t i;

	for (i = 0; i < NUM_KINDS; i++) {
		strncat(list, i ? ", " : "", sizeof(list) - strlen(list) - 1);
		strncat(list, kinds[i]->name, sizeof(list) - strlen(list) - 1);
	}
	return errmsg_set(err, "device=%s is not known, but: %s", name, list);
}

int devices_create(struct params *params, struct device **dev,
		   struct errmsg *err)
{
	const char *name = params_get(params, "device");
	const struct device_kind *kind = NULL;
	size_t i;

	*dev = NULL;
	if (!name)
		return 0;
	for (i = 0; i < NUM_KINDS; i++) {
		if (!strcmp(kinds[i]->name, name))
			kind = kinds[i];
	}
	/* A type of vhost-user device; with a backend, those that are built in, too */
	if (device_is_vhost_user(name) && (!kind || params_get(params, "socket")))
		kind = &device_vhost_user;
	if (!kind)
		return unknown_kind(name, err);
	*dev = kind->create(params, err);
	return *dev ? 0 : -1;
}
