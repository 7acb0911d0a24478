/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The device model, from below:
 *
 *	memory.h	the guest's memory
 *	vring.h		virtqueues in it
 *	carrier.h	what brings a guest's accesses, and takes interrupts to it
 *	device.h	a virtio device
 *	slot.h		the place for one, with its state as the driver sees it; messages
 *	window.h	a window of MMIO, through which the driver sees a slot
 *	counters.h	what happened in a window
 *
 * Devices are above it (devices/, vhost_user/), and so are carriers (carriers/).
 */
#ifndef MSGD_MODEL_H
#define MSGD_MODEL_H

#include "model/carrier.h"
#include "model/counters.h"
#include "model/device.h"
#include "model/memory.h"
#include "model/slot.h"
#include "model/vring.h"
#include "model/window.h"

#endif
