// SPDX-License-Identifier: GPL-2.0-only
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/loop.h"

/* Where lines go, and whether that is a socket; lines to it never block */
static int out = STDERR_FILENO;
static bool out_is_socket;
static unsigned int lost;

/* Limits with something to say at the end of their period, and when that is looked at */
static struct log_limit *limits;
static struct event *period_end;

void log_init(void)
{
	struct stat st;
	int fd;

	if (fstat(STDERR_FILENO, &st))
		return;
	out_is_socket = S_ISSOCK(st.st_mode);
	if (!S_ISFIFO(st.st_mode) && !S_ISCHR(st.st_mode))
		return;
	/* Opened anew: with the flags of the old one, so would be those of who shares it */
	fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_APPEND | O_NOCTTY | O_CLOEXEC);
	if (fd >= 0)
		out = fd;
}

static bool put(const char *text, size_t len)
{
	struct pollfd pfd = { .fd = out, .events = POLLOUT };
	ssize_t n;

	if (out_is_socket) {
		n = send(out, text, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	} else {
		/* Where it could not be opened anew, this is better than nothing */
		if (out == STDERR_FILENO && poll(&pfd, 1, 0) <= 0)
			return false;
		n = write(out, text, len);
	}
	return n >= 0;
}

/* Nothing that comes from elsewhere makes a line look like two, or moves the cursor */
static void tame(char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < ' ' || *text == '\x7f')
			*text = '?';
		/* U+0080 to U+009F move it, too */
		if (*text == '\xc2' && (text[1] & 0xe0) == 0x80)
			*text = text[1] = '?';
	}
}

static void log_va(const char *fmt, va_list ap)
{
	char text[512], line[sizeof(text) + 16];
	int len;

	vsnprintf(text, sizeof(text), fmt, ap);
	tame(text);
	if (lost) {
		len = snprintf(line, sizeof(line), "virtio-msgd: %u lines were lost here, as nobody read them\n",
			       lost);
		if (put(line, len))
			lost = 0;
	}
	len = snprintf(line, sizeof(line), "virtio-msgd: %s\n", text);
	if (lost || !put(line, len))
		lost++;
}

void log_line(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_va(fmt, ap);
	va_end(ap);
}

/*
 * Limits
 */

static long now_s(void)
{
	return loop_now_ms() / 1000;
}

void log_limit_end(struct log_limit *limit)
{
	struct log_limit **at = &limits;

	while (*at && *at != limit)
		at = &(*at)->next;
	if (*at)
		*at = limit->next;
	if (limit->dropped)
		log_line("%s: %u more lines like these", limit->who, limit->dropped);
	limit->listed = false;
	limit->dropped = 0;
}

static void on_period_end(evutil_socket_t fd, short what, void *arg);

static void wait_for_end(void)
{
	static const struct timeval period = { .tv_sec = LOG_PERIOD_S };

	if (!period_end && loop)
		period_end = evtimer_new(loop, on_period_end, NULL);
	if (period_end && !event_pending(period_end, EV_TIMEOUT, NULL))
		event_add(period_end, &period);
}

static void on_period_end(evutil_socket_t fd, short what, void *arg)
{
	struct log_limit *limit, *next;

	(void)fd;
	(void)what;
	(void)arg;
	for (limit = limits; limit; limit = next) {
		next = limit->next;
		if (now_s() - limit->begin >= LOG_PERIOD_S)
			log_limit_end(limit);
	}
	if (limits)
		wait_for_end();
}

void log_end(void)
{
	while (limits)
		log_limit_end(limits);
	if (period_end)
		event_free(period_end);
	period_end = NULL;
}

/* Whom a line is about is said first */
static void remember(struct log_limit *limit, const char *fmt, va_list ap)
{
	char text[sizeof(limit->who)], *end;

	vsnprintf(text, sizeof(text), fmt, ap);
	end = strstr(text, ": ");
	if (end)
		*end = '\0';
	memcpy(limit->who, text, sizeof(text));
}

static void drop(struct log_limit *limit, const char *fmt, va_list ap)
{
	if (!limit->dropped++)
		remember(limit, fmt, ap);
	if (limit->listed)
		return;
	limit->listed = true;
	limit->next = limits;
	limits = limit;
	wait_for_end();
}

void log_limited(struct log_limit *limit, const char *fmt, ...)
{
	long now = now_s();
	va_list ap;

	if (!limit->lines || now - limit->begin >= LOG_PERIOD_S) {
		log_limit_end(limit);
		limit->begin = now;
		limit->lines = 0;
	}
	va_start(ap, fmt);
	if (limit->lines < LOG_BURST) {
		limit->lines++;
		log_va(fmt, ap);
	} else {
		drop(limit, fmt, ap);
	}
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
