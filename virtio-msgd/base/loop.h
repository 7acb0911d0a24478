/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The event loop: libevent's (event2/event.h), one base for the whole program,
 * no threads. Events are made with event_new(loop, ...) and freed by who made
 * them; level-triggered, so a callback handles what it wants and returns.
 */
#ifndef MSGD_LOOP_H
#define MSGD_LOOP_H

#include <event2/event.h>
#include <event2/util.h>
#include <stdint.h>

extern struct event_base *loop;

/* Milliseconds of CLOCK_MONOTONIC, as deadlines are given in */
uint64_t loop_now_ms(void);

#endif
