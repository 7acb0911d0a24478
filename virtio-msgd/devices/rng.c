// SPDX-License-Identifier: GPL-2.0-only
/*
 * virtio-rng: random bytes of the host.
 */
#include <linux/virtio_ids.h>
#include <stdlib.h>
#include <sys/random.h>

#include "devices/builtin.h"
#include "devices/devices.h"

/* A driver has to take less than it asked for; more would keep its CPU waiting */
#define RNG_MAX_BYTES	4096

static bool rng_begin(struct builtin *b)
{
	(void)b;
	return true;
}

static size_t rng_step(struct builtin *b, size_t budget, bool *more)
{
	const struct vring_chain *chain = &b->req.chain;
	const struct iovec *seg = chain->seg + chain->num_out;
	size_t done = 0;
	unsigned int i;

	(void)budget;
	*more = false;
	for (i = 0; i < chain->num_in && done < RNG_MAX_BYTES; i++) {
		size_t len = seg[i].iov_len;
		ssize_t got;

		if (len > RNG_MAX_BYTES - done)
			len = RNG_MAX_BYTES - done;
		got = getrandom(seg[i].iov_base, len, GRND_NONBLOCK);
		if (got < 0)
			break;
		done += got;
		if ((size_t)got < len)
			break;
	}
	b->req.filled = done;
	return done;
}

static struct device *rng_create(struct params *params, struct errmsg *err)
{
	struct builtin *b = calloc(1, sizeof(*b));

	if (!b) {
		errmsg_set(err, "out of memory");
		return NULL;
	}
	b->begin = rng_begin;
	b->step = rng_step;
	if (builtin_init(b, "rng", VIRTIO_ID_RNG, 0, params, err)) {
		free(b);
		return NULL;
	}
	return &b->dev;
}

const struct device_kind device_rng = {
	.name = "rng",
	.create = rng_create,
};
