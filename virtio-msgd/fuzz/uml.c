// SPDX-License-Identifier: GPL-2.0-only
/*
 * What comes over the socket of a User Mode Linux guest: connections, descriptors, hello and
 * accesses, in any order and in pieces.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "carriers/uml/uml.h"
#include "machine.h"
#include "mmio_sock.h"

#define CONNS	4
#define FILE_SIZE	(GUEST_SIZE + 4096)

/**
 * struct run - a carrier, and who connects to it
 * @in: the input
 * @carrier: the carrier
 * @where: it listens
 * @fds: connections, -1: none
 * @memory: the guest's memory, a page with the pending bits in front
 * @bells: a doorbell
 */
struct run {
	struct input *in;
	struct carrier *carrier;
	struct fuzz_address where;
	int fds[CONNS];
	int memory;
	int bells[2];
};

static void add_windows(struct run *run)
{
	static const char *const kinds[] = {
		"device=i2c", "device=blk,size=512,packed=on", "device=rng",
	};
	const unsigned int num = sizeof(kinds) / sizeof(kinds[0]);
	unsigned int w;

	for (w = 0; w < num; w++) {
		struct window_config config = window_config_default;
		struct window *win;

		config.mmio = w == 1;
		win = window_create(run->carrier, w, &config);
		fuzz_check(win && !slot_attach(&win->slots[0], machine_device(kinds[w])));
	}
}

static void start(struct run *run)
{
	struct params params = { 0 };
	struct errmsg err;
	unsigned int i;

	fuzz_check(!params_parse(&params, "path=/nowhere", NULL, &err));
	run->carrier = carrier_uml_create(&params, fuzz_listen(&run->where), &err);
	params_free(&params);
	fuzz_check(run->carrier);
	add_windows(run);
	run->memory = fuzz_memfd(FILE_SIZE);
	fuzz_pair(run->bells);
	for (i = 0; i < CONNS; i++)
		run->fds[i] = -1;
}

static void stop(struct run *run)
{
	unsigned int i;

	for (i = 0; i < CONNS; i++) {
		if (run->fds[i] >= 0)
			close(run->fds[i]);
	}
	fuzz_pass(0);
	fuzz_check(!run->carrier->guest && !run->carrier->memory.num_regions);
	run->carrier->ops->close(run->carrier);
	close(run->memory);
	close(run->bells[0]);
	close(run->bells[1]);
}

/* Bytes, maybe in two pieces, between which the other side has a look */
static void send_pieces(struct run *run, int fd, const void *data, size_t len, const int *fds,
			unsigned int num)
{
	size_t first = take8(run->in);

	if (!first || first > len)
		first = len;
	fuzz_send(fd, data, first, fds, num);
	fuzz_pass(0);
	if (first < len) {
		fuzz_send(fd, (const char *)data + first, len - first, fds, num & 1);
		fuzz_pass(0);
	}
}

/* A good one, with a field that is not */
static void say_hello(struct run *run, int fd)
{
	struct mmio_sock_hello hello = {
		.magic = MMIO_SOCK_MAGIC,
		.version = MMIO_SOCK_VERSION,
		.size = 0x1000,
		.mem_base = GUEST_BASE,
		.mem_size = GUEST_SIZE,
		.mem_offset = 4096,
		.num_irqs = 8,
	};
	const int fds[] = { run->memory, run->bells[1], run->memory, run->bells[0] };
	uint8_t how = take8(run->in);
	size_t at = how % (sizeof(hello) / 4) * 4, num = 2;
	uint64_t value;

	if (how & 0x80) {
		value = take_edge(run->in);
		memcpy((char *)&hello + at, &value, at % 8 ? 4 : 8);
	}
	if (how & 0x40)
		num = take8(run->in) % 5;
	send_pieces(run, fd, &hello, sizeof(hello), fds, num);
}

static void access_window(struct run *run, int fd)
{
	uint8_t how = take8(run->in);
	struct mmio_sock_access access = {
		.op = how & 0x80 ? MMIO_SOCK_READ : how & 0x40 ? MMIO_SOCK_WRITE : how,
		.size = how & 0x20 ? take8(run->in) : how & 0x10 ? 8 : 4,
		.offset = how & 8 ? take_edge(run->in) :
			  (how & 3) * WINDOW_SIZE + take8(run->in) * 4,
		.value = how & 4 ? GUEST_BASE + take16(run->in) : take_edge(run->in),
	};

	send_pieces(run, fd, &access, sizeof(access), NULL, 0);
}

static void send_bytes(struct run *run, int fd)
{
	const int fds[] = { run->memory, run->bells[1], run->memory, run->bells[1],
			    run->memory };
	unsigned int num = take8(run->in) % 6;
	size_t len = take8(run->in);
	const uint8_t *data = take_bytes(run->in, &len);

	send_pieces(run, fd, data, len, fds, num);
}

/* The guest cuts its memory off, or writes to it. */
static void change_memory(struct run *run)
{
	uint8_t choice = take8(run->in);
	size_t len = take8(run->in);
	const uint8_t *data;

	if (choice < 3) {
		fuzz_check(!ftruncate(run->memory, choice * 4096));
	} else if (choice == 3) {
		fuzz_check(!ftruncate(run->memory, FILE_SIZE));
	} else {
		data = take_bytes(run->in, &len);
		fuzz_check(pwrite(run->memory, data, len, take16(run->in)) == (ssize_t)len);
	}
}

static void step(struct run *run)
{
	uint8_t choice = take8(run->in);
	int *fd = &run->fds[choice / 16 % CONNS];

	switch (choice % 16) {
	case 0:
		fuzz_connect(&run->where, fd);
		break;
	case 1:
		fuzz_connect(&run->where, fd);
		say_hello(run, *fd);
		break;
	case 2:
		say_hello(run, *fd);
		break;
	case 3:
		send_bytes(run, *fd);
		break;
	case 4:
		if (*fd >= 0)
			close(*fd);
		*fd = -1;
		break;
	case 5:
		shutdown(*fd, take8(run->in) % 3);
		break;
	case 6:
		fuzz_pass(take16(run->in));
		break;
	case 7:
		change_memory(run);
		break;
	case 8:
		fuzz_drain(run->bells[0]);
		break;
	default:
		access_window(run, *fd);
	}
	if (*fd >= 0)
		fuzz_drain(*fd);
}

void fuzz_one(struct input *in)
{
	struct run run = { .in = in };

	start(&run);
	while (in->left)
		step(&run);
	stop(&run);
}
