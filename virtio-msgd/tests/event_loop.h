/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An event loop for a test.
 */
#ifndef TEST_EVENT_LOOP_H
#define TEST_EVENT_LOOP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/base.h"

/* cmocka's setup and teardown of an event loop */
int loop_setup(void **state);
int loop_teardown(void **state);
/* Run what is due in the loop */
void loop_run(void);

#endif
