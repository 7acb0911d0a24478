/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MSGD_XEN_PARENT_H
#define MSGD_XEN_PARENT_H

#include <stdint.h>

#include "base/base.h"

struct config;

/* Find Xen guests, now and from then on, and start a process for each. 0, or -1 with @err set. */
int xen_find(const struct config *config, struct errmsg *err);
/* The program ends: guests that come are not for us. */
void xen_find_no_more(void);

/**
 * struct device_request - what the process of a Xen guest asks of the parent, a message each
 * @number: comes back with the answer
 * @grants: a backend is to map grants; otherwise the guest's memory
 */
struct device_request {
	uint32_t number;
	uint32_t grants;
};

/**
 * struct device_answer - the answer, with a descriptor
 * @number: of the request
 * @error: why there is none, or 0
 */
struct device_answer {
	uint32_t number;
	int32_t error;
};

#endif
