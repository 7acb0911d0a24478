// SPDX-License-Identifier: GPL-2.0-only
#include "devices/ds1338.h"

#include <time.h>

#define NSEC_PER_SEC	1000000000LL

/* Registers 0 to 6 are the time, in BCD */
#define REG_SECONDS	0
#define REG_MINUTES	1
#define REG_HOURS	2
#define REG_WEEKDAY	3
#define REG_DAY		4
#define REG_MONTH	5
#define REG_YEAR	6
#define TIME_REGS	7
#define REG_CONTROL	7

#define SECONDS_CH	0x80	/* clock halt */
#define HOURS_12	0x40
#define HOURS_PM	0x20
#define CONTROL_OUT	0x80
#define CONTROL_OSF	0x20	/* the oscillator stopped some time */
#define CONTROL_SQWE	0x10
#define CONTROL_RS	0x03
#define CONTROL_BITS	(CONTROL_OUT | CONTROL_OSF | CONTROL_SQWE | CONTROL_RS)

static int64_t host_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

static uint8_t to_bcd(unsigned int n)
{
	return (n / 10) << 4 | n % 10;
}

/* Digits above 9 count for what they are: the chip is undefined there */
static unsigned int from_bcd(uint8_t bcd)
{
	return (bcd >> 4) * 10 + (bcd & 0xf);
}

static int64_t chip_time(const struct ds1338 *rtc)
{
	return rtc->halted ? rtc->stopped : rtc->now() + rtc->offset;
}

static uint8_t hours_reg(const struct ds1338 *rtc, unsigned int hour)
{
	if (!rtc->hour12)
		return to_bcd(hour);
	return HOURS_12 | (hour >= 12 ? HOURS_PM : 0) | to_bcd(hour % 12 ? hour % 12 : 12);
}

static unsigned int hours_value(uint8_t reg)
{
	if (!(reg & HOURS_12))
		return from_bcd(reg & 0x3f);
	return from_bcd(reg & 0x1f) % 12 + (reg & HOURS_PM ? 12 : 0);
}

static int64_t whole_seconds(int64_t ns)
{
	return ns / NSEC_PER_SEC - (ns % NSEC_PER_SEC < 0);
}

/* START: the time registers are read from a copy, so that they fit together */
static void latch(struct ds1338 *rtc)
{
	time_t seconds = whole_seconds(chip_time(rtc));
	struct tm tm;

	gmtime_r(&seconds, &tm);
	rtc->reg[REG_SECONDS] = to_bcd(tm.tm_sec) | (rtc->halted ? SECONDS_CH : 0);
	rtc->reg[REG_MINUTES] = to_bcd(tm.tm_min);
	rtc->reg[REG_HOURS] = hours_reg(rtc, tm.tm_hour);
	rtc->reg[REG_WEEKDAY] = (tm.tm_wday + rtc->weekday) % 7 + 1;
	rtc->reg[REG_DAY] = to_bcd(tm.tm_mday);
	rtc->reg[REG_MONTH] = to_bcd(tm.tm_mon + 1);
	rtc->reg[REG_YEAR] = to_bcd(tm.tm_year % 100);
}

/* Time registers were written: the clock goes on from what they say now */
static void set_time(struct ds1338 *rtc)
{
	struct tm tm = {
		.tm_sec = from_bcd(rtc->reg[REG_SECONDS] & 0x7f),
		.tm_min = from_bcd(rtc->reg[REG_MINUTES] & 0x7f),
		.tm_hour = hours_value(rtc->reg[REG_HOURS]),
		.tm_mday = from_bcd(rtc->reg[REG_DAY] & 0x3f),
		.tm_mon = (int)from_bcd(rtc->reg[REG_MONTH] & 0x1f) - 1,
		.tm_year = from_bcd(rtc->reg[REG_YEAR]) + 100,
	};
	int64_t ns = timegm(&tm) * NSEC_PER_SEC;

	rtc->hour12 = rtc->reg[REG_HOURS] & HOURS_12;
	rtc->halted = rtc->reg[REG_SECONDS] & SECONDS_CH;
	if (rtc->halted)
		rtc->reg[REG_CONTROL] |= CONTROL_OSF;
	rtc->stopped = ns;
	rtc->offset = ns - rtc->now();
	/* timegm() has filled in the true day of the week */
	rtc->weekday = ((rtc->reg[REG_WEEKDAY] & 7) + 13 - tm.tm_wday) % 7;
}

static void write_reg(struct ds1338 *rtc, uint8_t value)
{
	uint8_t *reg = &rtc->reg[rtc->pointer];

	if (rtc->pointer == REG_CONTROL) {
		/* OSF can be cleared, not set */
		value &= CONTROL_BITS & ~(*reg & CONTROL_OSF ? 0 : CONTROL_OSF);
	}
	*reg = value;
	rtc->pointer = (rtc->pointer + 1) % DS1338_REGS;
}

void ds1338_init(struct ds1338 *rtc, int64_t (*now)(void))
{
	*rtc = (struct ds1338) { .now = now ? now : host_now };
	rtc->reg[REG_CONTROL] = CONTROL_OUT | CONTROL_SQWE | CONTROL_RS;
	latch(rtc);
}

void ds1338_write(struct ds1338 *rtc, const uint8_t *data, size_t len)
{
	bool time_written = false;
	size_t i;

	latch(rtc);
	if (!len)
		return;
	rtc->pointer = data[0] % DS1338_REGS;
	for (i = 1; i < len; i++) {
		time_written |= rtc->pointer < TIME_REGS;
		write_reg(rtc, data[i]);
	}
	if (time_written)
		set_time(rtc);
}

void ds1338_read(struct ds1338 *rtc, uint8_t *data, size_t len)
{
	size_t i;

	latch(rtc);
	for (i = 0; i < len; i++) {
		data[i] = rtc->reg[rtc->pointer];
		rtc->pointer = (rtc->pointer + 1) % DS1338_REGS;
	}
}
