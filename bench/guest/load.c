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
 *
 * Prints the nanoseconds of the whole run on a line and then, for "i2c" and "disk",
 * those of each operation; for "bind", those of each bind and nothing else.
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

#define SECTOR		512
#define SPAN		(8192 * SECTOR)	/* what is read of a disk, again and again */
#define STRIDE		(8 * SECTOR)	/* not side by side: the block layer would merge them */
#define MAX_DEPTH	256
#define WARM_UP		64		/* operations before anything is measured */

static void die(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t nanoseconds(void)
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

static int open_file(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC);

	if (fd < 0)
		die(path);
	return fd;
}

static unsigned long number(const char *text)
{
	char *end;
	unsigned long value = strtoul(text, &end, 0);

	if (end == text || *end || !value) {
		fprintf(stderr, "load: \"%s\" is no number\n", text);
		exit(2);
	}
	return value;
}

static void *sectors(unsigned long num)
{
	void *buf = aligned_alloc(4096, (num * SECTOR + 4095) / 4096 * 4096);

	if (!buf)
		die("memory");
	return buf;
}

/* One operation at a time */

struct source {
	int fd;
	unsigned long address;
	void *buf;
	uint64_t done;
};

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

static void one_by_one(struct source *source, void (*operation)(struct source *source),
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
	uint8_t *bufs = sectors(depth);
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

static void read_file(const char *path, unsigned long count)
{
	int fd = open_file(path, O_RDONLY);
	uint64_t started = nanoseconds();
	unsigned long i;
	char text[256];

	for (i = 0; i < count; i++) {
		if (pread(fd, text, sizeof(text), 0) <= 0)
			die(path);
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

static void bind_device(const char *driver, const char *device, unsigned long count)
{
	int dir = open_file(driver, O_RDONLY | O_DIRECTORY);
	uint64_t started;

	while (count--) {
		write_file(dir, "unbind", device);
		started = nanoseconds();
		write_file(dir, "bind", device);
		printf("%llu\n", (unsigned long long)(nanoseconds() - started));
	}
}

int main(int argc, char **argv)
{
	struct source source = { 0 };

	/* Nothing is printed while time is taken: consoles are devices, too */
	setvbuf(stdout, NULL, _IOFBF, BUFSIZ);
	if (argc == 5 && !strcmp(argv[1], "i2c")) {
		source.fd = open_file(argv[2], O_RDWR);
		source.address = number(argv[3]);
		source.buf = sectors(1);
		one_by_one(&source, transfer, number(argv[4]));
	} else if (argc == 4 && !strcmp(argv[1], "disk")) {
		source.fd = open_file(argv[2], O_RDONLY | O_DIRECT);
		source.buf = sectors(1);
		one_by_one(&source, read_sector, number(argv[3]));
	} else if (argc == 5 && !strcmp(argv[1], "queue") && number(argv[3]) <= MAX_DEPTH) {
		queue(argv[2], number(argv[3]), number(argv[4]), true);
	} else if (argc == 4 && !strcmp(argv[1], "burst") && number(argv[3]) <= MAX_DEPTH) {
		queue(argv[2], number(argv[3]), number(argv[3]), false);
	} else if (argc == 4 && !strcmp(argv[1], "file")) {
		read_file(argv[2], number(argv[3]));
	} else if (argc == 5 && !strcmp(argv[1], "bind")) {
		bind_device(argv[2], argv[3], number(argv[4]));
	} else {
		fprintf(stderr, "usage: load i2c|disk|queue|burst|file|bind ARGUMENT...\n");
		return 2;
	}
	return 0;
}
