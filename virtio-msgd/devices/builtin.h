/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What devices that this program serves itself have in common: one queue, whose
 * requests are carried out one by one, at once.
 */
#ifndef MSGD_BUILTIN_H
#define MSGD_BUILTIN_H

#include <event2/event.h>
#include <sys/time.h>

#include "model/model.h"
#include "base/base.h"

/**
 * struct builtin - first member of a built-in device, which is malloc()ed
 * @dev: the device
 * @vring: its queue
 * @again: goes on with a queue that is never empty, so that one guest cannot
 *	keep the program to itself; and looks at it @delay after it was kicked
 * @delay: 0: requests are carried out while the driver notifies
 * @coalesce: one interrupt, if any, for all requests that were found at a time;
 *	otherwise the driver's wish is asked for each
 * @request: carry out a request, and say how many bytes of it were written
 * @reset: forget what belongs to a sequence of requests; may be NULL
 * @config: config space, dev.config_size bytes, as the driver reads it; NULL: none
 * @config_write: as in struct device_ops; may be NULL
 * @set: as in struct device_ops; may be NULL
 * @release: free what belongs to the device besides itself; may be NULL
 */
struct builtin {
	struct device dev;
	struct virtq vring;
	struct event *again;
	struct timeval delay;
	bool coalesce;
	uint32_t (*request)(struct builtin *b, const struct vring_chain *chain);
	void (*reset)(struct builtin *b);
	const void *config;
	int (*config_write)(struct builtin *b, uint32_t offset, const void *buf, uint32_t len);
	int (*set)(struct builtin *b, struct params *params, struct errmsg *err);
	void (*release)(struct builtin *b);
};

/*
 * Fill in @b, with ring features as @params say. @features are the device
 * type's. 0, or -1 with @err set: free @b then.
 */
int builtin_init(struct builtin *b, const char *name, uint32_t id,
		 uint64_t features, struct params *params, struct errmsg *err);

#endif
