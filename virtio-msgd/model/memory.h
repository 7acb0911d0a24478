/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Guest memory: which addresses a guest may name, and where they are here.
 *
 * A carrier describes its guest's memory once with memory_add(), by regions of
 * a mappable file descriptor. Addresses that the guest made by granting (Xen:
 * bit 63 set) are in no region; they are mapped when needed by the carrier's
 * memory_ops. Whoever uses memory does not see the difference: it calls
 * memory_get() with an address from the guest, checks for NULL, and
 * memory_put()s the pointer when the device needs it no more.
 *
 * The guest writes this memory at any time: copy, then check the copy.
 */
#ifndef MSGD_MEMORY_H
#define MSGD_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A guest in more pieces than that is none that anybody uses */
#define MEMORY_MAX_REGIONS	4096

/* An address with this bit is a grant, where the carrier has memory_ops */
#define MEMORY_GRANT		(1ULL << 63)

/**
 * struct memory_region - a range of guest addresses
 * @gpa: its first guest physical address
 * @size: its size in bytes
 * @fd: what is mapped; owned by the memory
 * @offset: where in @fd the region starts
 * @read_only: the guest's devices may not write to it
 * @host: where it is mapped in this process
 *
 * For a vhost-user SET_MEM_TABLE, @host serves as the region's "user address".
 */
struct memory_region {
	uint64_t gpa;
	uint64_t size;
	int fd;
	uint64_t offset;
	bool read_only;
	uint8_t *host;
};

struct memory;

/**
 * struct memory_ops - mapping of granted memory, given by a carrier
 * @map: map @len bytes from the granted address @addr (MEMORY_GRANT is set);
 *	NULL if the guest did not grant all of it
 * @unmap: undo one map of the same pointer and length
 * @share: a new descriptor for one region, to be passed to another process; -errno.
 *	For memory with @xen set
 */
struct memory_ops {
	void *(*map)(struct memory *mem, uint64_t addr, size_t len, bool write);
	void (*unmap)(struct memory *mem, void *ptr, size_t len);
	int (*share)(const struct memory *mem);
};

/**
 * struct memory_xen - how another process can have a Xen guest's memory
 * @domid: the guest
 * @grants: by grant references, through gntdev: addresses with MEMORY_GRANT; otherwise
 *	as foreign memory, by guest frame number, through privcmd
 */
struct memory_xen {
	uint16_t domid;
	bool grants;
};

/**
 * struct memory - all memory of one guest
 * @regions: sorted by address, overlapping never
 * @num_regions: how many
 * @room: for so many
 * @generation: rises with every change of the regions (a guest that came or
 *	went, pages the carrier invalidated): pointers from before are looked up
 *	again, and a device that passed the regions on passes them on again
 * @removals: rises when some went: pointers from before are no longer good
 * @xen: it is a Xen guest's, which is not shared by the regions' descriptors; or NULL
 * @ops: mapping of grants, or NULL
 * @opaque: the carrier's, for @ops
 */
struct memory {
	struct memory_region *regions;
	unsigned int num_regions;
	unsigned int room;
	uint64_t generation;
	uint64_t removals;
	const struct memory_xen *xen;
	const struct memory_ops *ops;
	void *opaque;
};

/*
 * Add a region: maps it, and takes over @fd in every case. 0 or -errno:
 * -EINVAL for an empty or overlapping one or one that runs past the file's
 * end, -ENOSPC for too many.
 */
int memory_add(struct memory *mem, uint64_t gpa, uint64_t size, int fd,
	       uint64_t offset);

/* As memory_add(), and memory_get() to write there is NULL. */
int memory_add_read_only(struct memory *mem, uint64_t gpa, uint64_t size, int fd,
			 uint64_t offset);

/*
 * Add a region that is mapped already, e.g. foreign memory: @fd may be -1
 * (then no vhost-user backend can have it). memory_clear() unmaps it.
 */
int memory_add_mapped(struct memory *mem, uint64_t gpa, uint64_t size, int fd,
		      uint64_t offset, void *host);

/* Unmap the region that is exactly this, and raise the generation. 0 or -ENOENT */
int memory_remove(struct memory *mem, uint64_t gpa, uint64_t size);
/* Unmap all regions and raise the generation. */
void memory_clear(struct memory *mem);

/*
 * Guest address to pointer: NULL unless all of [addr, addr + len) is memory
 * of this guest, in one region or in one range of grants. @len is not 0.
 */
void *memory_get(struct memory *mem, uint64_t addr, uint64_t len, bool write);
void memory_put(struct memory *mem, void *ptr, uint64_t len);

/**
 * struct memory_ref - a range that is used again and again: a ring, a page
 * @addr: guest address
 * @len: length in bytes, 0: the reference holds nothing
 * @ptr: where it is, as of @generation
 * @generation: of the memory, when it was looked up
 */
struct memory_ref {
	uint64_t addr;
	uint64_t len;
	void *ptr;
	uint64_t generation;
};

/*
 * Hold a range, writable; 0 or -EFAULT. memory_ref_get() is what is called
 * before each use: it looks the address up again if the memory has changed,
 * and is NULL if the range is not there any more.
 */
int memory_ref_set(struct memory *mem, struct memory_ref *ref, uint64_t addr,
		   uint64_t len);
void *memory_ref_get(struct memory *mem, struct memory_ref *ref);
void memory_ref_clear(struct memory *mem, struct memory_ref *ref);

#endif
