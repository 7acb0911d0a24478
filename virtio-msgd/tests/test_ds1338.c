// SPDX-License-Identifier: GPL-2.0-only
/* The clock chip, with a host clock that the test turns. */
#include "guest.h"

#include <stdio.h>
#include <time.h>

#include "devices/ds1338.h"

#define SEC	1000000000LL

/* 2026-11-23 02:36:47 UTC, a Monday */
#define MONDAY	1795401407LL

static int64_t now;

static int64_t test_now(void)
{
	return now;
}

static void write_regs(struct ds1338 *rtc, uint8_t reg, size_t len, const uint8_t *values)
{
	uint8_t data[80] = { reg };

	memcpy(data + 1, values, len);
	ds1338_write(rtc, data, len + 1);
}

#define WRITE(rtc, reg, ...) \
	write_regs(rtc, reg, sizeof((uint8_t[]){ __VA_ARGS__ }), (uint8_t[]){ __VA_ARGS__ })

static void check(struct ds1338 *rtc, const char *expected)
{
	uint8_t data[7];
	char text[32];

	ds1338_write(rtc, (uint8_t[]){ 0 }, 1);
	ds1338_read(rtc, data, sizeof(data));
	snprintf(text, sizeof(text), "%02x %02x %02x %02x %02x %02x %02x", data[0], data[1],
		 data[2], data[3], data[4], data[5], data[6]);
	assert_string_equal(text, expected);
}

static uint8_t read_reg(struct ds1338 *rtc, uint8_t reg)
{
	uint8_t value;

	ds1338_write(rtc, &reg, 1);
	ds1338_read(rtc, &value, 1);
	return value;
}

static void start(struct ds1338 *rtc)
{
	now = MONDAY * SEC;
	ds1338_init(rtc, test_now);
}

static void ticks(void **state)
{
	struct ds1338 rtc;

	(void)state;
	start(&rtc);
	/* Sunday is 1 */
	check(&rtc, "47 36 02 02 23 11 26");
	now += SEC - 1;
	check(&rtc, "47 36 02 02 23 11 26");
	now += 1;
	check(&rtc, "48 36 02 02 23 11 26");
	now += 12 * SEC;
	check(&rtc, "00 37 02 02 23 11 26");
	now += 24 * 3600 * SEC;
	check(&rtc, "00 37 02 03 24 11 26");
}

static void can_be_set(void **state)
{
	struct ds1338 rtc;

	(void)state;
	start(&rtc);
	now += SEC / 2;
	/* 2028-02-28 23:59:58, a leap year; its day of the week is what it was told */
	WRITE(&rtc, 0, 0x58, 0x59, 0x23, 0x07, 0x28, 0x02, 0x28);
	check(&rtc, "58 59 23 07 28 02 28");
	/* Seconds begin with the setting */
	now += SEC - 1;
	check(&rtc, "58 59 23 07 28 02 28");
	now += 1 + SEC;
	check(&rtc, "00 00 00 01 29 02 28");
	now += 24 * 3600 * SEC;
	check(&rtc, "00 00 00 02 01 03 28");
	/* The end of its century */
	WRITE(&rtc, 0, 0x59, 0x59, 0x23, 0x01, 0x31, 0x12, 0x99);
	now += SEC;
	check(&rtc, "00 00 00 02 01 01 00");
}

static void partly_set(void **state)
{
	struct ds1338 rtc;

	(void)state;
	start(&rtc);
	WRITE(&rtc, 1, 0x15);
	check(&rtc, "47 15 02 02 23 11 26");
	WRITE(&rtc, 3, 0x05);
	check(&rtc, "47 15 02 05 23 11 26");
	now += 24 * 3600 * SEC;
	check(&rtc, "47 15 02 06 24 11 26");
}

static void hours_12(void **state)
{
	static const struct {
		uint8_t written;
		const char *after_an_hour;
	} hours[] = {
		{ 0x40 | 0x12, "00 00 41" }, { 0x40 | 0x11, "00 00 72" },
		{ 0x60 | 0x12, "00 00 61" }, { 0x60 | 0x11, "00 00 52" },
		{ 0x60 | 0x01, "00 00 62" }, { 0x23, "00 00 00" },
	};
	struct ds1338 rtc;
	char text[32];
	size_t i;

	(void)state;
	start(&rtc);
	for (i = 0; i < sizeof(hours) / sizeof(hours[0]); i++) {
		bool next_day;

		WRITE(&rtc, 0, 0, 0, hours[i].written, 1, 1, 1, 0x26);
		snprintf(text, sizeof(text), "00 00 %02x 01 01 01 26", hours[i].written);
		check(&rtc, text);
		now += 3600 * SEC;
		next_day = hours[i].written == 0x71 || hours[i].written == 0x23;
		snprintf(text, sizeof(text), "%s 0%d 0%d 01 26", hours[i].after_an_hour,
			 next_day ? 2 : 1, next_day ? 2 : 1);
		check(&rtc, text);
	}
}

static void halt(void **state)
{
	struct ds1338 rtc;

	(void)state;
	start(&rtc);
	assert_int_equal(read_reg(&rtc, 7) & 0x20, 0);
	WRITE(&rtc, 0, 0x80 | 0x47);
	now += 100 * SEC;
	check(&rtc, "c7 36 02 02 23 11 26");
	/* The oscillator has stopped, and says so until that is cleared */
	assert_int_equal(read_reg(&rtc, 7) & 0x20, 0x20);
	WRITE(&rtc, 0, 0x47);
	now += SEC;
	check(&rtc, "48 36 02 02 23 11 26");
	assert_int_equal(read_reg(&rtc, 7) & 0x20, 0x20);
	WRITE(&rtc, 7, 0x00);
	assert_int_equal(read_reg(&rtc, 7), 0);
	/* It cannot be set by hand; bits that are not there stay 0 */
	WRITE(&rtc, 7, 0xff);
	assert_int_equal(read_reg(&rtc, 7), 0x93);
}

static void latched(void **state)
{
	uint8_t first[3], rest[4];
	struct ds1338 rtc;

	(void)state;
	start(&rtc);
	WRITE(&rtc, 0, 0x59, 0x59, 0x23, 0x01, 0x31, 0x12, 0x25);
	/* One message fits together, whatever the time does meanwhile */
	ds1338_write(&rtc, (uint8_t[]){ 0 }, 1);
	ds1338_read(&rtc, first, 3);
	assert_memory_equal(first, "\x59\x59\x23", 3);
	now += SEC;
	ds1338_read(&rtc, rest, 4);
	assert_memory_equal(rest, "\x02\x01\x01\x26", 4);
}

static void nvram(void **state)
{
	uint8_t data[80];
	struct ds1338 rtc;
	unsigned int i;

	(void)state;
	start(&rtc);
	for (i = 0; i < 56; i++)
		data[i] = 0xa0 ^ i;
	write_regs(&rtc, 8, 56, data);
	for (i = 0; i < 56; i++)
		assert_int_equal(read_reg(&rtc, 8 + i), 0xa0 ^ i);
	/* The pointer goes on by itself, and around from 0x3f to 0 */
	ds1338_write(&rtc, (uint8_t[]){ 0x3e }, 1);
	ds1338_read(&rtc, data, 4);
	assert_memory_equal(data, "\x96\x97\x47\x36", 4);
	WRITE(&rtc, 0x3f, 0x11, 0x22);
	assert_int_equal(read_reg(&rtc, 0x3f), 0x11);
	check(&rtc, "22 36 02 02 23 11 26");
	/* Register numbers have 6 bits */
	assert_int_equal(read_reg(&rtc, 0x48), 0xa0);
	/* NVRAM writes leave the time alone */
	now += SEC / 2;
	WRITE(&rtc, 8, 0);
	now += SEC / 2;
	check(&rtc, "23 36 02 02 23 11 26");
}

static void nonsense(void **state)
{
	struct ds1338 rtc;
	uint8_t data[7];

	(void)state;
	/* No BCD, no date: some time, no harm */
	start(&rtc);
	WRITE(&rtc, 0, 0x7f, 0xff, 0x3f, 0xff, 0xff, 0xff, 0xff);
	ds1338_write(&rtc, (uint8_t[]){ 0 }, 1);
	ds1338_read(&rtc, data, sizeof(data));
	WRITE(&rtc, 0, 0, 0, 0, 0, 0, 0, 0);
	ds1338_read(&rtc, data, sizeof(data));
	ds1338_write(&rtc, data, 0);
	WRITE(&rtc, 0, 0, 0, 0, 1, 1, 1, 0x26);
	check(&rtc, "00 00 00 01 01 01 26");
}

static void host_clock(void **state)
{
	struct ds1338 rtc;
	struct timespec before, after;
	struct tm tm;
	uint8_t data[7];
	time_t t;

	(void)state;
	ds1338_init(&rtc, NULL);
	clock_gettime(CLOCK_REALTIME, &before);
	ds1338_write(&rtc, (uint8_t[]){ 0 }, 1);
	ds1338_read(&rtc, data, sizeof(data));
	clock_gettime(CLOCK_REALTIME, &after);
	tm = (struct tm) {
		.tm_sec = (data[0] >> 4) * 10 + (data[0] & 15),
		.tm_min = (data[1] >> 4) * 10 + (data[1] & 15),
		.tm_hour = (data[2] >> 4) * 10 + (data[2] & 15),
		.tm_mday = (data[4] >> 4) * 10 + (data[4] & 15),
		.tm_mon = (data[5] >> 4) * 10 + (data[5] & 15) - 1,
		.tm_year = (data[6] >> 4) * 10 + (data[6] & 15) + 100,
	};
	t = timegm(&tm);
	assert_in_range(t, before.tv_sec, after.tv_sec);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ticks),
		cmocka_unit_test(can_be_set),
		cmocka_unit_test(partly_set),
		cmocka_unit_test(hours_12),
		cmocka_unit_test(halt),
		cmocka_unit_test(latched),
		cmocka_unit_test(nvram),
		cmocka_unit_test(nonsense),
		cmocka_unit_test(host_clock),
	};

	return cmocka_run_group_tests_name("ds1338", tests, NULL, NULL);
}
