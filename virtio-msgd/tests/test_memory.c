// SPDX-License-Identifier: GPL-2.0-only
/* Guest memory: regions, grants, references. */
#include "guest.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define BASE	0x1000ULL
#define SIZE	0x10000ULL

static int file(size_t size)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	assert_int_not_equal(fd, -1);
	assert_int_equal(ftruncate(fd, size), 0);
	return fd;
}

static void bounds(void **state)
{
	struct memory mem = { 0 };
	uint8_t *base;

	(void)state;
	assert_int_equal(memory_add(&mem, BASE, SIZE, file(SIZE), 0), 0);
	base = memory_get(&mem, BASE, SIZE, true);
	assert_ptr_equal(base, mem.regions[0].host);
	assert_ptr_equal(memory_get(&mem, BASE + SIZE - 1, 1, true), base + SIZE - 1);
	assert_null(memory_get(&mem, BASE, 0, true));
	assert_null(memory_get(&mem, BASE, SIZE + 1, true));
	assert_null(memory_get(&mem, BASE - 1, 2, true));
	assert_null(memory_get(&mem, BASE + SIZE, 1, true));
	assert_null(memory_get(&mem, BASE + SIZE - 1, 2, true));
	assert_null(memory_get(&mem, BASE + 1, UINT64_MAX, true));
	assert_null(memory_get(&mem, UINT64_MAX, 1, true));
	assert_null(memory_get(&mem, UINT64_MAX, BASE + 2, true));
	/* No grants here: bit 63 is an address like others */
	assert_null(memory_get(&mem, MEMORY_GRANT | BASE, 1, true));
	memory_clear(&mem);
	assert_null(memory_get(&mem, BASE, 1, true));
}

/* 1537 is prime to MEMORY_MAX_REGIONS: each place once */
#define MANY_AT(i)	(BASE + (uint64_t)((i) * 1537U % MEMORY_MAX_REGIONS) * 2 * SIZE)

static void regions(void **state)
{
	struct memory mem = { 0 };

	(void)state;
	/* Adjacent ones are still two; the second is the middle of its file */
	assert_int_equal(memory_add(&mem, BASE, SIZE, file(SIZE), 0), 0);
	assert_int_equal(memory_add(&mem, BASE + SIZE, SIZE, file(SIZE + 0x2000), 0x1000), 0);
	assert_null(memory_get(&mem, BASE + SIZE - 1, 2, true));
	assert_ptr_equal(memory_get(&mem, BASE + SIZE, 1, true), mem.regions[1].host);
	assert_int_equal(mem.regions[1].offset, 0x1000);

	assert_int_equal(memory_add(&mem, 0, BASE + 1, file(SIZE), 0), -EINVAL);
	assert_int_equal(memory_add(&mem, BASE + 0x1000, 0x1000, file(SIZE), 0), -EINVAL);
	assert_int_equal(memory_add(&mem, 0, 0, file(SIZE), 0), -EINVAL);
	assert_int_equal(memory_add(&mem, -(uint64_t)0x1000, 0x2000, file(SIZE), 0), -EINVAL);
	/* Past the end of the file */
	assert_int_equal(memory_add(&mem, 0x100000, SIZE, file(SIZE - 1), 0), -EINVAL);
	assert_int_equal(memory_add(&mem, 0x100000, SIZE, file(SIZE), 0x1000), -EINVAL);
	assert_int_equal(memory_add(&mem, 0x100000, SIZE, file(SIZE), -(uint64_t)0x1000), -EINVAL);
	assert_int_equal(memory_add(&mem, 0x100000, SIZE, -1, 0), -EBADF);
	assert_int_equal(mem.num_regions, 2);
	memory_clear(&mem);
	assert_int_equal(mem.num_regions, 0);
}

static void removed(void **state)
{
	struct memory mem = { 0 };
	struct memory_ref ref;
	uint64_t removals;

	(void)state;
	assert_int_equal(memory_remove(&mem, BASE, SIZE), -ENOENT);
	assert_int_equal(memory_add(&mem, BASE, SIZE, file(SIZE), 0), 0);
	assert_int_equal(memory_add(&mem, BASE + SIZE, SIZE, file(SIZE), 0), 0);
	removals = mem.removals;
	assert_int_equal(memory_add(&mem, BASE + 2 * SIZE, SIZE, file(SIZE), 0), 0);
	assert_int_equal(mem.removals, removals);
	assert_int_equal(memory_ref_set(&mem, &ref, BASE + SIZE, 4), 0);
	assert_int_equal(memory_remove(&mem, BASE + SIZE, SIZE - 1), -ENOENT);
	assert_int_equal(memory_remove(&mem, BASE + SIZE + 1, SIZE - 1), -ENOENT);
	assert_int_equal(memory_remove(&mem, BASE + SIZE, SIZE), 0);
	assert_int_not_equal(mem.removals, removals);
	assert_null(memory_ref_get(&mem, &ref));
	assert_non_null(memory_get(&mem, BASE + SIZE - 1, 1, true));
	assert_non_null(memory_get(&mem, BASE + 2 * SIZE, 1, true));
	/* It is back, and so is the reference */
	assert_int_equal(memory_add(&mem, BASE + SIZE, SIZE, file(SIZE), 0), 0);
	assert_ptr_equal(memory_ref_get(&mem, &ref), mem.regions[1].host);
	assert_int_equal(memory_remove(&mem, BASE + 2 * SIZE, SIZE), 0);
	assert_int_equal(mem.num_regions, 2);
	memory_clear(&mem);
}

static void read_only(void **state)
{
	struct memory mem = { 0 };
	struct memory_ref ref;

	(void)state;
	assert_int_equal(memory_add_read_only(&mem, BASE, SIZE, file(SIZE), 0), 0);
	assert_non_null(memory_get(&mem, BASE, SIZE, false));
	assert_null(memory_get(&mem, BASE, 1, true));
	assert_int_equal(memory_ref_set(&mem, &ref, BASE, 1), -EFAULT);
	memory_clear(&mem);
}

/* More than any protocol has room for, in no order */
static void many_regions(void **state)
{
	struct memory mem = { 0 };
	unsigned int i;

	(void)state;
	for (i = 0; i < MEMORY_MAX_REGIONS; i++)
		assert_int_equal(memory_add(&mem, MANY_AT(i), SIZE, file(SIZE), 0), 0);
	assert_int_equal(memory_add(&mem, BASE + SIZE, SIZE, file(SIZE), 0), -ENOSPC);
	assert_int_equal(memory_add(&mem, MANY_AT(7) + SIZE - 1, 2, file(SIZE), 0), -EINVAL);
	for (i = 0; i < MEMORY_MAX_REGIONS; i++) {
		uint8_t *ptr = memory_get(&mem, MANY_AT(i), SIZE, true);

		assert_non_null(ptr);
		memcpy(ptr, &i, sizeof(i));
		assert_null(memory_get(&mem, MANY_AT(i), SIZE + 1, true));
		assert_null(memory_get(&mem, MANY_AT(i) + SIZE, 1, true));
	}
	for (i = 0; i < MEMORY_MAX_REGIONS; i++)
		assert_memory_equal(memory_get(&mem, MANY_AT(i), 4, false), &i, sizeof(i));
	memory_clear(&mem);
}

static void reference(void **state)
{
	struct memory mem = { 0 };
	struct memory_ref ref = { 0 };

	(void)state;
	assert_null(memory_ref_get(&mem, &ref));
	assert_int_equal(memory_ref_set(&mem, &ref, BASE, 16), -EFAULT);
	assert_null(memory_ref_get(&mem, &ref));
	assert_int_equal(memory_add(&mem, BASE, SIZE, file(SIZE), 0), 0);
	assert_int_equal(memory_ref_set(&mem, &ref, BASE + SIZE - 16, 17), -EFAULT);
	assert_int_equal(memory_ref_set(&mem, &ref, BASE + SIZE - 16, 16), 0);
	assert_ptr_equal(memory_ref_get(&mem, &ref), mem.regions[0].host + SIZE - 16);

	/* The memory goes, and comes back smaller, and as it was */
	memory_clear(&mem);
	assert_null(memory_ref_get(&mem, &ref));
	assert_int_equal(memory_add(&mem, BASE, SIZE - 0x1000, file(SIZE), 0), 0);
	assert_null(memory_ref_get(&mem, &ref));
	memory_clear(&mem);
	assert_int_equal(memory_add(&mem, BASE, SIZE, file(SIZE), 0), 0);
	assert_ptr_equal(memory_ref_get(&mem, &ref), mem.regions[0].host + SIZE - 16);
	memory_ref_clear(&mem, &ref);
	assert_null(memory_ref_get(&mem, &ref));
	memory_clear(&mem);
}

static unsigned int mapped;

static void *grant_map(struct memory *mem, uint64_t addr, size_t len, bool write)
{
	(void)write;
	if (addr != (MEMORY_GRANT | 0x5000) || len > 0x1000)
		return NULL;
	mapped++;
	return mem->opaque;
}

static void grant_unmap(struct memory *mem, void *ptr, size_t len)
{
	assert_ptr_equal(ptr, mem->opaque);
	assert_in_range(len, 1, 0x1000);
	mapped--;
}

static void grants(void **state)
{
	static const struct memory_ops ops = { .map = grant_map, .unmap = grant_unmap };
	static uint8_t page[0x1000];
	struct memory mem = { .ops = &ops, .opaque = page };
	struct memory_ref ref = { 0 };
	void *ptr;

	(void)state;
	assert_int_equal(memory_add(&mem, BASE, SIZE, file(SIZE), 0), 0);
	assert_int_equal(memory_add(&mem, MEMORY_GRANT, SIZE, file(SIZE), 0), -EINVAL);
	ptr = memory_get(&mem, MEMORY_GRANT | 0x5000, 0x1000, true);
	assert_ptr_equal(ptr, page);
	assert_int_equal(mapped, 1);
	memory_put(&mem, ptr, 0x1000);
	assert_int_equal(mapped, 0);
	/* Not granted; wraps around */
	assert_null(memory_get(&mem, MEMORY_GRANT | 0x6000, 1, true));
	assert_null(memory_get(&mem, MEMORY_GRANT | 0x5000, UINT64_MAX - 1, true));
	/* Putting a region's pointer unmaps nothing */
	ptr = memory_get(&mem, BASE, 1, true);
	assert_non_null(ptr);
	memory_put(&mem, ptr, 1);

	/* A reference keeps its one mapping, whatever happens to regions */
	assert_int_equal(memory_ref_set(&mem, &ref, MEMORY_GRANT | 0x5000, 64), 0);
	memory_clear(&mem);
	assert_ptr_equal(memory_ref_get(&mem, &ref), page);
	assert_int_equal(mapped, 1);
	memory_ref_clear(&mem, &ref);
	assert_int_equal(mapped, 0);
	memory_ref_clear(&mem, &ref);
	assert_int_equal(mapped, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bounds),
		cmocka_unit_test(regions),
		cmocka_unit_test(removed),
		cmocka_unit_test(read_only),
		cmocka_unit_test(many_regions),
		cmocka_unit_test(reference),
		cmocka_unit_test(grants),
	};

	return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
