/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest for the fuzzers: a carrier with one window, and memory whose bounds the
 * address sanitizer watches.
 */
#ifndef FUZZ_MACHINE_H
#define FUZZ_MACHINE_H

#include "fuzz.h"
#include "model/model.h"

#define GUEST_BASE	0x40000000ULL
#define GUEST_SIZE	0x10000ULL

/* A second piece of memory, far away from the first */
#define GUEST_HIGH	0x7fffffffffffe000ULL
#define GUEST_HIGH_SIZE	0x2000ULL

#define GUEST_CPUS	4

struct map;

/**
 * struct machine - the guest (struct guest is the parent's idea of one)
 * @carrier: first
 * @win: its window
 * @slot: the one that is being looked at, for machine_locked()
 * @in: where it takes from what it writes while the device looks; NULL: it does not
 * @grants: its memory is granted piece by piece
 * @granted: that memory, GUEST_SIZE bytes
 * @maps: what is mapped of it
 * @interrupts: how many it got
 * @waiting: how many of its CPUs wait for an access
 * @leaving: it goes, and is not gone yet
 */
struct machine {
	struct carrier carrier;
	struct window *win;
	unsigned int slot;
	struct input *in;
	bool grants;
	uint8_t *granted;
	struct map *maps;
	unsigned int interrupts;
	unsigned int waiting;
	bool leaving;
};

/*
 * A guest that is there; with grants, memory is mapped by copying it to where not a byte
 * too much of it can be touched unseen.
 */
struct machine *machine_new(bool grants);
void machine_free(struct machine *m);
/* The guest goes, and when it is gone the next one comes. */
void machine_reboot(struct machine *m);
/* Accesses of a CPU, if there is one that does not wait; what is loaded is nobody's concern. */
void machine_read(struct machine *m, uint64_t offset, unsigned int size);
void machine_write(struct machine *m, uint64_t offset, unsigned int size, uint64_t value);
/* Do @fn in a task, with the slot locked: now, or after what is under way */
void machine_locked(struct machine *m, void (*fn)(struct machine *m));
/* A device as "device=i2c,..." says; NULL: it cannot be */
struct device *machine_device(const char *options);

/* Write to the guest's memory, whoever has it mapped */
void machine_poke(struct machine *m, uint64_t addr, const void *data, size_t len);
/* Read from there, 16 bits in its byte order */
uint16_t machine_peek16(struct machine *m, uint64_t addr);
/* Address of the guest's memory at @offset */
uint64_t machine_addr(const struct machine *m, uint64_t offset);
/* An address as a hostile driver may choose it: mostly in its memory */
uint64_t take_addr(struct machine *m, struct input *in);
/* Write bytes of the input somewhere */
void take_poke(struct machine *m, struct input *in);
/* A status, mostly one of those that drivers write */
uint32_t take_status(struct input *in);

#endif
