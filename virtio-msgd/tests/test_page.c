// SPDX-License-Identifier: GPL-2.0-only
/* The message page. */
#include "guest.h"

static struct virtio_msg_mmio_page *page_of(struct fixture *f)
{
	return guest_ptr(f->g, GUEST_PAGE);
}

static void page_on(struct fixture *f)
{
	guest_write(f->g, VIRTIO_MSG_MMIO_PAGE, 8, GUEST_PAGE | VIRTIO_MSG_MMIO_PAGE_ON);
}

static void filled_in(void **state)
{
	struct fixture *f = *state;

	memset(page_of(f), 0xee, sizeof(*page_of(f)));
	page_on(f);
	assert_int_equal(page_of(f)->slot[0].device_status, 0);
	assert_int_equal(le32toh(page_of(f)->slot[0].generation), f->g->win->slots[0].generation);
	assert_int_equal(le32toh(page_of(f)->slot[0].device_id), FAKE_ID);
	assert_int_equal(le32toh(page_of(f)->slot[0].arrivals), 1);
	assert_int_equal(page_of(f)->slot[1].device_id, 0);
	assert_int_equal(page_of(f)->slot[63].arrivals, 0);
	/* Nothing else is the device side's to write */
	assert_int_equal(page_of(f)->request[0], 0xee);
	assert_int_equal(page_of(f)->request[1023], 0xee);
}

static void request(void **state)
{
	struct fixture *f = *state;
	struct counters *c = &f->g->win->counters;
	struct reply r;

	page_on(f);
	r = guest_page_send(f->g, VIRTIO_MSG_GET_DEVICE_INFO, 0, NULL);
	assert_true(r.there);
	assert_int_equal(le32toh(r.info.device_id), FAKE_ID);
	r = guest_page_send(f->g, VIRTIO_MSG_SET_DEVICE_STATUS, 1, (uint32_t[]){ htole32(1) });
	assert_true(r.there);
	assert_int_equal(le32toh(r.status.status), 1);
	assert_int_equal(c->writes[VIRTIO_MSG_MMIO_DOORBELL / 4], 2);
	assert_int_equal(c->requests[VIRTIO_MSG_GET_DEVICE_INFO], 1);

	/* The driver's own status write shows in the block, and is no event */
	assert_int_equal(le32toh(page_of(f)->slot[0].device_status), 1);
	assert_int_equal(page_of(f)->sequence, 0);
	assert_int_equal(f->g->interrupts, 0);
}

static void no_answer(void **state)
{
	struct fixture *f = *state;
	static const uint16_t bad[] = { 0, 7, 257, 1024, 1025, 0xffff };
	struct virtio_msg_header *hdr = (struct virtio_msg_header *)page_of(f)->request;
	unsigned int i;

	page_on(f);
	assert_false(guest_page_send(f->g, 0x3f, 0, NULL).there);
	assert_false(guest_page_send(f->g, VIRTIO_MSG_GET_CONFIG, 0, NULL).there);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		memset(page_of(f)->response, 0, sizeof(page_of(f)->response));
		*hdr = (struct virtio_msg_header) {
			.msg_id = VIRTIO_MSG_GET_DEVICE_INFO,
			.token = htole16(0x4711),
			.msg_size = htole16(bad[i]),
		};
		guest_write(f->g, VIRTIO_MSG_MMIO_DOORBELL, 4, 1);
		assert_int_equal(((struct virtio_msg_header *)page_of(f)->response)->token, 0);
	}
	assert_int_equal(f->g->win->counters.discarded, 2 + 6);
}

static void events(void **state)
{
	struct fixture *f = *state;
	uint32_t generation = f->g->win->slots[0].generation;

	page_on(f);
	device_config_changed(&f->fake->dev);
	assert_int_equal(le32toh(page_of(f)->sequence), 1);
	assert_int_equal(le32toh(page_of(f)->slot[0].generation), generation + 1);
	assert_int_equal(f->g->interrupts, 1);

	guest_page_send(f->g, VIRTIO_MSG_SET_DEVICE_STATUS, 1, (uint32_t[]){ htole32(1) });
	device_broken(&f->fake->dev, "test");
	assert_int_equal(le32toh(page_of(f)->sequence), 2);
	assert_int_equal(le32toh(page_of(f)->slot[0].device_status),
			 1 | VIRTIO_CONFIG_S_NEEDS_RESET);

	device_leave(&f->fake->dev);
	assert_int_equal(le32toh(page_of(f)->sequence), 3);
	assert_int_equal(page_of(f)->slot[0].device_id, 0);
	assert_int_equal(page_of(f)->slot[0].device_status, 0);
	assert_int_equal(le32toh(page_of(f)->slot[0].arrivals), 1);
	device_arrive(&f->fake->dev);
	assert_int_equal(le32toh(page_of(f)->sequence), 4);
	assert_int_equal(le32toh(page_of(f)->slot[0].device_id), FAKE_ID);
	assert_int_equal(le32toh(page_of(f)->slot[0].arrivals), 2);
	assert_int_equal(f->g->interrupts, 4);
	/* Event has nothing to say */
	assert_int_equal(guest_read(f->g, VIRTIO_MSG_MMIO_EVENT, 4), 0);
	/* Used buffers are no event either */
	device_used(&f->fake->dev, 0);
	assert_int_equal(le32toh(page_of(f)->sequence), 4);
	assert_int_equal(f->g->interrupts, 5);
}

/* The page of an earlier virtio-msgd: what is news for the driver looks like it */
static void goes_on(void **state)
{
	struct fixture *f = *state;

	page_of(f)->sequence = htole32(41);
	page_on(f);
	assert_int_equal(le32toh(page_of(f)->sequence), 41);
	device_config_changed(&f->fake->dev);
	assert_int_equal(le32toh(page_of(f)->sequence), 42);
}

static void replaced(void **state)
{
	struct fixture *f = *state;
	struct virtio_msg_mmio_page *second = guest_ptr(f->g, GUEST_PAGE + 0x1000);
	struct virtio_msg_mmio_page before;

	/* What happened before is in the page from the start */
	device_config_changed(&f->fake->dev);
	page_on(f);
	assert_int_equal(le32toh(page_of(f)->slot[0].generation), f->g->win->slots[0].generation);
	assert_int_equal(guest_read(f->g, VIRTIO_MSG_MMIO_EVENT, 4), 0);

	/* Two halves: the store of the high one counts */
	before = *page_of(f);
	guest_write(f->g, VIRTIO_MSG_MMIO_PAGE, 4, (uint32_t)(GUEST_PAGE + 0x1000) | 1);
	assert_int_equal(second->slot[0].device_id, 0);
	guest_write(f->g, VIRTIO_MSG_MMIO_PAGE + 4, 4, (GUEST_PAGE + 0x1000) >> 32);
	assert_int_equal(le32toh(second->slot[0].device_id), FAKE_ID);
	device_config_changed(&f->fake->dev);
	assert_memory_equal(page_of(f), &before, sizeof(before));
	assert_int_equal(le32toh(second->slot[0].generation), f->g->win->slots[0].generation);
	/* A high half alone is nothing */
	guest_write(f->g, VIRTIO_MSG_MMIO_PAGE + 4, 4, 0);
	device_config_changed(&f->fake->dev);
	assert_int_equal(le32toh(second->slot[0].generation), f->g->win->slots[0].generation);
}

static void off(void **state)
{
	struct fixture *f = *state;
	struct virtio_msg_mmio_page before;

	page_on(f);
	guest_write(f->g, VIRTIO_MSG_MMIO_PAGE, 8, 0);
	before = *page_of(f);
	device_config_changed(&f->fake->dev);
	assert_false(guest_page_send(f->g, VIRTIO_MSG_GET_DEVICE_INFO, 0, NULL).there);
	assert_memory_equal(page_of(f)->slot, before.slot, sizeof(before.slot));
	assert_int_equal(guest_read(f->g, VIRTIO_MSG_MMIO_EVENT, 4), VIRTIO_MSG_MMIO_EVENT_CONFIG);
	/* The Window register works as before */
	assert_true(guest_send(f->g, VIRTIO_MSG_GET_DEVICE_INFO, 0, NULL).there);
}

static void both_ways(void **state)
{
	struct fixture *f = *state;

	/* The Window register works while there is a page; a doorbell starts over */
	page_on(f);
	assert_true(guest_send(f->g, VIRTIO_MSG_GET_DEVICE_INFO, 0, NULL).there);
	guest_write(f->g, VIRTIO_MSG_MMIO_WINDOW, 8, VIRTIO_MSG_SET_DEVICE_STATUS << 8 | 12ULL << 48);
	assert_true(guest_page_send(f->g, VIRTIO_MSG_GET_DEVICE_INFO, 0, NULL).there);
	guest_write(f->g, VIRTIO_MSG_MMIO_WINDOW + 8, 4, 1);
	assert_int_equal(f->g->win->slots[0].status, 0);
}

static void bad_addresses(void **state)
{
	const uint64_t end = GUEST_BASE + GUEST_SIZE;
	static const uint64_t bad[] = {
		0, GUEST_BASE - 4096, GUEST_BASE + GUEST_SIZE, -4096ULL, 1ULL << 63,
	};
	struct fixture *f = *state;
	struct virtio_msg_mmio_page *last = guest_ptr(f->g, end - 4096);
	unsigned int i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		page_on(f);
		guest_write(f->g, VIRTIO_MSG_MMIO_PAGE, 8, bad[i] | VIRTIO_MSG_MMIO_PAGE_ON);
		assert_false(guest_page_send(f->g, VIRTIO_MSG_GET_DEVICE_INFO, 0, NULL).there);
		device_config_changed(&f->fake->dev);
	}
	guest_write(f->g, VIRTIO_MSG_MMIO_PAGE, 8, (end - 4096) | VIRTIO_MSG_MMIO_PAGE_ON);
	assert_int_equal(le32toh(last->slot[0].device_id), FAKE_ID);
}

static void not_offered(void **state)
{
	struct window_config config = window_config_default;
	struct guest *g;

	(void)state;
	config.page = false;
	g = guest_new(&config, &fake_new()->dev);
	guest_write(g, VIRTIO_MSG_MMIO_PAGE, 8, GUEST_PAGE | VIRTIO_MSG_MMIO_PAGE_ON);
	assert_false(guest_page_send(g, VIRTIO_MSG_GET_DEVICE_INFO, 0, NULL).there);
	assert_true(guest_send(g, VIRTIO_MSG_GET_DEVICE_INFO, 0, NULL).there);
	guest_free(g);
}

static void memory_goes(void **state)
{
	struct fixture *f = *state;

	page_on(f);
	memory_clear(&f->g->carrier.memory);
	device_config_changed(&f->fake->dev);
	guest_write(f->g, VIRTIO_MSG_MMIO_DOORBELL, 4, 1);
	assert_int_equal(guest_read(f->g, VIRTIO_MSG_MMIO_EVENT, 4), VIRTIO_MSG_MMIO_EVENT_CONFIG);
}

static void guest_reboots(void **state)
{
	struct fixture *f = *state;

	page_on(f);
	window_reset(f->g->win);
	memset(page_of(f), 0, sizeof(*page_of(f)));
	device_config_changed(&f->fake->dev);
	assert_int_equal(page_of(f)->sequence, 0);
	assert_false(guest_page_send(f->g, VIRTIO_MSG_GET_DEVICE_INFO, 0, NULL).there);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(filled_in),
		TEST(request),
		TEST(no_answer),
		TEST(events),
		TEST(goes_on),
		TEST(replaced),
		TEST(off),
		TEST(both_ways),
		TEST(bad_addresses),
		cmocka_unit_test(not_offered),
		TEST(memory_goes),
		TEST(guest_reboots),
	};

	return cmocka_run_group_tests_name("page", tests, NULL, NULL);
}
