// SPDX-License-Identifier: GPL-2.0-only
#include "model/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base.h"

/* The first region that ends after @gpa: how many are before it */
static unsigned int find(const struct memory *mem, uint64_t gpa)
{
	unsigned int low = 0, high = mem->num_regions;

	while (low < high) {
		unsigned int mid = low + (high - low) / 2;
		const struct memory_region *r = &mem->regions[mid];

		if (gpa - r->gpa < r->size || gpa < r->gpa)
			high = mid;
		else
			low = mid + 1;
	}
	return low;
}

/* Where a new region may go, or why not */
static int region_check(const struct memory *mem, uint64_t gpa, uint64_t size)
{
	unsigned int at = find(mem, gpa);

	if (!size || gpa + size < gpa ||
	    (at < mem->num_regions && mem->regions[at].gpa < gpa + size))
		return -EINVAL;
	if (mem->ops && (gpa + size - 1) & MEMORY_GRANT)
		return -EINVAL;
	if (mem->num_regions == MEMORY_MAX_REGIONS)
		return -ENOSPC;
	return 0;
}

/* Room for one more */
static int make_room(struct memory *mem)
{
	unsigned int room = mem->room ? mem->room * 2 : 4;
	struct memory_region *regions;

	if (mem->num_regions < mem->room)
		return 0;
	regions = reallocarray(mem->regions, room, sizeof(*regions));
	if (!regions)
		return -ENOMEM;
	mem->regions = regions;
	mem->room = room;
	return 0;
}

int memory_add_mapped(struct memory *mem, uint64_t gpa, uint64_t size, int fd,
		      uint64_t offset, void *host)
{
	int ret = region_check(mem, gpa, size);
	unsigned int at = find(mem, gpa);

	if (!ret)
		ret = make_room(mem);
	if (ret)
		return ret;
	memmove(&mem->regions[at + 1], &mem->regions[at],
		(mem->num_regions - at) * sizeof(*mem->regions));
	mem->num_regions++;
	mem->regions[at] = (struct memory_region) {
		.gpa = gpa,
		.size = size,
		.fd = fd,
		.offset = offset,
		.host = host,
	};
	mem->generation++;
	return 0;
}

static int add(struct memory *mem, uint64_t gpa, uint64_t size, int fd, uint64_t offset,
	       bool read_only)
{
	int prot = read_only ? PROT_READ : PROT_READ | PROT_WRITE;
	struct stat st;
	void *host;
	int ret;

	ret = region_check(mem, gpa, size);
	if (!ret && fstat(fd, &st))
		ret = -errno;
	if (!ret && (offset + size < offset || offset + size > (uint64_t)st.st_size))
		ret = -EINVAL;
	if (ret)
		goto close;

	host = mmap(NULL, size, prot, MAP_SHARED, fd, offset);
	if (host == MAP_FAILED) {
		ret = -errno;
		goto close;
	}
	ret = guard_add(host, size);
	if (!ret) {
		ret = memory_add_mapped(mem, gpa, size, fd, offset, host);
		if (!ret) {
			mem->regions[find(mem, gpa)].read_only = read_only;
			return 0;
		}
		guard_remove(host);
	}
	munmap(host, size);
close:
	close(fd);
	return ret;
}

int memory_add(struct memory *mem, uint64_t gpa, uint64_t size, int fd,
	       uint64_t offset)
{
	return add(mem, gpa, size, fd, offset, false);
}

int memory_add_read_only(struct memory *mem, uint64_t gpa, uint64_t size, int fd,
			 uint64_t offset)
{
	return add(mem, gpa, size, fd, offset, true);
}

static void region_unmap(const struct memory_region *r)
{
	guard_remove(r->host);
	munmap(r->host, r->size);
	if (r->fd >= 0)
		close(r->fd);
}

int memory_remove(struct memory *mem, uint64_t gpa, uint64_t size)
{
	unsigned int at = find(mem, gpa);
	struct memory_region *r;

	if (at == mem->num_regions)
		return -ENOENT;
	r = &mem->regions[at];
	if (r->gpa != gpa || r->size != size)
		return -ENOENT;
	region_unmap(r);
	mem->num_regions--;
	memmove(r, r + 1, (mem->num_regions - at) * sizeof(*r));
	mem->generation++;
	mem->removals++;
	return 0;
}

void memory_clear(struct memory *mem)
{
	while (mem->num_regions)
		region_unmap(&mem->regions[--mem->num_regions]);
	free(mem->regions);
	mem->regions = NULL;
	mem->room = 0;
	mem->generation++;
	mem->removals++;
}

void *memory_get(struct memory *mem, uint64_t addr, uint64_t len, bool write)
{
	const struct memory_region *r;
	unsigned int at;

	if (!len)
		return NULL;
	if (mem->ops && addr & MEMORY_GRANT) {
		if (addr + len < addr)
			return NULL;
		return mem->ops->map(mem, addr, len, write);
	}
	at = find(mem, addr);
	if (at == mem->num_regions)
		return NULL;
	r = &mem->regions[at];
	if (addr < r->gpa || len > r->size - (addr - r->gpa) || (write && r->read_only))
		return NULL;
	return r->host + (addr - r->gpa);
}

static bool in_region(const struct memory *mem, const uint8_t *ptr)
{
	unsigned int i;

	for (i = 0; i < mem->num_regions; i++) {
		const struct memory_region *r = &mem->regions[i];

		if (ptr >= r->host && ptr < r->host + r->size)
			return true;
	}
	return false;
}

void memory_put(struct memory *mem, void *ptr, uint64_t len)
{
	if (mem->ops && ptr && !in_region(mem, ptr))
		mem->ops->unmap(mem, ptr, len);
}

int memory_ref_set(struct memory *mem, struct memory_ref *ref, uint64_t addr,
		   uint64_t len)
{
	ref->ptr = memory_get(mem, addr, len, true);
	if (!ref->ptr) {
		ref->len = 0;
		return -EFAULT;
	}
	ref->addr = addr;
	ref->len = len;
	ref->generation = mem->generation;
	return 0;
}

void *memory_ref_get(struct memory *mem, struct memory_ref *ref)
{
	if (!ref->len)
		return NULL;
	if (ref->generation != mem->generation) {
		/*
		 * Granted memory stays where it is when regions change; a
		 * region's pointer is looked up, not mapped, so nothing is lost
		 * by forgetting the old one.
		 */
		if (!mem->ops || !(ref->addr & MEMORY_GRANT))
			ref->ptr = memory_get(mem, ref->addr, ref->len, true);
		ref->generation = mem->generation;
	}
	return ref->ptr;
}

void memory_ref_clear(struct memory *mem, struct memory_ref *ref)
{
	if (ref->len && mem->ops && ref->addr & MEMORY_GRANT && ref->ptr)
		memory_put(mem, ref->ptr, ref->len);
	ref->len = 0;
	ref->ptr = NULL;
}
