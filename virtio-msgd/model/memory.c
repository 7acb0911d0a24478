// SPDX-License-Identifier: GPL-2.0-only
#include "model/memory.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base.h"

static bool overlaps(const struct memory *mem, uint64_t gpa, uint64_t size)
{
	unsigned int i;

	for (i = 0; i < mem->num_regions; i++) {
		const struct memory_region *r = &mem->regions[i];

		if (gpa < r->gpa + r->size && r->gpa < gpa + size)
			return true;
	}
	return false;
}

/* Where a new region may go, or why not */
static int region_check(const struct memory *mem, uint64_t gpa, uint64_t size)
{
	if (!size || gpa + size < gpa || overlaps(mem, gpa, size))
		return -EINVAL;
	if (mem->ops && (gpa + size - 1) & MEMORY_GRANT)
		return -EINVAL;
	if (mem->num_regions == MEMORY_MAX_REGIONS)
		return -ENOSPC;
	return 0;
}

int memory_add_mapped(struct memory *mem, uint64_t gpa, uint64_t size, int fd,
		      uint64_t offset, void *host)
{
	int ret = region_check(mem, gpa, size);

	if (ret)
		return ret;
	mem->regions[mem->num_regions++] = (struct memory_region) {
		.gpa = gpa,
		.size = size,
		.fd = fd,
		.offset = offset,
		.host = host,
	};
	mem->generation++;
	return 0;
}

int memory_add(struct memory *mem, uint64_t gpa, uint64_t size, int fd,
	       uint64_t offset)
{
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

	host = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset);
	if (host == MAP_FAILED) {
		ret = -errno;
		goto close;
	}
	ret = guard_add(host, size);
	if (!ret)
		return memory_add_mapped(mem, gpa, size, fd, offset, host);
	munmap(host, size);
close:
	close(fd);
	return ret;
}

void memory_clear(struct memory *mem)
{
	while (mem->num_regions) {
		struct memory_region *r = &mem->regions[--mem->num_regions];

		guard_remove(r->host);
		munmap(r->host, r->size);
		if (r->fd >= 0)
			close(r->fd);
	}
	mem->generation++;
}

void *memory_get(struct memory *mem, uint64_t addr, uint64_t len, bool write)
{
	unsigned int i;

	if (!len)
		return NULL;
	if (mem->ops && addr & MEMORY_GRANT) {
		if (addr + len < addr)
			return NULL;
		return mem->ops->map(mem, addr, len, write);
	}
	for (i = 0; i < mem->num_regions; i++) {
		const struct memory_region *r = &mem->regions[i];

		if (addr >= r->gpa && addr - r->gpa < r->size &&
		    len <= r->size - (addr - r->gpa))
			return r->host + (addr - r->gpa);
	}
	return NULL;
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
