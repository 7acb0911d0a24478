// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files of a mounted file system. Nothing is answered by the guest's caches: data goes
 * past them with O_DIRECT, a file's status is asked for anew each time.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "load.h"

#define BLOCK		(1UL << 20)	/* of a file that is read or written whole */
#define SMALL		4096		/* what is written to a small file */

static void file_status(struct source *source)
{
	struct statx status;

	if (statx(source->fd, "", AT_EMPTY_PATH | AT_STATX_FORCE_SYNC, STATX_BASIC_STATS,
		  &status))
		die("statx");
}

void ask_status(char **words)
{
	struct source source = { .fd = open_file(words[0], O_RDONLY) };

	one_by_one(&source, file_status, number(words[1]));
}

static void small_file(struct source *source)
{
	int fd = openat(source->fd, "small", O_WRONLY | O_CREAT | O_EXCL | O_DIRECT | O_CLOEXEC,
			0600);

	if (fd < 0)
		die("create");
	if (write(fd, source->buf, SMALL) != SMALL)
		die("write");
	if (close(fd))
		die("close");
	if (unlinkat(source->fd, "small", 0))
		die("unlink");
}

void make_files(char **words)
{
	struct source source = {
		.fd = open_file(words[0], O_RDONLY | O_DIRECTORY),
		.buf = buffer(SMALL),
	};

	one_by_one(&source, small_file, number(words[1]));
}

static void whole(int fd, unsigned long size, ssize_t (*move)(int fd, void *buf))
{
	uint64_t started = nanoseconds();
	void *buf = buffer(BLOCK);
	unsigned long done;

	for (done = 0; done < size; done += BLOCK) {
		if (move(fd, buf) != BLOCK) {
			errno = EIO;
			die("a block");
		}
	}
	printf("%llu\n", (unsigned long long)(nanoseconds() - started));
}

static ssize_t read_block(int fd, void *buf)
{
	return read(fd, buf, BLOCK);
}

static ssize_t write_block(int fd, void *buf)
{
	return write(fd, buf, BLOCK);
}

void read_whole(char **words)
{
	whole(open_file(words[0], O_RDONLY | O_DIRECT), number(words[1]), read_block);
}

void write_whole(char **words)
{
	whole(open_file(words[0], O_WRONLY | O_DIRECT), number(words[1]), write_block);
}
