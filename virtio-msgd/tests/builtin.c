// SPDX-License-Identifier: GPL-2.0-only
#include "builtin.h"

#include "program/devices.h"

struct guest *g;
struct ring ring;

struct device *builtin_create(const char *options)
{
	struct params params = { 0 };
	struct errmsg err;
	struct device *dev;

	assert_int_equal(params_parse(&params, options, NULL, &err), 0);
	assert_int_equal(devices_create(&params, &dev, &err), 0);
	assert_int_equal(params_unknown(&params, &err), 0);
	params_free(&params);
	return dev;
}

void builtin_up(uint64_t features)
{
	guest_negotiate(g, VERSION_1 | features);
	ring_init(&ring, g, features, 16);
	assert_true(guest_enable_queue(g, 0, 16));
	assert_int_equal(guest_set_status(g, STATUS_OK), STATUS_OK);
	loop_run();
}

void builtin_start(const char *options, uint64_t features)
{
	g = guest_new(NULL, builtin_create(options));
	builtin_up(features);
}

int builtin_teardown(void **state)
{
	guest_free(g);
	return loop_teardown(state);
}

void builtin_kick(void)
{
	guest_write(g, VIRTIO_MSG_MMIO_QUEUE_NOTIFY(0), 4, 0);
}
