// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory of a Xen guest: by grants, mapped as they are needed, or all of its RAM,
 * mapped when the guest is found.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "carriers/xen/internal.h"

/* No ring and no buffer of a request is longer: what one map may cost here */
#define MAX_GRANTS	4096
/* Grant addresses: MEMORY_GRANT, the reference, the offset in its page */
#define GRANT_REFERENCE(addr)	(((addr) & ~MEMORY_GRANT) >> XEN_PAGE_SHIFT)
#define PAGE_OFFSET(addr)	((addr) & (XEN_PAGE_SIZE - 1))

/* A guest's RAM, by Xen's memory map for arm guests (xen/arch-arm.h) */
static const struct {
	uint64_t base;
	uint64_t size;
} banks[] = {
	{ 0x40000000, 0xc0000000 },
	{ 0x200000000, 0xfe00000000 },
};

static unsigned int pages_of(uint64_t addr, size_t len)
{
	return (PAGE_OFFSET(addr) + len + XEN_PAGE_SIZE - 1) >> XEN_PAGE_SHIFT;
}

static void *map_grants(struct memory *mem, uint64_t addr, size_t len, bool write)
{
	struct xen_device *dev = mem->opaque;
	uint64_t first = GRANT_REFERENCE(addr);
	unsigned int i, count;
	uint32_t *refs;
	uint8_t *ptr = NULL;

	if (len > MAX_GRANTS * XEN_PAGE_SIZE)
		goto refuse;
	count = pages_of(addr, len);
	if (count > MAX_GRANTS || first + count - 1 > UINT32_MAX)
		goto refuse;
	refs = calloc(count, sizeof(*refs));
	if (!refs)
		return NULL;
	for (i = 0; i < count; i++)
		refs[i] = first + i;
	ptr = xengnttab_map_domain_grant_refs(dev->guest->gnttab, count,
					      dev->guest->domid, refs,
					      write ? PROT_READ | PROT_WRITE :
						      PROT_READ);
	free(refs);
	if (ptr) {
		dev->carrier.windows[0]->counters.grants += count;
		return ptr + PAGE_OFFSET(addr);
	}
refuse:
	log_limited(&dev->carrier.log, "%s: the guest did not grant %zu bytes at reference %#llx",
		    dev->carrier.name, len, (unsigned long long)first);
	return NULL;
}

static void unmap_grants(struct memory *mem, void *ptr, size_t len)
{
	struct xen_device *dev = mem->opaque;

	xengnttab_unmap(dev->guest->gnttab, (void *)((uintptr_t)ptr & ~(XEN_PAGE_SIZE - 1)),
			pages_of((uintptr_t)ptr, len));
}

static int share(const struct memory *mem)
{
	const struct xen_device *dev = mem->opaque;

	return xen_ask_device(dev->grants);
}

static const struct memory_ops grant_ops = {
	.map = map_grants,
	.unmap = unmap_grants,
	.share = share,
};

/* A guest whose RAM is mapped has no business with grants. */
static void *map_nothing(struct memory *mem, uint64_t addr, size_t len, bool write)
{
	(void)mem;
	(void)addr;
	(void)len;
	(void)write;
	return NULL;
}

static void unmap_nothing(struct memory *mem, void *ptr, size_t len)
{
	(void)mem;
	(void)ptr;
	(void)len;
}

static const struct memory_ops foreign_ops = {
	.map = map_nothing,
	.unmap = unmap_nothing,
	.share = share,
};

/* Map @count frames from @gfn; err[] tells which are there. NULL with errno set */
static void *map_frames(struct xen_guest *guest, uint64_t gfn, size_t count,
			int *err)
{
	xen_pfn_t *frames = calloc(count, sizeof(*frames));
	void *ptr;
	size_t i;

	if (!frames)
		return NULL;
	for (i = 0; i < count; i++)
		frames[i] = gfn + i;
	ptr = xenforeignmemory_map(guest->fmem, guest->domid,
				   PROT_READ | PROT_WRITE, count, frames, err);
	free(frames);
	return ptr;
}

/* Map one stretch of frames that are all there. */
static int add_stretch(struct xen_device *dev, uint64_t gfn, size_t count)
{
	void *ptr = map_frames(dev->guest, gfn, count, NULL);

	if (!ptr)
		return -errno;
	if (memory_add_mapped(&dev->carrier.memory, gfn << XEN_PAGE_SHIFT,
			      count << XEN_PAGE_SHIFT, -1, 0, ptr)) {
		xenforeignmemory_unmap(dev->guest->fmem, ptr, count);
		return -ENOSPC;
	}
	return 0;
}

/* Holes are left out: a region is mapped whole or not at all. */
static int add_bank(struct xen_device *dev, uint64_t gfn, size_t count)
{
	int *err = calloc(count, sizeof(*err));
	size_t start = 0, i;
	int ret = 0;
	void *ptr;

	if (!err)
		return -ENOMEM;
	ptr = map_frames(dev->guest, gfn, count, err);
	if (!ptr) {
		free(err);
		return -errno;
	}
	xenforeignmemory_unmap(dev->guest->fmem, ptr, count);
	for (i = 0; i <= count && !ret; i++) {
		if (i < count && !err[i])
			continue;
		if (i > start)
			ret = add_stretch(dev, gfn + start, i - start);
		start = i + 1;
	}
	free(err);
	return ret;
}

static int map_ram(struct xen_device *dev)
{
	uint64_t left = dev->guest->ram_kib << 10, size;
	unsigned int i;
	int ret = 0;

	for (i = 0; i < sizeof(banks) / sizeof(banks[0]) && left && !ret; i++) {
		size = left < banks[i].size ? left : banks[i].size;
		left -= size;
		ret = add_bank(dev, banks[i].base >> XEN_PAGE_SHIFT,
			       size >> XEN_PAGE_SHIFT);
	}
	return ret;
}

int xen_memory_open(struct xen_device *dev, struct errmsg *err)
{
	struct memory *mem = &dev->carrier.memory;
	int ret;

	dev->shared = (struct memory_xen) { .domid = dev->guest->domid, .grants = dev->grants };
	mem->xen = &dev->shared;
	mem->opaque = dev;
	if (!dev->grants) {
		mem->ops = &foreign_ops;
		ret = map_ram(dev);
		if (ret)
			return errmsg_set(err, "cannot map the guest's %llu KiB of RAM: %s",
					  (unsigned long long)dev->guest->ram_kib,
					  strerror(-ret));
		return 0;
	}
	mem->ops = &grant_ops;
	return 0;
}
