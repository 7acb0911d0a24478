// SPDX-License-Identifier: GPL-2.0-only
#include "carrier.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "window.h"

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
	while (*end)
		end = &(*end)->next;
	*end = carrier;
	return 0;
}

void carrier_release(struct carrier *carrier)
{
	struct carrier **at = &carriers;
	unsigned int w;

	for (w = 0; w < carrier->num_windows; w++) {
		if (carrier->windows[w])
			window_destroy(carrier->windows[w]);
	}
	memory_clear(&carrier->memory);
	while (*at && *at != carrier)
		at = &(*at)->next;
	if (*at)
		*at = carrier->next;
	free(carrier->name);
}

static struct window *find(struct carrier *carrier, unsigned int w)
{
	return w < carrier->num_windows ? carrier->windows[w] : NULL;
}

uint64_t carrier_read(struct carrier *carrier, unsigned int w,
		      uint64_t offset, unsigned int size)
{
	struct window *win = find(carrier, w);

	return win ? window_read(win, offset, size) : 0;
}

void carrier_write(struct carrier *carrier, unsigned int w, uint64_t offset,
		   unsigned int size, uint64_t value)
{
	struct window *win = find(carrier, w);

	if (win)
		window_write(win, offset, size, value);
}

void carrier_guest_gone(struct carrier *carrier)
{
	unsigned int w;

	for (w = 0; w < carrier->num_windows; w++) {
		if (carrier->windows[w])
			window_reset(carrier->windows[w]);
	}
	memory_clear(&carrier->memory);
}
