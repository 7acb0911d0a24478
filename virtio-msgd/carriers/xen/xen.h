/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Xen guests, by IOREQ servers: their accesses are trapped by the hypervisor.
 *
 * Guests and their virtio devices are found in xenstore, where toolstacks such
 * as xl describe them, as they come and go. Each window is claimed at once; what
 * is plugged into it is chosen by rules, and by default by the device's type.
 */
#ifndef MSGD_CARRIER_XEN_H
#define MSGD_CARRIER_XEN_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/base.h"
#include "model/model.h"

/* What the user wants of a window: its own parameters, and a device, NULL: none for now */
typedef int carrier_xen_window(struct params *params, struct window_config *wc,
			       struct device **dev, struct errmsg *err);

/*
 * Add a rule: to which of the guests' devices it applies, and what those are. The
 * first rule that applies counts; where none does, the window stays empty.
 *
 *	guest=NAME	the guest with this name (default: any)
 *	entry=TYPE	devices that have this type in xenstore: "virtio,device22", which
 *			may be given as "device22" (default: any)
 *	index=N		the guest's device with this number in xenstore (any)
 *	ioeventfd=off	take the guest's notifications in this process
 *	irqfd=off	raise interrupts from this process
 *
 * and what @window understands.
 * 0, or -1 with @err set.
 */
int carrier_xen_rule(struct params *params, carrier_xen_window *window, struct errmsg *err);

/* There is a rule. */
bool carrier_xen_wanted(void);

/*
 * For the parent, which alone has the rights of this domain: with them a process could do
 * anything to any guest.
 */

/*
 * Call @found for each guest that has a virtio device, now and when there is another, by
 * its number and name; for the same guest more than once. @changed is called when what
 * carrier_xen_describe() says may have changed. What was noted for guests that do not
 * exist any more is removed. 0, or -1 with @err set.
 */
int carrier_xen_find(void (*found)(unsigned int domid, const char *name),
		     void (*changed)(void), struct errmsg *err);
void carrier_xen_find_stop(void);

/* What xenstore has of a guest, for the process that serves it; NULL: no memory */
json_t *carrier_xen_describe(unsigned int domid);
/*
 * That process wants this kept in xenstore: values by path, null: remove. What is not about
 * its own guest, or nothing that it has to say, is ignored.
 */
void carrier_xen_note(unsigned int domid, const json_t *notes);
/*
 * A descriptor for a backend of the guest: of grants, or of the guest's memory and of
 * nothing else. -errno if it cannot be had.
 */
int carrier_xen_device(unsigned int domid, bool grants);

/*
 * For the process of a guest.
 */

/**
 * struct carrier_xen_ops - what such a process has done by others
 * @note: have carrier_xen_note() called; takes over the reference
 * @device: have carrier_xen_device() called, in a task: a descriptor or -errno
 * @over: the guest is gone and will not come back
 */
struct carrier_xen_ops {
	void (*note)(json_t *notes);
	int (*device)(bool grants);
	void (*over)(void);
};

/* What carrier_xen_describe() said: to be called before carrier_xen_serve(), and after. */
void carrier_xen_hear(const json_t *description);
/* There is another parent: it may not know what was noted. */
void carrier_xen_note_again(void);

/* Serve the devices that a guest has and will have. 0, or -1 with @err set. */
int carrier_xen_serve(unsigned int domid, const struct carrier_xen_ops *process,
		      struct errmsg *err);

/* The program ends: let go of the guest, so that the next one can adopt it. */
void carrier_xen_stop(void);

#endif
