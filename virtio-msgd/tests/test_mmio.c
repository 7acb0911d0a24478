// SPDX-License-Identifier: GPL-2.0-only
/* The virtio-mmio personality, used as Linux's virtio_mmio driver does. */
#include "guest.h"

#include <linux/virtio_mmio.h>

static struct guest *g;
static struct fake *fake;

static int setup(void **state)
{
	struct window_config config = window_config_default;

	(void)state;
	config.mmio = true;
	fake = fake_new();
	g = guest_new(&config, &fake->dev);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	guest_free(g);
	return 0;
}

static uint32_t rd(uint32_t offset)
{
	return guest_read(g, offset, 4);
}

static void wr(uint32_t offset, uint32_t value)
{
	guest_write(g, offset, 4, value);
}

static void negotiate(void)
{
	wr(VIRTIO_MMIO_STATUS, 0);
	assert_int_equal(rd(VIRTIO_MMIO_STATUS), 0);
	wr(VIRTIO_MMIO_STATUS, STATUS_DRIVER);
	wr(VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	wr(VIRTIO_MMIO_DRIVER_FEATURES, 1);
	wr(VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
	wr(VIRTIO_MMIO_DRIVER_FEATURES, 2);
	wr(VIRTIO_MMIO_STATUS, STATUS_FEATURES);
	assert_int_equal(rd(VIRTIO_MMIO_STATUS), STATUS_FEATURES);
}

static void enable_queue(uint32_t q, uint32_t size)
{
	wr(VIRTIO_MMIO_QUEUE_SEL, q);
	assert_int_equal(rd(VIRTIO_MMIO_QUEUE_READY), 0);
	wr(VIRTIO_MMIO_QUEUE_NUM, size);
	wr(VIRTIO_MMIO_QUEUE_DESC_LOW, (uint32_t)GUEST_RING);
	wr(VIRTIO_MMIO_QUEUE_DESC_HIGH, GUEST_RING >> 32);
	wr(VIRTIO_MMIO_QUEUE_AVAIL_LOW, (uint32_t)GUEST_RING + 0x1000);
	wr(VIRTIO_MMIO_QUEUE_AVAIL_HIGH, GUEST_RING >> 32);
	wr(VIRTIO_MMIO_QUEUE_USED_LOW, (uint32_t)GUEST_RING + 0x2000);
	wr(VIRTIO_MMIO_QUEUE_USED_HIGH, GUEST_RING >> 32);
	wr(VIRTIO_MMIO_QUEUE_READY, 1);
}

static void identity(void **state)
{
	(void)state;
	assert_int_equal(rd(VIRTIO_MMIO_MAGIC_VALUE), 0x74726976);
	assert_int_equal(rd(VIRTIO_MMIO_VERSION), 2);
	assert_int_equal(rd(VIRTIO_MMIO_DEVICE_ID), FAKE_ID);
	assert_int_equal(rd(VIRTIO_MMIO_VENDOR_ID), 0x1234);
	wr(VIRTIO_MMIO_DEVICE_FEATURES_SEL, 1);
	assert_int_equal(rd(VIRTIO_MMIO_DEVICE_FEATURES), (fake->dev.features | VERSION_1) >> 32);
	wr(VIRTIO_MMIO_DEVICE_FEATURES_SEL, 0);
	assert_int_equal(rd(VIRTIO_MMIO_DEVICE_FEATURES), (uint32_t)fake->dev.features);
	wr(VIRTIO_MMIO_DEVICE_FEATURES_SEL, 2);
	assert_int_equal(rd(VIRTIO_MMIO_DEVICE_FEATURES), 0);
}

static void probe(void **state)
{
	(void)state;
	negotiate();
	wr(VIRTIO_MMIO_QUEUE_SEL, 0);
	assert_int_equal(rd(VIRTIO_MMIO_QUEUE_NUM_MAX), FAKE_MAX_SIZE);
	enable_queue(0, 64);
	assert_int_equal(rd(VIRTIO_MMIO_QUEUE_READY), 1);
	assert_int_equal(fake->dev.queues[0].size, 64);
	assert_int_equal(fake->dev.queues[0].desc, GUEST_RING);
	assert_int_equal(fake->dev.queues[0].driver, GUEST_RING + 0x1000);
	assert_int_equal(fake->dev.queues[0].device, GUEST_RING + 0x2000);
	wr(VIRTIO_MMIO_STATUS, STATUS_OK);
	assert_int_equal(fake->queue_start, 1);
	assert_int_equal(device_features(&fake->dev), VERSION_1 | 2);

	wr(VIRTIO_MMIO_QUEUE_NOTIFY, 0);
	assert_int_equal(fake->kick, 1);
	assert_int_equal(g->win->counters.kicks, 1);
	wr(VIRTIO_MMIO_QUEUE_NOTIFY, 5);
	assert_int_equal(fake->kick, 1);

	/* As vm_del_vq() does it */
	wr(VIRTIO_MMIO_QUEUE_SEL, 0);
	wr(VIRTIO_MMIO_QUEUE_READY, 0);
	assert_int_equal(rd(VIRTIO_MMIO_QUEUE_READY), 0);
	assert_int_equal(fake->queue_stop, 1);
	wr(VIRTIO_MMIO_STATUS, 0);
	assert_int_equal(rd(VIRTIO_MMIO_STATUS), 0);
}

static void bad_queues(void **state)
{
	(void)state;
	wr(VIRTIO_MMIO_QUEUE_SEL, FAKE_QUEUES);
	assert_int_equal(rd(VIRTIO_MMIO_QUEUE_NUM_MAX), 0);
	wr(VIRTIO_MMIO_QUEUE_SEL, 0xffffffff);
	assert_int_equal(rd(VIRTIO_MMIO_QUEUE_NUM_MAX), 0);
	wr(VIRTIO_MMIO_QUEUE_READY, 1);
	wr(VIRTIO_MMIO_QUEUE_READY, 0);
	negotiate();
	enable_queue(0, 65535);
	assert_int_equal(rd(VIRTIO_MMIO_QUEUE_READY), 0);
	enable_queue(0, 0);
	assert_int_equal(rd(VIRTIO_MMIO_QUEUE_READY), 0);
	enable_queue(0, 100);
	assert_int_equal(rd(VIRTIO_MMIO_QUEUE_READY), 0);
	/* What a queue was given is not the next one's */
	wr(VIRTIO_MMIO_QUEUE_NUM, 16);
	wr(VIRTIO_MMIO_QUEUE_SEL, 1);
	wr(VIRTIO_MMIO_QUEUE_READY, 1);
	assert_int_equal(rd(VIRTIO_MMIO_QUEUE_READY), 0);
	enable_queue(1, 16);
	assert_int_equal(rd(VIRTIO_MMIO_QUEUE_READY), 1);
}

static void interrupts(void **state)
{
	(void)state;
	negotiate();
	enable_queue(0, 16);
	wr(VIRTIO_MMIO_STATUS, STATUS_OK);
	assert_int_equal(rd(VIRTIO_MMIO_INTERRUPT_STATUS), 0);
	device_used(&fake->dev, 0);
	assert_int_equal(g->interrupts, 1);
	assert_int_equal(rd(VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_MMIO_INT_VRING);
	device_config_changed(&fake->dev);
	assert_int_equal(g->interrupts, 2);
	assert_int_equal(rd(VIRTIO_MMIO_INTERRUPT_STATUS),
			 VIRTIO_MMIO_INT_VRING | VIRTIO_MMIO_INT_CONFIG);
	wr(VIRTIO_MMIO_INTERRUPT_ACK, VIRTIO_MMIO_INT_VRING);
	assert_int_equal(rd(VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_MMIO_INT_CONFIG);
	wr(VIRTIO_MMIO_INTERRUPT_ACK, VIRTIO_MMIO_INT_CONFIG);
	device_broken(&fake->dev, "test");
	assert_int_equal(rd(VIRTIO_MMIO_STATUS), STATUS_OK | VIRTIO_CONFIG_S_NEEDS_RESET);
	assert_int_equal(rd(VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_MMIO_INT_CONFIG);
	wr(VIRTIO_MMIO_STATUS, 0);
	assert_int_equal(rd(VIRTIO_MMIO_INTERRUPT_STATUS), 0);
}

static void config_space(void **state)
{
	uint32_t generation = rd(VIRTIO_MMIO_CONFIG_GENERATION);

	(void)state;
	assert_int_equal(guest_read(g, VIRTIO_MMIO_CONFIG + 5, 1), 5);
	assert_int_equal(guest_read(g, VIRTIO_MMIO_CONFIG + 6, 2), 0x0706);
	assert_int_equal(guest_read(g, VIRTIO_MMIO_CONFIG + 8, 4), 0x0b0a0908);
	assert_int_equal(guest_read(g, VIRTIO_MMIO_CONFIG + 8, 8), 0x0f0e0d0c0b0a0908);
	assert_int_equal(guest_read(g, VIRTIO_MMIO_CONFIG + 64, 4), 0);
	guest_write(g, VIRTIO_MMIO_CONFIG + 2, 2, 0x1234);
	assert_memory_equal(fake->config, "\x00\x01\x34\x12\x04", 5);
	guest_write(g, VIRTIO_MMIO_CONFIG + 64, 4, 0);
	assert_int_equal(rd(VIRTIO_MMIO_CONFIG_GENERATION), generation);
	device_config_changed(&fake->dev);
	assert_int_equal(rd(VIRTIO_MMIO_CONFIG_GENERATION), generation + 1);
}

static void shm(void **state)
{
	(void)state;
	wr(0x0ac, 1);
	assert_int_equal(rd(0x0b0), (uint32_t)FAKE_SHM_LEN);
	assert_int_equal(rd(0x0b4), FAKE_SHM_LEN >> 32);
	assert_int_equal(rd(0x0b8), (uint32_t)FAKE_SHM_ADDR);
	assert_int_equal(rd(0x0bc), FAKE_SHM_ADDR >> 32);
	wr(0x0ac, 0);
	assert_int_equal(rd(0x0b0), 0xffffffff);
	assert_int_equal(rd(0x0bc), 0xffffffff);
}

static void no_device(void **state)
{
	unsigned int offset, size;

	(void)state;
	device_leave(&fake->dev);
	assert_int_equal(g->interrupts, 0);
	assert_int_equal(rd(VIRTIO_MMIO_MAGIC_VALUE), 0x74726976);
	assert_int_equal(rd(VIRTIO_MMIO_DEVICE_ID), 0);
	for (offset = 8; offset < WINDOW_SIZE; offset++) {
		for (size = 0; size <= 16; size++) {
			assert_int_equal(guest_read(g, offset, size), 0);
			guest_write(g, offset, size, UINT64_MAX);
		}
	}
	device_arrive(&fake->dev);
	assert_int_equal(rd(VIRTIO_MMIO_DEVICE_ID), FAKE_ID);
}

/* All offsets and sizes, with a device that runs: nothing happens but a reset */
static void odd_accesses(void **state)
{
	unsigned int offset, size;

	(void)state;
	negotiate();
	for (offset = 0; offset < WINDOW_SIZE + 8; offset++) {
		for (size = 0; size <= 16; size++) {
			guest_read(g, offset, size);
			guest_write(g, offset, size, UINT64_MAX);
		}
	}
	assert_int_equal(fake->kick, 0);
	negotiate();
}

static void counted(void **state)
{
	json_t *json, *traps, *reads;

	(void)state;
	rd(VIRTIO_MMIO_MAGIC_VALUE);
	rd(VIRTIO_MMIO_STATUS);
	rd(VIRTIO_MMIO_STATUS);
	guest_read(g, VIRTIO_MMIO_CONFIG + 5, 1);
	guest_read(g, VIRTIO_MMIO_CONFIG + 60, 4);
	wr(VIRTIO_MMIO_QUEUE_SEL, 0);
	json = counters_json(&g->win->counters, true);
	traps = json_object_get(json, "traps");
	reads = json_object_get(traps, "read");
	assert_int_equal(json_integer_value(json_object_get(traps, "total")), 6);
	assert_int_equal(json_integer_value(json_object_get(reads, "MagicValue")), 1);
	assert_int_equal(json_integer_value(json_object_get(reads, "Status")), 2);
	assert_int_equal(json_integer_value(json_object_get(reads, "Config")), 2);
	json_decref(json);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(identity),
		TEST(probe),
		TEST(bad_queues),
		TEST(interrupts),
		TEST(config_space),
		TEST(shm),
		TEST(no_device),
		TEST(odd_accesses),
		TEST(counted),
	};

	return cmocka_run_group_tests_name("mmio", tests, NULL, NULL);
}
