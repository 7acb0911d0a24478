// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rings, split and packed, of the built-in devices, in a guest's memory that changes
 * while they are looked at. Whatever was in them, a driver that behaves is served after
 * it.
 */
#include <endian.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_i2c.h>
#include <linux/virtio_ring.h>
#include <stdlib.h>
#include <string.h>

#include "machine.h"

/* Where the parts of the ring are, from the start of memory */
#define DESC	0x1000
#define DRIVER	0x2000
#define DEVICE	0x3000
#define TABLE	0x4000
#define HEADER	0x5000
#define DATA	0x6000

#define AVAIL_USED(wrap)	((wrap) ? 1 << VRING_PACKED_DESC_F_AVAIL : \
				 1 << VRING_PACKED_DESC_F_USED)

/**
 * struct run - a device with a ring
 * @m: the guest
 * @in: the input
 * @packed: what kind of ring
 * @size: entries
 * @next: where the next descriptor goes
 * @wrap: packed: wrap counter there
 * @avail: split: next entry of the available ring
 */
struct run {
	struct machine *m;
	struct input *in;
	bool packed;
	uint16_t size;
	uint16_t next;
	bool wrap;
	uint16_t avail;
};

static void put(struct run *run, uint64_t offset, const void *data, size_t len)
{
	machine_poke(run->m, machine_addr(run->m, offset), data, len);
}

static void put16(struct run *run, uint64_t offset, uint16_t value)
{
	value = htole16(value);
	put(run, offset, &value, sizeof(value));
}

static struct slot *slot_of(struct run *run)
{
	return &run->m->win->slots[0];
}

/* DRIVER_OK, with a queue of @size as the driver may place it */
static void bring_up(struct run *run, uint64_t unwanted, uint32_t size)
{
	struct device_queue setup = {
		.size = size,
		.desc = machine_addr(run->m, DESC),
		.driver = machine_addr(run->m, DRIVER),
		.device = machine_addr(run->m, DEVICE),
		.base = -1,
	};
	struct slot *slot = slot_of(run);
	uint64_t needed = 1ULL << VIRTIO_F_VERSION_1 | 1ULL << VIRTIO_F_ACCESS_PLATFORM;
	uint64_t features = slot_offered(slot) & ~(unwanted & ~needed);

	slot_set_status(slot, 0);
	slot_set_features(slot, 0, features);
	slot_set_features(slot, 1, features >> 32);
	slot_set_status(slot, VIRTIO_CONFIG_S_DRIVER | VIRTIO_CONFIG_S_FEATURES_OK);
	fuzz_check(slot->status & VIRTIO_CONFIG_S_FEATURES_OK);
	if (run->in->left && take8(run->in) == 1) {
		setup.resume = true;
		setup.desc = take_addr(run->m, run->in);
		setup.driver = take_addr(run->m, run->in);
		setup.device = take_addr(run->m, run->in);
	}
	slot_enable_queue(slot, 0, &setup);
	slot_set_status(slot, VIRTIO_CONFIG_S_DRIVER_OK);
	run->packed = features & 1ULL << VIRTIO_F_RING_PACKED;
	run->size = (uint16_t)size ?: 1;
	run->next = 0;
	run->avail = 0;
	run->wrap = true;
}

/* A descriptor at @offset, of a ring or a table */
static void put_desc(struct run *run, uint64_t offset, uint64_t addr, uint32_t len,
		     uint16_t id, uint16_t flags, uint16_t next)
{
	struct vring_packed_desc packed = {
		htole64(addr), htole32(len), htole16(id),
		htole16(flags ^ AVAIL_USED(run->wrap)),
	};
	struct vring_desc split = {
		htole64(addr), htole32(len), htole16(flags), htole16(next),
	};

	if (run->packed)
		put(run, offset, &packed, sizeof(packed));
	else
		put(run, offset, &split, sizeof(split));
}

static void add_desc(struct run *run, uint64_t addr, uint32_t len, uint16_t flags)
{
	uint16_t i = run->next;

	run->next = i + 1 == run->size ? 0 : i + 1;
	put_desc(run, DESC + i * sizeof(struct vring_desc), addr, len, i, flags, run->next);
	if (run->packed && !run->next)
		run->wrap = !run->wrap;
}

static void make_available(struct run *run, uint16_t head)
{
	if (run->packed)
		return;
	put16(run, DRIVER + 4 + run->avail % run->size * 2, head);
	put16(run, DRIVER + 2, ++run->avail);
}

static void kick(struct run *run)
{
	if (slot_of(run)->dev)
		slot_kick(slot_of(run), 0, 0);
}

/* One that a driver might have made but for a detail */
static void add_chain(struct run *run)
{
	unsigned int num = take8(run->in) % 8;
	uint16_t head = run->next;

	for (; num; num--) {
		uint8_t how = take8(run->in);
		uint64_t addr = how & 0x80 ? take_addr(run->m, run->in) :
				machine_addr(run->m, (how & 0x40 ? HEADER : DATA) + take8(run->in));
		uint32_t len = how & 0x20 ? take_edge(run->in) : take8(run->in);
		uint16_t flags = how & (VRING_DESC_F_WRITE | VRING_DESC_F_INDIRECT);

		if (num > 1 && !(how & 0x10))
			flags |= VRING_DESC_F_NEXT;
		add_desc(run, addr, len, flags);
	}
	make_available(run, head);
}

/* A table of descriptors, and one that names it */
static void add_indirect(struct run *run)
{
	uint8_t num = take8(run->in) % 70, i;
	uint16_t head = run->next;

	for (i = 0; i < num && run->in->left; i++) {
		uint8_t how = take8(run->in);

		put_desc(run, TABLE + i * sizeof(struct vring_desc),
			 machine_addr(run->m, (how & 0x40 ? HEADER : DATA) + i * 8), take8(run->in),
			 i, how & (VRING_DESC_F_WRITE | VRING_DESC_F_INDIRECT | VRING_DESC_F_NEXT),
			 how & 0x80 ? take8(run->in) : i + 1);
	}
	add_desc(run, machine_addr(run->m, TABLE), num * sizeof(struct vring_desc),
		 VRING_DESC_F_INDIRECT);
	make_available(run, head);
}

/* What requests of disks and of I2C begin with */
static void put_header(struct run *run)
{
	struct virtio_blk_outhdr blk = {
		.type = htole32(take8(run->in) % 16),
		.sector = htole64(take_edge(run->in)),
	};
	struct virtio_blk_discard_write_zeroes range = {
		.sector = htole64(take_edge(run->in)),
		.num_sectors = htole32(take_edge(run->in)),
		.flags = htole32(take8(run->in)),
	};
	struct virtio_i2c_out_hdr i2c = {
		.addr = htole16(take8(run->in) ? 0x68 << 1 : take16(run->in)),
		.flags = htole32(take8(run->in)),
	};

	put(run, HEADER, &blk, sizeof(blk));
	put(run, HEADER + 16, &range, sizeof(range));
	put(run, HEADER + 32, &i2c, sizeof(i2c));
}

static void step(struct run *run)
{
	switch (take8(run->in) % 10) {
	case 0:
		add_chain(run);
		break;
	case 1:
		add_indirect(run);
		break;
	case 2:
		put_header(run);
		break;
	case 3:
		take_poke(run->m, run->in);
		break;
	case 4:
		put16(run, DRIVER + take8(run->in), take_edge(run->in));
		break;
	case 5:
		fuzz_pass(take8(run->in));
		break;
	case 6:
		bring_up(run, take64(run->in), take_edge(run->in));
		break;
	case 7:
		slot_reset_queue(slot_of(run), take8(run->in) & 1);
		break;
	default:
		kick(run);
	}
}

/* One buffer of a driver that starts anew: is it used, and given back once? */
static void check_good_driver(struct run *run)
{
	static const uint8_t zeros[DATA];
	uint64_t unwanted = 1ULL << VIRTIO_F_RING_PACKED | 1ULL << VIRTIO_RING_F_EVENT_IDX;

	run->m->in = NULL;
	put(run, 0, zeros, sizeof(zeros));
	bring_up(run, unwanted, 8);
	run->m->interrupts = 0;
	add_desc(run, machine_addr(run->m, DATA), 64, VRING_DESC_F_WRITE);
	make_available(run, 0);
	kick(run);
	fuzz_pass(1);
	fuzz_check(machine_peek16(run->m, machine_addr(run->m, DEVICE + 2)) == 1);
	fuzz_check(run->m->interrupts == 1);
	fuzz_check(!(slot_of(run)->status & VIRTIO_CONFIG_S_NEEDS_RESET));
}

static struct device *make_device(struct input *in)
{
	static const char *const kinds[] = {
		"device=i2c,packed=on,in-order=on,notification-data=on",
		"device=blk,size=4096,packed=on",
		"device=blk,size=1024,packed=on,coalesce=off",
		"device=blk,size=512,read-only=on",
		"device=rng,packed=on",
		"device=rng,packed=on,delay=1000",
	};

	return machine_device(kinds[take8(in) % (sizeof(kinds) / sizeof(kinds[0]))]);
}

void fuzz_one(struct input *in)
{
	uint8_t bits = take8(in);
	struct run run = { .m = machine_new(bits & 1), .in = in };
	struct device *dev = make_device(in);

	run.m->win = window_create(&run.m->carrier, 0, &window_config_default);
	fuzz_check(run.m->win && dev && !slot_attach(&run.m->win->slots[0], dev));
	bring_up(&run, bits & 2 ? 1ULL << VIRTIO_F_RING_PACKED : 0, bits & 4 ? 64 : 4);
	run.m->in = bits & 8 ? in : NULL;
	while (in->left)
		step(&run);
	check_good_driver(&run);
	machine_free(run.m);
}
