/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A carrier brings a guest's accesses to its windows here, gives its memory,
 * and takes interrupts to it. carriers/uml/: a User Mode Linux process;
 * carriers/vfio_user/: a PCI function of QEMU or another VMM; carriers/xen/: a Xen guest.
 *
 * A carrier embeds struct carrier, one for each guest, fills in @ops and calls
 *
 *	carrier_init() when it starts (windows exist without a guest: their
 *	    devices are configured before the guest comes);
 *	memory_add() or memory.ops when the guest's memory is known, memory_remove()
 *	    when some of it goes;
 *	window_access() (window.h) for each access that was trapped, which says when
 *	    that is completed;
 *	carrier_guest_gone() when the guest left or rebooted: all windows are
 *	    reset, which lets go of all memory, then memory_clear(). The same
 *	    carrier can serve the next guest afterwards.
 *
 * All from the event loop (loop.h), never from a signal handler or a thread.
 */
#ifndef MSGD_CARRIER_H
#define MSGD_CARRIER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/base.h"
#include "model/memory.h"

#define CARRIER_MAX_WINDOWS	64
#define CARRIER_MAX_SLOTS	64

struct carrier;
struct slot;
struct window;

/**
 * struct carrier_ops - what a carrier can do
 * @interrupt: raise window @w's interrupt once (an edge). Never blocks; an
 *	interrupt to a guest that is not there is dropped
 * @ioeventfd: the guest's 4-byte write of @queue to @slot's QueueNotify shall signal
 *	@fd without this process; -1 takes it back. True if so. NULL: the carrier has
 *	no such thing
 * @irqfd: a signal on @fd shall raise the interrupt of @slot's window; @slot and @queue
 *	name the assignment, -1 takes it back. NULL as above
 * @queue_interrupt: as @interrupt, of queue @q and nothing else. NULL: that one does
 * @close: the program ends: free the carrier with all it has
 */
struct carrier_ops {
	void (*interrupt)(struct carrier *carrier, unsigned int w);
	bool (*ioeventfd)(struct carrier *carrier, const struct slot *slot,
			  unsigned int queue, int fd);
	bool (*irqfd)(struct carrier *carrier, const struct slot *slot,
		      unsigned int queue, int fd);
	void (*queue_interrupt)(struct carrier *carrier, unsigned int w, unsigned int q);
	void (*close)(struct carrier *carrier);
};

/**
 * struct carrier - one guest, or the place for one
 * @ops: what the carrier can do
 * @name: for logs and counters, e.g. "uml:/run/guest.sock"
 * @memory: the guest's memory
 * @guest: there is one. True after carrier_init(); a carrier that is made before
 *	its guest comes clears it until then: nobody is interrupted
 * @translates: addresses in rings are the DMA API's, not guest-physical (grants):
 *	VIRTIO_F_ACCESS_PLATFORM is offered, the message page is a DMA address
 * @no_page: the carrier's interrupt or memory cannot serve a message page
 * @windows: the windows by number, num_windows of them; entries may be NULL
 * @num_windows: how many entries count
 * @max_windows: how many there is room for: CARRIER_MAX_WINDOWS after carrier_init()
 * @max_slots: of each window: CARRIER_MAX_SLOTS after carrier_init()
 * @gone: see carrier_guest_gone()
 * @log: of what the guest causes as a whole
 * @next: the list of all carriers
 */
struct carrier {
	const struct carrier_ops *ops;
	char *name;
	struct memory memory;
	bool guest;
	bool translates;
	bool no_page;
	struct window *windows[CARRIER_MAX_WINDOWS];
	unsigned int num_windows;
	unsigned int max_windows;
	unsigned int max_slots;
	void (*gone)(struct carrier *carrier);
	struct log_limit log;
	struct carrier *next;
};

/* All carriers, for the control socket and the end of the program */
extern struct carrier *carriers;

/* Put @carrier into the list; takes a copy of @name. 0 or -ENOMEM. */
int carrier_init(struct carrier *carrier, const struct carrier_ops *ops,
		 const char *name);
/* Take it, which has no windows any more, out again, and free its memory. */
void carrier_remove(struct carrier *carrier);

#endif
