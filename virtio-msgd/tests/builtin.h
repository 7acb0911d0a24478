/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest with a device that is built in, and the ring of its only queue.
 */
#ifndef TEST_BUILTIN_H
#define TEST_BUILTIN_H

#include "guest.h"

extern struct guest *g;
extern struct ring ring;

/* A device as "device=i2c,..." says, with options that it knows */
struct device *builtin_create(const char *options);
/* Its driver accepts @features and sets DRIVER_OK. */
void builtin_up(uint64_t features);
/* A guest with a device, and that */
void builtin_start(const char *options, uint64_t features);
/* cmocka's teardown, for who has called loop_setup() before */
int builtin_teardown(void **state);
/* Notify its queue. */
void builtin_kick(void);

#endif
