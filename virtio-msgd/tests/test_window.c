// SPDX-License-Identifier: GPL-2.0-only
/* The registers of a virtio-msg window, accessed in every way. */
#include "guest.h"

#define IDENTITY_BASE	(1ULL | 1ULL << 16 | 256ULL << 32)
#define FEATURES(f)	((uint64_t)(f) << 48)
#define WINDOW(o)	(VIRTIO_MSG_MMIO_WINDOW + (o))

static void identity(void **state)
{
	const uint64_t all = IDENTITY_BASE | FEATURES(VIRTIO_MSG_MMIO_F_PAGE |
						      VIRTIO_MSG_MMIO_F_LATE |
						      VIRTIO_MSG_MMIO_F_CONFIG_CACHE);
	struct fixture *f = *state;

	assert_int_equal(guest_read(f->g, VIRTIO_MSG_MMIO_MAGIC, 4), 0x67736d76);
	assert_int_equal(guest_read(f->g, VIRTIO_MSG_MMIO_IDENTITY, 8), all);
	assert_int_equal(guest_read(f->g, VIRTIO_MSG_MMIO_IDENTITY, 4), all & UINT32_MAX);
	assert_int_equal(guest_read(f->g, VIRTIO_MSG_MMIO_IDENTITY + 4, 4), all >> 32);
	assert_int_equal(guest_read(f->g, VIRTIO_MSG_MMIO_IDENTITY + 4, 4), all >> 32);
	assert_int_equal(guest_read(f->g, VIRTIO_MSG_MMIO_TRANSPORT_FEATURES, 4), 0);

	/* The halves are of one moment */
	guest_read(f->g, VIRTIO_MSG_MMIO_IDENTITY, 4);
	device_leave(&f->fake->dev);
	assert_int_equal(guest_read(f->g, VIRTIO_MSG_MMIO_IDENTITY + 4, 4), all >> 32);
	/* An empty slot has no config to cache */
	assert_int_equal(guest_read(f->g, VIRTIO_MSG_MMIO_IDENTITY + 4, 4),
			 (IDENTITY_BASE | FEATURES(VIRTIO_MSG_MMIO_F_PAGE | VIRTIO_MSG_MMIO_F_LATE)) >> 32);
}

static void identity_features(void **state)
{
	struct window_config config = window_config_default;
	struct fake *fake = fake_new();
	struct guest *g;

	(void)state;
	fake->dev.config_reported = false;
	config.strict = true;
	config.access_platform = true;
	config.msg_size = 52;
	g = guest_new(&config, &fake->dev);
	assert_int_equal(guest_read(g, VIRTIO_MSG_MMIO_IDENTITY, 8),
			 1ULL | 1ULL << 16 | 52ULL << 32 |
			 FEATURES(VIRTIO_MSG_MMIO_F_PAGE | VIRTIO_MSG_MMIO_F_LATE |
				  VIRTIO_MSG_MMIO_F_PAGE_DMA |
				  VIRTIO_MSG_MMIO_F_TRANSPORT));
	assert_int_equal(guest_read(g, VIRTIO_MSG_MMIO_TRANSPORT_FEATURES, 4),
			 1 << VIRTIO_MSG_F_STRICT_CONFIG_GENERATION);
	g->carrier.no_page = true;
	assert_int_equal(guest_read(g, VIRTIO_MSG_MMIO_IDENTITY, 8) >> 48,
			 VIRTIO_MSG_MMIO_F_TRANSPORT);
	guest_free(g);
}

static void odd_reads(void **state)
{
	struct fixture *f = *state;
	unsigned int offset, size, known = 0;

	/* Sizes and offsets that make no sense read as 0 */
	for (offset = 0; offset < 0x400; offset++) {
		for (size = 0; size <= 16; size++) {
			bool valid = (size == 4 && (offset == 0 || offset == 8 || offset == 12)) ||
				     (size == 8 && offset == 8);

			if (valid)
				known++;
			else
				assert_int_equal(guest_read(f->g, offset, size), 0);
		}
	}
	assert_int_equal(known, 4);
	assert_int_equal(window_read(f->g->win, -4ULL, 4), 0);
	assert_int_equal(window_read(f->g->win, 1ULL << 32, 4), 0);
}

static void odd_writes(void **state)
{
	struct fixture *f = *state;
	unsigned int offset, size;

	guest_negotiate(f->g, VERSION_1);
	assert_true(guest_enable_queue(f->g, 0, 16));
	guest_set_status(f->g, STATUS_OK);
	for (offset = 0; offset < 0x400; offset++) {
		for (size = 0; size <= 16; size++) {
			if (size != 4 || offset != VIRTIO_MSG_MMIO_QUEUE_NOTIFY(0))
				guest_write(f->g, offset, size, 0);
		}
	}
	window_write(f->g->win, (1ULL << 32) + VIRTIO_MSG_MMIO_QUEUE_NOTIFY(0), 4, 0);
	assert_int_equal(f->fake->kick, 0);
	assert_int_equal(guest_status(f->g), STATUS_OK);
	guest_write(f->g, VIRTIO_MSG_MMIO_QUEUE_NOTIFY(0), 4, 0);
	assert_int_equal(f->fake->kick, 1);
}

static void no_response_yet(void **state)
{
	struct fixture *f = *state;
	unsigned int i;

	for (i = 0; i < 0x100; i += 8)
		assert_int_equal(guest_read(f->g, WINDOW(i), 8), 0);
}

/* SET_DEVICE_STATUS, 12 bytes, by words of 4 and of 8 */
static void sizes(void **state)
{
	const uint64_t first = VIRTIO_MSG_SET_DEVICE_STATUS << 8 | 0x1234ULL << 32 | 12ULL << 48;
	struct fixture *f = *state;

	guest_write(f->g, WINDOW(0), 4, first & UINT32_MAX);
	guest_write(f->g, WINDOW(4), 4, first >> 32);
	assert_int_equal(f->g->win->slots[0].status, 0);
	guest_write(f->g, WINDOW(8), 4, 1);
	assert_int_equal(f->g->win->slots[0].status, 1);
	assert_int_equal(guest_read(f->g, WINDOW(0), 8), first | VIRTIO_MSG_TYPE_RESPONSE);
	assert_int_equal(guest_read(f->g, WINDOW(4), 4), first >> 32);
	assert_int_equal(guest_read(f->g, WINDOW(8), 8), 1);
	assert_int_equal(guest_read(f->g, WINDOW(12), 4), 0);
	/* Reads do not use it up */
	assert_int_equal(guest_read(f->g, WINDOW(8), 4), 1);

	/* An 8-byte store brings 4 bytes more than needed */
	guest_write(f->g, WINDOW(0), 8, first);
	assert_int_equal(guest_read(f->g, WINDOW(0), 8), 0);
	guest_write(f->g, WINDOW(8), 8, 3);
	assert_int_equal(f->g->win->slots[0].status, 3);
	assert_int_equal(guest_read(f->g, WINDOW(8), 8), 3);
	assert_int_equal(f->g->win->counters.requests[VIRTIO_MSG_SET_DEVICE_STATUS], 2);
}

static void wrong_order(void **state)
{
	const uint64_t first = VIRTIO_MSG_SET_DEVICE_STATUS << 8 | 0x1234ULL << 32 | 12ULL << 48;
	struct fixture *f = *state;

	/* A gap; descending; a word twice: nothing happens until it starts over */
	guest_write(f->g, WINDOW(0), 4, first & UINT32_MAX);
	guest_write(f->g, WINDOW(8), 4, 1);
	guest_write(f->g, WINDOW(4), 4, first >> 32);
	guest_write(f->g, WINDOW(8), 4, 1);
	guest_write(f->g, WINDOW(0), 4, first & UINT32_MAX);
	guest_write(f->g, WINDOW(4), 4, first >> 32);
	guest_write(f->g, WINDOW(4), 4, first >> 32);
	guest_write(f->g, WINDOW(8), 4, 1);
	/* Small stores */
	guest_write(f->g, WINDOW(0), 2, 0);
	guest_write(f->g, WINDOW(0), 1, 0);
	assert_int_equal(f->g->win->slots[0].status, 0);
	assert_int_equal(guest_read(f->g, WINDOW(0), 8), 0);
	assert_int_equal(f->g->win->counters.discarded, 0);

	/* Restarted in the middle */
	guest_write(f->g, WINDOW(0), 8, first);
	guest_write(f->g, WINDOW(0), 8, first);
	guest_write(f->g, WINDOW(8), 4, 1);
	assert_int_equal(f->g->win->slots[0].status, 1);
	/* What comes after the end is dropped, the response stays */
	guest_write(f->g, WINDOW(12), 4, 77);
	guest_write(f->g, WINDOW(8), 4, 2);
	assert_int_equal(f->g->win->slots[0].status, 1);
	assert_int_equal(guest_read(f->g, WINDOW(8), 4), 1);
	/* and a new start takes it away */
	guest_write(f->g, WINDOW(0), 4, first & UINT32_MAX);
	assert_int_equal(guest_read(f->g, WINDOW(8), 4), 0);
}

static void bad_sizes(void **state)
{
	static const uint16_t bad[] = { 0, 1, 7, 257, 264, 1024, 0x8000, 0xffff };
	struct fixture *f = *state;
	uint32_t words[64];
	unsigned int i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct virtio_msg_header hdr = {
			.msg_id = VIRTIO_MSG_GET_DEVICE_INFO,
			.msg_size = htole16(bad[i]),
		};

		memset(words, 0, sizeof(words));
		memcpy(words, &hdr, sizeof(hdr));
		/* Zeros where a response to what was before would be */
		assert_true(guest_send(f->g, VIRTIO_MSG_GET_DEVICE_INFO, 0, NULL).there);
		assert_false(guest_raw(f->g, words, sizeof(words)).there);
		assert_int_equal(f->g->win->counters.discarded, i + 1);
	}
}

static void longest_message(void **state)
{
	struct fixture *f = *state;
	uint32_t words[62] = { 0, 0, 236 };
	struct reply r;

	/* 256 bytes: 236 of config, which is more than there is */
	r = guest_send(f->g, VIRTIO_MSG_SET_CONFIG, 62, words);
	assert_true(r.there);
	assert_int_equal(r.config.length, 0);
	words[2] = 64;
	assert_false(guest_send(f->g, VIRTIO_MSG_SET_CONFIG, 62, words).there);
}

static void small_message_size(void **state)
{
	struct window_config config = window_config_default;
	struct fake *fake = fake_new();
	struct guest *g;

	(void)state;
	config.msg_size = VIRTIO_MSG_SIZE_MIN;
	g = guest_new(&config, &fake->dev);
	/* Responses are limited like requests: 52 bytes, 32 of config */
	assert_true(guest_send(g, VIRTIO_MSG_GET_DEVICE_INFO, 0, NULL).there);
	assert_true(guest_call(g, VIRTIO_MSG_GET_CONFIG, 0, 32).there);
	assert_false(guest_call(g, VIRTIO_MSG_GET_CONFIG, 0, 33).there);
	assert_true(guest_call(g, VIRTIO_MSG_GET_DEVICE_FEATURES, 0, 9).there);
	assert_false(guest_call(g, VIRTIO_MSG_GET_DEVICE_FEATURES, 0, 10).there);
	assert_true(guest_call(g, VIRTIO_MSG_SET_CONFIG, 0, 0, 32, 0, 0, 0, 0, 0, 0, 0, 0).there);
	assert_false(guest_call(g, VIRTIO_MSG_SET_CONFIG, 0, 0, 36, 0, 0, 0, 0, 0, 0, 0, 0,
				0).there);
	guest_free(g);
}

static void counters(void **state)
{
	struct fixture *f = *state;
	struct counters *c = &f->g->win->counters;

	guest_read(f->g, VIRTIO_MSG_MMIO_MAGIC, 4);
	guest_read(f->g, VIRTIO_MSG_MMIO_IDENTITY, 8);
	guest_read(f->g, VIRTIO_MSG_MMIO_EVENT, 4);
	guest_read(f->g, VIRTIO_MSG_MMIO_EVENT, 4);
	guest_write(f->g, VIRTIO_MSG_MMIO_PAGE, 8, 0);
	/* One request in two stores, its response in one load */
	guest_write(f->g, WINDOW(0), 8, VIRTIO_MSG_SET_DEVICE_STATUS << 8 | 12ULL << 48);
	guest_write(f->g, WINDOW(8), 4, 1);
	guest_read(f->g, WINDOW(8), 4);
	assert_int_equal(c->reads[VIRTIO_MSG_MMIO_MAGIC / 4], 1);
	assert_int_equal(c->reads[VIRTIO_MSG_MMIO_IDENTITY / 4], 1);
	assert_int_equal(c->reads[VIRTIO_MSG_MMIO_EVENT / 4], 2);
	assert_int_equal(c->writes[VIRTIO_MSG_MMIO_PAGE / 4], 1);
	assert_int_equal(c->requests[VIRTIO_MSG_SET_DEVICE_STATUS], 1);
	assert_int_equal(c->responses[VIRTIO_MSG_SET_DEVICE_STATUS], 1);
	{
		json_t *json = counters_json(c, false);
		json_t *traps = json_object_get(json, "traps");
		json_t *write = json_object_get(traps, "write");

		assert_int_equal(json_integer_value(json_object_get(traps, "total")), 8);
		assert_int_equal(json_integer_value(json_object_get(write, "Window")), 2);
		assert_int_equal(json_integer_value(json_object_get(write, "Page")), 1);
		assert_int_equal(json_object_size(write), 2);
		json_decref(json);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(identity),
		cmocka_unit_test(identity_features),
		TEST(odd_reads),
		TEST(odd_writes),
		TEST(no_response_yet),
		TEST(sizes),
		TEST(wrong_order),
		TEST(bad_sizes),
		TEST(longest_message),
		cmocka_unit_test(small_message_size),
		TEST(counters),
	};

	return cmocka_run_group_tests_name("window", tests, NULL, NULL);
}
