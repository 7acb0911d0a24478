// SPDX-License-Identifier: GPL-2.0-only
/* Split and packed rings, used as they should be and as they should not. */
#include "guest.h"

#define SPLIT		VERSION_1
#define PACKED		(VERSION_1 | 1ULL << VIRTIO_F_RING_PACKED)
#define INDIRECT	(1ULL << VIRTIO_RING_F_INDIRECT_DESC)
#define EVENT_IDX	(1ULL << VIRTIO_RING_F_EVENT_IDX)

static struct guest *g;
static struct ring ring;
static struct virtq vr;

static int setup(void **state)
{
	(void)state;
	g = guest_new(NULL, NULL);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	vring_stop(&vr);
	guest_free(g);
	return 0;
}

static void start(uint64_t features, uint16_t size)
{
	const struct device_queue queue = {
		.size = size,
		.desc = GUEST_RING,
		.driver = GUEST_RING + 0x1000,
		.device = GUEST_RING + 0x2000,
	};

	vring_stop(&vr);
	ring_init(&ring, g, features, size);
	assert_int_equal(vring_check(&g->carrier.memory, &queue, features), 0);
	assert_int_equal(vring_start(&vr, &g->carrier.memory, &queue, features), 0);
}

static void one_request(uint64_t features)
{
	const struct buf bufs[] = {
		{ GUEST_DATA, 16, false }, { GUEST_DATA + 0x100, 8, false },
		{ GUEST_DATA + 0x200, 32, true },
	};
	struct vring_chain chain;
	uint32_t id, len;

	start(features, 8);
	assert_int_equal(vring_pop(&vr, &chain), 0);
	ring_add(&ring, bufs, 3);
	assert_int_equal(vring_pop(&vr, &chain), 1);
	assert_int_equal(chain.num_out, 2);
	assert_int_equal(chain.num_in, 1);
	assert_ptr_equal(chain.seg[0].iov_base, guest_ptr(g, GUEST_DATA));
	assert_ptr_equal(chain.seg[2].iov_base, guest_ptr(g, GUEST_DATA + 0x200));
	assert_int_equal(vring_out_len(&chain), 24);
	assert_int_equal(vring_in_len(&chain), 32);
	assert_false(vring_interrupt(&vr));
	assert_int_equal(vring_push(&vr, &chain, 5), 0);
	assert_true(vring_interrupt(&vr));
	assert_false(vring_interrupt(&vr));
	assert_true(ring_get(&ring, 3, &id, &len));
	assert_int_equal(id, 0);
	assert_int_equal(len, 5);
	assert_false(ring_get(&ring, 1, &id, &len));
	assert_int_equal(vring_pop(&vr, &chain), 0);
}

static void split_request(void **state)
{
	(void)state;
	one_request(SPLIT);
	one_request(SPLIT | EVENT_IDX);
}

static void packed_request(void **state)
{
	(void)state;
	one_request(PACKED);
}

/* Around the ring many times, with 1 to 3 buffers, one and two in flight */
static void go_around(uint64_t features, uint16_t size)
{
	struct vring_chain chain[2], none;
	unsigned int i, n;
	uint32_t id, len;

	start(features, size);
	for (i = 0; i < 70000; i++) {
		struct buf bufs[3] = {
			{ GUEST_DATA, 4, false }, { GUEST_DATA + 64, 4, true },
			{ GUEST_DATA + 128, 4, true },
		};
		uint16_t first = features & 1ULL << VIRTIO_F_RING_PACKED ? ring.next :
				 ring.next % size;

		n = i % 3 + 1;
		ring_add(&ring, bufs, n);
		ring_add(&ring, bufs, 1);
		assert_int_equal(vring_pop(&vr, &chain[0]), 1);
		assert_int_equal(vring_pop(&vr, &chain[1]), 1);
		assert_int_equal(vring_pop(&vr, &none), 0);
		assert_int_equal(chain[0].num_out + chain[0].num_in, n);
		assert_int_equal(vring_push(&vr, &chain[0], i), 0);
		assert_true(ring_get(&ring, n, &id, &len));
		assert_int_equal(id, first);
		assert_int_equal(len, i);
		assert_int_equal(vring_push(&vr, &chain[1], i + 1), 0);
		assert_true(ring_get(&ring, 1, &id, &len));
		assert_int_equal(len, i + 1);
	}
}

static void split_around(void **state)
{
	(void)state;
	go_around(SPLIT, 4);
	go_around(SPLIT | EVENT_IDX, 64);
}

static void packed_around(void **state)
{
	(void)state;
	go_around(PACKED, 5);
	go_around(PACKED | EVENT_IDX, 64);
}

static void full_ring(uint64_t features, uint16_t size)
{
	const struct buf buf = { GUEST_DATA, 4, true };
	struct vring_chain chain[8], none;
	uint32_t id, len;
	unsigned int i;

	start(features, size);
	for (i = 0; i < size; i++)
		ring_add(&ring, &buf, 1);
	for (i = 0; i < size; i++)
		assert_int_equal(vring_pop(&vr, &chain[i]), 1);
	assert_int_equal(vring_pop(&vr, &none), 0);
	for (i = 0; i < size; i++)
		assert_int_equal(vring_push(&vr, &chain[i], i), 0);
	for (i = 0; i < size; i++) {
		assert_true(ring_get(&ring, 1, &id, &len));
		assert_int_equal(id, i);
	}
	assert_false(ring_get(&ring, 1, &id, &len));
}

static void full(void **state)
{
	(void)state;
	full_ring(SPLIT, 8);
	full_ring(PACKED, 7);
	full_ring(PACKED, 1);
}

static void set_flags_no_interrupt(void **state)
{
	const struct buf buf = { GUEST_DATA, 4, true };
	struct vring_chain chain;

	(void)state;
	start(SPLIT, 8);
	ring_avail(&ring)->flags = htole16(VRING_AVAIL_F_NO_INTERRUPT);
	ring_add(&ring, &buf, 1);
	vring_pop(&vr, &chain);
	vring_push(&vr, &chain, 0);
	assert_false(vring_interrupt(&vr));

	start(PACKED, 8);
	ring_driver_event(&ring)->flags = htole16(VRING_PACKED_EVENT_FLAG_DISABLE);
	ring_add(&ring, &buf, 1);
	vring_pop(&vr, &chain);
	vring_push(&vr, &chain, 0);
	assert_false(vring_interrupt(&vr));
}

/* Push @num requests, then ask: whether an interrupt is wanted */
static bool push_many(unsigned int num)
{
	const struct buf buf = { GUEST_DATA, 4, true };
	struct vring_chain chain;

	while (num--) {
		ring_add(&ring, &buf, 1);
		assert_int_equal(vring_pop(&vr, &chain), 1);
		assert_int_equal(vring_push(&vr, &chain, 0), 0);
	}
	return vring_interrupt(&vr);
}

static void split_event_idx(void **state)
{
	struct vring_chain chain;
	uint16_t *used_event, *avail_event;

	(void)state;
	start(SPLIT | EVENT_IDX, 8);
	used_event = &ring_avail(&ring)->ring[8];
	avail_event = (uint16_t *)&ring_used(&ring)->ring[8];
	assert_true(push_many(1));
	assert_false(push_many(1));
	*used_event = htole16(4);
	assert_false(push_many(2));
	assert_true(push_many(1));
	/* The fifth of several at once counts too */
	*used_event = htole16(7);
	assert_true(push_many(6));
	assert_false(push_many(3));
	/* The driver is to kick for the next one */
	assert_int_equal(vring_pop(&vr, &chain), 0);
	assert_int_equal(le16toh(*avail_event), 14);
}

static void packed_event_idx(void **state)
{
	struct vring_packed_desc_event *event;
	struct vring_chain chain;

	(void)state;
	start(PACKED | EVENT_IDX, 8);
	event = ring_driver_event(&ring);
	event->flags = htole16(VRING_PACKED_EVENT_FLAG_DESC);
	event->off_wrap = htole16(2 | 1 << VRING_PACKED_EVENT_F_WRAP_CTR);
	assert_false(push_many(2));
	assert_true(push_many(1));
	assert_false(push_many(2));
	/* Slot 1 of the next round */
	event->off_wrap = htole16(1);
	assert_false(push_many(3));
	assert_false(push_many(1));
	assert_true(push_many(1));
	/* An event of this round, asked about in the next: slot 7 */
	event->off_wrap = htole16(7);
	assert_false(push_many(4));
	assert_true(push_many(4));
	/* The driver is to kick for the next one: slot 2, third round */
	assert_int_equal(vring_pop(&vr, &chain), 0);
	assert_int_equal(le16toh(ring_device_event(&ring)->flags), VRING_PACKED_EVENT_FLAG_DESC);
	assert_int_equal(le16toh(ring_device_event(&ring)->off_wrap),
			 2 | 1 << VRING_PACKED_EVENT_F_WRAP_CTR);
	/* Without the feature the event is not looked at */
	start(PACKED, 8);
	ring_driver_event(&ring)->flags = htole16(VRING_PACKED_EVENT_FLAG_DESC);
	assert_true(push_many(1));
}

/*
 * Chains that are not allowed
 */

static int split_pop_one(uint64_t features, struct vring_desc d0, struct vring_desc d1)
{
	struct vring_chain chain;
	int ret;

	start(features, 4);
	*ring_desc(&ring, 0) = d0;
	*ring_desc(&ring, 1) = d1;
	ring_avail(&ring)->idx = htole16(1);
	ret = vring_pop(&vr, &chain);
	if (ret == 1)
		vring_push(&vr, &chain, 0);
	return ret;
}

#define DESC(a, l, f, n) (struct vring_desc) { \
	.addr = htole64(a), .len = htole32(l), .flags = htole16(f), .next = htole16(n) }
#define NONE	DESC(0, 0, 0, 0)
#define OK	DESC(GUEST_DATA, 4, 0, 0)

static void split_bad_descriptors(void **state)
{
	const uint16_t next = VRING_DESC_F_NEXT, write = VRING_DESC_F_WRITE;

	(void)state;
	assert_int_equal(split_pop_one(SPLIT, OK, NONE), 1);
	assert_int_equal(split_pop_one(SPLIT, DESC(GUEST_BASE - 1, 4, 0, 0), NONE), -EFAULT);
	assert_int_equal(split_pop_one(SPLIT, DESC(0, 4, 0, 0), NONE), -EFAULT);
	assert_int_equal(split_pop_one(SPLIT, DESC(UINT64_MAX, 4, 0, 0), NONE), -EFAULT);
	assert_int_equal(split_pop_one(SPLIT, DESC(GUEST_BASE, GUEST_SIZE, 0, 0), NONE), 1);
	assert_int_equal(split_pop_one(SPLIT, DESC(GUEST_BASE, GUEST_SIZE + 1, 0, 0), NONE),
			 -EFAULT);
	assert_int_equal(split_pop_one(SPLIT, DESC(GUEST_DATA, 0xffffffff, 0, 0), NONE), -EFAULT);
	assert_int_equal(split_pop_one(SPLIT, DESC(GUEST_DATA, 0, 0, 0), NONE), -EFAULT);
	/* Loops, and chains that leave the table */
	assert_int_equal(split_pop_one(SPLIT, DESC(GUEST_DATA, 4, next, 0), NONE), -EINVAL);
	assert_int_equal(split_pop_one(SPLIT, DESC(GUEST_DATA, 4, next, 1),
				       DESC(GUEST_DATA, 4, next, 0)), -EINVAL);
	assert_int_equal(split_pop_one(SPLIT, DESC(GUEST_DATA, 4, next, 4), NONE), -EINVAL);
	assert_int_equal(split_pop_one(SPLIT, DESC(GUEST_DATA, 4, next, 0xffff), NONE), -EINVAL);
	/* What the device reads comes before what it writes */
	assert_int_equal(split_pop_one(SPLIT, DESC(GUEST_DATA, 4, next | write, 1), OK), -EINVAL);
	/* The second is bad: the first is let go of */
	assert_int_equal(split_pop_one(SPLIT, DESC(GUEST_DATA, 4, next, 1), NONE), -EFAULT);
}

static void split_bad_indices(void **state)
{
	struct vring_chain chain;

	(void)state;
	start(SPLIT, 4);
	ring_avail(&ring)->idx = htole16(5);
	assert_int_equal(vring_pop(&vr, &chain), -EINVAL);
	start(SPLIT, 4);
	ring_avail(&ring)->idx = htole16(0xffff);
	assert_int_equal(vring_pop(&vr, &chain), -EINVAL);
	start(SPLIT, 4);
	*ring_desc(&ring, 0) = OK;
	ring_avail(&ring)->ring[0] = htole16(4);
	ring_avail(&ring)->idx = htole16(1);
	assert_int_equal(vring_pop(&vr, &chain), -EINVAL);
	/* More made available than there are descriptors, while some are taken */
	start(SPLIT, 4);
	*ring_desc(&ring, 0) = OK;
	ring_avail(&ring)->idx = htole16(4);
	assert_int_equal(vring_pop(&vr, &chain), 1);
	ring_avail(&ring)->idx = htole16(5);
	assert_int_equal(vring_pop(&vr, &chain), -EINVAL);
}

static void split_indirect(void **state)
{
	const uint16_t indirect = VRING_DESC_F_INDIRECT, next = VRING_DESC_F_NEXT;
	struct vring_desc *table = guest_ptr(g, GUEST_DATA + 0x1000);
	const struct vring_desc good = DESC(GUEST_DATA + 0x1000, 32, indirect, 0);

	(void)state;
	table[0] = DESC(GUEST_DATA, 4, next, 1);
	table[1] = DESC(GUEST_DATA, 4, VRING_DESC_F_WRITE, 0);
	assert_int_equal(split_pop_one(SPLIT | INDIRECT, good, NONE), 1);
	/* Not negotiated; odd length; none; outside memory; not the last */
	assert_int_equal(split_pop_one(SPLIT, good, NONE), -EINVAL);
	assert_int_equal(split_pop_one(SPLIT | INDIRECT, DESC(GUEST_DATA + 0x1000, 31, indirect, 0),
				       NONE), -EINVAL);
	assert_int_equal(split_pop_one(SPLIT | INDIRECT, DESC(GUEST_DATA + 0x1000, 0, indirect, 0),
				       NONE), -EINVAL);
	assert_int_equal(split_pop_one(SPLIT | INDIRECT, DESC(GUEST_BASE + GUEST_SIZE - 16, 32,
							      indirect, 0), NONE), -EFAULT);
	assert_int_equal(split_pop_one(SPLIT | INDIRECT, DESC(GUEST_DATA + 0x1000, 32,
							      indirect | next, 1), OK), -EINVAL);
	assert_int_equal(split_pop_one(SPLIT | INDIRECT, DESC(GUEST_DATA, 4, next, 1), good),
			 -EINVAL);
	/* A chain of one entry that goes on; a loop; a table in a table */
	assert_int_equal(split_pop_one(SPLIT | INDIRECT, DESC(GUEST_DATA + 0x1000, 16, indirect, 0),
				       NONE), -EINVAL);
	table[1] = DESC(GUEST_DATA, 4, next, 0);
	assert_int_equal(split_pop_one(SPLIT | INDIRECT, good, NONE), -EINVAL);
	table[1] = good;
	assert_int_equal(split_pop_one(SPLIT | INDIRECT, good, NONE), -EINVAL);
}

#define AVAIL	(1 << VRING_PACKED_DESC_F_AVAIL)
#define PDESC(a, l, f) (struct vring_packed_desc) { \
	.addr = htole64(a), .len = htole32(l), .id = htole16(7), .flags = htole16((f) | AVAIL) }

static int packed_pop_one(uint64_t features, struct vring_packed_desc d0,
			  struct vring_packed_desc d1)
{
	struct vring_chain chain;
	int ret;

	start(features, 2);
	*ring_packed(&ring, 0) = d0;
	*ring_packed(&ring, 1) = d1;
	ret = vring_pop(&vr, &chain);
	if (ret == 1)
		vring_push(&vr, &chain, 0);
	return ret;
}

static void packed_bad_descriptors(void **state)
{
	const uint16_t next = VRING_DESC_F_NEXT, write = VRING_DESC_F_WRITE;
	const struct vring_packed_desc ok = PDESC(GUEST_DATA, 4, 0);

	(void)state;
	assert_int_equal(packed_pop_one(PACKED, ok, ok), 1);
	assert_int_equal(packed_pop_one(PACKED, PDESC(GUEST_DATA, 4, next), ok), 1);
	assert_int_equal(packed_pop_one(PACKED, PDESC(0, 4, 0), ok), -EFAULT);
	assert_int_equal(packed_pop_one(PACKED, PDESC(GUEST_DATA, 0xffffffff, 0), ok), -EFAULT);
	assert_int_equal(packed_pop_one(PACKED, PDESC(GUEST_DATA, 4, next | write), ok), -EINVAL);
	/* A chain longer than the ring */
	assert_int_equal(packed_pop_one(PACKED, PDESC(GUEST_DATA, 4, next),
					PDESC(GUEST_DATA, 4, next)), -EINVAL);
	assert_int_equal(packed_pop_one(PACKED, PDESC(GUEST_DATA, 4, next), PDESC(0, 4, 0)),
			 -EFAULT);
}

static void packed_indirect(void **state)
{
	const uint16_t indirect = VRING_DESC_F_INDIRECT, next = VRING_DESC_F_NEXT;
	struct vring_packed_desc *table = guest_ptr(g, GUEST_DATA + 0x1000);
	const struct vring_packed_desc good = PDESC(GUEST_DATA + 0x1000, 32, indirect);
	const struct vring_packed_desc none = { 0 };

	(void)state;
	table[0] = PDESC(GUEST_DATA, 4, 0);
	table[1] = PDESC(GUEST_DATA, 4, VRING_DESC_F_WRITE);
	assert_int_equal(packed_pop_one(PACKED | INDIRECT, good, none), 1);
	assert_int_equal(packed_pop_one(PACKED, good, none), -EINVAL);
	assert_int_equal(packed_pop_one(PACKED | INDIRECT, PDESC(GUEST_DATA + 0x1000, 33, indirect),
					none), -EINVAL);
	assert_int_equal(packed_pop_one(PACKED | INDIRECT, PDESC(GUEST_DATA + 0x1000, 32,
								 indirect | next), good), -EINVAL);
	assert_int_equal(packed_pop_one(PACKED | INDIRECT, PDESC(GUEST_DATA, 4, next), good),
			 -EINVAL);
	assert_int_equal(packed_pop_one(PACKED | INDIRECT, PDESC(GUEST_BASE - 16, 32, indirect),
					none), -EFAULT);
	table[1] = good;
	assert_int_equal(packed_pop_one(PACKED | INDIRECT, good, none), -EINVAL);
}

/* More segments than a device takes */
static void too_long(void **state)
{
	struct buf bufs[VRING_MAX_SEGMENTS + 1];
	struct vring_chain chain;
	unsigned int i;

	(void)state;
	for (i = 0; i <= VRING_MAX_SEGMENTS; i++)
		bufs[i] = (struct buf) { GUEST_DATA + i * 8, 8, false };
	start(SPLIT, 128);
	ring_add(&ring, bufs, VRING_MAX_SEGMENTS);
	assert_int_equal(vring_pop(&vr, &chain), 1);
	assert_int_equal(chain.num_out, VRING_MAX_SEGMENTS);
	ring_add(&ring, bufs, VRING_MAX_SEGMENTS + 1);
	assert_int_equal(vring_pop(&vr, &chain), -EINVAL);
	start(PACKED, 128);
	ring_add(&ring, bufs, VRING_MAX_SEGMENTS + 1);
	assert_int_equal(vring_pop(&vr, &chain), -EINVAL);
}

static void memory_goes(void **state)
{
	const struct buf buf = { GUEST_DATA, 4, true };
	struct vring_chain chain;

	(void)state;
	start(SPLIT, 8);
	ring_add(&ring, &buf, 1);
	assert_int_equal(vring_pop(&vr, &chain), 1);
	memory_clear(&g->carrier.memory);
	assert_int_equal(vring_push(&vr, &chain, 0), -EFAULT);
	assert_int_equal(vring_pop(&vr, &chain), -EFAULT);
	assert_false(vring_interrupt(&vr));
}

/* Sizes and alignments, by ring format */
static void setups(void **state)
{
	const struct device_queue ok = {
		.size = 24, .desc = GUEST_RING, .driver = GUEST_RING + 0x1000,
		.device = GUEST_RING + 0x2000,
	};
	struct memory *mem = &g->carrier.memory;
	struct device_queue queue = ok;

	(void)state;
	assert_int_equal(vring_check(mem, &queue, PACKED), 0);
	assert_int_equal(vring_check(mem, &queue, SPLIT), -EINVAL);
	queue.driver += 2;
	assert_int_equal(vring_check(mem, &queue, PACKED), -EINVAL);
	queue = ok;
	queue.size = 0;
	assert_int_equal(vring_check(mem, &queue, PACKED), -EINVAL);
	queue.size = 32769;
	assert_int_equal(vring_check(mem, &queue, PACKED), -EINVAL);
	queue.size = 16;
	queue.driver += 2;
	assert_int_equal(vring_check(mem, &queue, SPLIT), 0);
	/* The event words at the very end are there only with EVENT_IDX */
	queue = ok;
	queue.size = 16;
	queue.driver = GUEST_BASE + GUEST_SIZE - 36;
	assert_int_equal(vring_check(mem, &queue, SPLIT), 0);
	assert_int_equal(vring_check(mem, &queue, SPLIT | EVENT_IDX), -EFAULT);
	assert_int_equal(vring_start(&vr, mem, &queue, SPLIT | EVENT_IDX), -EFAULT);
	assert_int_equal(vring_start(&vr, mem, &queue, SPLIT), 0);
}

/* A ring that another process served: it goes on with what is not used yet */
static void resumed(void **state)
{
	const struct buf buf = { GUEST_DATA, 4, true };
	const struct device_queue queue = {
		.size = 8,
		.resume = true,
		.desc = GUEST_RING,
		.driver = GUEST_RING + 0x1000,
		.device = GUEST_RING + 0x2000,
	};
	struct vring_chain chain;
	uint32_t id, len;

	(void)state;
	start(SPLIT, 8);
	push_many(5);
	while (ring_get(&ring, 1, &id, &len))
		continue;
	/* One that was taken, and one that was not even that */
	ring_add(&ring, &buf, 1);
	assert_int_equal(vring_pop(&vr, &chain), 1);
	ring_add(&ring, &buf, 1);
	vring_stop(&vr);
	assert_int_equal(vring_start(&vr, &g->carrier.memory, &queue, SPLIT), 0);
	assert_int_equal(vring_pop(&vr, &chain), 1);
	assert_int_equal(chain.id, 5);
	assert_int_equal(vring_push(&vr, &chain, 1), 0);
	assert_int_equal(vring_pop(&vr, &chain), 1);
	assert_int_equal(chain.id, 6);
	assert_int_equal(vring_push(&vr, &chain, 2), 0);
	assert_int_equal(vring_pop(&vr, &chain), 0);
	assert_true(ring_get(&ring, 1, &id, &len));
	assert_true(ring_get(&ring, 1, &id, &len));
	assert_int_equal(len, 2);
	/* A packed ring does not tell */
	assert_int_equal(vring_start(&vr, &g->carrier.memory, &queue, PACKED), -EINVAL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(split_request),
		TEST(packed_request),
		TEST(split_around),
		TEST(packed_around),
		TEST(full),
		TEST(set_flags_no_interrupt),
		TEST(split_event_idx),
		TEST(packed_event_idx),
		TEST(split_bad_descriptors),
		TEST(split_bad_indices),
		TEST(split_indirect),
		TEST(packed_bad_descriptors),
		TEST(packed_indirect),
		TEST(too_long),
		TEST(memory_goes),
		TEST(setups),
		TEST(resumed),
	};

	return cmocka_run_group_tests_name("vring", tests, NULL, NULL);
}
