// SPDX-License-Identifier: GPL-2.0-only
#include "machine.h"

#include <endian.h>
#include <linux/virtio_config.h>
#include <stdlib.h>
#include <string.h>

#include "program/devices.h"

/**
 * struct map - a piece of granted memory that is mapped
 * @next: the next one
 * @addr: the guest's address
 * @len: of it
 * @write: what the device writes is the guest's to see
 * @copy: what the device has
 */
struct map {
	struct map *next;
	uint64_t addr;
	size_t len;
	bool write;
	uint8_t *copy;
};

static void *map_grant(struct memory *mem, uint64_t addr, size_t len, bool write)
{
	uint64_t offset = addr & ~MEMORY_GRANT;
	struct machine *m = mem->opaque;
	struct map *map;

	if (offset >= GUEST_SIZE || len > GUEST_SIZE - offset)
		return NULL;
	map = malloc(sizeof(*map));
	fuzz_check(map);
	*map = (struct map) { m->maps, addr, len, write, malloc(len) };
	fuzz_check(map->copy);
	memcpy(map->copy, m->granted + offset, len);
	m->maps = map;
	/* The guest has other CPUs, which go on */
	if (m->in && take8(m->in) == 1)
		take_poke(m, m->in);
	return map->copy;
}

static void unmap_grant(struct memory *mem, void *ptr, size_t len)
{
	struct machine *m = mem->opaque;
	struct map **at = &m->maps, *map;

	while (*at && (*at)->copy != ptr)
		at = &(*at)->next;
	map = *at;
	fuzz_check(map && map->len == len);
	*at = map->next;
	if (map->write)
		machine_poke(m, map->addr, map->copy, len);
	free(map->copy);
	free(map);
}

static const struct memory_ops grant_ops = {
	.map = map_grant,
	.unmap = unmap_grant,
};

static void interrupt(struct carrier *carrier, unsigned int w)
{
	(void)w;
	((struct machine *)carrier)->interrupts++;
}

static const struct carrier_ops ops = {
	.interrupt = interrupt,
};

static void add_memory(struct machine *m)
{
	struct memory *mem = &m->carrier.memory;

	if (m->grants)
		return;
	fuzz_check(!memory_add(mem, GUEST_BASE, GUEST_SIZE, fuzz_memfd(GUEST_SIZE), 0));
	fuzz_check(!memory_add(mem, GUEST_HIGH, GUEST_HIGH_SIZE, fuzz_memfd(GUEST_HIGH_SIZE), 0));
}

struct machine *machine_new(bool grants)
{
	struct machine *m = calloc(1, sizeof(*m));

	fuzz_check(m && !carrier_init(&m->carrier, &ops, "fuzz"));
	m->grants = grants;
	m->carrier.translates = grants;
	if (grants) {
		m->granted = calloc(1, GUEST_SIZE);
		m->carrier.memory.ops = &grant_ops;
		m->carrier.memory.opaque = m;
	}
	add_memory(m);
	return m;
}

void machine_free(struct machine *m)
{
	m->in = NULL;
	task_finish(0);
	fuzz_check(!m->waiting && !m->leaving);
	carrier_release(&m->carrier);
	/* Whoever had memory of the guest has let go of it */
	fuzz_check(!m->maps);
	free(m->granted);
	free(m);
}

static void gone(struct carrier *carrier)
{
	struct machine *m = (struct machine *)carrier;

	fuzz_check(!m->maps);
	add_memory(m);
	m->leaving = false;
}

void machine_reboot(struct machine *m)
{
	if (m->leaving)
		return;
	m->leaving = true;
	carrier_guest_gone(&m->carrier, gone);
}

struct cpu {
	struct window_access access;
	struct machine *m;
};

static void on_done(struct window_access *access)
{
	struct cpu *cpu = (struct cpu *)access;

	fuzz_check(cpu->m->waiting);
	cpu->m->waiting--;
	free(cpu);
}

static void access_window(struct machine *m, uint64_t offset, unsigned int size, bool write,
			  uint64_t value)
{
	struct cpu *cpu;

	/* All of them wait */
	if (m->waiting == GUEST_CPUS)
		return;
	cpu = calloc(1, sizeof(*cpu));
	fuzz_check(cpu);
	*cpu = (struct cpu) {
		{ .offset = offset, .size = size, .write = write, .value = value, .done = on_done },
		m,
	};
	m->waiting++;
	window_access(m->win, &cpu->access);
}

void machine_read(struct machine *m, uint64_t offset, unsigned int size)
{
	access_window(m, offset, size, false, 0);
}

void machine_write(struct machine *m, uint64_t offset, unsigned int size, uint64_t value)
{
	access_window(m, offset, size, true, value);
}

struct turn {
	struct machine *m;
	void (*fn)(struct machine *m);
};

static void take_turn(void *arg)
{
	struct turn turn = *(struct turn *)arg;
	struct slot *slot = &turn.m->win->slots[turn.m->slot];

	free(arg);
	task_lock(&slot->lock);
	turn.fn(turn.m);
	task_unlock(&slot->lock);
}

void machine_locked(struct machine *m, void (*fn)(struct machine *m))
{
	struct turn *turn = malloc(sizeof(*turn));

	fuzz_check(turn);
	*turn = (struct turn) { m, fn };
	task_run(take_turn, turn);
}

struct device *machine_device(const char *options)
{
	struct params params = { 0 };
	struct device *dev = NULL;
	struct errmsg err;

	if (!params_parse(&params, options, NULL, &err))
		devices_create(&params, &dev, &err);
	params_free(&params);
	return dev;
}

/* As far as @at, @len bytes long, is in a piece of memory at @start, @size bytes long */
static void copy_common(uint8_t *to, uint64_t start, uint64_t size, uint64_t at,
			const uint8_t *data, uint64_t len)
{
	uint64_t skip = at < start ? start - at : 0;
	uint64_t offset = at > start ? at - start : 0;

	if (skip >= len || offset >= size)
		return;
	len -= skip;
	memcpy(to + offset, data + skip, len < size - offset ? len : size - offset);
}

void machine_poke(struct machine *m, uint64_t addr, const void *data, size_t len)
{
	const struct memory *mem = &m->carrier.memory;
	struct map *map;
	unsigned int i;

	for (i = 0; i < mem->num_regions; i++)
		copy_common(mem->regions[i].host, mem->regions[i].gpa, mem->regions[i].size,
			    addr, data, len);
	if (!m->grants || !(addr & MEMORY_GRANT))
		return;
	copy_common(m->granted, MEMORY_GRANT, GUEST_SIZE, addr, data, len);
	for (map = m->maps; map; map = map->next) {
		if (map->copy != data)
			copy_common(map->copy, map->addr, map->len, addr, data, len);
	}
}

uint16_t machine_peek16(struct machine *m, uint64_t addr)
{
	struct input *in = m->in;
	const struct map *map = m->maps;
	uint16_t value = 0, *at;

	while (map && (addr < map->addr || addr - map->addr + sizeof(value) > map->len))
		map = map->next;
	if (map) {
		memcpy(&value, map->copy + (addr - map->addr), sizeof(value));
		return le16toh(value);
	}
	m->in = NULL;
	at = memory_get(&m->carrier.memory, addr, sizeof(*at), false);
	fuzz_check(at);
	value = *at;
	memory_put(&m->carrier.memory, at, sizeof(*at));
	m->in = in;
	return le16toh(value);
}

uint64_t machine_addr(const struct machine *m, uint64_t offset)
{
	return (m->grants ? MEMORY_GRANT : GUEST_BASE) + offset;
}

uint64_t take_addr(struct machine *m, struct input *in)
{
	switch (take8(in)) {
	case 1:
		return GUEST_HIGH + take16(in);
	case 2:
		return take64(in);
	case 3:
		return machine_addr(m, GUEST_SIZE - take8(in));
	default:
		return machine_addr(m, take16(in));
	}
}

void take_poke(struct machine *m, struct input *in)
{
	uint64_t addr = take_addr(m, in);
	size_t len = take8(in);
	const uint8_t *data = take_bytes(in, &len);

	machine_poke(m, addr, data, len);
}

uint32_t take_status(struct input *in)
{
	static const uint8_t usual[] = {
		0, VIRTIO_CONFIG_S_ACKNOWLEDGE, VIRTIO_CONFIG_S_DRIVER,
		VIRTIO_CONFIG_S_FEATURES_OK, VIRTIO_CONFIG_S_DRIVER_OK,
		VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK,
		VIRTIO_CONFIG_S_FAILED,
	};
	uint8_t choice = take8(in);

	return choice < sizeof(usual) ? usual[choice] : take32(in);
}
