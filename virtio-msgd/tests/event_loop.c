// SPDX-License-Identifier: GPL-2.0-only
#include "event_loop.h"

int loop_setup(void **state)
{
	(void)state;
	loop = event_base_new();
	return loop ? 0 : -1;
}

int loop_teardown(void **state)
{
	(void)state;
	event_base_free(loop);
	return 0;
}

void loop_run(void)
{
	event_base_loop(loop, EVLOOP_NONBLOCK);
}
