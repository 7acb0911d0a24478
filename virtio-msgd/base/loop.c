// SPDX-License-Identifier: GPL-2.0-only
#include "base/loop.h"

#include <time.h>

struct event_base *loop;

uint64_t loop_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ULL + now.tv_nsec / 1000000;
}
