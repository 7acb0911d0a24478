// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the parent does for the process of a guest, which has no rights: it tells it what
 * xenstore says of the guest, keeps there what that process has to say, and opens devices.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "carriers/xen/internal.h"

#define MAX_PATH	128
#define MAX_VALUE	4096

static void copy(json_t *store, const char *path)
{
	char *value = xen_store_read("%s", path);

	/* What is no text is nothing that we read */
	if (value)
		json_object_set_new(store, path, json_string(value));
	free(value);
}

/* The guest may write there: only that it is its own place is believed */
static void copy_frontend(json_t *store, unsigned int domid, const char *backend)
{
	char *frontend = xen_store_read("%s/frontend", backend), own[40], path[MAX_PATH];
	int len = snprintf(own, sizeof(own), "/local/domain/%u/", domid);

	if (frontend && !strncmp(frontend, own, len) &&
	    snprintf(path, sizeof(path), "%s/state", frontend) < (int)sizeof(path))
		copy(store, path);
	free(frontend);
}

struct description {
	json_t *store;
	unsigned int domid;
};

static void copy_device(unsigned int index, void *arg)
{
	static const char *const names[] = {
		"base", "irq", "type", "transport", "grant_usage", "state", "frontend",
	};
	struct description *of = arg;
	char backend[64], path[MAX_PATH];
	unsigned int i;

	snprintf(backend, sizeof(backend), XEN_BACKEND "/%u/%u", of->domid, index);
	json_object_set_new(of->store, backend, json_string(""));
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", backend, names[i]);
		copy(of->store, path);
	}
	copy_frontend(of->store, of->domid, backend);
	snprintf(path, sizeof(path), XEN_RECORD "/%u/%u/state", of->domid, index);
	copy(of->store, path);
}

json_t *carrier_xen_describe(unsigned int domid)
{
	static const char *const guest[] = {
		"/local/domain/%u/name", "/local/domain/%u/vm",
		"/local/domain/%u/memory/static-max", XEN_RECORD "/%u/server",
		XEN_RECORD "/%u/uuid",
	};
	struct description of = { json_object(), domid };
	char path[MAX_PATH];
	unsigned int i;

	for (i = 0; i < sizeof(guest) / sizeof(guest[0]); i++) {
		snprintf(path, sizeof(path), guest[i], domid);
		copy(of.store, path);
	}
	snprintf(path, sizeof(path), XEN_BACKEND "/%u", domid);
	xen_store_each(path, copy_device, &of);
	return json_pack("{s:b,s:o}", "introduced", xs_is_domain_introduced(xen_store, domid),
			 "store", of.store);
}

/*
 * Notes
 */

/* @path is PREFIX/N/state, and the guest has a device N, or had one of which that is left */
static bool of_device(const char *path, const char *prefix, unsigned int domid)
{
	size_t len = strlen(prefix);
	unsigned int index;
	char again[MAX_PATH], *known;

	if (strncmp(path, prefix, len) || sscanf(path + len, "/%5u/state", &index) != 1)
		return false;
	/* In this form and no other */
	snprintf(again, sizeof(again), "%s/%u/state", prefix, index);
	if (strcmp(path, again))
		return false;
	known = xen_store_read(XEN_BACKEND "/%u/%u/base", domid, index) ?:
		xen_store_read("%s", path);
	free(known);
	return known;
}

static bool is(const char *path, const char *prefix, const char *rest)
{
	size_t len = strlen(prefix);

	return !strncmp(path, prefix, len) && !strcmp(path + len, rest);
}

/* Its own record, and that a device of its guest is closed */
static bool allowed(unsigned int domid, const char *path, const char *value)
{
	char record[32], backend[32];

	snprintf(record, sizeof(record), XEN_RECORD "/%u", domid);
	snprintf(backend, sizeof(backend), XEN_BACKEND "/%u", domid);
	if (!value)
		return is(path, record, "");
	if (strlen(value) > MAX_VALUE)
		return false;
	return is(path, record, "/server") || is(path, record, "/uuid") ||
	       of_device(path, record, domid) ||
	       (!strcmp(value, XEN_CLOSED) && of_device(path, backend, domid));
}

void carrier_xen_note(unsigned int domid, const json_t *notes)
{
	const char *path, *value;
	json_t *each;

	json_object_foreach((json_t *)notes, path, each) {
		value = json_string_value(each);
		if ((!value && !json_is_null(each)) || !allowed(domid, path, value))
			continue;
		if (value)
			xen_store_write(path, value);
		else
			xen_store_remove(path);
	}
}

/*
 * Devices
 */

int carrier_xen_device(unsigned int domid, bool grants)
{
	int fd = open(grants ? "/dev/xen/gntdev" : "/dev/xen/privcmd", O_RDWR | O_CLOEXEC), ret;

	if (fd < 0)
		return -errno;
	if (!grants && xen_restrict(fd, domid)) {
		ret = -errno;
		close(fd);
		return ret;
	}
	return fd;
}
