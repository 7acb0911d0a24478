// SPDX-License-Identifier: GPL-2.0-only
#include "config.h"

#include <errno.h>
#include <ini.h>
#include <linux/virtio_msg.h>
#include <stdlib.h>
#include <string.h>

#include "carrier_uml.h"
#include "carrier_xen.h"
#include "devices.h"

static int choose_personality(struct params *params, bool *mmio, struct errmsg *err)
{
	const char *name = params_get(params, "personality");

	if (!name || !strcmp(name, "msg"))
		*mmio = false;
	else if (!strcmp(name, "mmio"))
		*mmio = true;
	else
		return errmsg_set(err, "personality=%s: msg or mmio is expected", name);
	return 0;
}

int config_window(struct params *params, struct window_config *wc,
		  struct device **dev, struct errmsg *err)
{
	uint64_t msg_size;

	*wc = window_config_default;
	msg_size = wc->msg_size;
	if (choose_personality(params, &wc->mmio, err) ||
	    params_bool(params, "page", &wc->page, err) ||
	    params_bool(params, "strict", &wc->strict, err) ||
	    params_bool(params, "access-platform", &wc->access_platform, err) ||
	    params_number(params, "msg-size", VIRTIO_MSG_SIZE_MIN, WINDOW_MSG_SIZE, &msg_size,
			  err))
		return -1;
	wc->msg_size = msg_size;
	return devices_create(params, dev, err);
}

static int apply_window(struct config *config, struct params *params, struct errmsg *err)
{
	struct carrier *carrier = config->carrier;
	struct window_config wc;
	struct window *win;
	struct device *dev;
	uint64_t index;

	if (!carrier)
		return errmsg_set(err, "it comes before any guest: name that first (uml)");
	index = carrier->num_windows;
	if (params_number(params, "index", 0, CARRIER_MAX_WINDOWS - 1, &index, err) ||
	    config_window(params, &wc, &dev, err))
		return -1;
	win = window_create(carrier, index, &wc);
	if (!win) {
		if (dev)
			dev->ops->destroy(dev);
		return errmsg_set(err, "window %llu: %s", (unsigned long long)index,
				  strerror(errno));
	}
	if (dev)
		window_attach(win, dev);
	return 0;
}

static int apply_uml(struct config *config, struct params *params, struct errmsg *err)
{
	config->carrier = carrier_uml_create(params, err);
	return config->carrier ? 0 : -1;
}

static int apply_xen(struct config *config, struct params *params, struct errmsg *err)
{
	(void)config;
	return carrier_xen_rule(params, err);
}

static int apply_path(char **path, struct params *params, struct errmsg *err)
{
	const char *value = params_get(params, "path");

	if (!value || !*value)
		return errmsg_set(err, "a path is needed");
	free(*path);
	*path = strdup(value);
	return *path ? 0 : errmsg_set(err, "out of memory");
}

static int apply_listen(struct config *config, struct params *params, struct errmsg *err)
{
	return apply_path(&config->listen, params, err);
}

static int apply_counters(struct config *config, struct params *params, struct errmsg *err)
{
	return apply_path(&config->counters, params, err);
}

const struct config_section config_sections[] = {
	{ "uml", "path", apply_uml },
	{ "window", NULL, apply_window },
	{ "xen", NULL, apply_xen },
	{ "listen", "path", apply_listen },
	{ "counters", "path", apply_counters },
};

const unsigned int config_num_sections = sizeof(config_sections) / sizeof(config_sections[0]);

static int apply(struct config *config, const struct config_section *section,
		 struct params *params, struct errmsg *err)
{
	struct errmsg why;

	if (section->apply(config, params, &why) || params_unknown(params, &why))
		return errmsg_set(err, "%s: %.200s", section->name, why.text);
	return 0;
}

int config_option(struct config *config, const struct config_section *section,
		  const char *value, struct errmsg *err)
{
	struct params params = { 0 };
	struct errmsg why;
	int ret;

	if (params_parse(&params, value, section->implied, &why))
		ret = errmsg_set(err, "%s: %.200s", section->name, why.text);
	else
		ret = apply(config, section, &params, err);
	params_free(&params);
	return ret;
}

/*
 * The file: a section is applied when the next one begins. Its name may have a
 * second word that tells it from others of its kind: [window 0], [window clock].
 */

struct reader {
	struct config *config;
	char *name;
	struct params params;
	struct errmsg *err;
	bool failed;
};

static const struct config_section *find_section(const char *name)
{
	size_t len = strcspn(name, " \t");
	unsigned int i;

	for (i = 0; i < config_num_sections; i++) {
		if (strlen(config_sections[i].name) == len &&
		    !strncmp(config_sections[i].name, name, len))
			return &config_sections[i];
	}
	return NULL;
}

/* The section that was read is complete */
static int reader_apply(struct reader *reader)
{
	const struct config_section *section;
	int ret;

	if (!reader->name)
		return 0;
	section = find_section(reader->name);
	if (section)
		ret = apply(reader->config, section, &reader->params, reader->err);
	else
		ret = errmsg_set(reader->err, "section [%s] is not known", reader->name);
	params_free(&reader->params);
	free(reader->name);
	reader->name = NULL;
	return ret;
}

/* For inih: 0 is an error */
static int on_line(void *arg, const char *section, const char *name, const char *value)
{
	struct reader *reader = arg;

	if (reader->failed)
		return 0;
	if (!reader->name || strcmp(reader->name, section)) {
		if (reader_apply(reader)) {
			reader->failed = true;
			return 0;
		}
		reader->name = strdup(section);
	}
	if (!reader->name || (name && params_add(&reader->params, name, value, reader->err)))
		reader->failed = true;
	return !reader->failed;
}

int config_file(struct config *config, const char *path, struct errmsg *err)
{
	struct errmsg why = { "" };
	struct reader reader = { .config = config, .err = &why };
	int line = ini_parse(path, on_line, &reader);

	if (line < 0)
		return errmsg_set(err, "%s: %s", path, strerror(errno));
	if (!reader.failed && !line && reader_apply(&reader))
		reader.failed = true;
	params_free(&reader.params);
	free(reader.name);
	if (reader.failed)
		return errmsg_set(err, "%s: %.200s", path, why.text);
	if (line)
		return errmsg_set(err, "%s: line %d: \"name = value\" or \"[section]\" is expected",
				  path, line);
	return 0;
}

void config_free(struct config *config)
{
	free(config->listen);
	free(config->counters);
}
