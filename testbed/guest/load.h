/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LOAD_H
#define LOAD_H

#include <stdint.h>

/* What an operation works on */
struct source {
	int fd;
	unsigned long address;
	void *buf;
	uint64_t done;
};

void die(const char *what);
uint64_t nanoseconds(void);
int open_file(const char *path, int flags);
unsigned long number(const char *text);
void *buffer(unsigned long size);

/* Print the time of COUNT operations, and of each */
void one_by_one(struct source *source, void (*operation)(struct source *source),
		unsigned long count);

/* file.c */
void ask_status(char **words);
void make_files(char **words);
void read_whole(char **words);
void write_whole(char **words);

/* stream.c */
void ping(char **words);
void send_all(char **words);
void receive_all(char **words);

#endif
