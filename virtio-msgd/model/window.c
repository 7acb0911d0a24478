// SPDX-License-Identifier: GPL-2.0-only
#include "model/window.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

const struct window_config window_config_default = {
	.page = true,
	.msg_size = WINDOW_MSG_SIZE,
	.num_slots = 1,
};

static struct window *to_window(struct slot *slot)
{
	return (struct window *)((char *)(slot - slot->number) - offsetof(struct window, slots));
}

static void used(struct slot *slot, unsigned int q)
{
	struct window *win = to_window(slot);

	slot->interrupts++;
	win->personality->used(win, slot, q);
}

static void changed(struct slot *slot, unsigned int what)
{
	struct window *win = to_window(slot);

	win->personality->changed(win, slot, what);
}

static void uncounted(struct slot *slot)
{
	struct window *win = to_window(slot);

	win->personality->uncounted(win, slot);
}

static const struct slot_ops slot_ops = {
	.used = used,
	.changed = changed,
	.uncounted = uncounted,
};

static void slot_init(struct window *win, unsigned int number)
{
	struct slot *slot = &win->slots[number];

	slot->ops = &slot_ops;
	slot->carrier = win->carrier;
	slot->window = win->index;
	slot->number = number;
	slot->access_platform = win->config.access_platform;
	slot->strict = win->config.strict;
	if (win->config.num_slots > 1)
		snprintf(slot->name, sizeof(slot->name), "window %u.%u", win->index, number);
	else
		snprintf(slot->name, sizeof(slot->name), "window %u", win->index);
}

/* Nothing is where window @index of @size would be: 0 or an errno */
static int check_place(const struct carrier *carrier, unsigned int index, uint32_t size)
{
	const struct window *before = index ? carrier->windows[index - 1] : NULL;
	unsigned int last = index + size / WINDOW_SIZE - 1;

	if (last >= carrier->max_windows)
		return ENOSPC;
	if ((before && before->size > WINDOW_SIZE) || carrier->windows[index] ||
	    carrier->windows[last])
		return EEXIST;
	return 0;
}

struct window *window_create(struct carrier *carrier, unsigned int index,
			     const struct window_config *config)
{
	uint32_t size = config->num_slots > WINDOW_SMALL_SLOTS ? WINDOW_SIZE_LARGE : WINDOW_SIZE;
	struct window *win;
	unsigned int i;

	errno = config->num_slots > carrier->max_slots ? E2BIG : check_place(carrier, index, size);
	if (errno)
		return NULL;
	win = calloc(1, sizeof(*win) + config->num_slots * sizeof(win->slots[0]));
	if (!win)
		return NULL;
	win->size = size;
	win->carrier = carrier;
	win->index = index;
	win->config = *config;
	for (i = 0; i < config->num_slots; i++)
		slot_init(win, i);
	win->personality = config->mmio ? &personality_mmio : &personality_msg;
	win->priv = win->personality->create(win);
	if (!win->priv) {
		free(win);
		return NULL;
	}
	carrier->windows[index] = win;
	if (carrier->num_windows < index + size / WINDOW_SIZE)
		carrier->num_windows = index + size / WINDOW_SIZE;
	return win;
}

void window_destroy(struct window *win)
{
	unsigned int i;

	window_reset(win);
	for (i = 0; i < win->config.num_slots; i++) {
		slot_detach(&win->slots[i]);
		log_limit_end(&win->slots[i].log);
	}
	win->carrier->windows[win->index] = NULL;
	win->personality->destroy(win);
	free(win);
}

void window_reset(struct window *win)
{
	unsigned int i;

	for (i = 0; i < win->config.num_slots; i++)
		slot_clear(&win->slots[i]);
	win->personality->reset(win);
}

bool window_waits(const struct window *win)
{
	unsigned int i;

	if (win->lock.held)
		return true;
	for (i = 0; i < win->config.num_slots; i++) {
		const struct slot *slot = &win->slots[i];

		if (slot->lock.held || (slot->dev && slot->dev->waits))
			return true;
	}
	return false;
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
