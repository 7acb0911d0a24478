// SPDX-License-Identifier: GPL-2.0-only
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

static void log_va(const char *fmt, va_list ap)
{
	char text[512];

	vsnprintf(text, sizeof(text), fmt, ap);
	fprintf(stderr, "virtio-msgd: %s\n", text);
}

void log_line(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_va(fmt, ap);
	va_end(ap);
}

void log_limited(const char *fmt, ...)
{
	static time_t begin;
	static unsigned int lines, dropped;
	struct timespec now;
	va_list ap;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (!lines || now.tv_sec - begin >= LOG_PERIOD_S) {
		if (dropped)
			log_line("%u more lines like these", dropped);
		begin = now.tv_sec;
		lines = 0;
		dropped = 0;
	}
	if (lines == LOG_BURST) {
		dropped++;
		return;
	}
	lines++;
	va_start(ap, fmt);
	log_va(fmt, ap);
	va_end(ap);
}

int errmsg_set(struct errmsg *err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	return -1;
}
