/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest can cut short the file that its memory is in; touching what is gone
 * would end this program, and with it the other guests' devices (SIGBUS). In
 * guarded mappings it finds zeros instead.
 */
#ifndef MSGD_GUARD_H
#define MSGD_GUARD_H

#include <stddef.h>

/* Guard a mapping: 0 or -ENOMEM. */
int guard_add(void *addr, size_t len);
/* The mapping goes away. */
void guard_remove(void *addr);

#endif
