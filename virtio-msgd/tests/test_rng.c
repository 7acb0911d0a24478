// SPDX-License-Identifier: GPL-2.0-only
/* virtio-rng, and what all built-in devices share. */
#include "builtin.h"

#include <linux/virtio_ids.h>
#include <unistd.h>

#include "program/devices.h"

#define FEATURES	(1ULL << VIRTIO_F_RING_RESET)

static int setup(void **state)
{
	loop_setup(state);
	builtin_start("device=rng", FEATURES);
	return 0;
}

static void random_bytes(void **state)
{
	uint8_t *data = guest_ptr(g, GUEST_DATA);
	uint32_t id, len;
	unsigned int i;

	(void)state;
	assert_int_equal(le32toh(guest_send(g, VIRTIO_MSG_GET_DEVICE_INFO, 0, NULL).info.device_id),
			 VIRTIO_ID_RNG);
	memset(data, 0, 0x3000);
	ring_add(&ring, (struct buf[]){ { GUEST_DATA, 64, true }, { GUEST_DATA + 0x100, 64, true } }, 2);
	builtin_kick();
	assert_true(ring_get(&ring, 2, &id, &len));
	assert_int_equal(len, 128);
	assert_int_equal(g->interrupts, 1);
	assert_memory_not_equal(data, data + 0x1000, 64);
	assert_memory_not_equal(data + 0x100, data + 0x1000, 64);
	for (i = 64; i < 0x100; i++)
		assert_int_equal(data[i], 0);
	/* Bounded, however much is asked for */
	ring_add(&ring, (struct buf[]){ { GUEST_DATA, 0x10000, true } }, 1);
	builtin_kick();
	assert_true(ring_get(&ring, 1, &id, &len));
	assert_int_equal(len, 4096);
	/* Nothing to write to */
	ring_add(&ring, (struct buf[]){ { GUEST_DATA, 64, false } }, 1);
	builtin_kick();
	assert_true(ring_get(&ring, 1, &id, &len));
	assert_int_equal(len, 0);
}

static void queue_reset(void **state)
{
	uint32_t id, len;

	(void)state;
	assert_true(guest_call(g, VIRTIO_MSG_RESET_VQUEUE, 0).there);
	builtin_kick();
	ring_init(&ring, g, 0, 16);
	assert_true(guest_enable_queue(g, 0, 16));
	ring_add(&ring, (struct buf[]){ { GUEST_DATA, 64, true } }, 1);
	builtin_kick();
	assert_true(ring_get(&ring, 1, &id, &len));
	assert_int_equal(len, 64);
}

/* As much as comes, but nothing after a reset */
static void full_ring(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < 16; i++)
		ring_add(&ring, (struct buf[]){ { GUEST_DATA, 8, true } }, 1);
	builtin_kick();
	assert_int_equal(le16toh(ring_used(&ring)->idx), 16);
	assert_int_equal(guest_set_status(g, 0), 0);
	for (i = 0; i < 16; i++)
		ring_add(&ring, (struct buf[]){ { GUEST_DATA, 8, true } }, 1);
	loop_run();
	assert_int_equal(le16toh(ring_used(&ring)->idx), 16);
}

/* A driver may want less than there is room for, and none is said to have been written. */
static void used_length(void **state)
{
	uint32_t id, len;

	(void)state;
	ring_add(&ring, (struct buf[]){ { GUEST_DATA, 64, false } }, 1);
	ring_add(&ring, (struct buf[]){ { GUEST_DATA, 100000, true } }, 1);
	builtin_kick();
	assert_true(ring_get(&ring, 1, &id, &len));
	assert_int_equal(len, 0);
	assert_true(ring_get(&ring, 1, &id, &len));
	assert_int_equal(len, 4096);
}

/* Nothing is done before its time, and then all of it */
static void delay(void **state)
{
	(void)state;
	guest_free(g);
	builtin_start("device=rng,delay=1000", FEATURES);
	ring_add(&ring, (struct buf[]){ { GUEST_DATA, 8, true } }, 1);
	builtin_kick();
	ring_add(&ring, (struct buf[]){ { GUEST_DATA, 8, true } }, 1);
	builtin_kick();
	assert_int_equal(le16toh(ring_used(&ring)->idx), 0);
	event_base_loop(loop, EVLOOP_ONCE);
	assert_int_equal(le16toh(ring_used(&ring)->idx), 2);
	assert_int_equal(g->interrupts, 1);
	/* A queue that is stopped meanwhile is left alone */
	ring_add(&ring, (struct buf[]){ { GUEST_DATA, 8, true } }, 1);
	builtin_kick();
	assert_true(guest_call(g, VIRTIO_MSG_RESET_VQUEUE, 0).there);
	usleep(2000);
	loop_run();
	assert_int_equal(le16toh(ring_used(&ring)->idx), 2);
}

static void interrupt_for_each(void **state)
{
	unsigned int i;

	(void)state;
	guest_free(g);
	builtin_start("device=rng,coalesce=off", FEATURES);
	for (i = 0; i < 3; i++)
		ring_add(&ring, (struct buf[]){ { GUEST_DATA, 8, true } }, 1);
	builtin_kick();
	assert_int_equal(g->interrupts, 3);
}

static void options(void **state)
{
	struct params params = { 0 };
	struct errmsg err;
	struct device *dev;

	(void)state;
	assert_int_equal(params_parse(&params, "device=rng,packed=on,event-idx=off", NULL, &err), 0);
	assert_int_equal(devices_create(&params, &dev, &err), 0);
	assert_int_equal(dev->features, 1ULL << VIRTIO_F_RING_PACKED | 1ULL << VIRTIO_F_RING_RESET |
			 1ULL << VIRTIO_RING_F_INDIRECT_DESC);
	dev->ops->destroy(dev);
	params_free(&params);

	assert_int_equal(params_parse(&params, "device=rng,packed=yes", NULL, &err), 0);
	assert_int_equal(devices_create(&params, &dev, &err), -1);
	assert_string_equal(err.text, "packed=yes: on or off is expected");
	params_free(&params);
	assert_int_equal(params_parse(&params, "device=toaster", NULL, &err), 0);
	assert_int_equal(devices_create(&params, &dev, &err), -1);
	assert_memory_equal(err.text, "device=toaster is not known, but: blk, i2c, rng", 47);
	params_free(&params);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, builtin_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(random_bytes),
		TEST(queue_reset),
		TEST(full_ring),
		TEST(used_length),
		TEST(delay),
		TEST(interrupt_for_each),
		TEST(options),
	};

	return cmocka_run_group_tests_name("rng", tests, NULL, NULL);
}
