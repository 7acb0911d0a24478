// SPDX-License-Identifier: GPL-2.0-only
/*
 * The configuration file, and options of the command line, as the parent takes them and as
 * the process of a guest does.
 */
#include "program/config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "carriers/xen/xen.h"
#include "machine.h"
#include "program/guests.h"

int __wrap_sock_connect(const char *path, struct errmsg *err);
int __wrap_sock_listen(const char *path, struct errmsg *err);

/* Paths are anybody's: none is touched */
int __wrap_sock_connect(const char *path, struct errmsg *err)
{
	errno = ENOENT;
	return errmsg_set(err, "%s: not here", path);
}

int __wrap_sock_listen(const char *path, struct errmsg *err)
{
	errno = EACCES;
	return errmsg_set(err, "%s: not here", path);
}

static void read_file(struct config *config, struct input *in)
{
	struct errmsg err = { "" };
	size_t len = in->left;
	const uint8_t *text = take_bytes(in, &len);
	int fd = fuzz_memfd(0);
	char path[32];

	fuzz_check(write(fd, text, len) == (ssize_t)len);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (config_file(config, path, &err))
		fuzz_check(*err.text && memchr(err.text, '\0', sizeof(err.text)));
	close(fd);
}

/* A line each: the number of a section as a letter, then its value */
static void take_options(struct config *config, struct input *in)
{
	struct errmsg err;
	char *line;

	while (in->left) {
		line = take_line(in);
		if (*line && config_option(config, &config_sections[*line % config_num_sections],
					   line + 1, &err))
			fuzz_check(*err.text && memchr(err.text, '\0', sizeof(err.text)));
		free(line);
	}
}

void fuzz_one(struct input *in)
{
	uint8_t how = take8(in);
	struct config config;
	struct machine *m = NULL;

	config_init(&config);
	if (how & 1) {
		m = machine_new(false);
		config.is_child = true;
		config.carrier = &m->carrier;
	}
	if (how & 2)
		take_options(&config, in);
	else
		read_file(&config, in);
	if (!m)
		config_xen_guest(&config, 1, "guest");
	guests_stop();
	if (m)
		machine_free(m);
	carrier_xen_stop();
	config_free(&config);
}
