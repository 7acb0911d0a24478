// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest that cuts its memory short. A program of its own, with one test: cmocka
 * sets the handlers of signals before each, and the guard sets its own once.
 */
#include "guest.h"

#include <sys/mman.h>
#include <unistd.h>

#define BASE	0x1000ULL
#define SIZE	0x10000ULL

static void truncated(void **state)
{
	int fd = memfd_create("test", MFD_CLOEXEC);
	struct memory mem = { 0 };
	uint8_t *ptr;

	(void)state;
	assert_int_equal(ftruncate(fd, SIZE), 0);
	assert_int_equal(memory_add(&mem, BASE, SIZE, fd, 0), 0);
	ptr = memory_get(&mem, BASE, SIZE, true);
	memset(ptr, 0x5a, SIZE);
	assert_int_equal(ftruncate(fd, 0x1000), 0);
	/* Zeros, not the end of the program */
	assert_int_equal(ptr[0xfff], 0x5a);
	assert_int_equal(ptr[0x1000], 0);
	assert_int_equal(ptr[SIZE - 1], 0);
	ptr[0x5000] = 1;
	assert_int_equal(ptr[0x5000], 1);
	memory_clear(&mem);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(truncated),
	};

	return cmocka_run_group_tests_name("guard", tests, NULL, NULL);
}
