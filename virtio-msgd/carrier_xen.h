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

#include "log.h"
#include "memory.h"
#include "params.h"

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
 * and what every window and its device understand, see config_window().
 * 0, or -1 with @err set.
 */
int carrier_xen_rule(struct params *params, struct errmsg *err);

/* There is a rule. */
bool carrier_xen_wanted(void);

/* Serve all guests there are and will be. 0, or -1 with @err set. */
int carrier_xen_start(struct errmsg *err);

/* The program ends: let go of all guests, so that the next one can adopt them. */
void carrier_xen_stop(void);

/**
 * struct xen_memory - how another process can have a guest's memory
 * @domid: the guest
 * @grants: by grant references, from /dev/xen/gntdev: addresses with MEMORY_GRANT;
 *	otherwise as foreign memory, by guest frame number, from /dev/xen/privcmd
 */
struct xen_memory {
	uint16_t domid;
	bool grants;
};

/* False if @mem is not of a Xen guest. */
bool xen_memory(const struct memory *mem, struct xen_memory *info);

/*
 * A new file descriptor for one region of such memory, to be passed to another
 * process: gntdev, or privcmd restricted to the guest. -errno on failure.
 */
int xen_memory_fd(const struct memory *mem);

#endif
