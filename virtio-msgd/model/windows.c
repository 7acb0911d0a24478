// SPDX-License-Identifier: GPL-2.0-only
/*
 * All windows of a guest: which one an access is for, and what becomes of them when
 * the guest goes.
 */
#include "model/window.h"

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

void carrier_reset_windows(struct carrier *carrier)
{
	unsigned int w;

	for (w = 0; w < carrier->num_windows; w++) {
		struct window *win = carrier->windows[w];

		if (!win)
			continue;
		task_lock(&win->slot.lock);
		window_reset(win);
		task_unlock(&win->slot.lock);
	}
}

static void gone(void *arg)
{
	struct carrier *carrier = arg;

	carrier_reset_windows(carrier);
	memory_clear(&carrier->memory);
	carrier->gone(carrier);
}

void carrier_guest_gone(struct carrier *carrier, void (*done)(struct carrier *carrier))
{
	carrier->gone = done;
	task_run(gone, carrier);
}

void carrier_release(struct carrier *carrier)
{
	unsigned int w;

	for (w = 0; w < carrier->num_windows; w++) {
		if (carrier->windows[w])
			window_destroy(carrier->windows[w]);
	}
	carrier_remove(carrier);
}
