// SPDX-License-Identifier: GPL-2.0-only
#include "model/window.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>


const struct window_config window_config_default = {
	.page = true,
	.msg_size = WINDOW_MSG_SIZE,
};

static struct window *to_window(struct slot *slot)
{
	return (struct window *)((char *)slot - offsetof(struct window, slot));
}

static void used(struct slot *slot, unsigned int q)
{
	struct window *win = to_window(slot);

	win->personality->used(win, q);
}

static void changed(struct slot *slot, unsigned int what)
{
	struct window *win = to_window(slot);

	win->personality->changed(win, what);
}

static const struct slot_ops slot_ops = {
	.used = used,
	.changed = changed,
};

struct window *window_create(struct carrier *carrier, unsigned int index,
			     const struct window_config *config)
{
	struct window *win;

	if (index >= carrier->max_windows || carrier->windows[index]) {
		errno = index >= carrier->max_windows ? ENOSPC : EEXIST;
		return NULL;
	}
	win = calloc(1, sizeof(*win));
	if (!win)
		return NULL;
	win->carrier = carrier;
	win->index = index;
	win->config = *config;
	win->slot.ops = &slot_ops;
	win->slot.carrier = carrier;
	win->slot.window = index;
	win->slot.access_platform = config->access_platform;
	win->slot.strict = config->strict;
	win->personality = config->mmio ? &personality_mmio : &personality_msg;
	win->priv = win->personality->create(win);
	if (!win->priv) {
		free(win);
		return NULL;
	}
	carrier->windows[index] = win;
	if (carrier->num_windows <= index)
		carrier->num_windows = index + 1;
	return win;
}

void window_destroy(struct window *win)
{
	window_reset(win);
	window_detach(win);
	log_limit_end(&win->slot.log);
	win->carrier->windows[win->index] = NULL;
	win->personality->destroy(win);
	free(win);
}

int window_attach(struct window *win, struct device *dev)
{
	if (win->dev)
		return -EBUSY;
	win->dev = dev;
	dev->home = &win->slot;
	if (dev->ops->attached)
		dev->ops->attached(dev);
	else
		device_arrive(dev);
	return 0;
}

int window_detach(struct window *win)
{
	struct device *dev = win->dev;

	if (!dev)
		return -ENODEV;
	device_leave(dev);
	win->dev = NULL;
	dev->home = NULL;
	dev->ops->destroy(dev);
	return 0;
}

void window_reset(struct window *win)
{
	slot_clear(&win->slot);
	win->personality->reset(win);
}

void window_interrupt(struct window *win)
{
	if (!win->carrier->guest)
		return;
	win->counters.interrupts++;
	win->carrier->ops->interrupt(win->carrier, win->index);
}

void window_queue_interrupt(struct window *win, unsigned int q)
{
	const struct carrier_ops *ops = win->carrier->ops;

	if (!ops->queue_interrupt) {
		window_interrupt(win);
		return;
	}
	if (!win->carrier->guest)
		return;
	win->counters.interrupts++;
	ops->queue_interrupt(win->carrier, win->index, q);
}
