/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What devices that this program serves itself have in common: one queue, whose
 * requests are carried out one by one. What is done at a time is bounded in requests
 * and in bytes, so that neither a guest that always has another one nor a huge one
 * keeps the program to itself; a request that is not done by then goes on later.
 */
#ifndef MSGD_BUILTIN_H
#define MSGD_BUILTIN_H

#include <event2/event.h>
#include <sys/time.h>

#include "model/model.h"
#include "base/base.h"

/* What is done at a time at most: bytes that are copied, cleared or made */
#define BUILTIN_TURN_BYTES	(512U << 10)
/* And requests, which cost something even without bytes */
#define BUILTIN_TURN_REQUESTS	64

/* The longest status that a request of any device ends with */
#define BUILTIN_MAX_STATUS	8

/**
 * struct builtin_request - the request that is carried out
 * @chain: its buffers
 * @begun: it is one, and not yet done
 * @executed: but for what follows here
 * @filled: how many bytes from the beginning of what the device may write it has
 *	written
 * @status: what is written at the end of that
 * @status_len: how much that is. 0: no status, @filled is the used length.
 *	Otherwise what lies between is cleared, so that what the driver is told was
 *	written was, whatever went wrong
 */
struct builtin_request {
	struct vring_chain chain;
	bool begun;
	bool executed;
	size_t filled;
	uint8_t status[BUILTIN_MAX_STATUS];
	size_t status_len;
};

/**
 * struct builtin - first member of a built-in device, which is malloc()ed
 * @dev: the device
 * @vring: its queue
 * @req: what of it is being carried out
 * @again: goes on with a queue that is never empty, so that one guest cannot
 *	keep the program to itself; and looks at it @delay after it was kicked
 * @delay: 0: requests are carried out while the driver notifies
 * @coalesce: one interrupt, if any, for all requests that were found at a time;
 *	otherwise the driver's wish is asked for each
 * @begin: look at a new request: false if there is no room to say how it went
 * @step: do no more than @budget bytes of it, at least one; return how many those
 *	were, with *@more set if there is more to do. Called until then, with time
 *	between the calls, in which everything but @req may have changed
 * @accepted: the driver accepted these features; may be NULL
 * @reset: forget what belongs to a driver; may be NULL
 * @config: config space, dev.config_size bytes, as the driver reads it; NULL: none
 * @config_write: as in struct device_ops; may be NULL
 * @set: as in struct device_ops; may be NULL
 * @release: free what belongs to the device besides itself; may be NULL
 */
struct builtin {
	struct device dev;
	struct virtq vring;
	struct builtin_request req;
	struct event *again;
	struct timeval delay;
	bool coalesce;
	bool (*begin)(struct builtin *b);
	size_t (*step)(struct builtin *b, size_t budget, bool *more);
	void (*accepted)(struct builtin *b, uint64_t features);
	void (*reset)(struct builtin *b);
	const void *config;
	int (*config_write)(struct builtin *b, uint32_t offset, const void *buf, uint32_t len);
	int (*set)(struct builtin *b, struct params *params, struct errmsg *err);
	void (*release)(struct builtin *b);
};

/* How the request went, for those whose status is a byte */
void builtin_status(struct builtin *b, uint8_t status);

/*
 * Fill in @b, with ring features as @params say. @features are the device
 * type's. 0, or -1 with @err set: free @b then.
 */
int builtin_init(struct builtin *b, const char *name, uint32_t id,
		 uint64_t features, struct params *params, struct errmsg *err);

#endif
