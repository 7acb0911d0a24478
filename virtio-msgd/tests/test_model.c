// SPDX-License-Identifier: GPL-2.0-only
/* What the model asks of a device, in which order, and what the driver sees. */
#include "guest.h"

static void bring_up(struct fixture *f)
{
	guest_negotiate(f->g, VERSION_1);
	assert_true(guest_enable_queue(f->g, 0, 16));
	assert_int_equal(guest_set_status(f->g, STATUS_OK), STATUS_OK);
}

static void order(void **state)
{
	struct fixture *f = *state;

	guest_negotiate(f->g, VERSION_1);
	assert_true(guest_enable_queue(f->g, 0, 16));
	assert_true(guest_enable_queue(f->g, 2, 16));
	/* No I/O before DRIVER_OK */
	guest_write(f->g, VIRTIO_MSG_MMIO_QUEUE_NOTIFY(0), 4, 0);
	assert_int_equal(f->fake->start + f->fake->queue_start + f->fake->kick, 0);
	assert_false(device_live(&f->fake->dev));

	assert_int_equal(guest_set_status(f->g, STATUS_OK), STATUS_OK);
	assert_int_equal(f->fake->start, 1);
	assert_int_equal(f->fake->queue_start, 2);
	assert_true(device_live(&f->fake->dev));
	/* Once only */
	guest_set_status(f->g, STATUS_OK);
	assert_int_equal(f->fake->start, 1);
	assert_int_equal(f->fake->queue_start, 2);

	guest_write(f->g, VIRTIO_MSG_MMIO_QUEUE_NOTIFY(0), 4, 2);
	guest_write(f->g, VIRTIO_MSG_MMIO_QUEUE_NOTIFY(0), 4, 1);
	guest_write(f->g, VIRTIO_MSG_MMIO_QUEUE_NOTIFY(0), 4, 0xffff);
	assert_int_equal(f->fake->kick, 1);
	assert_int_equal(f->fake->last_queue, 2);
	assert_int_equal(f->g->win->counters.kicks, 4);

	assert_int_equal(guest_set_status(f->g, 0), 0);
	assert_int_equal(f->fake->queue_stop, 2);
	assert_false(f->fake->dev.queues[0].enabled);
	assert_int_equal(f->fake->dev.queues[0].max_size, FAKE_MAX_SIZE);
	assert_int_equal(device_features(&f->fake->dev), 0);
}

static void driver_ok_without_features(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(guest_set_status(f->g, STATUS_DRIVER | VIRTIO_CONFIG_S_DRIVER_OK),
			 STATUS_DRIVER);
	assert_int_equal(f->fake->start, 0);
}

static void status_bits(void **state)
{
	struct fixture *f = *state;

	/* A driver cannot set what is the device's, nor take bits back */
	assert_int_equal(guest_set_status(f->g, 0xffffff40), 0);
	assert_int_equal(guest_set_status(f->g, STATUS_DRIVER), STATUS_DRIVER);
	assert_int_equal(guest_set_status(f->g, VIRTIO_CONFIG_S_ACKNOWLEDGE), STATUS_DRIVER);
	/* 0x100 is not a reset */
	assert_int_equal(guest_set_status(f->g, 0x100), STATUS_DRIVER);
	assert_int_equal(guest_set_status(f->g, VIRTIO_CONFIG_S_FAILED),
			 STATUS_DRIVER | VIRTIO_CONFIG_S_FAILED);
	assert_int_equal(guest_set_status(f->g, 0), 0);
	/* None of it was an event */
	assert_int_equal(f->g->interrupts, 0);
}

static void reset_takes_time(void **state)
{
	struct fixture *f = *state;

	bring_up(f);
	f->fake->reset = 0;
	f->fake->reset_result = -EAGAIN;
	assert_int_equal(guest_set_status(f->g, 0), STATUS_OK);
	assert_int_equal(guest_status(f->g), STATUS_OK);
	/* Nothing can be done meanwhile */
	guest_set_status(f->g, STATUS_DRIVER);
	assert_false(guest_call(f->g, VIRTIO_MSG_SET_DRIVER_FEATURES, 0, 1, 1).there);
	assert_false(guest_enable_queue(f->g, 1, 16));
	f->fake->reset_result = 0;
	assert_int_equal(guest_status(f->g), 0);
	assert_int_equal(f->fake->queue_stop, 1);
	assert_int_equal(f->fake->reset, 5);
	bring_up(f);
}

static void reset_fails(void **state)
{
	struct fixture *f = *state;

	bring_up(f);
	f->fake->reset_result = -EIO;
	assert_int_equal(guest_set_status(f->g, 0), STATUS_OK | VIRTIO_CONFIG_S_NEEDS_RESET);
	f->fake->reset_result = 0;
	assert_int_equal(guest_set_status(f->g, 0), 0);
}

static void queue_cannot_stop(void **state)
{
	struct fixture *f = *state;

	bring_up(f);
	f->fake->queue_stop_result = -ETIMEDOUT;
	assert_int_equal(guest_set_status(f->g, 0), STATUS_OK | VIRTIO_CONFIG_S_NEEDS_RESET);
	/* It is asked again the next time */
	f->fake->queue_stop_result = 0;
	assert_int_equal(guest_set_status(f->g, 0), 0);
	assert_int_equal(f->fake->queue_stop, 2);
}

static void start_fails(void **state)
{
	struct fixture *f = *state;

	f->fake->start_result = -EIO;
	guest_negotiate(f->g, VERSION_1);
	assert_true(guest_enable_queue(f->g, 0, 16));
	assert_int_equal(guest_set_status(f->g, STATUS_OK),
			 STATUS_OK | VIRTIO_CONFIG_S_NEEDS_RESET);
	assert_int_equal(f->fake->queue_start, 0);
	assert_int_equal(f->g->interrupts, 1);

	f->fake->start_result = 0;
	f->fake->queue_start_result = -EIO;
	guest_negotiate(f->g, VERSION_1);
	assert_true(guest_enable_queue(f->g, 0, 16));
	assert_int_equal(guest_set_status(f->g, STATUS_OK),
			 STATUS_OK | VIRTIO_CONFIG_S_NEEDS_RESET);
	/* Not served: not stopped */
	assert_int_equal(guest_set_status(f->g, 0), 0);
	assert_int_equal(f->fake->queue_stop, 0);
}

static void broken(void **state)
{
	struct fixture *f = *state;

	/* Nobody drives it: nothing to tell, and it can be used afterwards */
	device_broken(&f->fake->dev, "test");
	assert_int_equal(guest_status(f->g), 0);
	assert_int_equal(f->g->interrupts, 0);

	bring_up(f);
	device_broken(&f->fake->dev, "test");
	assert_int_equal(f->g->interrupts, 1);
	assert_int_equal(guest_read(f->g, VIRTIO_MSG_MMIO_EVENT, 4), VIRTIO_MSG_MMIO_EVENT_CONFIG);
	assert_int_equal(guest_status(f->g), STATUS_OK | VIRTIO_CONFIG_S_NEEDS_RESET);
	assert_false(device_live(&f->fake->dev));
	/* Once is enough; kicks have no effect */
	device_broken(&f->fake->dev, "test");
	assert_int_equal(f->g->interrupts, 1);
	guest_write(f->g, VIRTIO_MSG_MMIO_QUEUE_NOTIFY(0), 4, 0);
	assert_int_equal(f->fake->kick, 0);
	/* A reset heals */
	bring_up(f);
	assert_true(device_live(&f->fake->dev));
}

static void config_change(void **state)
{
	struct fixture *f = *state;
	uint32_t generation = f->g->win->slots[0].generation;
	struct reply r;

	device_config_changed(&f->fake->dev);
	assert_int_equal(f->g->interrupts, 1);
	assert_int_equal(guest_read(f->g, VIRTIO_MSG_MMIO_EVENT, 4), VIRTIO_MSG_MMIO_EVENT_CONFIG);
	assert_int_equal(guest_read(f->g, VIRTIO_MSG_MMIO_EVENT, 4), 0);
	r = guest_call(f->g, VIRTIO_MSG_GET_CONFIG, 0, 1);
	assert_int_equal(le32toh(r.config.generation), generation + 1);
	/* A reset does not set it back */
	guest_set_status(f->g, 0);
	r = guest_call(f->g, VIRTIO_MSG_GET_CONFIG, 0, 1);
	assert_int_equal(le32toh(r.config.generation), generation + 1);
}

static void used(void **state)
{
	struct fixture *f = *state;

	bring_up(f);
	device_used(&f->fake->dev, 0);
	device_used(&f->fake->dev, 0);
	assert_int_equal(f->g->interrupts, 2);
	assert_int_equal(f->g->win->counters.interrupts, 2);
	assert_int_equal(guest_read(f->g, VIRTIO_MSG_MMIO_EVENT, 4), 0);
}

static void leave_and_return(void **state)
{
	struct fixture *f = *state;
	uint32_t generation = f->g->win->slots[0].generation;

	bring_up(f);
	device_leave(&f->fake->dev);
	assert_int_equal(f->fake->queue_stop, 1);
	assert_int_equal(f->fake->unplugged, 1);
	assert_int_equal(f->g->interrupts, 1);
	assert_int_equal(guest_read(f->g, VIRTIO_MSG_MMIO_EVENT, 4), VIRTIO_MSG_MMIO_EVENT_DEVICE);
	assert_int_equal(guest_send(f->g, VIRTIO_MSG_GET_DEVICE_INFO, 0, NULL).info.device_id, 0);
	/* A device nobody sees can say what it likes */
	device_used(&f->fake->dev, 0);
	device_config_changed(&f->fake->dev);
	device_broken(&f->fake->dev, "test");
	device_leave(&f->fake->dev);
	assert_int_equal(f->g->interrupts, 1);
	assert_int_equal(device_features(&f->fake->dev), 0);

	device_arrive(&f->fake->dev);
	device_arrive(&f->fake->dev);
	assert_int_equal(f->g->interrupts, 2);
	assert_int_equal(f->g->win->slots[0].arrivals, 2);
	assert_int_equal(f->g->win->slots[0].generation, generation + 1);
	assert_int_equal(guest_status(f->g), 0);
	/* Who asks for the device knows of it */
	guest_send(f->g, VIRTIO_MSG_GET_DEVICE_INFO, 0, NULL);
	assert_int_equal(guest_read(f->g, VIRTIO_MSG_MMIO_EVENT, 4), 0);
	bring_up(f);
}

static void one_device_only(void **state)
{
	struct fixture *f = *state;
	struct fake *other = fake_new();

	assert_int_equal(slot_attach(&f->g->win->slots[0], &other->dev), -EBUSY);
	assert_int_equal(slot_detach(&f->g->win->slots[0]), 0);
	assert_int_equal(slot_detach(&f->g->win->slots[0]), -ENODEV);
	assert_int_equal(slot_attach(&f->g->win->slots[0], &other->dev), 0);
	f->fake = other;
	bring_up(f);
}

static unsigned int gone;

static void on_gone(struct carrier *carrier)
{
	(void)carrier;
	gone++;
}

static void guest_leaves(void **state)
{
	struct fixture *f = *state;

	bring_up(f);
	f->fake->reset_result = -EIO;
	gone = 0;
	carrier_guest_gone(&f->g->carrier, on_gone);
	assert_int_equal(gone, 1);
	assert_int_equal(f->fake->queue_stop, 1);
	assert_false(f->fake->dev.queues[0].enabled);
	assert_int_equal(f->g->win->slots[0].status, 0);
	assert_int_equal(f->g->carrier.memory.num_regions, 0);
	assert_int_equal(f->g->interrupts, 0);
}

static void access_platform(void **state)
{
	const uint64_t platform = 1ULL << VIRTIO_F_ACCESS_PLATFORM;
	struct fixture *f = *state;

	f->g->carrier.translates = true;
	assert_int_equal(slot_offered(&f->g->win->slots[0]) & platform, platform);
	guest_set_status(f->g, STATUS_DRIVER);
	guest_call(f->g, VIRTIO_MSG_SET_DRIVER_FEATURES, 0, 2, 0, 1);
	assert_int_equal(guest_set_status(f->g, STATUS_FEATURES), STATUS_DRIVER);
	guest_negotiate(f->g, VERSION_1 | platform);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(order),
		TEST(driver_ok_without_features),
		TEST(status_bits),
		TEST(reset_takes_time),
		TEST(reset_fails),
		TEST(queue_cannot_stop),
		TEST(start_fails),
		TEST(broken),
		TEST(config_change),
		TEST(used),
		TEST(leave_and_return),
		TEST(one_device_only),
		TEST(guest_leaves),
		TEST(access_platform),
	};

	return cmocka_run_group_tests_name("model", tests, NULL, NULL);
}
