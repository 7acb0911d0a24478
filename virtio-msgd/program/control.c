// SPDX-License-Identifier: GPL-2.0-only
#include "program/control.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/model.h"
#include "program/devices.h"

/*
 * A JSON string of whatever text there is: paths and names of guests need not be UTF-8,
 * and what was cut to fit may end within a character. A byte that is none becomes "?".
 */
static json_t *text_json(const char *text)
{
	json_t *string = json_string(text);
	char *copy, *c;

	if (string)
		return string;
	copy = strdup(text);
	for (c = copy; c && *c; c++) {
		size_t len = 1;

		/* As many bytes as make a character */
		while (len <= 4 && !(string = json_stringn(c, len)))
			len++;
		json_decref(string);
		if (len > 4)
			*c = '?';
		else
			c += len - 1;
	}
	string = copy ? json_string(copy) : NULL;
	free(copy);
	return string ?: json_string("?");
}

/* "1" is a window of the first carrier, "uml:/run/guest/1" of that one */
static struct window *find_window(const json_t *request, struct errmsg *err)
{
	const char *name = json_string_value(json_object_get(request, "window"));
	struct carrier *carrier = carriers;
	const char *slash, *number = name;
	unsigned long w;
	char *end;

	if (!name) {
		errmsg_set(err, "it needs a window");
		return NULL;
	}
	slash = strrchr(name, '/');
	if (slash) {
		number = slash + 1;
		while (carrier && (strlen(carrier->name) != (size_t)(slash - name) ||
				   strncmp(carrier->name, name, slash - name)))
			carrier = carrier->next;
	}
	w = strtoul(number, &end, 10);
	if (!carrier || !*number || *end || w >= carrier->num_windows || !carrier->windows[w]) {
		errmsg_set(err, "window %.100s does not exist", name);
		return NULL;
	}
	return carrier->windows[w];
}

static json_t *window_json(const struct window *win)
{
	const struct slot *slot = &win->slot;

	return json_pack("{s:i,s:s,s:s?,s:b,s:i,s:i}",
			 "index", (int)win->index,
			 "personality", win->personality->name,
			 "device", win->dev ? win->dev->name : NULL,
			 "present", slot->dev != NULL,
			 "status", (int)slot->status,
			 "generation", (int)slot->generation);
}

static json_t *all_windows(bool counters)
{
	json_t *list = json_array(), *windows, *object;
	struct carrier *carrier;
	unsigned int w;

	for (carrier = carriers; carrier; carrier = carrier->next) {
		windows = json_array();
		for (w = 0; w < carrier->num_windows; w++) {
			struct window *win = carrier->windows[w];

			if (!win)
				continue;
			object = window_json(win);
			if (counters)
				json_object_update_new(object, counters_json(&win->counters,
									     win->config.mmio));
			json_array_append_new(windows, object);
		}
		json_array_append_new(list, json_pack("{s:o,s:o}", "name",
						      text_json(carrier->name),
						      "windows", windows));
	}
	return json_pack("{s:o}", "carriers", list);
}

static json_t *do_list(const json_t *request, struct errmsg *err)
{
	(void)request;
	(void)err;
	return all_windows(false);
}

static json_t *do_counters(const json_t *request, struct errmsg *err)
{
	(void)request;
	(void)err;
	return all_windows(true);
}

static json_t *do_counters_reset(const json_t *request, struct errmsg *err)
{
	struct carrier *carrier;
	unsigned int w;

	(void)request;
	(void)err;
	for (carrier = carriers; carrier; carrier = carrier->next) {
		for (w = 0; w < carrier->num_windows; w++) {
			if (carrier->windows[w])
				carrier->windows[w]->counters = (struct counters) { .kicks = 0 };
		}
	}
	return json_object();
}

static int take_params(const json_t *request, struct params *params, struct errmsg *err)
{
	json_t *object = json_object_get(request, "params");
	const char *name;
	json_t *value;

	json_object_foreach(object, name, value) {
		if (!json_is_string(value))
			return errmsg_set(err, "%.100s: a string is expected", name);
		if (params_add(params, name, json_string_value(value), err))
			return -1;
	}
	return 0;
}

/*
 * Commands for a window, whose slot is locked meanwhile
 */

static json_t *add_device(struct window *win, struct params *params, struct errmsg *err)
{
	struct device *dev;

	if (devices_create(params, &dev, err))
		return NULL;
	if (!dev) {
		errmsg_set(err, "device=KIND is needed");
		return NULL;
	}
	if (params_unknown(params, err)) {
		dev->ops->destroy(dev);
		return NULL;
	}
	window_attach(win, dev);
	return window_json(win);
}

static json_t *do_add(struct window *win, struct params *params, struct errmsg *err)
{
	if (!win->dev)
		return add_device(win, params, err);
	errmsg_set(err, "window %u has a device", win->index);
	return NULL;
}

static bool has_device(const struct window *win, struct errmsg *err)
{
	if (!win->dev)
		errmsg_set(err, "window %u has no device", win->index);
	return win->dev;
}

static json_t *do_remove(struct window *win, struct params *params, struct errmsg *err)
{
	if (params_unknown(params, err) || !has_device(win, err))
		return NULL;
	window_detach(win);
	return window_json(win);
}

static json_t *do_set(struct window *win, struct params *params, struct errmsg *err)
{
	if (!has_device(win, err))
		return NULL;
	/* It changes nothing before it knows all that is asked for */
	if (win->dev->ops->set ? win->dev->ops->set(win->dev, params, err) :
				 params_unknown(params, err))
		return NULL;
	return window_json(win);
}

/* A driver can see it */
static bool is_ready(const struct window *win, struct params *params, struct errmsg *err)
{
	if (params_unknown(params, err))
		return false;
	if (!win->slot.dev)
		errmsg_set(err, "window %u has no device that is ready", win->index);
	return win->slot.dev;
}

static json_t *do_config_change(struct window *win, struct params *params, struct errmsg *err)
{
	if (!is_ready(win, params, err))
		return NULL;
	device_config_changed(win->slot.dev);
	return window_json(win);
}

static json_t *do_break(struct window *win, struct params *params, struct errmsg *err)
{
	if (!is_ready(win, params, err))
		return NULL;
	device_broken(win->slot.dev, "broken by request");
	return window_json(win);
}

/**
 * struct command - of the control socket
 * @name: of the command
 * @run: carries it out, for all windows; NULL with @err set
 * @run_window: likewise, for the window that is named
 */
static const struct command {
	const char *name;
	json_t *(*run)(const json_t *request, struct errmsg *err);
	json_t *(*run_window)(struct window *win, struct params *params, struct errmsg *err);
} commands[] = {
	{ "list", do_list, NULL },
	{ "counters", do_counters, NULL },
	{ "counters-reset", do_counters_reset, NULL },
	{ "add", NULL, do_add },
	{ "remove", NULL, do_remove },
	{ "set", NULL, do_set },
	{ "config-change", NULL, do_config_change },
	{ "break", NULL, do_break },
};

static json_t *run(const struct command *command, const json_t *request, struct errmsg *err)
{
	struct params params = { 0 };
	json_t *result = NULL;
	struct window *win;

	if (command->run)
		return command->run(request, err);
	win = find_window(request, err);
	if (!win)
		return NULL;
	if (!take_params(request, &params, err)) {
		task_lock(&win->slot.lock);
		result = command->run_window(win, &params, err);
		task_unlock(&win->slot.lock);
	}
	params_free(&params);
	return result;
}

const char control_help[] =
	"  list                        carriers, windows and devices\n"
	"  counters                    traps, messages, kicks and interrupts of each window\n"
	"  counters-reset              start counting from 0\n"
	"  add WINDOW device=KIND,...  put a device into an empty window\n"
	"  remove WINDOW               take a window's device away\n"
	"  set WINDOW NAME=VALUE,...   change a device's option while it runs (blk: size)\n"
	"  config-change WINDOW        tell the driver that the config has changed\n"
	"  break WINDOW                make the device need a reset\n";

static json_t *refusal(const char *name, const struct errmsg *err)
{
	char text[sizeof(err->text) + 64];

	snprintf(text, sizeof(text), "%.50s: %s", name, err->text);
	return json_pack("{s:o}", "error", text_json(text));
}

json_t *control_execute(const json_t *request)
{
	const char *name = json_string_value(json_object_get(request, "command"));
	struct errmsg err = { "no such command" };
	json_t *result = NULL;
	size_t i;

	for (i = 0; name && i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (!strcmp(commands[i].name, name)) {
			result = run(&commands[i], request, &err);
			break;
		}
	}
	if (result)
		return json_pack("{s:o}", "ok", result);
	return refusal(name ?: "request", &err);
}
