// SPDX-License-Identifier: GPL-2.0-only
#include "program/control.h"

#include <limits.h>
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

/*
 * "1" is a window of the first carrier, "uml:/run/guest/1" of that one, and with ".3" a
 * slot of it. @slot: its number, or -1 if none is named
 */
static struct window *find_window(const char *name, long *number, struct errmsg *err)
{
	const char *slash = strrchr(name, '/'), *digits = slash ? slash + 1 : name;
	struct carrier *carrier = carriers;
	unsigned long w, s;
	char *end;

	while (slash && carrier && (strlen(carrier->name) != (size_t)(slash - name) ||
				    strncmp(carrier->name, name, slash - name)))
		carrier = carrier->next;
	w = strtoul(digits, &end, 10);
	*number = -1;
	if (end > digits && *end == '.') {
		digits = end + 1;
		s = strtoul(digits, &end, 10);
		*number = s < INT_MAX ? s : INT_MAX;
	}
	if (!carrier || end == digits || *end || w >= carrier->num_windows ||
	    !carrier->windows[w]) {
		errmsg_set(err, "window %.100s does not exist", name);
		return NULL;
	}
	if (*number >= (long)carrier->windows[w]->config.num_slots) {
		errmsg_set(err, "window %lu has %u slot%s", w, carrier->windows[w]->config.num_slots,
			   carrier->windows[w]->config.num_slots > 1 ? "s" : "");
		return NULL;
	}
	return carrier->windows[w];
}

/* The slot that is named, or the one to @fill with a device: the first without */
static struct slot *find_slot(const json_t *request, bool fill, struct errmsg *err)
{
	const char *name = json_string_value(json_object_get(request, "window"));
	struct window *win;
	long number;

	if (!name) {
		errmsg_set(err, "it needs a window");
		return NULL;
	}
	win = find_window(name, &number, err);
	if (!win)
		return NULL;
	if (number < 0 && win->config.num_slots == 1)
		number = 0;
	if (number >= 0)
		return &win->slots[number];
	if (!fill) {
		errmsg_set(err, "window %u has %u slots: say which, as in \"%.80s.0\"", win->index,
			   win->config.num_slots, name);
		return NULL;
	}
	for (number = 0; number < (long)win->config.num_slots; number++) {
		if (!win->slots[number].owned)
			return &win->slots[number];
	}
	errmsg_set(err, "window %u has a device in each of its %u slots", win->index,
		   win->config.num_slots);
	return NULL;
}

/* Of a slot: @where is the window's number, or its own in the window */
static json_t *slot_json(const struct slot *slot, const char *where, unsigned int number)
{
	return json_pack("{s:i,s:s?,s:b,s:i,s:i}", where, (int)number,
			 "device", slot->owned ? slot->owned->name : NULL,
			 "present", slot->dev != NULL,
			 "status", (int)slot->status,
			 "generation", (int)slot->generation);
}

/* Of those that have a device, if there may be several */
static json_t *slots_json(const struct window *win, bool counters)
{
	json_t *list = json_array(), *object;
	unsigned int i;

	for (i = 0; i < win->config.num_slots; i++) {
		const struct slot *slot = &win->slots[i];

		if (!slot->owned)
			continue;
		object = slot_json(slot, "slot", i);
		if (counters)
			json_object_update_new(object, json_pack("{s:I,s:I}",
								 "kicks", (json_int_t)slot->kicks,
								 "interrupts",
								 (json_int_t)slot->interrupts));
		json_array_append_new(list, object);
	}
	return list;
}

static json_t *window_json(const struct window *win, bool counters)
{
	json_t *object;

	if (win->config.num_slots == 1)
		object = slot_json(&win->slots[0], "index", win->index);
	else
		object = json_pack("{s:i,s:i,s:o}", "index", (int)win->index,
				   "room", (int)win->config.num_slots,
				   "slots", slots_json(win, counters));
	json_object_set_new(object, "personality", json_string(win->personality->name));
	if (counters)
		json_object_update_new(object, counters_json(&win->counters, win->config.mmio));
	return object;
}

/* What a command for a slot answers */
static json_t *answer(const struct slot *slot)
{
	json_t *object = slot_json(slot, "index", slot->window);

	if (strchr(slot->name, '.'))
		json_object_set_new(object, "slot", json_integer(slot->number));
	return object;
}

static json_t *all_windows(bool counters)
{
	json_t *list = json_array(), *windows;
	struct carrier *carrier;
	unsigned int w;

	for (carrier = carriers; carrier; carrier = carrier->next) {
		windows = json_array();
		for (w = 0; w < carrier->num_windows; w++) {
			if (carrier->windows[w])
				json_array_append_new(windows, window_json(carrier->windows[w],
									   counters));
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

static void reset_counters(struct window *win)
{
	unsigned int i;

	win->counters = (struct counters) { .kicks = 0 };
	for (i = 0; i < win->config.num_slots; i++) {
		win->slots[i].kicks = 0;
		win->slots[i].interrupts = 0;
	}
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
				reset_counters(carrier->windows[w]);
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
 * Commands for a slot, which is locked meanwhile
 */

static json_t *add_device(struct slot *slot, struct params *params, struct errmsg *err)
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
	slot_attach(slot, dev);
	return answer(slot);
}

static json_t *do_add(struct slot *slot, struct params *params, struct errmsg *err)
{
	if (!slot->owned)
		return add_device(slot, params, err);
	errmsg_set(err, "%s has a device", slot->name);
	return NULL;
}

static bool has_device(const struct slot *slot, struct errmsg *err)
{
	if (!slot->owned)
		errmsg_set(err, "%s has no device", slot->name);
	return slot->owned;
}

static json_t *do_remove(struct slot *slot, struct params *params, struct errmsg *err)
{
	if (params_unknown(params, err) || !has_device(slot, err))
		return NULL;
	slot_detach(slot);
	return answer(slot);
}

static json_t *do_set(struct slot *slot, struct params *params, struct errmsg *err)
{
	struct device *dev = slot->owned;

	if (!has_device(slot, err))
		return NULL;
	/* It changes nothing before it knows all that is asked for */
	if (dev->ops->set ? dev->ops->set(dev, params, err) : params_unknown(params, err))
		return NULL;
	return answer(slot);
}

/* A driver can see it */
static bool is_ready(const struct slot *slot, struct params *params, struct errmsg *err)
{
	if (params_unknown(params, err))
		return false;
	if (!slot->dev)
		errmsg_set(err, "%s has no device that is ready", slot->name);
	return slot->dev;
}

static json_t *do_config_change(struct slot *slot, struct params *params, struct errmsg *err)
{
	if (!is_ready(slot, params, err))
		return NULL;
	device_config_changed(slot->dev);
	return answer(slot);
}

static json_t *do_break(struct slot *slot, struct params *params, struct errmsg *err)
{
	if (!is_ready(slot, params, err))
		return NULL;
	device_broken(slot->dev, "broken by request");
	return answer(slot);
}

/**
 * struct command - of the control socket
 * @name: of the command
 * @run: carries it out, for all windows; NULL with @err set
 * @run_slot: likewise, for the slot that is named
 */
static const struct command {
	const char *name;
	json_t *(*run)(const json_t *request, struct errmsg *err);
	json_t *(*run_slot)(struct slot *slot, struct params *params, struct errmsg *err);
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
	struct slot *slot;

	if (command->run)
		return command->run(request, err);
	slot = find_slot(request, command->run_slot == do_add, err);
	if (!slot)
		return NULL;
	if (!take_params(request, &params, err)) {
		task_lock(&slot->lock);
		result = command->run_slot(slot, &params, err);
		task_unlock(&slot->lock);
	}
	params_free(&params);
	return result;
}

const char control_help[] =
	"  list                        carriers, windows and devices\n"
	"  counters                    traps, messages, kicks and interrupts of each window\n"
	"  counters-reset              start counting from 0\n"
	"  add WINDOW device=KIND,...  put a device into an empty window or slot (WINDOW.N)\n"
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
