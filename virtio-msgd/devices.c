// SPDX-License-Identifier: GPL-2.0-only
#include "devices.h"

#include <string.h>

static const struct device_kind *const kinds[] = {
	&device_i2c,
	&device_rng,
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
	size_t i;

	*dev = NULL;
	if (!name)
		return 0;
	for (i = 0; i < NUM_KINDS; i++) {
		if (!strcmp(kinds[i]->name, name)) {
			*dev = kinds[i]->create(params, err);
			return *dev ? 0 : -1;
		}
	}
	return unknown_kind(name, err);
}
