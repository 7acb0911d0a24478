/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A DS1338 real-time clock with 56 bytes of NVRAM: what the chip does between
 * the START and the STOP of I2C messages to it. Its time is the host's, until
 * it is set; then it goes on from there.
 */
#ifndef MSGD_DS1338_H
#define MSGD_DS1338_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DS1338_ADDRESS	0x68
#define DS1338_REGS	64

/**
 * struct ds1338 - the chip
 * @now: nanoseconds since 1970, UTC: what makes it tick
 * @offset: its time minus @now, while it ticks
 * @stopped: its time while it does not (CH), nanoseconds since 1970
 * @weekday: its day of the week minus the true one, which it does not know
 * @hour12: hours are kept in 12-hour form
 * @halted: the oscillator is stopped
 * @pointer: the register that is next
 * @reg: control register and NVRAM, and the time as of the last START
 */
struct ds1338 {
	int64_t (*now)(void);
	int64_t offset;
	int64_t stopped;
	unsigned int weekday;
	bool hour12;
	bool halted;
	uint8_t pointer;
	uint8_t reg[DS1338_REGS];
};

/* As it comes from a clock that was set once; NULL: the host's clock. */
void ds1338_init(struct ds1338 *rtc, int64_t (*now)(void));

/* A message from START to STOP or repeated START, one way. */
void ds1338_write(struct ds1338 *rtc, const uint8_t *data, size_t len);
void ds1338_read(struct ds1338 *rtc, uint8_t *data, size_t len);

#endif
