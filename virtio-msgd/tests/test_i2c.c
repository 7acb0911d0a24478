// SPDX-License-Identifier: GPL-2.0-only
/* virtio-i2c and its requests, through a ring. */
#include "builtin.h"

#include <linux/virtio_i2c.h>
#include <linux/virtio_ids.h>

#define OUT	GUEST_DATA
#define BUF	(GUEST_DATA + 0x1000)
#define STATUS	(GUEST_DATA + 0x4000)
#define RTC	(0x68 << 1)
#define RD	VIRTIO_I2C_FLAGS_M_RD
#define FAIL	VIRTIO_I2C_FLAGS_FAIL_NEXT

static int setup(void **state)
{
	loop_setup(state);
	builtin_start("device=i2c", 1ULL << VIRTIO_I2C_F_ZERO_LENGTH_REQUEST);
	return 0;
}

static void header(uint16_t addr, uint32_t flags)
{
	struct virtio_i2c_out_hdr *hdr = guest_ptr(g, OUT);

	*hdr = (struct virtio_i2c_out_hdr) { .addr = htole16(addr), .flags = htole32(flags) };
	memset(guest_ptr(g, STATUS), 0xee, 1);
}

static uint8_t status(void)
{
	return *(uint8_t *)guest_ptr(g, STATUS);
}

/* One request, with @len bytes at BUF: status, and how much was written */
static uint8_t request(uint16_t addr, uint32_t flags, uint32_t len, uint32_t *written)
{
	struct buf bufs[3] = { { OUT, sizeof(struct virtio_i2c_out_hdr), false } };
	unsigned int num = 1, interrupts = g->interrupts;
	uint32_t id, used;

	header(addr, flags);
	if (len)
		bufs[num++] = (struct buf) { BUF, len, flags & RD };
	bufs[num++] = (struct buf) { STATUS, 1, true };
	ring_add(&ring, bufs, num);
	builtin_kick();
	assert_true(ring_get(&ring, num, &id, &used));
	assert_int_equal(g->interrupts, interrupts + 1);
	if (written)
		*written = used;
	return status();
}

static void identity(void **state)
{
	struct reply r = guest_send(g, VIRTIO_MSG_GET_DEVICE_INFO, 0, NULL);

	(void)state;
	assert_int_equal(le32toh(r.info.device_id), VIRTIO_ID_I2C_ADAPTER);
	assert_int_equal(le32toh(r.info.max_virtqueues), 1);
	assert_int_equal(r.info.config_size, 0);
}

static void registers(void **state)
{
	uint8_t *buf = guest_ptr(g, BUF);
	uint32_t written;

	(void)state;
	memcpy(buf, "\x08hello", 6);
	assert_int_equal(request(RTC, 0, 6, &written), VIRTIO_I2C_MSG_OK);
	assert_int_equal(written, 1);
	buf[0] = 8;
	assert_int_equal(request(RTC, 0, 1, NULL), VIRTIO_I2C_MSG_OK);
	memset(buf, 0, 6);
	assert_int_equal(request(RTC, RD, 5, &written), VIRTIO_I2C_MSG_OK);
	assert_int_equal(written, 6);
	assert_memory_equal(buf, "hello", 5);
}

static void probing(void **state)
{
	unsigned int addr, found = 0;

	(void)state;
	/* As i2cdetect does it: zero-length writes, and reads of one byte */
	for (addr = 0; addr < 0x80; addr++) {
		bool there = request(addr << 1, 0, 0, NULL) == VIRTIO_I2C_MSG_OK;

		found += there;
		assert_int_equal(there, addr == 0x68);
		assert_int_equal(request(addr << 1, RD, 1, NULL) == VIRTIO_I2C_MSG_OK, there);
	}
	assert_int_equal(found, 1);
	/* Not shifted; 10-bit */
	assert_int_equal(request(0x68, 0, 0, NULL), VIRTIO_I2C_MSG_ERR);
	assert_int_equal(request(RTC | 1, 0, 0, NULL), VIRTIO_I2C_MSG_ERR);
	assert_int_equal(request(RTC | 0x8000, 0, 0, NULL), VIRTIO_I2C_MSG_ERR);
}

static void fail_next(void **state)
{
	(void)state;
	/* A failure takes with it all up to the first request without the flag */
	assert_int_equal(request(0x20 << 1, FAIL, 0, NULL), VIRTIO_I2C_MSG_ERR);
	assert_int_equal(request(RTC, FAIL, 0, NULL), VIRTIO_I2C_MSG_ERR);
	assert_int_equal(request(RTC, 0, 0, NULL), VIRTIO_I2C_MSG_ERR);
	assert_int_equal(request(RTC, 0, 0, NULL), VIRTIO_I2C_MSG_OK);
	/* A success does not */
	assert_int_equal(request(RTC, FAIL, 0, NULL), VIRTIO_I2C_MSG_OK);
	assert_int_equal(request(RTC, 0, 0, NULL), VIRTIO_I2C_MSG_OK);
	/* and a reset forgets */
	assert_int_equal(request(0x20 << 1, FAIL, 0, NULL), VIRTIO_I2C_MSG_ERR);
	builtin_up(1ULL << VIRTIO_I2C_F_ZERO_LENGTH_REQUEST);
	assert_int_equal(request(RTC, 0, 0, NULL), VIRTIO_I2C_MSG_OK);
}

static void many_at_once(void **state)
{
	const struct buf bufs[] = {
		{ OUT, sizeof(struct virtio_i2c_out_hdr), false }, { BUF, 1, false },
		{ STATUS, 1, true },
	};
	unsigned int i;
	uint32_t id, len;

	(void)state;
	header(RTC, 0);
	for (i = 0; i < 5; i++)
		ring_add(&ring, bufs, 3);
	builtin_kick();
	for (i = 0; i < 5; i++)
		assert_true(ring_get(&ring, 3, &id, &len));
	assert_int_equal(g->interrupts, 1);
	assert_int_equal(g->win->counters.kicks, 1);
}

static void malformed(void **state)
{
	const struct buf no_status[] = { { OUT, 8, false }, { BUF, 4, false } };
	const struct buf short_header[] = { { OUT, 7, false }, { STATUS, 1, true } };
	const struct buf split_header[] = {
		{ OUT, 3, false }, { OUT + 3, 5, false }, { BUF, 1, true }, { STATUS, 1, true },
	};
	const struct buf huge[] = { { OUT, 8, false }, { BUF, 8193, true }, { STATUS, 1, true } };
	uint32_t id, len;

	(void)state;
	header(RTC, 0);
	ring_add(&ring, no_status, 2);
	builtin_kick();
	assert_true(ring_get(&ring, 2, &id, &len));
	assert_int_equal(len, 0);
	ring_add(&ring, short_header, 2);
	builtin_kick();
	assert_true(ring_get(&ring, 2, &id, &len));
	assert_int_equal(len, 0);
	assert_int_equal(status(), 0xee);
	/* Odd segments are fine */
	header(RTC, RD);
	ring_add(&ring, split_header, 4);
	builtin_kick();
	assert_true(ring_get(&ring, 4, &id, &len));
	assert_int_equal(len, 2);
	assert_int_equal(status(), VIRTIO_I2C_MSG_OK);
	/* Too long; a write with a buffer to read into; a read with one to write */
	header(RTC, RD);
	ring_add(&ring, huge, 3);
	builtin_kick();
	assert_true(ring_get(&ring, 3, &id, &len));
	assert_int_equal(*((uint8_t *)guest_ptr(g, STATUS)), VIRTIO_I2C_MSG_ERR);
	header(RTC, 0);
	ring_add(&ring, (struct buf[]){ { OUT, 8, false }, { BUF, 1, true }, { STATUS, 1, true } }, 3);
	builtin_kick();
	assert_int_equal(status(), VIRTIO_I2C_MSG_ERR);
	header(RTC, RD);
	ring_add(&ring, (struct buf[]){ { OUT, 9, false }, { STATUS, 1, true } }, 2);
	builtin_kick();
	assert_int_equal(status(), VIRTIO_I2C_MSG_ERR);
}

static void broken_ring(void **state)
{
	(void)state;
	ring_add(&ring, (struct buf[]){ { 0x1000, 8, false } }, 1);
	builtin_kick();
	assert_int_equal(guest_status(g), STATUS_OK | VIRTIO_CONFIG_S_NEEDS_RESET);
	assert_int_equal(g->interrupts, 1);
	builtin_kick();
	assert_int_equal(g->interrupts, 1);
	builtin_up(1ULL << VIRTIO_I2C_F_ZERO_LENGTH_REQUEST);
	assert_int_equal(request(RTC, 0, 0, NULL), VIRTIO_I2C_MSG_OK);
}

/* Buffers that were there before DRIVER_OK, whose kick came too early */
static void early_buffers(void **state)
{
	const struct buf bufs[] = { { OUT, 8, false }, { STATUS, 1, true } };
	uint32_t id, len;

	(void)state;
	guest_negotiate(g, VERSION_1);
	ring_init(&ring, g, 0, 16);
	assert_true(guest_enable_queue(g, 0, 16));
	header(RTC, 0);
	ring_add(&ring, bufs, 2);
	builtin_kick();
	assert_false(ring_get(&ring, 2, &id, &len));
	guest_set_status(g, STATUS_OK);
	loop_run();
	assert_true(ring_get(&ring, 2, &id, &len));
	assert_int_equal(status(), VIRTIO_I2C_MSG_OK);
}

static void packed(void **state)
{
	const uint64_t features = 1ULL << VIRTIO_F_RING_PACKED | 1ULL << VIRTIO_F_IN_ORDER |
				  1ULL << VIRTIO_RING_F_EVENT_IDX;
	unsigned int i;

	(void)state;
	assert_int_equal(slot_detach(&g->win->slots[0]), 0);
	assert_int_equal(slot_attach(&g->win->slots[0], builtin_create("device=i2c,packed=on,in-order=on")), 0);
	g->interrupts = 0;
	builtin_up(features);
	/* The driver wants each interrupt */
	ring_driver_event(&ring)->flags = htole16(VRING_PACKED_EVENT_FLAG_ENABLE);
	for (i = 0; i < 40; i++)
		assert_int_equal(request(RTC, RD, 1 + i, NULL), VIRTIO_I2C_MSG_OK);
}

/* Nobody answers: what is said to have been written was all the same */
static void errors_write_what_they_say(void **state)
{
	static const struct { uint16_t addr; uint32_t len; } wrong[] = {
		{ 0x50 << 1, 4 }, { RTC, 8193 }, { RTC | 1, 1 },
	};
	uint8_t *buf = guest_ptr(g, BUF);
	uint32_t written, j;
	unsigned int i;

	(void)state;
	for (i = 0; i < 3; i++) {
		memset(buf, 0xa5, wrong[i].len + 1);
		assert_int_equal(request(wrong[i].addr, RD, wrong[i].len, &written),
				 VIRTIO_I2C_MSG_ERR);
		assert_int_equal(written, wrong[i].len + 1);
		for (j = 0; j < wrong[i].len; j++)
			assert_int_equal(buf[j], 0);
		assert_int_equal(buf[j], 0xa5);
	}
}

static void no_clock(void **state)
{
	(void)state;
	assert_int_equal(slot_detach(&g->win->slots[0]), 0);
	assert_int_equal(slot_attach(&g->win->slots[0], builtin_create("device=i2c,clock=none")), 0);
	builtin_up(0);
	assert_int_equal(request(RTC, 0, 0, NULL), VIRTIO_I2C_MSG_ERR);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, builtin_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(identity),
		TEST(registers),
		TEST(probing),
		TEST(fail_next),
		TEST(many_at_once),
		TEST(malformed),
		TEST(broken_ring),
		TEST(early_buffers),
		TEST(packed),
		TEST(errors_write_what_they_say),
		TEST(no_clock),
	};

	return cmocka_run_group_tests_name("i2c", tests, NULL, NULL);
}
