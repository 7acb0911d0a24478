// SPDX-License-Identifier: GPL-2.0-only
/*
 * All windows of a guest: which one an access is for, and what becomes of them when
 * the guest goes.
 */
#include "model/window.h"

struct window *carrier_window(struct carrier *carrier, uint64_t *offset)
{
	uint64_t w = *offset / WINDOW_SIZE;
	struct window *win;

	if (w >= carrier->num_windows)
		return NULL;
	/* The second half of a large one has no entry of its own */
	if (!carrier->windows[w] && w)
		w--;
	win = carrier->windows[w];
	if (!win || *offset - w * WINDOW_SIZE >= win->size)
		return NULL;
	*offset -= w * WINDOW_SIZE;
	return win;
}

/* When nothing is under way there any more */
static void reset_locked(struct window *win)
{
	unsigned int i;

	task_lock(&win->lock);
	for (i = 0; i < win->config.num_slots; i++)
		task_lock(&win->slots[i].lock);
	window_reset(win);
	while (i--)
		task_unlock(&win->slots[i].lock);
	task_unlock(&win->lock);
}

void carrier_reset_windows(struct carrier *carrier)
{
	unsigned int w;

	for (w = 0; w < carrier->num_windows; w++) {
		if (carrier->windows[w])
			reset_locked(carrier->windows[w]);
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
