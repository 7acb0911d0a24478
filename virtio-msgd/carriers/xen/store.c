// SPDX-License-Identifier: GPL-2.0-only
/*
 * xenstore, for the parent: its connection to it, and what is read and written there.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "carriers/xen/internal.h"

struct xs_handle *xen_store;

static struct event *event;
static struct log_limit store_log;

int xen_store_open(event_callback_fn on_change, struct errmsg *err)
{
	xen_store = xs_open(0);
	if (!xen_store)
		return errmsg_set(err, "cannot reach xenstore: %s; --xen needs root in Dom0 of a Xen host",
				  strerror(errno));
	event = event_new(loop, xs_fileno(xen_store), EV_READ | EV_PERSIST, on_change, NULL);
	if (!event || event_add(event, NULL))
		return errmsg_set(err, "out of memory");
	return 0;
}

int xen_store_watch(const char *path, struct errmsg *err)
{
	if (!xs_watch(xen_store, path, path))
		return errmsg_set(err, "cannot watch xenstore: %s; --xen needs the rights of Dom0",
				  strerror(errno));
	return 0;
}

/* One look serves all that have been told of so far. */
bool xen_store_changed(void)
{
	bool any = false;
	char **watch;

	while ((watch = xs_check_watch(xen_store))) {
		free(watch);
		any = true;
	}
	return any;
}

void xen_store_close(void)
{
	if (event)
		event_free(event);
	if (xen_store)
		xs_close(xen_store);
	event = NULL;
	xen_store = NULL;
}

char *xen_store_read(const char *fmt, ...)
{
	unsigned int len;
	char *path, *value;
	va_list ap;
	int ret;

	va_start(ap, fmt);
	ret = vasprintf(&path, fmt, ap);
	va_end(ap);
	if (ret < 0)
		return NULL;
	value = xs_read(xen_store, XBT_NULL, path, &len);
	free(path);
	return value;
}

bool xen_number(const char *text, uint64_t *value)
{
	char *end;

	errno = 0;
	*value = strtoull(text, &end, 0);
	return !errno && end != text && !*end;
}

void xen_store_write(const char *path, const char *value)
{
	if (!xs_write(xen_store, XBT_NULL, path, value, strlen(value)))
		log_limited(&store_log, "xen: cannot write %s: %s", path, strerror(errno));
}

void xen_store_each(const char *path,
		    void (*visit)(unsigned int number, void *arg), void *arg)
{
	unsigned int i, count;
	uint64_t value;
	char **names;

	names = xs_directory(xen_store, XBT_NULL, path, &count);
	if (!names)
		return;
	for (i = 0; i < count; i++)
		if (xen_number(names[i], &value) && value <= UINT16_MAX)
			visit(value, arg);
	free(names);
}

void xen_store_remove(const char *path)
{
	xs_rm(xen_store, XBT_NULL, path);
}
