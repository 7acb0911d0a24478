// SPDX-License-Identifier: GPL-2.0-only
/*
 * xenstore as the process of a guest has it: what the parent says is in it of this guest,
 * with what was noted here since. Nothing is waited for.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "carriers/xen/internal.h"

/* A guest can have things noted as often as it likes: so many milliseconds apart */
#define NOTE_MS		1

/* By path: what the parent said, the record that was noted, and what was not said yet */
static json_t *described, *noted, *unsaid;
static bool introduced;
static struct event *later;
static void (*say)(json_t *notes);

void carrier_xen_hear(const json_t *description)
{
	json_t *store = json_object_get(description, "store");

	if (!json_is_object(store))
		return;
	json_decref(described);
	described = json_incref(store);
	introduced = json_is_true(json_object_get(description, "introduced"));
	xen_guest_changed();
}

static void say_now(void)
{
	static const struct timeval after = { .tv_usec = NOTE_MS * 1000 };
	json_t *notes = unsaid;

	if (!notes)
		return;
	unsaid = NULL;
	say(notes);
	event_add(later, &after);
}

static void on_later(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	say_now();
}

void carrier_xen_note_again(void)
{
	if (!say)
		return;
	json_decref(unsaid);
	unsaid = json_object_size(noted) ? json_copy(noted) : NULL;
	say_now();
}

int xen_mirror_open(void (*note)(json_t *notes), struct errmsg *err)
{
	say = note;
	noted = json_object();
	later = evtimer_new(loop, on_later, NULL);
	return noted && later ? 0 : errmsg_set(err, "out of memory");
}

void xen_mirror_close(void)
{
	if (say)
		say_now();
	if (later)
		event_free(later);
	json_decref(described);
	json_decref(noted);
	json_decref(unsaid);
	later = NULL;
	described = NULL;
	noted = NULL;
	unsaid = NULL;
	say = NULL;
}

bool xen_mirror_introduced(void)
{
	return introduced;
}

static const char *find(const char *path)
{
	json_t *value = json_object_get(noted, path);

	return json_string_value(value ?: json_object_get(described, path));
}

char *xen_mirror_read(const char *fmt, ...)
{
	const char *value;
	va_list ap;
	char *path;
	int ret;

	va_start(ap, fmt);
	ret = vasprintf(&path, fmt, ap);
	va_end(ap);
	if (ret < 0)
		return NULL;
	value = find(path);
	free(path);
	return value ? strdup(value) : NULL;
}

bool xen_mirror_number(char *text, uint64_t *value)
{
	bool good = text && xen_number(text, value);

	free(text);
	return good;
}

/* NULL: remove */
static void note(const char *path, const char *value)
{
	if (!unsaid)
		unsaid = json_object();
	/* Of what else is noted, the parent knows better */
	if (!strncmp(path, XEN_RECORD "/", sizeof(XEN_RECORD)))
		json_object_set_new(noted, path, value ? json_string(value) : json_null());
	json_object_set_new(unsaid, path, value ? json_string(value) : json_null());
	if (!event_pending(later, EV_TIMEOUT, NULL))
		say_now();
}

void xen_mirror_write(const char *value, const char *fmt, ...)
{
	va_list ap;
	char *path;
	int ret;

	va_start(ap, fmt);
	ret = vasprintf(&path, fmt, ap);
	va_end(ap);
	if (ret < 0)
		return;
	note(path, value);
	free(path);
}

void xen_mirror_forget(unsigned int domid)
{
	char path[32];

	snprintf(path, sizeof(path), XEN_RECORD "/%u", domid);
	json_object_clear(noted);
	note(path, NULL);
}

void xen_mirror_each(const char *path, void (*visit)(unsigned int number, void *arg), void *arg)
{
	json_t *all = json_incref(described);
	size_t len = strlen(path);
	const char *name;
	uint64_t number;
	json_t *value;

	json_object_foreach(all, name, value) {
		if (!strncmp(name, path, len) && name[len] == '/' &&
		    xen_number(name + len + 1, &number) && number <= UINT16_MAX)
			visit(number, arg);
	}
	json_decref(all);
}
