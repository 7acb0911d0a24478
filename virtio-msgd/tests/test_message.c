// SPDX-License-Identifier: GPL-2.0-only
/* Every message of revision 1: valid, truncated, too long, foreign. */
#include "guest.h"

static int setup_strict(void **state)
{
	struct window_config config = window_config_default;

	config.strict = true;
	return fixture_setup_with(state, &config);
}

static void device_info(void **state)
{
	struct fixture *f = *state;
	struct reply r = guest_send(f->g, VIRTIO_MSG_GET_DEVICE_INFO, 0, NULL);

	assert_true(r.there);
	assert_int_equal(le16toh(r.hdr.msg_size), 52);
	assert_int_equal(le32toh(r.info.device_id), FAKE_ID);
	assert_int_equal(le32toh(r.info.vendor_id), 0x1234);
	assert_int_equal(r.info.uuid[0], 0xab);
	assert_int_equal(le32toh(r.info.num_feature_blocks), 2);
	assert_int_equal(le32toh(r.info.config_size), 64);
	assert_int_equal(le32toh(r.info.max_virtqueues), FAKE_QUEUES);
	assert_int_equal(le32toh(r.info.admin_vq_start), 0);
	assert_int_equal(le32toh(r.info.admin_vq_count), 0);
}

static void empty_slot(void **state)
{
	struct fixture *f = *state;
	struct reply r;
	unsigned int id;

	assert_int_equal(slot_detach(&f->g->win->slots[0]), 0);
	r = guest_send(f->g, VIRTIO_MSG_GET_DEVICE_INFO, 0, NULL);
	assert_true(r.there);
	assert_int_equal(r.info.device_id, 0);
	assert_int_equal(r.info.config_size, 0);
	for (id = VIRTIO_MSG_GET_DEVICE_FEATURES; id <= VIRTIO_MSG_GET_SHM; id++)
		assert_false(guest_send(f->g, id, 0, NULL).there);
	assert_false(guest_call(f->g, VIRTIO_MSG_SET_DEVICE_STATUS, 1).there);
	guest_write(f->g, VIRTIO_MSG_MMIO_QUEUE_NOTIFY(0), 4, 0);
}

static void features(void **state)
{
	struct fixture *f = *state;
	uint64_t offered = f->fake->dev.features | VERSION_1;
	struct reply r = guest_call(f->g, VIRTIO_MSG_GET_DEVICE_FEATURES, 0, 3);

	assert_true(r.there);
	assert_int_equal(le16toh(r.hdr.msg_size), 8 + 8 + 12);
	assert_int_equal(le32toh(r.words[2]), 0);
	assert_int_equal(le32toh(r.words[3]), 3);
	assert_int_equal(le32toh(r.words[4]), (uint32_t)offered);
	assert_int_equal(le32toh(r.words[5]), offered >> 32);
	assert_int_equal(le32toh(r.words[6]), 0);

	/* One block from the middle, one past the end, none */
	r = guest_call(f->g, VIRTIO_MSG_GET_DEVICE_FEATURES, 1, 1);
	assert_int_equal(le32toh(r.words[4]), offered >> 32);
	r = guest_call(f->g, VIRTIO_MSG_GET_DEVICE_FEATURES, 0xfffffffe, 1);
	assert_true(r.there);
	assert_int_equal(r.words[4], 0);
	r = guest_call(f->g, VIRTIO_MSG_GET_DEVICE_FEATURES, 0, 0);
	assert_true(r.there);
	assert_int_equal(le16toh(r.hdr.msg_size), 16);

	/* More than a message holds; past the end of all numbers */
	assert_true(guest_call(f->g, VIRTIO_MSG_GET_DEVICE_FEATURES, 0, (256 - 16) / 4).there);
	assert_false(guest_call(f->g, VIRTIO_MSG_GET_DEVICE_FEATURES, 0, (256 - 16) / 4 + 1).there);
	assert_false(guest_call(f->g, VIRTIO_MSG_GET_DEVICE_FEATURES, 0, 0xffffffff).there);
	assert_false(guest_call(f->g, VIRTIO_MSG_GET_DEVICE_FEATURES, 0xffffffff, 1 + 1).there);
}

static void set_features(void **state)
{
	struct fixture *f = *state;

	guest_set_status(f->g, STATUS_DRIVER);
	/* Block by block, and zeros for blocks nobody has */
	assert_true(guest_call(f->g, VIRTIO_MSG_SET_DRIVER_FEATURES, 0, 1, 5).there);
	assert_true(guest_call(f->g, VIRTIO_MSG_SET_DRIVER_FEATURES, 1, 3, 1, 0, 0).there);
	assert_int_equal(guest_set_status(f->g, STATUS_FEATURES), STATUS_FEATURES);
	assert_int_equal(device_features(&f->fake->dev), VERSION_1 | 5);
	/* Too late */
	assert_false(guest_call(f->g, VIRTIO_MSG_SET_DRIVER_FEATURES, 0, 1, 4).there);
	assert_int_equal(device_features(&f->fake->dev), VERSION_1 | 5);
}

static void set_features_malformed(void **state)
{
	struct fixture *f = *state;
	uint8_t odd[] = { 0, VIRTIO_MSG_SET_DRIVER_FEATURES, 0, 0, 1, 0, 18, 0,
			  0, 0, 0, 0, 0, 0, 0, 0, 1, 1 };

	guest_set_status(f->g, STATUS_DRIVER);
	assert_false(guest_call(f->g, VIRTIO_MSG_SET_DRIVER_FEATURES, 0, 2, 1).there);
	assert_false(guest_call(f->g, VIRTIO_MSG_SET_DRIVER_FEATURES, 0, 1, 1, 1).there);
	assert_false(guest_call(f->g, VIRTIO_MSG_SET_DRIVER_FEATURES, 0).there);
	assert_false(guest_call(f->g, VIRTIO_MSG_SET_DRIVER_FEATURES, 0, 0x40000001, 1).there);
	assert_false(guest_raw(f->g, odd, sizeof(odd)).there);
	assert_int_equal(f->g->win->slots[0].features, 0);
}

static void features_refused(void **state)
{
	struct fixture *f = *state;

	/* Not offered */
	guest_set_status(f->g, STATUS_DRIVER);
	guest_call(f->g, VIRTIO_MSG_SET_DRIVER_FEATURES, 0, 2, 0x10, 1);
	assert_int_equal(guest_set_status(f->g, STATUS_FEATURES), STATUS_DRIVER);
	/* In a block nobody has */
	assert_int_equal(guest_set_status(f->g, 0), 0);
	guest_set_status(f->g, STATUS_DRIVER);
	guest_call(f->g, VIRTIO_MSG_SET_DRIVER_FEATURES, 0, 3, 0, 1, 1);
	assert_int_equal(guest_set_status(f->g, STATUS_FEATURES), STATUS_DRIVER);
	/* Without VERSION_1 */
	assert_int_equal(guest_set_status(f->g, 0), 0);
	guest_set_status(f->g, STATUS_DRIVER);
	guest_call(f->g, VIRTIO_MSG_SET_DRIVER_FEATURES, 0, 2, 1, 0);
	assert_int_equal(guest_set_status(f->g, STATUS_FEATURES), STATUS_DRIVER);
	/* By the device */
	f->fake->refuse_features = true;
	assert_int_equal(guest_set_status(f->g, 0), 0);
	guest_set_status(f->g, STATUS_DRIVER);
	guest_call(f->g, VIRTIO_MSG_SET_DRIVER_FEATURES, 0, 2, 1, 1);
	assert_int_equal(guest_set_status(f->g, STATUS_FEATURES), STATUS_DRIVER);
	/* and a reset forgets all that */
	f->fake->refuse_features = false;
	guest_negotiate(f->g, VERSION_1);
}

static void config(void **state)
{
	struct fixture *f = *state;
	struct reply r = guest_call(f->g, VIRTIO_MSG_GET_CONFIG, 3, 5);

	assert_true(r.there);
	assert_int_equal(le16toh(r.hdr.msg_size), 8 + 12 + 5);
	assert_int_equal(le32toh(r.config.generation), f->g->win->slots[0].generation);
	assert_int_equal(le32toh(r.config.offset), 3);
	assert_int_equal(le32toh(r.config.length), 5);
	assert_memory_equal(r.config.data, f->fake->config + 3, 5);

	assert_true(guest_call(f->g, VIRTIO_MSG_GET_CONFIG, 0, 64).there);
	assert_true(guest_call(f->g, VIRTIO_MSG_GET_CONFIG, 64, 0).there);
	assert_false(guest_call(f->g, VIRTIO_MSG_GET_CONFIG, 0, 65).there);
	assert_false(guest_call(f->g, VIRTIO_MSG_GET_CONFIG, 64, 1).there);
	assert_false(guest_call(f->g, VIRTIO_MSG_GET_CONFIG, 1, 64).there);
	assert_false(guest_call(f->g, VIRTIO_MSG_GET_CONFIG, 0xffffffff, 1).there);
	assert_false(guest_call(f->g, VIRTIO_MSG_GET_CONFIG, 0, 0xffffffff).there);
	assert_false(guest_call(f->g, VIRTIO_MSG_GET_CONFIG, 0xfffffff0, 0x20).there);
}

static void set_config(void **state)
{
	struct fixture *f = *state;
	uint32_t generation = f->g->win->slots[0].generation;
	struct reply r;

	/* Baseline: any generation will do */
	r = guest_call(f->g, VIRTIO_MSG_SET_CONFIG, generation + 7, 4, 8, 0x44332211, 0x88776655);
	assert_true(r.there);
	assert_int_equal(le32toh(r.config.offset), 4);
	assert_int_equal(le32toh(r.config.length), 8);
	assert_memory_equal(f->fake->config + 4, "\x11\x22\x33\x44\x55\x66\x77\x88", 8);
	/* The driver's own write is no change to tell it of */
	assert_int_equal(le32toh(r.config.generation), generation);
	assert_int_equal(f->g->interrupts, 0);

	/* Out of range: not applied. Lengths that disagree, and none: malformed */
	r = guest_call(f->g, VIRTIO_MSG_SET_CONFIG, 0, 62, 4, 0);
	assert_true(r.there);
	assert_int_equal(r.config.length, 0);
	assert_int_equal(f->fake->config[62], 62);
	r = guest_call(f->g, VIRTIO_MSG_SET_CONFIG, 0, 0xfffffffc, 8, 0, 0);
	assert_true(r.there);
	assert_int_equal(r.config.length, 0);
	assert_false(guest_call(f->g, VIRTIO_MSG_SET_CONFIG, 0, 0, 8, 0).there);
	assert_false(guest_call(f->g, VIRTIO_MSG_SET_CONFIG, 0, 0, 4, 0, 0).there);
	assert_false(guest_call(f->g, VIRTIO_MSG_SET_CONFIG, 0, 0, 0).there);
	assert_int_equal(f->fake->config[0], 0);
}

static void set_config_strict(void **state)
{
	struct fixture *f = *state;
	struct reply r;

	device_config_changed(&f->fake->dev);
	r = guest_call(f->g, VIRTIO_MSG_GET_CONFIG, 0, 1);
	device_config_changed(&f->fake->dev);
	r = guest_call(f->g, VIRTIO_MSG_SET_CONFIG, le32toh(r.config.generation), 0, 1, 0x99);
	assert_false(r.there);	/* one byte of data, not four */
	r = guest_call(f->g, VIRTIO_MSG_SET_CONFIG, f->g->win->slots[0].generation - 1, 0, 4, 0x99);
	assert_true(r.there);
	assert_int_equal(r.config.length, 0);
	assert_int_equal(f->fake->config[0], 0);
	assert_int_equal(le32toh(r.config.generation), f->g->win->slots[0].generation);
	r = guest_call(f->g, VIRTIO_MSG_SET_CONFIG, f->g->win->slots[0].generation, 0, 4, 0x99);
	assert_int_equal(le32toh(r.config.length), 4);
	assert_int_equal(f->fake->config[0], 0x99);
}

static void vqueue(void **state)
{
	struct fixture *f = *state;
	struct reply r;

	r = guest_call(f->g, VIRTIO_MSG_GET_VQUEUE, 1);
	assert_true(r.there);
	assert_int_equal(le16toh(r.hdr.msg_size), 48);
	assert_int_equal(le32toh(r.vqueue.index), 1);
	assert_int_equal(le32toh(r.vqueue.max_size), FAKE_MAX_SIZE);
	assert_int_equal(r.vqueue.flags, 0);

	/* A queue that does not exist */
	r = guest_call(f->g, VIRTIO_MSG_GET_VQUEUE, FAKE_QUEUES);
	assert_true(r.there);
	assert_int_equal(r.vqueue.max_size, 0);
	r = guest_call(f->g, VIRTIO_MSG_GET_VQUEUE, 0xffffffff);
	assert_true(r.there);
	assert_int_equal(le32toh(r.vqueue.index), 0xffffffff);
	assert_int_equal(r.vqueue.max_size, 0);

	guest_negotiate(f->g, VERSION_1);
	assert_true(guest_enable_queue(f->g, 1, 128));
	r = guest_call(f->g, VIRTIO_MSG_GET_VQUEUE, 1);
	assert_int_equal(le32toh(r.vqueue.cur_size), 128);
	assert_int_equal(le32toh(r.vqueue.flags), VIRTIO_MSG_VQUEUE_ENABLED);
	assert_int_equal(le64toh(r.vqueue.desc_addr), GUEST_RING);
	assert_int_equal(le64toh(r.vqueue.driver_addr), GUEST_RING + 0x1000);
	assert_int_equal(le64toh(r.vqueue.device_addr), GUEST_RING + 0x2000);
}

static bool set_vqueue(struct guest *g, uint32_t flags, uint32_t size, uint64_t desc,
		       uint64_t driver, uint64_t device)
{
	return guest_call(g, VIRTIO_MSG_SET_VQUEUE, 0, flags, size, 0, (uint32_t)desc, desc >> 32,
			  (uint32_t)driver, driver >> 32, (uint32_t)device, device >> 32).there;
}

static void set_vqueue_refused(void **state)
{
	const uint64_t desc = GUEST_RING, driver = GUEST_RING + 0x4000, device = GUEST_RING + 0x8000;
	const uint64_t end = GUEST_BASE + GUEST_SIZE;
	struct fixture *f = *state;
	struct guest *g = f->g;

	/* Before the features are known, the ring's format is not */
	assert_false(guest_enable_queue(g, 0, 16));
	guest_negotiate(g, VERSION_1);
	assert_false(guest_enable_queue(g, FAKE_QUEUES, 16));
	assert_false(guest_enable_queue(g, 0xffffffff, 16));
	assert_false(set_vqueue(g, 1, 0, desc, driver, device));
	assert_false(set_vqueue(g, 1, 100, desc, driver, device));
	assert_false(set_vqueue(g, 1, FAKE_MAX_SIZE * 2, desc, driver, device));
	assert_false(set_vqueue(g, 1, 65535, desc, driver, device));
	assert_false(set_vqueue(g, 1, 0xffffffff, desc, driver, device));
	assert_false(set_vqueue(g, 1, 16, desc + 8, driver, device));
	assert_false(set_vqueue(g, 1, 16, desc, driver + 1, device));
	assert_false(set_vqueue(g, 1, 16, desc, driver, device + 2));
	/* Outside memory: before, across the end, wrapping around */
	assert_false(set_vqueue(g, 1, 16, GUEST_BASE - 16, driver, device));
	assert_false(set_vqueue(g, 1, 16, end - 16 * 15, driver, device));
	assert_false(set_vqueue(g, 1, 16, desc, end - 4, device));
	assert_false(set_vqueue(g, 1, 16, desc, driver, end));
	assert_false(set_vqueue(g, 1, 16, -(uint64_t)16, driver, device));
	assert_false(set_vqueue(g, 1, 16, 0, 0, 0));
	assert_false(f->fake->dev.queues[0].enabled);

	/* Right up to the end is fine; a second time is not */
	assert_true(set_vqueue(g, 1, 16, end - 16 * 16, driver, device));
	assert_false(set_vqueue(g, 1, 16, desc, driver, device));
	assert_int_equal(f->fake->dev.queues[0].desc, end - 16 * 16);
}

static void set_vqueue_without_enable(void **state)
{
	struct fixture *f = *state;
	struct reply r;

	guest_negotiate(f->g, VERSION_1);
	assert_true(set_vqueue(f->g, 0, 32, GUEST_RING, 0, 0));
	r = guest_call(f->g, VIRTIO_MSG_GET_VQUEUE, 0);
	assert_int_equal(le32toh(r.vqueue.cur_size), 32);
	assert_int_equal(r.vqueue.flags, 0);
	assert_false(set_vqueue(f->g, 0, FAKE_MAX_SIZE + 1, 0, 0, 0));
	assert_true(guest_enable_queue(f->g, 0, 16));
	assert_false(set_vqueue(f->g, 0, 32, 0, 0, 0));
}

static void reset_vqueue(void **state)
{
	struct fixture *f = *state;

	/* Not without the feature */
	guest_negotiate(f->g, VERSION_1);
	assert_true(guest_enable_queue(f->g, 0, 16));
	assert_int_equal(guest_set_status(f->g, STATUS_OK), STATUS_OK);
	assert_false(guest_call(f->g, VIRTIO_MSG_RESET_VQUEUE, 0).there);
	assert_int_equal(f->fake->queue_stop, 0);

	guest_negotiate(f->g, VERSION_1 | 1ULL << VIRTIO_F_RING_RESET);
	assert_true(guest_enable_queue(f->g, 0, 16));
	assert_int_equal(guest_set_status(f->g, STATUS_OK), STATUS_OK);
	f->fake->queue_stop = 0;
	f->fake->queue_start = 0;
	assert_true(guest_call(f->g, VIRTIO_MSG_RESET_VQUEUE, 0).there);
	assert_int_equal(f->fake->queue_stop, 1);
	assert_int_equal(guest_call(f->g, VIRTIO_MSG_GET_VQUEUE, 0).vqueue.flags, 0);
	assert_false(guest_call(f->g, VIRTIO_MSG_RESET_VQUEUE, FAKE_QUEUES).there);
	/* It can be set up again, and is served at once */
	assert_true(guest_enable_queue(f->g, 0, 32));
	assert_int_equal(f->fake->queue_start, 1);
	/* One that cannot be stopped gives no answer, and breaks the device */
	f->fake->queue_stop_result = -ETIMEDOUT;
	assert_false(guest_call(f->g, VIRTIO_MSG_RESET_VQUEUE, 0).there);
	assert_int_equal(guest_status(f->g), STATUS_OK | VIRTIO_CONFIG_S_NEEDS_RESET);
	f->fake->queue_stop_result = 0;
}

static void shm(void **state)
{
	struct fixture *f = *state;
	struct reply r = guest_call(f->g, VIRTIO_MSG_GET_SHM, 1);

	assert_true(r.there);
	assert_int_equal(le16toh(r.hdr.msg_size), 32);
	assert_int_equal(le32toh(r.shm.shmid), 1);
	assert_int_equal(le64toh(r.shm.address), FAKE_SHM_ADDR);
	assert_int_equal(le64toh(r.shm.length), FAKE_SHM_LEN);
	r = guest_call(f->g, VIRTIO_MSG_GET_SHM, 2);
	assert_true(r.there);
	assert_int_equal(le32toh(r.shm.shmid), 2);
	assert_int_equal(r.shm.address, 0);
	assert_int_equal(r.shm.length, 0);
}

static void event_avail(void **state)
{
	const uint64_t data = 1ULL << VIRTIO_F_NOTIFICATION_DATA;
	struct fixture *f = *state;

	guest_negotiate(f->g, VERSION_1);
	assert_true(guest_enable_queue(f->g, 1, 16));
	guest_set_status(f->g, STATUS_OK);
	assert_false(guest_call(f->g, VIRTIO_MSG_EVENT_AVAIL, 1, 0x80000007).there);
	assert_int_equal(f->fake->kick, 1);
	assert_int_equal(f->fake->last_data, 1);
	guest_call(f->g, VIRTIO_MSG_EVENT_AVAIL, 0, 0);
	guest_call(f->g, VIRTIO_MSG_EVENT_AVAIL, 0x10001, 0);
	guest_call(f->g, VIRTIO_MSG_EVENT_AVAIL, FAKE_QUEUES, 0);
	assert_int_equal(f->fake->kick, 1);
	assert_int_equal(f->g->win->counters.discarded, 0);

	guest_negotiate(f->g, VERSION_1 | data);
	assert_true(guest_enable_queue(f->g, 1, 16));
	guest_set_status(f->g, STATUS_OK);
	guest_call(f->g, VIRTIO_MSG_EVENT_AVAIL, 1, 0x80000007);
	assert_int_equal(f->fake->last_data, 0x80070001);
	guest_call(f->g, VIRTIO_MSG_EVENT_AVAIL, 1, 0xfffe);
	assert_int_equal(f->fake->last_data, 0xfffe0001);
	guest_write(f->g, VIRTIO_MSG_MMIO_QUEUE_NOTIFY(0), 4, 0xabcd0001);
	assert_int_equal(f->fake->last_data, 0xabcd0001);
	assert_int_equal(f->fake->kick, 4);
}

static const struct {
	uint8_t id;
	unsigned int words;
	bool tail;
} requests[] = {
	{ VIRTIO_MSG_GET_DEVICE_INFO, 0, false },
	{ VIRTIO_MSG_GET_DEVICE_FEATURES, 2, false },
	{ VIRTIO_MSG_SET_DRIVER_FEATURES, 2, true },
	{ VIRTIO_MSG_GET_CONFIG, 2, false },
	{ VIRTIO_MSG_SET_CONFIG, 3, true },
	{ VIRTIO_MSG_GET_DEVICE_STATUS, 0, false },
	{ VIRTIO_MSG_SET_DEVICE_STATUS, 1, false },
	{ VIRTIO_MSG_GET_VQUEUE, 1, false },
	{ VIRTIO_MSG_SET_VQUEUE, 10, false },
	{ VIRTIO_MSG_RESET_VQUEUE, 1, false },
	{ VIRTIO_MSG_GET_SHM, 1, false },
	{ VIRTIO_MSG_EVENT_AVAIL, 2, false },
};

/* Payloads of every length but the right one are discarded, and counted */
static void wrong_sizes(void **state)
{
	static const uint32_t zeros[64];
	struct fixture *f = *state;
	uint64_t discarded = 0;
	unsigned int i, words;

	for (i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		for (words = 0; words <= 62; words++) {
			if (words >= requests[i].words &&
			    (words == requests[i].words || requests[i].tail))
				continue;
			assert_false(guest_send(f->g, requests[i].id, words, zeros).there);
			discarded++;
			assert_int_equal(f->g->win->counters.discarded, discarded);
		}
	}
	assert_int_equal(f->fake->kick, 0);
	assert_int_equal(f->g->win->slots[0].status, 0);
}

/* One byte short of the fixed part */
static void truncated(void **state)
{
	struct fixture *f = *state;
	unsigned int i;

	for (i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		uint8_t bytes[64] = { 0, requests[i].id, 0, 0, 1, 0 };

		bytes[6] = 8 + requests[i].words * 4 - 1;
		if (requests[i].words)
			assert_false(guest_raw(f->g, bytes, bytes[6]).there);
	}
	assert_int_equal(f->g->win->counters.discarded, 10);
}

static void unknown(void **state)
{
	struct fixture *f = *state;
	unsigned int id;

	for (id = 0; id < 256; id++) {
		if ((id >= VIRTIO_MSG_GET_DEVICE_INFO && id <= VIRTIO_MSG_GET_SHM) ||
		    id == VIRTIO_MSG_EVENT_AVAIL)
			continue;
		assert_false(guest_send(f->g, id, 0, NULL).there);
	}
	assert_int_equal(f->g->win->counters.discarded, 256 - 12);
}

static void foreign(void **state)
{
	struct virtio_msg_header hdr = {
		.msg_id = VIRTIO_MSG_GET_DEVICE_INFO,
		.msg_size = htole16(sizeof(hdr)),
	};
	struct fixture *f = *state;

	/* Reserved type bits are ignored */
	hdr.type = 0xfc;
	assert_true(guest_raw(f->g, &hdr, sizeof(hdr)).there);
	hdr.type = VIRTIO_MSG_TYPE_RESPONSE;
	assert_false(guest_raw(f->g, &hdr, sizeof(hdr)).there);
	hdr.type = VIRTIO_MSG_TYPE_BUS;
	assert_false(guest_raw(f->g, &hdr, sizeof(hdr)).there);
	hdr.type = 0;
	hdr.dev_num = htole16(1);
	assert_false(guest_raw(f->g, &hdr, sizeof(hdr)).there);
	hdr.dev_num = htole16(0xffff);
	assert_false(guest_raw(f->g, &hdr, sizeof(hdr)).there);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(device_info),
		TEST(empty_slot),
		TEST(features),
		TEST(set_features),
		TEST(set_features_malformed),
		TEST(features_refused),
		TEST(config),
		TEST(set_config),
		cmocka_unit_test_setup_teardown(set_config_strict, setup_strict, fixture_teardown),
		TEST(vqueue),
		TEST(set_vqueue_refused),
		TEST(set_vqueue_without_enable),
		TEST(reset_vqueue),
		TEST(shm),
		TEST(event_avail),
		TEST(wrong_sizes),
		TEST(truncated),
		TEST(unknown),
		TEST(foreign),
	};

	return cmocka_run_group_tests_name("message", tests, NULL, NULL);
}
