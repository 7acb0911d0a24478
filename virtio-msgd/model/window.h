/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One MMIO window of a guest: slots for devices, and a personality that turns
 * loads and stores into what the device model understands.
 *
 * window_msg.c, window_bus.c: virtio-msg (registers and message page of
 * <linux/virtio_msg_mmio.h>); window_mmio.c: plain virtio-mmio, version 2.
 */
#ifndef MSGD_WINDOW_H
#define MSGD_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#include "model/carrier.h"
#include "model/counters.h"
#include "model/slot.h"

/* Of a window with as many slots as toolstacks' windows have room for, and with more */
#define WINDOW_SIZE		0x200
#define WINDOW_SIZE_LARGE	0x400
#define WINDOW_SMALL_SLOTS	44
#define WINDOW_MAX_SLOTS	CARRIER_MAX_SLOTS

struct operation;
struct window;

/**
 * struct window_config - what the user chose for a window
 * @mmio: plain virtio-mmio instead of virtio-msg
 * @page: offer the message page
 * @strict: strict config generation (transport feature bit 0)
 * @access_platform: offer VIRTIO_F_ACCESS_PLATFORM, and insist on it, as on a
 *	carrier that translates addresses
 * @msg_size: maximum message size, VIRTIO_MSG_SIZE_MIN to WINDOW_MSG_SIZE
 * @num_slots: how many devices there may be, 1 to WINDOW_MAX_SLOTS; 1 with @mmio
 */
struct window_config {
	bool mmio;
	bool page;
	bool strict;
	bool access_platform;
	uint16_t msg_size;
	unsigned int num_slots;
};

/* What fits into the Window register of a window of any size */
#define WINDOW_MSG_SIZE		256

/**
 * enum window_wait - what the guest's CPU does while an access is carried out
 * @WINDOW_NOW: nothing in it takes time, and it disturbs nothing that does
 * @WINDOW_WAITS: it waits; one such access after the other
 * @WINDOW_LATE: likewise, but WINDOW_LATE_MS at most. The driver knows that the
 *	result comes later then, with an interrupt, and one that comes meanwhile
 *	takes its place
 */
enum window_wait {
	WINDOW_NOW,
	WINDOW_WAITS,
	WINDOW_LATE,
};

#define WINDOW_LATE_MS	1

/**
 * struct personality - how a window speaks to its driver
 * @name: "msg" or "mmio"
 * @create: make its state; NULL if there is no memory
 * @waits: what becomes of an access that the device may have to wait for
 * @destroy: free it
 * @read: a load; @offset + @size is inside the window
 * @write: a store, likewise
 * @used: queue @q of the device in @slot has used buffers
 * @changed: @slot changed, SLOT_CHANGED_* bits of slot.h
 * @uncounted: interrupts for @slot's used buffers may come without @used
 * @reset: the guest left: back to the state after create, no memory held
 */
struct personality {
	const char *name;
	void *(*create)(struct window *win);
	enum window_wait (*waits)(struct window *win, uint32_t offset, unsigned int size,
				  bool write);
	void (*destroy)(struct window *win);
	uint64_t (*read)(struct window *win, uint32_t offset, unsigned int size);
	void (*write)(struct window *win, uint32_t offset, unsigned int size,
		      uint64_t value);
	void (*used)(struct window *win, struct slot *slot, unsigned int q);
	void (*changed)(struct window *win, struct slot *slot, unsigned int what);
	void (*uncounted)(struct window *win, struct slot *slot);
	void (*reset)(struct window *win);
};

extern const struct personality personality_msg;
extern const struct personality personality_mmio;

/**
 * struct window - one MMIO window
 * @carrier: where it is
 * @index: its number there
 * @config: what the user chose
 * @size: in bytes
 * @lock: held while an access is carried out that may take a while; before the lock of
 *	the slot that it is for
 * @personality: how it speaks
 * @priv: the personality's state
 * @running: the access that is carried out, of those that may take time
 * @newest: the last one that is WINDOW_LATE
 * @counters: what happened here
 * @slots: the places for devices, with their state as the driver sees it, as many as
 *	@config says
 */
struct window {
	struct carrier *carrier;
	unsigned int index;
	struct window_config config;
	uint32_t size;
	struct task_lock lock;
	const struct personality *personality;
	void *priv;
	struct operation *running;
	struct operation *newest;
	struct counters counters;
	struct slot slots[];
};

extern const struct window_config window_config_default;

/*
 * Make window @index of @carrier, with empty slots; NULL with errno set. A large one takes
 * the place of the next one, too.
 */
struct window *window_create(struct carrier *carrier, unsigned int index,
			     const struct window_config *config);
/* Remove it from its carrier, destroy its devices and free it. */
void window_destroy(struct window *win);

/**
 * struct window_access - a load or store of one of the guest's CPUs
 * @offset: from the window's start. Any size, any offset: what makes no sense reads
 *	as 0 and writes nothing
 * @size: in bytes
 * @write: it is a store
 * @value: what is stored, or, when it is done, what was loaded
 * @done: the CPU can go on. Called once, maybe before window_access() returns; the
 *	access is the carrier's again
 */
struct window_access {
	uint64_t offset;
	uint64_t value;
	unsigned int size;
	bool write;
	void (*done)(struct window_access *access);
};

/* access.c: carry it out, now or after what is under way. */
void window_access(struct window *win, struct window_access *access);
/* The access that is being carried out is WINDOW_LATE, and another has come since. */
bool window_superseded(const struct window *win);
/* For personalities: around what an access that is not WINDOW_NOW does with @slot */
void window_enter(struct window *win, struct slot *slot);
void window_leave(struct window *win, struct slot *slot);
/* All at once, for those who know that nothing is under way, or wait where they are */
uint64_t window_read(struct window *win, uint64_t offset, unsigned int size);
void window_write(struct window *win, uint64_t offset, unsigned int size,
		  uint64_t value);

/* The guest left: reset the devices, let go of all memory. With all slots locked. */
void window_reset(struct window *win);
/* It has a device in a slot whose ops may wait, or something waits for one */
bool window_waits(const struct window *win);

/* For personalities: a message to the bus; as slot_message() */
int window_bus_message(struct window *win, const void *request, size_t len, void *response,
		       size_t max);

/* Raise the window's interrupt; for personalities. The second one: because of queue @q */
void window_interrupt(struct window *win);
void window_queue_interrupt(struct window *win, unsigned int q);

/*
 * Where windows lie side by side, WINDOW_SIZE for each number: the one at *@offset from
 * the first, which becomes the offset from its own start; or NULL.
 */
struct window *carrier_window(struct carrier *carrier, uint64_t *offset);

/*
 * Reset all windows, each when nothing is under way there any more; the guest and its
 * memory stay. In a task, since that may take a while.
 */
void carrier_reset_windows(struct carrier *carrier);
/*
 * The guest left: reset all windows, each when nothing is under way there any more,
 * then forget its memory. @done is called when that is done, maybe at once; until
 * then there is no next guest.
 */
void carrier_guest_gone(struct carrier *carrier, void (*done)(struct carrier *carrier));
/* Free all windows with their devices, and what carrier_init() made. */
void carrier_release(struct carrier *carrier);

#endif
