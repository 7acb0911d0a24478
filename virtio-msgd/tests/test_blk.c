// SPDX-License-Identifier: GPL-2.0-only
/* virtio-blk, a disk in memory. */
#include "guest.h"

#include <linux/virtio_blk.h>
#include <linux/virtio_ids.h>

#include "program/devices.h"

#define SECTORS		64

/* Where a request's parts are, from GUEST_DATA */
#define HEADER		GUEST_DATA
#define STATUS		(GUEST_DATA + 0x100)
#define PAYLOAD		(GUEST_DATA + 0x1000)

static struct guest *g;
static struct ring ring;

static struct device *create(const char *options)
{
	struct params params = { 0 };
	struct device *dev;
	struct errmsg err;

	assert_int_equal(params_parse(&params, options, NULL, &err), 0);
	assert_int_equal(devices_create(&params, &dev, &err), 0);
	params_free(&params);
	return dev;
}

static void start(const char *options)
{
	g = guest_new(NULL, create(options));
	guest_negotiate(g, VERSION_1);
	ring_init(&ring, g, 0, 16);
	assert_true(guest_enable_queue(g, 0, 16));
	assert_int_equal(guest_set_status(g, STATUS_OK), STATUS_OK);
	loop_run();
}

static int setup(void **state)
{
	loop_setup(state);
	start("device=blk,size=32768");
	return 0;
}

static int teardown(void **state)
{
	guest_free(g);
	return loop_teardown(state);
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
	guest_write(g, VIRTIO_MSG_MMIO_QUEUE_NOTIFY(0), 4, 0);
	assert_true(ring_get(&ring, len ? 3 : 2, &id, &used));
	assert_int_equal(used, from_device ? len + 1 : 1);
	return *status;
}

static uint8_t set_range(uint32_t type, uint64_t sector, uint32_t num)
{
	struct virtio_blk_discard_write_zeroes *range = guest_ptr(g, PAYLOAD);

	*range = (struct virtio_blk_discard_write_zeroes) {
		.sector = htole64(sector),
		.num_sectors = htole32(num),
	};
	return request(type, 0, sizeof(*range), false);
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
	guest_write(g, VIRTIO_MSG_MMIO_QUEUE_NOTIFY(0), 4, 0);
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
	ret = g->win->dev->ops->set(g->win->dev, &params, err);
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

static void cache_mode(void **state)
{
	uint32_t wce = offsetof(struct virtio_blk_config, wce), before, after;

	(void)state;
	capacity(&before);
	assert_int_equal(guest_call(g, VIRTIO_MSG_GET_CONFIG, wce, 1).config.data[0], 1);
	assert_int_equal(write_config(wce, 0), 1);
	assert_int_equal(guest_call(g, VIRTIO_MSG_GET_CONFIG, wce, 1).config.data[0], 0);
	assert_int_equal(write_config(wce, 2), 0);
	assert_int_equal(write_config(0, 1), 0);
	/* Not a change that the driver did not make itself */
	assert_int_equal(capacity(&after), SECTORS);
	assert_int_equal(after, before);
}

static void read_only(void **state)
{
	(void)state;
	guest_free(g);
	start("device=blk,size=32768,read-only=on");
	assert_true(g->win->dev->features & 1ULL << VIRTIO_BLK_F_RO);
	assert_int_equal(request(VIRTIO_BLK_T_IN, 0, 512, true), VIRTIO_BLK_S_OK);
	assert_int_equal(request(VIRTIO_BLK_T_OUT, 0, 512, false), VIRTIO_BLK_S_IOERR);
	assert_int_equal(set_range(VIRTIO_BLK_T_DISCARD, 0, 1), VIRTIO_BLK_S_IOERR);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

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
		TEST(read_only),
	};

	return cmocka_run_group_tests_name("blk", tests, NULL, NULL);
}
