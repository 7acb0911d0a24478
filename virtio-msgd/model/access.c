// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest's accesses to a window. What a device may have to wait for is done in a
 * task, one after the other for each window; all else at once.
 */
#include <stdlib.h>

#include "model/window.h"

/**
 * struct operation - an access that may take a while
 * @win: of this window
 * @access: the guest's CPU that waits for it, NULL: none any more
 * @offset: see struct window_access
 * @value: likewise
 * @size: likewise
 * @write: likewise
 * @late: fires when the CPU has waited for long enough; NULL: it waits to the end
 */
struct operation {
	struct window *win;
	struct window_access *access;
	uint64_t offset;
	uint64_t value;
	unsigned int size;
	bool write;
	struct event *late;
};

static bool valid(const struct window *win, uint64_t offset, unsigned int size)
{
	return (size == 1 || size == 2 || size == 4 || size == 8) &&
	       offset < win->size && !(offset % size);
}

static void count(struct window *win, uint64_t offset, bool write)
{
	uint64_t *counts = write ? win->counters.writes : win->counters.reads;

	counts[offset / 4]++;
}

/* Of a window with one slot all that may take a while is for that, see operate() */
static bool many(const struct window *win)
{
	return win->config.num_slots > 1;
}

void window_enter(struct window *win, struct slot *slot)
{
	if (win->running && many(win) && task_here())
		task_lock(&slot->lock);
}

void window_leave(struct window *win, struct slot *slot)
{
	if (win->running && many(win) && task_here())
		task_unlock(&slot->lock);
}

static uint64_t carry_out(struct window *win, uint64_t offset, unsigned int size, bool write,
			  uint64_t value)
{
	if (!write)
		return win->personality->read(win, offset, size);
	win->personality->write(win, offset, size, value);
	return 0;
}

uint64_t window_read(struct window *win, uint64_t offset, unsigned int size)
{
	if (!valid(win, offset, size))
		return 0;
	count(win, offset, false);
	return carry_out(win, offset, size, false, 0);
}

void window_write(struct window *win, uint64_t offset, unsigned int size,
		  uint64_t value)
{
	if (!valid(win, offset, size))
		return;
	count(win, offset, true);
	carry_out(win, offset, size, true, value);
}

static void complete(struct window_access *access, uint64_t value)
{
	access->value = value;
	access->done(access);
}

bool window_superseded(const struct window *win)
{
	return win->running && win->running->late && win->running != win->newest;
}

static void operation_free(struct operation *op)
{
	if (op->win->newest == op)
		op->win->newest = NULL;
	if (op->late)
		event_free(op->late);
	free(op);
}

/* In a task */
static void operate(void *arg)
{
	struct operation *op = arg;
	struct window *win = op->win;
	bool wanted;

	task_lock(&win->lock);
	if (!many(win))
		task_lock(&win->slots[0].lock);
	win->running = op;
	/* One that nobody waits for any more need not begin */
	wanted = !window_superseded(win);
	if (wanted) {
		op->value = carry_out(win, op->offset, op->size, op->write, op->value);
		wanted = !window_superseded(win);
	}
	win->running = NULL;
	if (!many(win))
		task_unlock(&win->slots[0].lock);
	task_unlock(&win->lock);
	if (op->access)
		complete(op->access, op->value);
	else if (wanted)
		window_interrupt(win);
	operation_free(op);
}

static void on_late(evutil_socket_t fd, short what, void *arg)
{
	struct operation *op = arg;
	struct window_access *access = op->access;

	(void)fd;
	(void)what;
	op->access = NULL;
	complete(access, 0);
}

/* It is what @access asks for. */
static void operation_set(struct operation *op, struct window_access *access)
{
	static const struct timeval after = { .tv_usec = WINDOW_LATE_MS * 1000 };

	op->access = access;
	op->offset = access->offset;
	op->value = access->value;
	op->size = access->size;
	op->write = access->write;
	if (op->late)
		event_add(op->late, &after);
}

static struct operation *operation_new(struct window *win, struct window_access *access,
				       enum window_wait wait)
{
	struct operation *op = calloc(1, sizeof(*op));

	if (!op)
		return NULL;
	op->win = win;
	if (wait == WINDOW_LATE) {
		op->late = evtimer_new(loop, on_late, op);
		if (!op->late) {
			free(op);
			return NULL;
		}
		win->newest = op;
	}
	operation_set(op, access);
	return op;
}

/*
 * One that has not begun, and now need not, becomes the next one: a guest does not have more
 * of them the longer it is that its device takes.
 */
static bool supersede(struct window *win, struct window_access *access)
{
	struct operation *op = win->newest;

	if (!op || op == win->running)
		return false;
	if (op->access)
		complete(op->access, 0);
	operation_set(op, access);
	return true;
}

void window_access(struct window *win, struct window_access *access)
{
	enum window_wait wait = WINDOW_NOW;
	struct operation *op = NULL;
	uint64_t value;

	if (!valid(win, access->offset, access->size)) {
		complete(access, 0);
		return;
	}
	count(win, access->offset, access->write);
	if (window_waits(win))
		wait = win->personality->waits(win, access->offset, access->size, access->write);
	if (wait == WINDOW_LATE && supersede(win, access))
		return;
	if (wait != WINDOW_NOW)
		op = operation_new(win, access, wait);
	if (op) {
		task_run(operate, op);
		return;
	}
	/* Without memory it is lost, but what is under way stays as it is */
	if (wait != WINDOW_NOW) {
		complete(access, 0);
		return;
	}
	value = carry_out(win, access->offset, access->size, access->write, access->value);
	complete(access, value);
}
