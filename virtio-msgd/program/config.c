// SPDX-License-Identifier: GPL-2.0-only
#include "program/config.h"

#include <errno.h>
#include <ini.h>
#include <linux/virtio_msg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "carriers/uml/uml.h"
#include "carriers/vfio_user/vfio_user.h"
#include "carriers/xen/xen.h"
#include "program/devices.h"
#include "program/guests.h"

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
	uint64_t msg_size, slots;

	*wc = window_config_default;
	msg_size = wc->msg_size;
	slots = wc->num_slots;
	if (choose_personality(params, &wc->mmio, err) ||
	    params_bool(params, "page", &wc->page, err) ||
	    params_bool(params, "strict", &wc->strict, err) ||
	    params_bool(params, "access-platform", &wc->access_platform, err) ||
	    params_number(params, "msg-size", VIRTIO_MSG_SIZE_MIN, WINDOW_MSG_SIZE, &msg_size,
			  err) ||
	    params_number(params, "slots", 1, WINDOW_MAX_SLOTS, &slots, err))
		return -1;
	if (wc->mmio && slots > 1)
		return errmsg_set(err, "slots=%u: virtio-mmio has one device in a window",
				  (unsigned int)slots);
	wc->msg_size = msg_size;
	wc->num_slots = slots;
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
		return errmsg_set(err, "it comes before any guest: name that first (uml, vfio-user)");
	index = carrier->num_windows;
	if (params_number(params, "index", 0, CARRIER_MAX_WINDOWS - 1, &index, err) ||
	    config_window(params, &wc, &dev, err))
		return -1;
	win = window_create(carrier, index, &wc);
	if (!win) {
		if (dev)
			dev->ops->destroy(dev);
		if (errno == E2BIG)
			return errmsg_set(err, "slots=%u: no more than %u here", wc.num_slots,
					  carrier->max_slots);
		return errmsg_set(err, "window %llu: %s", (unsigned long long)index,
				  strerror(errno));
	}
	config->window = win;
	if (dev)
		slot_attach(&win->slots[0], dev);
	return 0;
}

/* The first that has no device; all have: as many as there are */
static unsigned int free_slot(const struct window *win)
{
	unsigned int i = 0;

	while (i < win->config.num_slots && win->slots[i].owned)
		i++;
	return i;
}

static int apply_slot(struct config *config, struct params *params, struct errmsg *err)
{
	struct window *win = config->window;
	struct device *dev;
	uint64_t index;

	if (!win)
		return errmsg_set(err, "it comes before any window: name that first");
	index = free_slot(win);
	if (params_number(params, "index", 0, WINDOW_MAX_SLOTS - 1, &index, err))
		return -1;
	if (index >= win->config.num_slots)
		return errmsg_set(err, "window %u has room for %u device%s: say so with slots=",
				  win->index, win->config.num_slots,
				  win->config.num_slots > 1 ? "s" : "");
	if (win->slots[index].owned)
		return errmsg_set(err, "%s has a device", win->slots[index].name);
	if (devices_create(params, &dev, err))
		return -1;
	if (!dev)
		return errmsg_set(err, "device=KIND is needed");
	slot_attach(&win->slots[index], dev);
	return 0;
}

static int apply_uml(struct config *config, struct params *params, struct errmsg *err)
{
	config->window = NULL;
	config->carrier = carrier_uml_create(params, config->child.guest, err);
	return config->carrier ? 0 : -1;
}

static int apply_vfio_user(struct config *config, struct params *params, struct errmsg *err)
{
	config->window = NULL;
	config->carrier = carrier_vfio_user_create(params, config->child.guest, err);
	return config->carrier ? 0 : -1;
}

static int apply_sandbox(struct config *config, struct params *params, struct errmsg *err)
{
	return confine_params(&config->confinement, params, err);
}

static int apply_guest(struct config *config, struct params *params, struct errmsg *err)
{
	if (config->is_child)
		return errmsg_set(err, "it is given twice");
	if (child_params(&config->child, params, err))
		return -1;
	config->is_child = true;
	return 0;
}

static int apply_domain(struct config *config, struct params *params, struct errmsg *err)
{
	uint64_t domain = 0;

	if (params_number(params, "id", 0, UINT16_MAX, &domain, err))
		return -1;
	config->domain = domain;
	return 0;
}

static int apply_xen(struct config *config, struct params *params, struct errmsg *err)
{
	(void)config;
	return carrier_xen_rule(params, config_window, err);
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
	{ "uml", "path", CONFIG_GUEST, apply_uml },
	{ "vfio-user", "path", CONFIG_GUEST, apply_vfio_user },
	{ "window", NULL, CONFIG_PART, apply_window },
	{ "slot", NULL, CONFIG_PART, apply_slot },
	{ "xen", NULL, CONFIG_RULE, apply_xen },
	{ "listen", "path", CONFIG_PROGRAM, apply_listen },
	{ "counters", "path", CONFIG_PROGRAM, apply_counters },
	{ "sandbox", NULL, CONFIG_PROGRAM, apply_sandbox },
	{ "guest", NULL, CONFIG_CHILD, apply_guest },
	{ "domain", "id", CONFIG_CHILD, apply_domain },
};

const unsigned int config_num_sections = sizeof(config_sections) / sizeof(config_sections[0]);

/*
 * The parent
 */

static int give(struct guest *guest, const struct config_section *section,
		const struct params *params, struct errmsg *err)
{
	char *text = params_text(params), option[32];
	int ret = -1;

	snprintf(option, sizeof(option), "--%s", section->name);
	if (guest && text)
		ret = guest_option(guest, option, text);
	free(text);
	return ret ? errmsg_set(err, "out of memory") : 0;
}

static int keep_guest(struct config *config, const struct config_section *section,
		      struct params *params, struct errmsg *err)
{
	const char *path = params_get(params, "path");
	char *name;

	if (!path || !*path)
		return errmsg_set(err, "%s needs the path of a socket", section->name);
	if (asprintf(&name, "%s:%s", section->name, path) < 0)
		return errmsg_set(err, "out of memory");
	if (guest_find(name)) {
		free(name);
		return errmsg_set(err, "%.200s is given twice", path);
	}
	config->guest = guest_new(name, name, config->where, path);
	free(name);
	return give(config->guest, section, params, err);
}

/* Tried out at once, so that the user hears of what is wrong with it. */
static int keep_rule(struct config *config, const struct config_section *section,
		     struct params *params, struct errmsg *err)
{
	char *text = params_text(params), number[24];
	unsigned int num = 0;
	struct param *rule;
	int ret;

	if (section->apply(config, params, err) || params_unknown(params, err)) {
		free(text);
		return -1;
	}
	for (rule = config->rules.first; rule; rule = rule->next)
		num++;
	snprintf(number, sizeof(number), "%u", num);
	ret = text ? params_add(&config->rules, number, text, err) :
		     errmsg_set(err, "out of memory");
	free(text);
	return ret;
}

static int keep(struct config *config, const struct config_section *section,
		struct params *params, struct errmsg *err)
{
	switch (section->use) {
	case CONFIG_GUEST:
		return keep_guest(config, section, params, err);
	case CONFIG_PART:
		if (!config->guest)
			return errmsg_set(err, "it comes before any guest: name that first (uml, vfio-user)");
		return give(config->guest, section, params, err);
	case CONFIG_RULE:
		return keep_rule(config, section, params, err);
	default:
		return section->apply(config, params, err) || params_unknown(params, err) ? -1 : 0;
	}
}

struct guest *config_xen_guest(const struct config *config, unsigned int domid,
			       const char *name)
{
	char text[160], number[8];
	const struct param *rule;
	struct guest *guest;
	int ret;

	snprintf(text, sizeof(text), "xen:%.140s", name);
	snprintf(number, sizeof(number), "%u", domid);
	guest = guest_new(number, text, "", NULL);
	ret = guest ? guest_option(guest, "--domain", number) : -ENOMEM;
	for (rule = config->rules.first; rule && !ret; rule = rule->next)
		ret = guest_option(guest, "--xen", rule->value);
	return ret ? NULL : guest;
}

static int apply(struct config *config, const struct config_section *section,
		 struct params *params, struct errmsg *err)
{
	struct errmsg why;
	int ret;

	if (!config->is_child)
		ret = keep(config, section, params, &why);
	else
		ret = section->apply(config, params, &why) || params_unknown(params, &why);
	if (ret)
		return errmsg_set(err, "%s: %.200s", section->name, why.text);
	return 0;
}

int config_option(struct config *config, const struct config_section *section,
		  const char *value, struct errmsg *err)
{
	struct params params = { 0 };
	struct errmsg why;
	int ret;

	/* The parent passes on a section without a line as an option with nothing in it */
	if ((*value || !config->is_child) &&
	    params_parse(&params, value, section->implied, &why))
		ret = errmsg_set(err, "%s: %.200s", section->name, why.text);
	else
		ret = apply(config, section, &params, err);
	params_free(&params);
	return ret;
}

/*
 * The file: a section is applied when the next one begins. Its name may have a second
 * word that tells it from others of its kind: [window 0], [window clock]. inih tells
 * nothing of sections without a line in them, so the reader looks for "[" itself.
 */

/**
 * struct reader - a file that is being read
 * @config: what it is for
 * @file: the file
 * @line: the number of the last line
 * @name: the section that is being read, or NULL
 * @begun: that name, of those that may be there once, as parameters
 * @params: of the section
 * @err: what is wrong
 * @failed: something is
 */
struct reader {
	struct config *config;
	FILE *file;
	unsigned int line;
	char *name;
	struct params begun;
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
		    config_sections[i].use != CONFIG_CHILD &&
		    !strncmp(config_sections[i].name, name, len))
			return &config_sections[i];
	}
	return NULL;
}

/* The section that was read is complete */
static int reader_apply(struct reader *reader)
{
	int ret;

	if (!reader->name)
		return 0;
	ret = apply(reader->config, find_section(reader->name), &reader->params, reader->err);
	params_free(&reader->params);
	free(reader->name);
	reader->name = NULL;
	return ret;
}

/* Two windows may be called [window]; what has a name of its own is there once. */
static int begin_section(struct reader *reader, const char *name)
{
	const struct config_section *section;
	struct errmsg ignored;

	if (reader_apply(reader))
		return -1;
	section = find_section(name);
	if (!section)
		return errmsg_set(reader->err, "line %u: section [%s] is not known", reader->line,
				  name);
	if ((section->use == CONFIG_PROGRAM || strcmp(name, section->name)) &&
	    params_add(&reader->begun, name, "", &ignored))
		return errmsg_set(reader->err, "line %u: section [%s] is there twice",
				  reader->line, name);
	reader->name = strdup(name);
	return reader->name ? 0 : errmsg_set(reader->err, "out of memory");
}

/* "[window  0]" is "[window 0]" */
static int section_line(struct reader *reader, char *line)
{
	char *end = strchr(line, ']'), *name = line + 1, *to;

	/* For inih to complain about */
	if (!end)
		return 0;
	*end = '\0';
	for (to = line; *name; name++) {
		bool blank = *name == ' ' || *name == '\t';

		if (!blank || (to > line && to[-1] != ' '))
			*to++ = blank ? ' ' : *name;
	}
	if (to > line && to[-1] == ' ')
		to--;
	*to = '\0';
	return begin_section(reader, line);
}

/* A line as inih gets it, after a look at it */
static int take_line(struct reader *reader, const char *line, size_t len, char *to, int size)
{
	const char *text = line;
	char copy[512];

	if (reader->line == 1 && !strncmp(text, "\xef\xbb\xbf", 3))
		text += 3;
	while (*text == ' ' || *text == '\t')
		text++;
	if (memchr(line, '\0', len))
		return errmsg_set(reader->err, "line %u: it has a NUL byte: this is no text",
				  reader->line);
	/* A comment may be as long as it likes */
	if (*text == ';' || *text == '#')
		text = "\n";
	if (strlen(text) >= (size_t)size)
		return errmsg_set(reader->err, "line %u is too long: %d characters are possible",
				  reader->line, size - 2);
	strcpy(to, text);
	if (*text != '[')
		return 0;
	snprintf(copy, sizeof(copy), "%s", text);
	return section_line(reader, copy);
}

/* For inih, like fgets() */
static char *read_line(char *to, int size, void *arg)
{
	struct reader *reader = arg;
	size_t room = 0;
	char *line = NULL;
	ssize_t len;

	len = reader->failed ? -1 : getline(&line, &room, reader->file);
	if (len >= 0) {
		reader->line++;
		if (take_line(reader, line, len, to, size))
			reader->failed = true;
	}
	free(line);
	return len < 0 || reader->failed ? NULL : to;
}

/* For inih: 0 is an error */
static int on_line(void *arg, const char *section, const char *name, const char *value)
{
	struct reader *reader = arg;
	struct errmsg why;

	(void)section;
	if (reader->failed)
		return 0;
	if (!reader->name)
		errmsg_set(reader->err, "line %u: it comes before any [section]", reader->line);
	else if (params_add(&reader->params, name, value, &why))
		errmsg_set(reader->err, "line %u: %.200s", reader->line, why.text);
	else
		return 1;
	reader->failed = true;
	return 0;
}

static int read_all(struct reader *reader)
{
	int line = ini_parse_stream(read_line, reader, on_line, reader);

	if (!reader->failed && line > 0) {
		errmsg_set(reader->err, "line %d: \"name = value\" or \"[section]\" is expected", line);
		reader->failed = true;
	} else if (!reader->failed && (line < 0 || ferror(reader->file))) {
		errmsg_set(reader->err, "%s", strerror(line < 0 ? ENOMEM : errno));
		reader->failed = true;
	}
	return reader->failed || reader_apply(reader) ? -1 : 0;
}

int config_file(struct config *config, const char *path, struct errmsg *err)
{
	struct errmsg why = { "" };
	struct reader reader = { .config = config, .err = &why };
	char where[256];
	int ret;

	reader.file = fopen(path, "re");
	if (!reader.file)
		return errmsg_set(err, "%s: %s", path, strerror(errno));
	/* For those who are told later what is wrong */
	snprintf(where, sizeof(where), "%.250s: ", path);
	config->where = where;
	ret = read_all(&reader);
	config->where = "";
	fclose(reader.file);
	params_free(&reader.begun);
	params_free(&reader.params);
	free(reader.name);
	return ret ? errmsg_set(err, "%s: %.200s", path, why.text) : 0;
}

void config_init(struct config *config)
{
	*config = (struct config) {
		.confinement = confinement_default,
		.where = "",
		.child = { .channel = -1, .meet = -1, .guest = -1 },
		.domain = -1,
	};
}

void config_free(struct config *config)
{
	params_free(&config->rules);
	free(config->confinement.user);
	free(config->listen);
	free(config->counters);
}
