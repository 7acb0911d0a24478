/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the fuzzers have in common. libFuzzer makes up bytes; each harness takes them
 * from struct input as the other side's doings, one after the other, until there are
 * no more. Nothing of a run is left for the next, and no run depends on the time of day:
 * the same bytes do the same thing.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/base.h"

/**
 * struct input - what is left of the bytes
 * @at: the next one
 * @left: how many
 */
struct input {
	const uint8_t *at;
	size_t left;
};

/* The next bytes as a number; zeros after the end */
uint8_t take8(struct input *in);
uint16_t take16(struct input *in);
uint32_t take32(struct input *in);
uint64_t take64(struct input *in);
/* A number that is mostly one at which things go wrong */
uint64_t take_edge(struct input *in);
/* The next @len bytes, or what is left of them: *@len says how many */
const uint8_t *take_bytes(struct input *in, size_t *len);
/* The same as text, up to the end of a line; to be freed by the caller */
char *take_line(struct input *in);

/* A run: each harness has one */
void fuzz_one(struct input *in);
/* What is to be done before the first run; a harness may leave it out */
void fuzz_setup(void);

/* End the run as a finding, if that is not so */
#define fuzz_check(true_thing) \
	do { \
		if (!(true_thing)) \
			fuzz_failed(__FILE__, __LINE__, #true_thing); \
	} while (0)
void fuzz_failed(const char *file, int line, const char *what) __attribute__((noreturn));

/* So many milliseconds pass, and what is due in the loop is done. */
void fuzz_pass(unsigned int ms);
/*
 * The other side, when somebody waits for it: it does something, or, false, it will not.
 * Who waits then has waited in vain, without any time going by in the world.
 */
extern bool (*fuzz_peer)(void);

/**
 * struct fuzz_address - where a socket listens
 * @un: in no directory: the kernel chooses a name
 * @len: of that
 */
struct fuzz_address {
	struct sockaddr_un un;
	socklen_t len;
};

/* A socket that listens somewhere: @where is filled in */
int fuzz_listen(struct fuzz_address *where);
/* A connection to it in place of *@fd, -1: there is no room */
void fuzz_connect(const struct fuzz_address *where, int *fd);
/* Both ends of a connection, neither of which blocks */
void fuzz_pair(int *ends);
/* Send @len bytes, as far as there is room, with @num descriptors */
void fuzz_send(int fd, const void *data, size_t len, const int *fds, unsigned int num);
/* Take what has come, and close the descriptors that came with it; how much, or -1 */
int fuzz_drain(int fd);
/* A file in memory with @size bytes */
int fuzz_memfd(size_t size);

#endif
