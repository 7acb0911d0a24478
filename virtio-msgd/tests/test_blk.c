// SPDX-License-Identifier: GPL-2.0-only
/* virtio-blk, a disk in memory. */
#include "builtin.h"

#include <linux/virtio_blk.h>
#include <linux/virtio_ids.h>
#include <stdio.h>
#include <unistd.h>

#define SECTORS		64

/* Where a request's parts are, from GUEST_DATA */
#define HEADER		GUEST_DATA
#define STATUS		(GUEST_DATA + 0x100)
#define PAYLOAD		(GUEST_DATA + 0x1000)

static int setup(void **state)
{
	loop_setup(state);
	builtin_start("device=blk,size=32768", 0);
	return 0;
}

/* One request with @len bytes of payload; its status, and that the used length is right */
static uint8_t request(uint32_t type, uint64_t sector, uint32_t len, bool from_device)
{
	struct virtio_blk_outhdr *hdr = guest_ptr(g, HEADER);
	struct buf bufs[] = {
		{ HEADER, sizeof(*hdr), false },
		{ PAYLOAD, len, from_device },
		{ STATUS, 1, true },
	};
	uint8_t *status = guest_ptr(g, STATUS);
	uint32_t id, used;

	*hdr = (struct virtio_blk_outhdr) {
		.type = htole32(type),
		.sector = htole64(sector),
	};
	*status = 0xff;
	if (!len)
		bufs[1] = bufs[2];
	ring_add(&ring, bufs, len ? 3 : 2);
	builtin_kick();
	/* One that is large takes some turns */
	while (!ring_get(&ring, len ? 3 : 2, &id, &used))
		event_base_loop(loop, EVLOOP_ONCE);
	assert_int_equal(used, from_device ? len + 1 : 1);
	return *status;
}

static uint8_t flagged_range(uint32_t type, uint64_t sector, uint32_t num, uint32_t flags)
{
	struct virtio_blk_discard_write_zeroes *range = guest_ptr(g, PAYLOAD);

	*range = (struct virtio_blk_discard_write_zeroes) {
		.sector = htole64(sector),
		.num_sectors = htole32(num),
		.flags = htole32(flags),
	};
	return request(type, 0, sizeof(*range), false);
}

static uint8_t set_range(uint32_t type, uint64_t sector, uint32_t num)
{
	return flagged_range(type, sector, num, 0);
}

/* Every byte of a sector, 0x100: they differ */
static unsigned int byte_of(uint64_t sector)
{
	const uint8_t *data = guest_ptr(g, PAYLOAD);
	unsigned int i;

	memset(guest_ptr(g, PAYLOAD), 0xee, 512);
	assert_int_equal(request(VIRTIO_BLK_T_IN, sector, 512, true), VIRTIO_BLK_S_OK);
	for (i = 1; i < 512; i++) {
		if (data[i] != data[0])
			return 0x100;
	}
	return data[0];
}

static void fill(uint64_t sector, unsigned int num, uint8_t byte)
{
	memset(guest_ptr(g, PAYLOAD), byte, num * 512);
	assert_int_equal(request(VIRTIO_BLK_T_OUT, sector, num * 512, false), VIRTIO_BLK_S_OK);
}

static void read_back(void **state)
{
	uint8_t *data = guest_ptr(g, PAYLOAD);

	(void)state;
	memset(data, 0xa5, 1024);
	data[1023] = 0x5a;
	assert_int_equal(request(VIRTIO_BLK_T_OUT, 5, 1024, false), VIRTIO_BLK_S_OK);
	memset(data, 0, 4096);
	assert_int_equal(request(VIRTIO_BLK_T_IN, 4, 2048, true), VIRTIO_BLK_S_OK);
	assert_int_equal(data[511], 0);
	assert_int_equal(data[512], 0xa5);
	assert_int_equal(data[1535], 0x5a);
	assert_int_equal(data[1536], 0);
	assert_int_equal(request(VIRTIO_BLK_T_FLUSH, 0, 0, false), VIRTIO_BLK_S_OK);
}

static void bounds(void **state)
{
	(void)state;
	assert_int_equal(request(VIRTIO_BLK_T_IN, SECTORS - 1, 512, true), VIRTIO_BLK_S_OK);
	assert_int_equal(request(VIRTIO_BLK_T_IN, SECTORS, 512, true), VIRTIO_BLK_S_IOERR);
	assert_int_equal(request(VIRTIO_BLK_T_IN, SECTORS - 1, 1024, true), VIRTIO_BLK_S_IOERR);
	assert_int_equal(request(VIRTIO_BLK_T_OUT, UINT64_MAX, 512, false), VIRTIO_BLK_S_IOERR);
	assert_int_equal(request(VIRTIO_BLK_T_OUT, UINT64_MAX / 512, 1024, false),
			 VIRTIO_BLK_S_IOERR);
	/* Only whole sectors */
	assert_int_equal(request(VIRTIO_BLK_T_IN, 0, 100, true), VIRTIO_BLK_S_IOERR);
	assert_int_equal(request(99, 0, 512, true), VIRTIO_BLK_S_UNSUPP);
	assert_int_equal(set_range(VIRTIO_BLK_T_DISCARD, SECTORS - 1, 2), VIRTIO_BLK_S_IOERR);
	assert_int_equal(set_range(VIRTIO_BLK_T_DISCARD, 0, UINT32_MAX), VIRTIO_BLK_S_IOERR);
	assert_int_equal(request(VIRTIO_BLK_T_DISCARD, 0, 15, false), VIRTIO_BLK_S_IOERR);
}

static void clears(void **state)
{
	uint8_t *data = guest_ptr(g, PAYLOAD);
	unsigned int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		memset(data, 0x77, 2048);
		assert_int_equal(request(VIRTIO_BLK_T_OUT, 0, 2048, false), VIRTIO_BLK_S_OK);
		assert_int_equal(set_range(i ? VIRTIO_BLK_T_DISCARD : VIRTIO_BLK_T_WRITE_ZEROES, 1, 2),
				 VIRTIO_BLK_S_OK);
		assert_int_equal(request(VIRTIO_BLK_T_IN, 0, 2048, true), VIRTIO_BLK_S_OK);
		assert_int_equal(data[511], 0x77);
		assert_int_equal(data[512], 0);
		assert_int_equal(data[1535], 0);
		assert_int_equal(data[1536], 0x77);
	}
}

static void serial(void **state)
{
	(void)state;
	assert_int_equal(request(VIRTIO_BLK_T_GET_ID, 0, 20, true), VIRTIO_BLK_S_OK);
	assert_string_equal(guest_ptr(g, PAYLOAD), "virtio-msgd");
	assert_int_equal(request(VIRTIO_BLK_T_GET_ID, 0, 10, true), VIRTIO_BLK_S_IOERR);
}

/* A chain that is too short to be a request is used up and harms nothing */
static void too_short(void **state)
{
	uint32_t id, len;

	(void)state;
	ring_add(&ring, (struct buf[]){ { HEADER, 8, false }, { STATUS, 1, true } }, 2);
	ring_add(&ring, (struct buf[]){ { HEADER, 16, false } }, 1);
	builtin_kick();
	assert_true(ring_get(&ring, 2, &id, &len));
	assert_int_equal(len, 0);
	assert_true(ring_get(&ring, 1, &id, &len));
	assert_int_equal(len, 0);
	assert_int_equal(guest_status(g), STATUS_OK);
}

static uint64_t capacity(uint32_t *generation)
{
	struct reply reply = guest_call(g, VIRTIO_MSG_GET_CONFIG, 0, 8);
	uint64_t value;

	assert_true(reply.there);
	*generation = le32toh(reply.config.generation);
	memcpy(&value, reply.config.data, sizeof(value));
	return le64toh(value);
}

static int set(const char *options, struct errmsg *err)
{
	struct params params = { 0 };
	int ret;

	assert_int_equal(params_parse(&params, options, NULL, err), 0);
	ret = g->win->slots[0].owned->ops->set(g->win->slots[0].owned, &params, err);
	params_free(&params);
	return ret;
}

static void resize(void **state)
{
	unsigned int interrupts = g->interrupts;
	uint32_t before, after;
	struct errmsg err;

	(void)state;
	assert_int_equal(capacity(&before), SECTORS);
	assert_int_equal(set("size=65536", &err), 0);
	assert_int_equal(capacity(&after), 2 * SECTORS);
	assert_int_equal(after, before + 1);
	assert_int_equal(g->interrupts, interrupts + 1);
	assert_int_equal(request(VIRTIO_BLK_T_IN, 2 * SECTORS - 1, 512, true), VIRTIO_BLK_S_OK);
	/* The same size is no change */
	assert_int_equal(set("size=65536", &err), 0);
	capacity(&before);
	assert_int_equal(before, after);
	assert_int_equal(set("size=1000", &err), -1);
	assert_string_equal(err.text, "size=1000: a multiple of 512 is expected");
	assert_int_equal(set("size=0", &err), -1);
	/* All that is asked for, or nothing */
	assert_int_equal(set("size=131072,colour=red", &err), -1);
	assert_int_equal(capacity(&after), 2 * SECTORS);
	assert_int_equal(set("size=512", &err), 0);
	assert_int_equal(request(VIRTIO_BLK_T_IN, 1, 512, true), VIRTIO_BLK_S_IOERR);
}

static uint32_t write_config(uint32_t offset, uint8_t value)
{
	uint8_t request[sizeof(struct virtio_msg_config) + 1] = { 0 };
	struct virtio_msg_config *msg = (void *)request;
	struct reply reply;

	msg->hdr.msg_id = VIRTIO_MSG_SET_CONFIG;
	msg->hdr.token = htole16(9);
	msg->hdr.msg_size = htole16(sizeof(request));
	msg->offset = htole32(offset);
	msg->length = htole32(1);
	request[sizeof(*msg)] = value;
	reply = guest_raw(g, request, sizeof(request));
	return reply.there ? le32toh(reply.config.length) : 0;
}

#define CONFIG_WCE	(1ULL << VIRTIO_BLK_F_CONFIG_WCE)
#define FLUSH		(1ULL << VIRTIO_BLK_F_FLUSH)

static void restart(uint64_t features)
{
	guest_free(g);
	builtin_start("device=blk,size=32768", features);
}

static uint8_t cache_of(void)
{
	uint32_t wce = offsetof(struct virtio_blk_config, wce);

	return guest_call(g, VIRTIO_MSG_GET_CONFIG, wce, 1).config.data[0];
}

static void cache_mode(void **state)
{
	uint32_t wce = offsetof(struct virtio_blk_config, wce), before, after;

	(void)state;
	/* Not a driver's that did not ask for it */
	assert_int_equal(write_config(wce, 0), 0);
	restart(CONFIG_WCE | FLUSH);
	capacity(&before);
	assert_int_equal(cache_of(), 1);
	assert_int_equal(write_config(wce, 0), 1);
	assert_int_equal(cache_of(), 0);
	assert_int_equal(write_config(wce, 2), 0);
	assert_int_equal(write_config(0, 1), 0);
	/* Not a change that the driver did not make itself */
	assert_int_equal(capacity(&after), SECTORS);
	assert_int_equal(after, before);
}

/* The next driver has nothing of the last one's */
static void cache_mode_after_reset(void **state)
{
	uint32_t wce = offsetof(struct virtio_blk_config, wce);

	(void)state;
	restart(CONFIG_WCE | FLUSH);
	assert_int_equal(write_config(wce, 0), 1);
	assert_int_equal(guest_set_status(g, 0), 0);
	assert_int_equal(cache_of(), 1);
}

/* What cannot be flushed is not written back */
static void cache_mode_without_flush(void **state)
{
	uint32_t wce = offsetof(struct virtio_blk_config, wce);

	(void)state;
	restart(CONFIG_WCE);
	assert_int_equal(cache_of(), 0);
	assert_int_equal(write_config(wce, 1), 0);
	assert_int_equal(cache_of(), 0);
	assert_int_equal(guest_set_status(g, 0), 0);
	assert_int_equal(cache_of(), 1);
}

static void flags(void **state)
{
	static const uint32_t unknown[] = { 2, 0x80000000, 3 };
	unsigned int i;

	(void)state;
	fill(3, 1, 'Z');
	assert_int_equal(flagged_range(VIRTIO_BLK_T_DISCARD, 3, 1, 1), VIRTIO_BLK_S_UNSUPP);
	for (i = 0; i < 3; i++) {
		assert_int_equal(flagged_range(VIRTIO_BLK_T_DISCARD, 3, 1, unknown[i]),
				 VIRTIO_BLK_S_UNSUPP);
		assert_int_equal(flagged_range(VIRTIO_BLK_T_WRITE_ZEROES, 3, 1, unknown[i]),
				 VIRTIO_BLK_S_UNSUPP);
	}
	assert_int_equal(byte_of(3), 'Z');
	assert_int_equal(flagged_range(VIRTIO_BLK_T_WRITE_ZEROES, 3, 1, 1), VIRTIO_BLK_S_OK);
	assert_int_equal(byte_of(3), 0);
}

/* One range that is wrong, and none of the others is cleared */
static void all_ranges_or_none(void **state)
{
	struct virtio_blk_discard_write_zeroes *range = guest_ptr(g, PAYLOAD);

	(void)state;
	fill(0, 4, 'Z');
	memset(range, 0, 2 * sizeof(*range));
	range[0].num_sectors = htole32(1);
	range[1].sector = htole64(SECTORS);
	range[1].num_sectors = htole32(1);
	assert_int_equal(request(VIRTIO_BLK_T_WRITE_ZEROES, 0, 2 * sizeof(*range), false),
			 VIRTIO_BLK_S_IOERR);
	assert_int_equal(byte_of(0), 'Z');
}

/* What one request can clear altogether is not more than the disk */
static void limits(void **state)
{
	uint32_t sectors = offsetof(struct virtio_blk_config, max_write_zeroes_sectors);
	struct reply reply = guest_call(g, VIRTIO_MSG_GET_CONFIG, sectors, 8);
	uint32_t max[2];

	(void)state;
	assert_true(reply.there);
	memcpy(max, reply.config.data, sizeof(max));
	assert_in_range((uint64_t)max[0] * max[1], 1, SECTORS);
	assert_int_equal(set_range(VIRTIO_BLK_T_WRITE_ZEROES, 0, max[0]), VIRTIO_BLK_S_OK);
	assert_int_equal(set_range(VIRTIO_BLK_T_WRITE_ZEROES, 0, max[0] + 1), VIRTIO_BLK_S_IOERR);
}

/* Whatever goes wrong: what is said to have been written was */
static void errors_write_what_they_say(void **state)
{
	static const struct { uint32_t type; uint64_t sector; } wrong[] = {
		{ VIRTIO_BLK_T_IN, SECTORS }, { VIRTIO_BLK_T_IN, UINT64_MAX }, { 99, 0 },
		{ VIRTIO_BLK_T_FLUSH, 0 }, { VIRTIO_BLK_T_OUT, 0 }, { VIRTIO_BLK_T_DISCARD, 0 },
		{ VIRTIO_BLK_T_GET_ID, 0 },
	};
	const uint8_t *data = guest_ptr(g, PAYLOAD);
	unsigned int i, j;

	(void)state;
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		memset(guest_ptr(g, PAYLOAD), 0xa5, 1024);
		/* asserts the used length */
		request(wrong[i].type, wrong[i].sector, 512, true);
		for (j = 0; j < 512; j++)
			assert_int_not_equal(data[j], 0xa5);
		assert_int_equal(data[512], 0xa5);
	}
}

static unsigned int others;

static void on_other(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval now;

	(void)fd;
	(void)what;
	others++;
	event_add(*(struct event **)arg, &now);
}

#define LINKS	1000

/*
 * A guest whose requests make the next one available, by reading into its own available
 * ring: others get their turn all the same.
 */
static void never_empty(void **state)
{
	struct event *other;
	uint8_t *data;
	unsigned int i;

	(void)state;
	guest_free(g);
	builtin_start("device=blk,size=1048576", 0);
	data = guest_ptr(g, PAYLOAD);
	for (i = 0; i < LINKS; i++) {
		struct virtio_blk_outhdr *hdr = (void *)(data + 512 * i + 0x100);
		/* The last one says what the one before did */
		uint16_t *idx = (uint16_t *)(data + 512 * i + 2);

		memset(data + 512 * i, 0, 512);
		*idx = htole16(i + 3 - (i == LINKS - 1));
		hdr->sector = htole64(i + 1);
	}
	assert_int_equal(request(VIRTIO_BLK_T_OUT, 0, LINKS * 512, false), VIRTIO_BLK_S_OK);

	/* Entry 0 of a ring of which one was used by the request above */
	*ring_desc(&ring, 0) = (struct vring_desc) {
		.addr = htole64(GUEST_RING + 0x1100), .len = htole32(16),
		.flags = htole16(VRING_DESC_F_NEXT), .next = htole16(1),
	};
	*ring_desc(&ring, 1) = (struct vring_desc) {
		.addr = htole64(GUEST_RING + 0x1000), .len = htole32(512),
		.flags = htole16(VRING_DESC_F_NEXT | VRING_DESC_F_WRITE), .next = htole16(2),
	};
	*ring_desc(&ring, 2) = (struct vring_desc) {
		.addr = htole64(STATUS), .len = htole32(1), .flags = htole16(VRING_DESC_F_WRITE),
	};
	memset(guest_ptr(g, GUEST_RING + 0x1100), 0, 16);
	ring_avail(&ring)->ring[1] = 0;
	others = 0;
	other = evtimer_new(loop, on_other, &other);
	on_other(-1, 0, &other);
	ring_avail(&ring)->idx = htole16(2);
	builtin_kick();
	assert_in_range(le16toh(ring_used(&ring)->idx), 2, 1 + 64);
	while (le16toh(ring_used(&ring)->idx) < 1 + LINKS) {
		assert_int_equal(guest_status(g), STATUS_OK);
		event_base_loop(loop, EVLOOP_ONCE);
	}
	assert_true(others >= LINKS / 64);
	event_free(other);
}

/* A huge request is done in parts, of which a reset may be the end */
static void large_request(void **state)
{
	const struct buf bufs[] = {
		{ HEADER, 16, false },
		{ PAYLOAD, 0xf0000, true },
		{ PAYLOAD, 0xf0000, true },
		{ PAYLOAD, 0xf0000, true },
		{ STATUS, 1, true },
	};
	uint32_t id, len;

	(void)state;
	guest_free(g);
	builtin_start("device=blk,size=16777216", 0);
	fill(0, 1, 0x11);
	memset(guest_ptr(g, HEADER), 0, 16);
	*(uint8_t *)guest_ptr(g, STATUS) = 0xff;
	ring_add(&ring, bufs, 5);
	builtin_kick();
	assert_int_equal(*(uint8_t *)guest_ptr(g, PAYLOAD), 0x11);
	assert_false(ring_get(&ring, 5, &id, &len));
	while (!ring_get(&ring, 5, &id, &len))
		event_base_loop(loop, EVLOOP_ONCE);
	assert_int_equal(len, 3 * 0xf0000 + 1);
	assert_int_equal(*(uint8_t *)guest_ptr(g, STATUS), VIRTIO_BLK_S_OK);

	ring_add(&ring, bufs, 5);
	builtin_kick();
	assert_int_equal(guest_set_status(g, 0), 0);
	memset(guest_ptr(g, PAYLOAD), 0x22, 0xf0000);
	loop_run();
	loop_run();
	assert_int_equal(*(uint8_t *)guest_ptr(g, PAYLOAD + 0xeffff), 0x22);
}

/* The disk becomes smaller in the middle of a request for all of it */
static void shrinks_meanwhile(void **state)
{
	const struct buf bufs[] = {
		{ HEADER, 16, false }, { PAYLOAD, 0xf0000, true }, { STATUS, 1, true },
	};
	const uint8_t *data = guest_ptr(g, PAYLOAD);
	struct errmsg err;
	uint32_t id, len;

	(void)state;
	guest_free(g);
	builtin_start("device=blk,size=16777216", 0);
	memset(guest_ptr(g, HEADER), 0, 16);
	memset(guest_ptr(g, PAYLOAD), 0xa5, 0xf0000);
	ring_add(&ring, bufs, 3);
	builtin_kick();
	assert_int_equal(set("size=512", &err), 0);
	while (!ring_get(&ring, 3, &id, &len))
		event_base_loop(loop, EVLOOP_ONCE);
	data = guest_ptr(g, PAYLOAD);
	assert_int_equal(*(uint8_t *)guest_ptr(g, STATUS), VIRTIO_BLK_S_IOERR);
	assert_int_equal(len, 0xf0000 + 1);
	assert_int_equal(data[0xeffff], 0);
}

static void read_only(void **state)
{
	(void)state;
	guest_free(g);
	builtin_start("device=blk,size=32768,read-only=on", 0);
	assert_true(g->win->slots[0].owned->features & 1ULL << VIRTIO_BLK_F_RO);
	assert_int_equal(request(VIRTIO_BLK_T_IN, 0, 512, true), VIRTIO_BLK_S_OK);
	assert_int_equal(request(VIRTIO_BLK_T_OUT, 0, 512, false), VIRTIO_BLK_S_IOERR);
	assert_int_equal(set_range(VIRTIO_BLK_T_DISCARD, 0, 1), VIRTIO_BLK_S_IOERR);
}

/* Bytes of this process that are in memory */
static size_t resident(void)
{
	FILE *statm = fopen("/proc/self/statm", "r");
	unsigned long size, pages;

	assert_non_null(statm);
	assert_int_equal(fscanf(statm, "%lu %lu", &size, &pages), 2);
	fclose(statm);
	return pages * sysconf(_SC_PAGESIZE);
}

static void new_disk_takes_no_memory(void **state)
{
	size_t before;

	(void)state;
	guest_free(g);
	before = resident();
	builtin_start("device=blk,size=268435456", 0);
	assert_true(resident() < before + (64 << 20));
	assert_int_equal(byte_of(268435456 / 512 - 1), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, builtin_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(read_back),
		TEST(bounds),
		TEST(clears),
		TEST(serial),
		TEST(too_short),
		TEST(resize),
		TEST(cache_mode),
		TEST(cache_mode_after_reset),
		TEST(cache_mode_without_flush),
		TEST(flags),
		TEST(all_ranges_or_none),
		TEST(limits),
		TEST(errors_write_what_they_say),
		TEST(never_empty),
		TEST(large_request),
		TEST(shrinks_meanwhile),
		TEST(read_only),
		TEST(new_disk_takes_no_memory),
	};

	return cmocka_run_group_tests_name("blk", tests, NULL, NULL);
}
