// SPDX-License-Identifier: GPL-2.0-only
#include "model/carrier.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct carrier *carriers;

int carrier_init(struct carrier *carrier, const struct carrier_ops *ops,
		 const char *name)
{
	struct carrier **end = &carriers;

	carrier->name = strdup(name);
	if (!carrier->name)
		return -ENOMEM;
	carrier->ops = ops;
	carrier->guest = true;
	carrier->max_windows = CARRIER_MAX_WINDOWS;
	carrier->max_slots = CARRIER_MAX_SLOTS;
	while (*end)
		end = &(*end)->next;
	*end = carrier;
	return 0;
}

void carrier_remove(struct carrier *carrier)
{
	struct carrier **at = &carriers;

	memory_clear(&carrier->memory);
	log_limit_end(&carrier->log);
	while (*at && *at != carrier)
		at = &(*at)->next;
	if (*at)
		*at = carrier->next;
	free(carrier->name);
}
