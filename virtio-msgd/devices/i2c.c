// SPDX-License-Identifier: GPL-2.0-only
/*
 * virtio-i2c: an I2C adapter with a DS1338 on its bus.
 */
#include <endian.h>
#include <linux/virtio_i2c.h>
#include <linux/virtio_ids.h>
#include <stdlib.h>
#include <string.h>

#include "devices/builtin.h"
#include "devices/devices.h"
#include "devices/ds1338.h"

/* A message longer than this is refused; Linux sends 8 KiB at most */
#define I2C_MAX_LEN	8192

/**
 * struct i2c - the adapter
 * @builtin: the device, first
 * @has_rtc: @rtc is on the bus
 * @rtc: the clock
 * @failing: a request that was to take its successors with it has failed
 */
struct i2c {
	struct builtin builtin;
	bool has_rtc;
	struct ds1338 rtc;
	bool failing;
};

/* One message on the bus: false if nobody acknowledged it */
static bool transfer(struct i2c *i2c, const struct vring_chain *chain,
		     const struct virtio_i2c_out_hdr *hdr)
{
	size_t out_len = vring_out_len(chain) - sizeof(*hdr);
	size_t in_len = vring_in_len(chain) - sizeof(struct virtio_i2c_in_hdr);
	bool read = le32toh(hdr->flags) & VIRTIO_I2C_FLAGS_M_RD;
	uint8_t data[I2C_MAX_LEN];

	/* 7-bit addresses, shifted; anything else is on no bus of this kind */
	if (!i2c->has_rtc || le16toh(hdr->addr) != DS1338_ADDRESS << 1)
		return false;
	if (out_len > sizeof(data) || in_len > sizeof(data) || (read ? out_len : in_len))
		return false;

	if (read) {
		ds1338_read(&i2c->rtc, data, in_len);
		vring_write(chain, 0, data, in_len);
		i2c->builtin.req.filled = in_len;
	} else {
		vring_read(chain, sizeof(*hdr), data, out_len);
		ds1338_write(&i2c->rtc, data, out_len);
	}
	return true;
}

static bool i2c_begin(struct builtin *b)
{
	const struct vring_chain *chain = &b->req.chain;

	return vring_out_len(chain) >= sizeof(struct virtio_i2c_out_hdr) &&
	       vring_in_len(chain) >= sizeof(struct virtio_i2c_in_hdr);
}

/* A message is short enough to be done at once */
static size_t i2c_step(struct builtin *b, size_t budget, bool *more)
{
	const struct vring_chain *chain = &b->req.chain;
	struct i2c *i2c = (struct i2c *)b;
	struct virtio_i2c_out_hdr hdr;
	bool ok;

	(void)budget;
	*more = false;
	vring_read(chain, 0, &hdr, sizeof(hdr));
	ok = !i2c->failing && transfer(i2c, chain, &hdr);
	i2c->failing = !ok && le32toh(hdr.flags) & VIRTIO_I2C_FLAGS_FAIL_NEXT;
	builtin_status(b, ok ? VIRTIO_I2C_MSG_OK : VIRTIO_I2C_MSG_ERR);
	return ok ? chain->len : sizeof(hdr);
}

_Static_assert(sizeof(struct virtio_i2c_in_hdr) == 1, "a status is a byte");

static void i2c_reset(struct builtin *b)
{
	((struct i2c *)b)->failing = false;
}

static int choose_clock(struct i2c *i2c, struct params *params, struct errmsg *err)
{
	const char *clock = params_get(params, "clock");

	if (clock && strcmp(clock, "ds1338") && strcmp(clock, "none"))
		return errmsg_set(err, "clock=%s: ds1338 or none is expected", clock);
	i2c->has_rtc = !clock || !strcmp(clock, "ds1338");
	ds1338_init(&i2c->rtc, NULL);
	return 0;
}

static struct device *i2c_create(struct params *params, struct errmsg *err)
{
	struct i2c *i2c = calloc(1, sizeof(*i2c));

	if (!i2c) {
		errmsg_set(err, "out of memory");
		return NULL;
	}
	i2c->builtin.begin = i2c_begin;
	i2c->builtin.step = i2c_step;
	i2c->builtin.reset = i2c_reset;
	if (choose_clock(i2c, params, err) ||
	    builtin_init(&i2c->builtin, "i2c", VIRTIO_ID_I2C_ADAPTER,
			 1ULL << VIRTIO_I2C_F_ZERO_LENGTH_REQUEST, params, err)) {
		free(i2c);
		return NULL;
	}
	return &i2c->builtin.dev;
}

const struct device_kind device_i2c = {
	.name = "i2c",
	.create = i2c_create,
};
