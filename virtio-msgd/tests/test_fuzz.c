// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest that does anything: random accesses, messages and rings, in an order
 * that the seed fixes. Whatever it does, afterwards the device works for a guest
 * that behaves. Most is found when built with -Db_sanitize=address,undefined.
 */
#include "guest.h"


#include "program/devices.h"

#define ROUNDS	200
#define STEPS	300

static uint64_t seed;

/* xorshift64* */
static uint64_t any(void)
{
	seed ^= seed >> 12;
	seed ^= seed << 25;
	seed ^= seed >> 27;
	return seed * 0x2545f4914f6cdd1dULL;
}

static uint64_t below(uint64_t n)
{
	return any() % n;
}

/* Values at which things go wrong, more often than others */
static uint64_t value(void)
{
	static const uint64_t edges[] = {
		0, 1, 2, 3, 7, 8, 15, 16, 63, 64, 255, 256, 0x7fff, 0x8000, 0xffff, 0x10000,
		0x7fffffff, 0x80000000, 0xffffffff, 0x100000000, UINT64_MAX, 1ULL << 63,
		GUEST_BASE, GUEST_BASE + GUEST_SIZE, GUEST_BASE + GUEST_SIZE - 16, GUEST_RING,
		GUEST_RING + 0x1000, GUEST_RING + 0x2000, GUEST_DATA, GUEST_PAGE | 1,
		STATUS_DRIVER, STATUS_FEATURES, STATUS_OK,
	};

	switch (below(4)) {
	case 0:
		return any();
	case 1:
		return below(16);
	default:
		return edges[below(sizeof(edges) / sizeof(edges[0]))];
	}
}

static void random_access(struct guest *g)
{
	static const uint8_t sizes[] = { 1, 2, 4, 4, 4, 8 };
	unsigned int size = sizes[below(6)];
	uint32_t offset = below(WINDOW_SIZE / size) * size;

	if (below(3))
		guest_write(g, offset, size, value());
	else
		guest_read(g, offset, size);
}

static void random_message(struct guest *g, bool page)
{
	struct virtio_msg_header hdr = {
		.type = below(8) ? 0 : any(),
		.msg_id = below(8) ? below(14) : any(),
		.dev_num = below(8) ? 0 : any(),
		.token = any(),
	};
	uint32_t words[66];
	unsigned int num = below(13), i;

	hdr.msg_size = htole16(below(8) ? sizeof(hdr) + 4 * num : value());
	memcpy(words, &hdr, sizeof(hdr));
	for (i = 0; i < num; i++)
		words[2 + i] = htole32(value());
	if (page) {
		memcpy(guest_ptr(g, GUEST_PAGE), words, sizeof(hdr) + 4 * num);
		guest_write(g, VIRTIO_MSG_MMIO_DOORBELL, 4, 1);
	} else {
		guest_raw(g, words, sizeof(hdr) + 4 * num);
	}
}

static void random_memory(struct guest *g)
{
	uint64_t at = GUEST_RING + below(3) * 0x1000 + below(64) * 8;
	uint64_t v = htole64(value());

	memcpy(guest_ptr(g, at), &v, sizeof(v));
}

/* Bring the device up as a driver does, so that the rings are looked at */
static void behave(struct guest *g)
{
	guest_write(g, VIRTIO_MSG_MMIO_PAGE, 8, GUEST_PAGE | 1);
	guest_call(g, VIRTIO_MSG_SET_DEVICE_STATUS, 0);
	guest_call(g, VIRTIO_MSG_SET_DEVICE_STATUS, STATUS_DRIVER);
	guest_call(g, VIRTIO_MSG_SET_DRIVER_FEATURES, 0, 2,
		   (uint32_t)any() & 0x30000000, 1 | (any() & 0x14c));
	guest_call(g, VIRTIO_MSG_SET_DEVICE_STATUS, STATUS_FEATURES);
	memset(guest_ptr(g, GUEST_RING), 0, 0x3000);
	guest_enable_queue(g, 0, 1 << below(7));
	guest_call(g, VIRTIO_MSG_SET_DEVICE_STATUS, STATUS_OK);
}

static void misbehave(struct guest *g, bool mmio)
{
	unsigned int i;

	for (i = 0; i < STEPS; i++) {
		switch (below(6)) {
		case 0:
			random_access(g);
			break;
		case 1:
			if (!mmio)
				random_message(g, below(2));
			break;
		case 2:
			guest_write(g, VIRTIO_MSG_MMIO_QUEUE_NOTIFY(0), 4, 0);
			loop_run();
			break;
		default:
			random_memory(g);
		}
	}
}

/* One request of a good driver: is it served? */
static void check_rng(struct guest *g)
{
	struct ring ring;
	uint32_t id, len;

	guest_negotiate(g, VERSION_1);
	ring_init(&ring, g, 0, 16);
	assert_true(guest_enable_queue(g, 0, 16));
	assert_int_equal(guest_set_status(g, STATUS_OK), STATUS_OK);
	ring_add(&ring, (struct buf[]){ { GUEST_DATA, 64, true } }, 1);
	guest_write(g, VIRTIO_MSG_MMIO_QUEUE_NOTIFY(0), 4, 0);
	assert_true(ring_get(&ring, 1, &id, &len));
	assert_int_equal(len, 64);
}

static struct guest *make(const char *options, bool mmio)
{
	struct window_config config = window_config_default;
	struct params params = { 0 };
	struct errmsg err;
	struct device *dev;

	config.mmio = mmio;
	assert_int_equal(params_parse(&params, options, NULL, &err), 0);
	assert_int_equal(devices_create(&params, &dev, &err), 0);
	params_free(&params);
	return guest_new(&config, dev);
}

#define ALL_ON	"packed=on,in-order=on,notification-data=on"

static void fuzz(const char *options, bool mmio)
{
	unsigned int round;

	for (round = 1; round <= ROUNDS; round++) {
		struct guest *g = make(options, mmio);

		seed = round;
		if (!mmio)
			behave(g);
		misbehave(g, mmio);
		guest_free(g);
	}
}

static void i2c(void **state)
{
	(void)state;
	fuzz("device=i2c," ALL_ON, false);
}

static void i2c_mmio(void **state)
{
	(void)state;
	fuzz("device=i2c," ALL_ON, true);
}

static void blk(void **state)
{
	(void)state;
	fuzz("device=blk,size=65536," ALL_ON, false);
}

static void rng_survives(void **state)
{
	unsigned int round;
	struct guest *g = make("device=rng," ALL_ON, false);

	(void)state;
	for (round = 1; round <= ROUNDS; round++) {
		seed = round;
		behave(g);
		misbehave(g, false);
		check_rng(g);
	}
	guest_free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(i2c, loop_setup, loop_teardown),
		cmocka_unit_test_setup_teardown(i2c_mmio, loop_setup, loop_teardown),
		cmocka_unit_test_setup_teardown(blk, loop_setup, loop_teardown),
		cmocka_unit_test_setup_teardown(rng_survives, loop_setup, loop_teardown),
	};

	return cmocka_run_group_tests_name("fuzz", tests, NULL, NULL);
}
