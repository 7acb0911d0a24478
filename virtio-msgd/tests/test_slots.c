// SPDX-License-Identifier: GPL-2.0-only
/* Many devices behind one window. */
#include "guest.h"

#include <stdlib.h>

static struct guest *g;
static struct fake *fakes[WINDOW_MAX_SLOTS];

static struct window_config config_of(unsigned int num_slots)
{
	struct window_config config = window_config_default;

	config.num_slots = num_slots;
	return config;
}

static void plug(unsigned int number)
{
	fakes[number] = fake_new();
	assert_int_equal(slot_attach(&g->win->slots[number], &fakes[number]->dev), 0);
}

/* A guest with room for @num devices, of which the first and the last are there */
static void guest_with(unsigned int num)
{
	struct window_config config = config_of(num);

	g = guest_new(&config, NULL);
	plug(0);
	if (num > 1)
		plug(num - 1);
	g->interrupts = 0;
	guest_read(g, VIRTIO_MSG_MMIO_EVENT, 4);
}

static int setup(void **state)
{
	int ret = loop_setup(state);

	memset(fakes, 0, sizeof(fakes));
	g = NULL;
	return ret;
}

static int teardown(void **state)
{
	if (g)
		guest_free(g);
	return loop_teardown(state);
}

static struct virtio_msg_mmio_page *page(void)
{
	return guest_ptr(g, GUEST_PAGE);
}

static void page_on(void)
{
	guest_write(g, VIRTIO_MSG_MMIO_PAGE, 8, GUEST_PAGE | VIRTIO_MSG_MMIO_PAGE_ON);
}

/* QueueNotify of a slot */
static uint32_t notify(unsigned int slot)
{
	return slot < VIRTIO_MSG_MMIO_SMALL_SLOTS ? VIRTIO_MSG_MMIO_QUEUE_NOTIFY(slot) :
		VIRTIO_MSG_MMIO_QUEUE_NOTIFY_HIGH(slot);
}

static uint64_t features(void)
{
	return guest_read(g, VIRTIO_MSG_MMIO_IDENTITY, 8) >> 48;
}

/* Bring the device in a slot up as far as its first queue */
static void drive(unsigned int number)
{
	g->dev_num = number;
	guest_negotiate(g, VERSION_1);
	assert_true(guest_enable_queue(g, 0, 16));
	assert_int_equal(guest_set_status(g, STATUS_OK), STATUS_OK);
}

static void registers(void **state)
{
	(void)state;
	guest_with(44);
	assert_true(features() & VIRTIO_MSG_MMIO_F_DEVICES);
	assert_int_equal(guest_read(g, VIRTIO_MSG_MMIO_SLOTS, 4), 44);
	assert_int_equal(g->win->size, VIRTIO_MSG_MMIO_SIZE);
	guest_free(g);
	guest_with(64);
	assert_int_equal(guest_read(g, VIRTIO_MSG_MMIO_SLOTS, 4), 64);
	assert_int_equal(g->win->size, VIRTIO_MSG_MMIO_SIZE_LARGE);
	guest_free(g);
	/* What there was before there were many */
	guest_with(1);
	assert_false(features() & VIRTIO_MSG_MMIO_F_DEVICES);
	assert_int_equal(guest_read(g, VIRTIO_MSG_MMIO_SLOTS, 4), 0);
}

static void messages(void **state)
{
	struct reply r;

	(void)state;
	guest_with(3);
	for (g->dev_num = 0; g->dev_num < 3; g->dev_num++) {
		r = guest_send(g, VIRTIO_MSG_GET_DEVICE_INFO, 0, NULL);
		assert_true(r.there);
		assert_int_equal(le32toh(r.info.device_id), g->dev_num == 1 ? 0 : FAKE_ID);
	}
	for (g->dev_num = 3; g->dev_num < 0x200; g->dev_num += 61)
		assert_false(guest_send(g, VIRTIO_MSG_GET_DEVICE_INFO, 0, NULL).there);
	/* An empty one answers nothing else */
	g->dev_num = 1;
	assert_false(guest_send(g, VIRTIO_MSG_GET_DEVICE_STATUS, 0, NULL).there);

	/* Each has a state of its own */
	drive(2);
	assert_int_equal(fakes[2]->start, 1);
	assert_int_equal(fakes[0]->start, 0);
	g->dev_num = 0;
	assert_int_equal(guest_status(g), 0);
}

/* GET_DEVICES of @count from @offset: the bitmap of 64 that came; -1 if no answer did */
static int64_t get_devices(unsigned int offset, unsigned int count, unsigned int *got,
			   unsigned int *next)
{
	struct reply r;
	uint64_t bitmap = 0;
	const struct virtio_msg_bus_get_devices_resp *resp = (const void *)&r.hdr;

	g->type = VIRTIO_MSG_TYPE_BUS;
	g->dev_num = 0;
	r = guest_call(g, VIRTIO_MSG_BUS_GET_DEVICES, offset | count << 16);
	g->type = 0;
	if (!r.there)
		return -1;
	assert_int_equal(le16toh(resp->offset), offset);
	*got = le16toh(resp->count);
	*next = le16toh(resp->next_offset);
	assert_int_equal(le16toh(resp->hdr.msg_size), sizeof(*resp) + *got / 8);
	assert_in_range(*got, 0, 64);
	memcpy(&bitmap, resp->bitmap, *got / 8);
	return le64toh(bitmap);
}

static void which_there_are(void **state)
{
	unsigned int got, next;

	(void)state;
	guest_with(44);
	plug(9);
	assert_int_equal(get_devices(0, 64, &got, &next), 1LL | 1LL << 9 | 1LL << 43);
	assert_int_equal(got, 48);
	assert_int_equal(next, 0);
	assert_int_equal(get_devices(0, 8, &got, &next), 1);
	assert_int_equal(got, 8);
	assert_int_equal(next, 8);
	assert_int_equal(get_devices(8, 8, &got, &next), 2);
	assert_int_equal(next, 16);
	assert_int_equal(get_devices(40, 0xfff8, &got, &next), 8);
	assert_int_equal(got, 8);
	assert_int_equal(next, 0);
	assert_int_equal(get_devices(0xfff8, 8, &got, &next), 0);
	assert_int_equal(got, 0);
	assert_int_equal(next, 0);
	assert_int_equal(get_devices(1, 8, &got, &next), -1);
	assert_int_equal(get_devices(0, 9, &got, &next), -1);
	assert_int_equal(get_devices(0, 0, &got, &next), -1);
	assert_int_equal(g->win->counters.bus_requests[VIRTIO_MSG_BUS_GET_DEVICES], 8);
	assert_int_equal(g->win->counters.bus_responses[VIRTIO_MSG_BUS_GET_DEVICES], 5);
	assert_int_equal(g->win->counters.discarded, 3);
}

static void ping(void **state)
{
	struct reply r;

	(void)state;
	guest_with(1);
	g->type = VIRTIO_MSG_TYPE_BUS;
	r = guest_call(g, VIRTIO_MSG_BUS_PING, 0x12345678);
	assert_true(r.there);
	assert_int_equal(le16toh(r.hdr.msg_size), sizeof(struct virtio_msg_bus_ping));
	assert_int_equal(le32toh(r.words[2]), 0x12345678);
	assert_false(guest_send(g, VIRTIO_MSG_BUS_PING, 0, NULL).there);
	assert_false(guest_call(g, VIRTIO_MSG_BUS_PING, 1, 2).there);
	assert_false(guest_send(g, 0x7f, 0, NULL).there);
	assert_false(guest_send(g, VIRTIO_MSG_BUS_EVENT_DEVICE, 0, NULL).there);
	g->type = 0;
}

static void kicks(void **state)
{
	unsigned int i;

	(void)state;
	guest_with(64);
	plug(43);
	plug(44);
	for (i = 0; i < 64; i++) {
		if (!fakes[i])
			continue;
		drive(i);
		guest_write(g, notify(i), 4, 0);
		assert_int_equal(fakes[i]->kick, 1);
		assert_int_equal(g->win->slots[i].kicks, 1);
	}
	assert_int_equal(g->win->counters.kicks, 4);
	/* Empty, and behind the last */
	guest_write(g, notify(1), 4, 0);
	guest_write(g, notify(64), 4, 0);
	for (i = notify(64); i < VIRTIO_MSG_MMIO_SIZE_LARGE; i += 4)
		guest_write(g, i, 4, 0);
	assert_int_equal(g->win->counters.kicks, 5);
	assert_int_equal(fakes[0]->kick + fakes[43]->kick + fakes[44]->kick + fakes[63]->kick, 4);
}

/* In a window with room for 44 a store behind their registers is a message's */
static void kicks_in_a_small_window(void **state)
{
	(void)state;
	guest_with(2);
	drive(1);
	guest_write(g, notify(2), 4, 0);
	guest_write(g, notify(44), 4, 0);
	assert_int_equal(fakes[1]->kick, 0);
	guest_write(g, notify(1), 4, 0);
	assert_int_equal(fakes[1]->kick, 1);
}

static void used_buffers(void **state)
{
	(void)state;
	guest_with(3);
	page()->used[2] = htole32(0xffffffff);
	page_on();
	drive(2);
	device_used(&fakes[2]->dev, 0);
	/* It goes on from what the driver has seen, and around */
	assert_int_equal(le32toh(page()->used[2]), 0);
	assert_int_equal(le32toh(page()->used[0]), 0);
	assert_int_equal(g->interrupts, 1);
	device_used(&fakes[0]->dev, 1);
	device_used(&fakes[2]->dev, 0);
	assert_int_equal(le32toh(page()->used[0]), 1);
	assert_int_equal(le32toh(page()->used[2]), 1);
	assert_int_equal(le32toh(page()->sequence), 0);
	assert_int_equal(g->interrupts, 3);
	assert_int_equal(g->win->slots[2].interrupts, 2);
}

/* Who has one slot knows of no counts, and writes none */
static void used_buffers_of_one(void **state)
{
	(void)state;
	guest_with(1);
	page()->used[0] = htole32(7);
	page_on();
	device_used(&fakes[0]->dev, 0);
	assert_int_equal(le32toh(page()->used[0]), 7);
}

static void events_in_the_page(void **state)
{
	uint32_t generation;

	(void)state;
	guest_with(3);
	page_on();
	assert_int_equal(le32toh(page()->slot[2].device_id), FAKE_ID);
	assert_int_equal(page()->slot[1].device_id, 0);
	generation = le32toh(page()->slot[2].generation);
	device_config_changed(&fakes[2]->dev);
	assert_int_equal(le32toh(page()->slot[2].generation), generation + 1);
	assert_int_equal(le32toh(page()->sequence), 1);
	plug(1);
	assert_int_equal(le32toh(page()->slot[1].device_id), FAKE_ID);
	assert_int_equal(le32toh(page()->slot[1].arrivals), 1);
	assert_int_equal(le32toh(page()->sequence), 2);
	slot_detach(&g->win->slots[1]);
	assert_int_equal(page()->slot[1].device_id, 0);
	assert_int_equal(g->interrupts, 3);
	/* The others are as they were */
	assert_int_equal(le32toh(page()->slot[0].arrivals), 1);
	assert_int_equal(le32toh(page()->slot[2].arrivals), 1);
}

static void events_in_registers(void **state)
{
	(void)state;
	guest_with(64);
	plug(35);
	assert_int_equal(guest_read(g, VIRTIO_MSG_MMIO_EVENT, 4), VIRTIO_MSG_MMIO_EVENT_DEVICE);
	device_config_changed(&fakes[63]->dev);
	device_config_changed(&fakes[0]->dev);
	assert_int_equal(guest_read(g, VIRTIO_MSG_MMIO_EVENT, 4), VIRTIO_MSG_MMIO_EVENT_CONFIG);
	assert_int_equal(guest_read(g, VIRTIO_MSG_MMIO_CONFIG_SLOTS, 8), 1ULL << 63 | 1);
	assert_int_equal(guest_read(g, VIRTIO_MSG_MMIO_CONFIG_SLOTS, 8), 0);
	/* In halves, each cleared by itself */
	device_config_changed(&fakes[35]->dev);
	device_config_changed(&fakes[0]->dev);
	assert_int_equal(guest_read(g, VIRTIO_MSG_MMIO_CONFIG_SLOTS, 4), 1);
	device_config_changed(&fakes[0]->dev);
	assert_int_equal(guest_read(g, VIRTIO_MSG_MMIO_CONFIG_SLOTS + 4, 4), 1 << 3);
	assert_int_equal(guest_read(g, VIRTIO_MSG_MMIO_CONFIG_SLOTS, 8), 1);
	/* Who asks which devices there are has been told */
	plug(1);
	get_devices(0, 64, &(unsigned int){ 0 }, &(unsigned int){ 0 });
	assert_int_equal(guest_read(g, VIRTIO_MSG_MMIO_EVENT, 4), VIRTIO_MSG_MMIO_EVENT_CONFIG);
}

/* An irqfd was assigned: an interrupt of the device's may come without a count */
static bool irqfd(struct carrier *carrier, const struct slot *slot, unsigned int queue, int fd)
{
	struct virtio_msg_mmio_page *now = page();

	(void)carrier;
	(void)queue;
	/* The driver knows by then */
	if (fd >= 0)
		assert_int_equal(le64toh(now->uncounted), 1ULL << slot->number);
	return true;
}

static void uncounted(void **state)
{
	static struct carrier_ops ops;

	(void)state;
	guest_with(40);
	ops = *g->carrier.ops;
	ops.irqfd = irqfd;
	g->carrier.ops = &ops;
	page_on();
	assert_int_equal(page()->uncounted, 0);
	drive(39);
	assert_true(device_irqfd(&fakes[39]->dev, 0, 1));
	assert_int_equal(le64toh(page()->uncounted), 1ULL << 39);
	assert_int_equal(g->interrupts, 0);
	/* One that comes late is looked at, too; the next driver's are counted again */
	assert_true(device_irqfd(&fakes[39]->dev, 0, -1));
	assert_int_equal(le64toh(page()->uncounted), 1ULL << 39);
	assert_int_equal(guest_set_status(g, 0), 0);
	page_on();
	assert_int_equal(page()->uncounted, 0);
}

static void cacheable(void **state)
{
	(void)state;
	guest_with(8);
	fakes[0]->dev.config_reported = false;
	page_on();
	assert_int_equal(le64toh(page()->cacheable), 1 << 7);
	/* Of slot 0, for a driver that knows only that */
	assert_false(features() & VIRTIO_MSG_MMIO_F_CONFIG_CACHE);
	slot_detach(&g->win->slots[7]);
	assert_int_equal(page()->cacheable, 0);
}

/* The driver sees that what comes into a slot is not what a former virtio-msgd had there */
static void page_of_a_former_one(void **state)
{
	(void)state;
	guest_with(3);
	page()->slot[1].arrivals = htole32(5);
	page()->slot[2].arrivals = htole32(9);
	page_on();
	assert_int_equal(page()->slot[1].device_id, 0);
	plug(1);
	assert_int_equal(le32toh(page()->slot[1].arrivals), 6);
	/* Also what came before the page did */
	assert_int_equal(le32toh(page()->slot[2].arrivals), 10);
	/* But not what the driver drives */
	drive(2);
	page_on();
	assert_int_equal(le32toh(page()->slot[2].arrivals), 10);
}

static void reset_of_all(void **state)
{
	(void)state;
	guest_with(3);
	drive(0);
	drive(2);
	window_reset(g->win);
	assert_int_equal(fakes[0]->reset, fakes[2]->reset);
	assert_int_equal(g->win->slots[0].status | g->win->slots[2].status, 0);
}

static void windows_side_by_side(void **state)
{
	struct window_config large = config_of(45), small = config_of(44);
	struct window *win, *next;
	uint64_t offset;

	(void)state;
	g = guest_new(&small, NULL);
	win = window_create(&g->carrier, 1, &large);
	assert_non_null(win);
	assert_int_equal(g->carrier.num_windows, 3);
	assert_null(window_create(&g->carrier, 2, &small));
	assert_int_equal(errno, EEXIST);
	assert_null(window_create(&g->carrier, CARRIER_MAX_WINDOWS - 1, &large));
	assert_int_equal(errno, ENOSPC);
	next = window_create(&g->carrier, 3, &small);
	assert_non_null(next);
	assert_null(window_create(&g->carrier, 2, &large));

	offset = 0x1fc;
	assert_ptr_equal(carrier_window(&g->carrier, &offset), g->win);
	assert_int_equal(offset, 0x1fc);
	offset = 0x204;
	assert_ptr_equal(carrier_window(&g->carrier, &offset), win);
	assert_int_equal(offset, 4);
	offset = 0x408;
	assert_ptr_equal(carrier_window(&g->carrier, &offset), win);
	assert_int_equal(offset, 0x208);
	offset = 0x600;
	assert_ptr_equal(carrier_window(&g->carrier, &offset), next);
	assert_int_equal(offset, 0);
	offset = 0x800;
	assert_null(carrier_window(&g->carrier, &offset));
	offset = UINT64_MAX;
	assert_null(carrier_window(&g->carrier, &offset));
	/* The place of one that is not there is nobody's */
	window_destroy(win);
	offset = 0x200;
	assert_null(carrier_window(&g->carrier, &offset));
	offset = 0x408;
	assert_null(carrier_window(&g->carrier, &offset));

	g->carrier.max_slots = 8;
	large = config_of(9);
	assert_null(window_create(&g->carrier, 1, &large));
	assert_int_equal(errno, E2BIG);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(registers),
		TEST(messages),
		TEST(which_there_are),
		TEST(ping),
		TEST(kicks),
		TEST(kicks_in_a_small_window),
		TEST(used_buffers),
		TEST(used_buffers_of_one),
		TEST(events_in_the_page),
		TEST(events_in_registers),
		TEST(uncounted),
		TEST(cacheable),
		TEST(page_of_a_former_one),
		TEST(reset_of_all),
		TEST(windows_side_by_side),
	};

	return cmocka_run_group_tests_name("slots", tests, NULL, NULL);
}
