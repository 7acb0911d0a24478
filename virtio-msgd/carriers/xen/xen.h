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
 * Call @found for each guest that has a virtio device, now and when there is another, by
 * its number and name; for the same guest more than once. What was noted for guests that
 * do not exist any more is removed. 0, or -1 with @err set.
 */
int carrier_xen_find(void (*found)(unsigned int domid, const char *name), struct errmsg *err);
void carrier_xen_find_stop(void);

/*
 * Serve the devices that a guest has and will have; @over is called when the guest is
 * gone. 0, or -1 with @err set.
 */
int carrier_xen_serve(unsigned int domid, void (*over)(void), struct errmsg *err);

/* The program ends: let go of the guest, so that the next one can adopt it. */
void carrier_xen_stop(void);

#endif
