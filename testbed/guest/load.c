// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs in the guest: makes a device work and says how long that took.
 *
 *	load i2c ADAPTER ADDRESS COUNT	one transfer of one byte at a time
 *	load disk DISK COUNT		one read of a sector at a time
 *	load queue DISK DEPTH COUNT	reads of a sector, DEPTH of them at a time
 *	load burst DISK DEPTH		DEPTH reads of a sector, handed in one by one
 *	load file PATH COUNT		reads of a (sysfs) file from its start
 *	load bind DRIVER DEVICE COUNT	unbinds a device from, and binds it to, a driver
 *	load status FILE COUNT		one question for a file's status at a time
 *	load small DIRECTORY COUNT	one file at a time made, written, closed, unlinked
 *	load read FILE BYTES		read a file, a MiB at a time
 *	load write FILE BYTES		write it
 *	load ping FAMILY HOST PORT COUNT	one byte to a server and back at a time
 *	load send FAMILY HOST PORT BYTES	a stream to a server
 *	load receive FAMILY HOST PORT BYTES	a stream from a server
 *
 * FAMILY is tcp or vsock. Prints the nanoseconds of the whole run on a line and then, for
 * what is done one at a time, those of each operation; for "bind", those of each bind and
 * nothing else.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/i2c-dev.h>
#include <linux/i2c.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "load.h"

#define SECTOR		512
#define SPAN		(8192 * SECTOR)	/* what is read of a disk, again and again */
#define STRIDE		(8 * SECTOR)	/* not side by side: the block layer would merge them */
#define MAX_DEPTH	256
#define WARM_UP		64		/* operations before anything is measured */

void die(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	exit(1);
}

uint64_t nanoseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

/* In User Mode Linux asking for the time is a system call; elsewhere it is not. */
static uint64_t ticks(void)
{
#ifdef __x86_64__
	return __builtin_ia32_rdtsc();
#else
	return nanoseconds();
#endif
}

int open_file(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC);

	if (fd < 0)
		die(path);
	return fd;
}

unsigned long number(const char *text)
{
	char *end;
	unsigned long value = strtoul(text, &end, 0);

	if (end == text || *end || !value) {
		fprintf(stderr, "load: \"%s\" is no number\n", text);
		exit(2);
	}
	return value;
}

/*
 * As O_DIRECT wants it. Written to, or all of it would be the kernel's one page of
 * zeros, which in User Mode Linux is not in the memory that a device sees.
 */
void *buffer(unsigned long size)
{
	void *buf = aligned_alloc(4096, (size + 4095) / 4096 * 4096);

	if (!buf)
		die("memory");
	return memset(buf, 'x', size);
}

/* One operation at a time */

static void transfer(struct source *source)
{
	struct i2c_msg msg = {
		.addr = source->address,
		.flags = I2C_M_RD,
		.len = 1,
		.buf = source->buf,
	};
	struct i2c_rdwr_ioctl_data data = { .msgs = &msg, .nmsgs = 1 };

	if (ioctl(source->fd, I2C_RDWR, &data) != 1)
		die("transfer");
}

static void read_sector(struct source *source)
{
	off_t offset = source->done++ * STRIDE % SPAN;

	if (pread(source->fd, source->buf, SECTOR, offset) != SECTOR)
		die("read");
}

void one_by_one(struct source *source, void (*operation)(struct source *source),
		unsigned long count)
{
	uint64_t *taken = calloc(count, sizeof(*taken)), started, start, total;
	unsigned long i;
	double scale;

	if (!taken)
		die("memory");
	for (i = 0; i < WARM_UP; i++)
		operation(source);
	started = nanoseconds();
	start = ticks();
	for (i = 0; i < count; i++) {
		uint64_t before = ticks();

		operation(source);
		taken[i] = ticks() - before;
	}
	start = ticks() - start;
	total = nanoseconds() - started;

	printf("%llu\n", (unsigned long long)total);
	scale = (double)total / start;
	for (i = 0; i < count; i++)
		printf("%.0f\n", taken[i] * scale);
	free(taken);
}

/* Many at a time */

static void fill(struct iocb *iocb, int fd, uint8_t *bufs, uint64_t slot, uint64_t place)
{
	*iocb = (struct iocb) {
		.aio_data = slot,
		.aio_lio_opcode = IOCB_CMD_PREAD,
		.aio_fildes = fd,
		.aio_buf = (uintptr_t)(bufs + slot * SECTOR),
		.aio_nbytes = SECTOR,
		.aio_offset = place * STRIDE % SPAN,
	};
}

static void submit(aio_context_t context, struct iocb **list, long num, long at_once)
{
	long i;

	for (i = 0; i < num; i += at_once) {
		if (syscall(SYS_io_submit, context, at_once, list + i) != at_once)
			die("io_submit");
	}
}

/*
 * Whatever is complete is handed in again at once: DEPTH are always under way. The
 * block layer makes one notification of what is handed in together.
 */
static void queue(const char *disk, unsigned long depth, unsigned long count, bool together)
{
	static struct iocb iocbs[MAX_DEPTH], *list[MAX_DEPTH];
	static struct io_event events[MAX_DEPTH];
	int fd = open_file(disk, O_RDONLY | O_DIRECT);
	uint8_t *bufs = buffer(depth * SECTOR);
	unsigned long sent = 0, done = 0;
	aio_context_t context = 0;
	long ready = depth, i;
	uint64_t started;

	if (syscall(SYS_io_setup, depth, &context))
		die("io_setup");
	for (i = 0; i < ready; i++)
		events[i].data = i;
	started = nanoseconds();
	while (done < count) {
		long num = 0;

		for (i = 0; i < ready && sent < count; i++, sent++, num++) {
			list[num] = &iocbs[events[i].data];
			fill(list[num], fd, bufs, events[i].data, sent);
		}
		if (num)
			submit(context, list, num, together ? num : 1);
		ready = syscall(SYS_io_getevents, context, 1, depth, events, NULL);
		if (ready < 1)
			die("io_getevents");
		for (i = 0; i < ready; i++) {
			if (events[i].res != SECTOR) {
				errno = EIO;
				die("read");
			}
		}
		done += ready;
	}
	printf("%llu\n", (unsigned long long)(nanoseconds() - started));
	syscall(SYS_io_destroy, context);
}

static void read_again(char **words)
{
	int fd = open_file(words[0], O_RDONLY);
	unsigned long count = number(words[1]), i;
	uint64_t started = nanoseconds();
	char text[256];

	for (i = 0; i < count; i++) {
		if (pread(fd, text, sizeof(text), 0) <= 0)
			die(words[0]);
	}
	printf("%llu\n", (unsigned long long)(nanoseconds() - started));
}

static void write_file(int dir, const char *name, const char *text)
{
	int fd = openat(dir, name, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		die(name);
	close(fd);
}

static void bind_again(char **words)
{
	int dir = open_file(words[0], O_RDONLY | O_DIRECTORY);
	unsigned long count = number(words[2]);
	uint64_t started;

	while (count--) {
		write_file(dir, "unbind", words[1]);
		started = nanoseconds();
		write_file(dir, "bind", words[1]);
		printf("%llu\n", (unsigned long long)(nanoseconds() - started));
	}
}

static void i2c(char **words)
{
	struct source source = {
		.fd = open_file(words[0], O_RDWR),
		.address = number(words[1]),
		.buf = buffer(1),
	};

	one_by_one(&source, transfer, number(words[2]));
}

static void disk(char **words)
{
	struct source source = {
		.fd = open_file(words[0], O_RDONLY | O_DIRECT),
		.buf = buffer(SECTOR),
	};

	one_by_one(&source, read_sector, number(words[1]));
}

static unsigned long depth_of(const char *text)
{
	unsigned long depth = number(text);

	if (depth > MAX_DEPTH) {
		fprintf(stderr, "load: a depth of %lu: %d at most\n", depth, MAX_DEPTH);
		exit(2);
	}
	return depth;
}

static void deep(char **words)
{
	queue(words[0], depth_of(words[1]), number(words[2]), true);
}

static void burst(char **words)
{
	queue(words[0], depth_of(words[1]), depth_of(words[1]), false);
}

static const struct command {
	const char *name;
	int words;
	void (*run)(char **words);
} commands[] = {
	{ "i2c", 3, i2c },
	{ "disk", 2, disk },
	{ "queue", 3, deep },
	{ "burst", 2, burst },
	{ "file", 2, read_again },
	{ "bind", 3, bind_again },
	{ "status", 2, ask_status },
	{ "small", 2, make_files },
	{ "read", 2, read_whole },
	{ "write", 2, write_whole },
	{ "ping", 4, ping },
	{ "send", 4, send_all },
	{ "receive", 4, receive_all },
};

int main(int argc, char **argv)
{
	size_t i;

	/* Nothing is printed while time is taken: consoles are devices, too */
	setvbuf(stdout, NULL, _IOFBF, BUFSIZ);
	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		const struct command *command = &commands[i];

		if (argc == command->words + 2 && !strcmp(argv[1], command->name)) {
			command->run(argv + 2);
			return 0;
		}
	}
	fprintf(stderr, "usage: load i2c|disk|queue|burst|file|status|small|read|write|ping|send|receive ARGUMENT...\n");
	return 2;
}
