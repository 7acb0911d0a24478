// SPDX-License-Identifier: GPL-2.0-only
#include "control.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "carrier.h"
#include "devices.h"
#include "loop.h"
#include "sock.h"
#include "window.h"

/* A longer line is no request */
#define MAX_LINE	65536

struct client {
	struct client *next;
	struct control *control;
	struct bufferevent *bev;
};

struct control {
	char *path;
	int fd;
	struct event *event;
	struct client *clients;
};

/*
 * Commands
 */

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
		json_array_append_new(list, json_pack("{s:s,s:o}", "name", carrier->name,
						      "windows", windows));
	}
	return json_pack("{s:o}", "carriers", list);
}

json_t *control_counters(void)
{
	return all_windows(true);
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

static json_t *do_add(const json_t *request, struct errmsg *err)
{
	struct window *win = find_window(request, err);
	struct params params = { 0 };
	struct device *dev = NULL;
	json_t *result = NULL;

	if (!win)
		return NULL;
	if (win->dev) {
		errmsg_set(err, "window %u has a device", win->index);
		return NULL;
	}
	if (take_params(request, &params, err) || devices_create(&params, &dev, err))
		goto out;
	if (!dev) {
		errmsg_set(err, "device=KIND is needed");
		goto out;
	}
	if (params_unknown(&params, err)) {
		dev->ops->destroy(dev);
		goto out;
	}
	window_attach(win, dev);
	result = window_json(win);
out:
	params_free(&params);
	return result;
}

static json_t *do_remove(const json_t *request, struct errmsg *err)
{
	struct window *win = find_window(request, err);

	if (!win)
		return NULL;
	if (window_detach(win)) {
		errmsg_set(err, "window %u has no device", win->index);
		return NULL;
	}
	return window_json(win);
}

/* The window's device, if a driver can see it */
static struct device *find_device(const json_t *request, struct errmsg *err)
{
	struct window *win = find_window(request, err);

	if (win && !win->slot.dev)
		errmsg_set(err, "window %u has no device that is ready", win->index);
	return win ? win->slot.dev : NULL;
}

static json_t *do_set(const json_t *request, struct errmsg *err)
{
	struct window *win = find_window(request, err);
	struct params params = { 0 };
	json_t *result = NULL;
	int ret = 0;

	if (!win)
		return NULL;
	if (!win->dev) {
		errmsg_set(err, "window %u has no device", win->index);
		return NULL;
	}
	if (!take_params(request, &params, err)) {
		if (win->dev->ops->set)
			ret = win->dev->ops->set(win->dev, &params, err);
		if (!ret && !params_unknown(&params, err))
			result = window_json(win);
	}
	params_free(&params);
	return result;
}

static json_t *do_config_change(const json_t *request, struct errmsg *err)
{
	struct device *dev = find_device(request, err);

	if (!dev)
		return NULL;
	device_config_changed(dev);
	return window_json(dev->win);
}

static json_t *do_break(const json_t *request, struct errmsg *err)
{
	struct device *dev = find_device(request, err);

	if (!dev)
		return NULL;
	device_broken(dev, "broken by request");
	return window_json(dev->win);
}

static const struct command {
	const char *name;
	json_t *(*run)(const json_t *request, struct errmsg *err);
} commands[] = {
	{ "list", do_list },
	{ "counters", do_counters },
	{ "counters-reset", do_counters_reset },
	{ "add", do_add },
	{ "remove", do_remove },
	{ "set", do_set },
	{ "config-change", do_config_change },
	{ "break", do_break },
};

const char control_help[] =
	"  list                        carriers, windows and devices\n"
	"  counters                    traps, messages, kicks and interrupts of each window\n"
	"  counters-reset              start counting from 0\n"
	"  add WINDOW device=KIND,...  put a device into an empty window\n"
	"  remove WINDOW               take a window's device away\n"
	"  set WINDOW NAME=VALUE,...   change a device's option while it runs (blk: size)\n"
	"  config-change WINDOW        tell the driver that the config has changed\n"
	"  break WINDOW                make the device need a reset\n";

json_t *control_request(const json_t *request)
{
	const char *name = json_string_value(json_object_get(request, "command"));
	struct errmsg err = { "no such command" };
	json_t *result = NULL;
	size_t i;

	for (i = 0; name && i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (!strcmp(commands[i].name, name)) {
			result = commands[i].run(request, &err);
			break;
		}
	}
	if (result)
		return json_pack("{s:o}", "ok", result);
	return json_pack("{s:s++}", "error", name ? name : "request", ": ", err.text);
}

/*
 * Server
 */

static void client_close(struct client *client)
{
	struct client **at = &client->control->clients;

	while (*at != client)
		at = &(*at)->next;
	*at = client->next;
	bufferevent_free(client->bev);
	free(client);
}

static void answer(struct bufferevent *bev, const char *line)
{
	json_t *request = json_loads(line, 0, NULL);
	json_t *reply = control_request(request);
	char *text = json_dumps(reply, JSON_COMPACT);

	json_decref(request);
	json_decref(reply);
	if (text)
		evbuffer_add_printf(bufferevent_get_output(bev), "%s\n", text);
	free(text);
}

static void on_read(struct bufferevent *bev, void *arg)
{
	struct evbuffer *input = bufferevent_get_input(bev);
	struct client *client = arg;
	char *line;

	while ((line = evbuffer_readln(input, NULL, EVBUFFER_EOL_LF))) {
		answer(bev, line);
		free(line);
	}
	if (evbuffer_get_length(input) >= MAX_LINE)
		client_close(client);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	(void)bev;
	if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
		client_close(arg);
}

static void on_connect(evutil_socket_t listen_fd, short what, void *arg)
{
	int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct control *control = arg;
	struct client *client;

	(void)what;
	if (fd < 0)
		return;
	client = calloc(1, sizeof(*client));
	if (client)
		client->bev = bufferevent_socket_new(loop, fd, BEV_OPT_CLOSE_ON_FREE);
	if (!client || !client->bev) {
		close(fd);
		free(client);
		return;
	}
	client->control = control;
	client->next = control->clients;
	control->clients = client;
	bufferevent_setcb(client->bev, on_read, NULL, on_event, client);
	bufferevent_setwatermark(client->bev, EV_READ, 0, MAX_LINE);
	bufferevent_enable(client->bev, EV_READ | EV_WRITE);
}

struct control *control_listen(const char *path, struct errmsg *err)
{
	struct control *control = calloc(1, sizeof(*control));

	if (!control) {
		errmsg_set(err, "out of memory");
		return NULL;
	}
	control->fd = sock_listen(path, err);
	if (control->fd < 0) {
		free(control);
		return NULL;
	}
	control->path = strdup(path);
	control->event = event_new(loop, control->fd, EV_READ | EV_PERSIST, on_connect, control);
	if (!control->path || !control->event || event_add(control->event, NULL)) {
		control_close(control);
		errmsg_set(err, "out of memory");
		return NULL;
	}
	return control;
}

void control_close(struct control *control)
{
	while (control->clients)
		client_close(control->clients);
	if (control->event)
		event_free(control->event);
	close(control->fd);
	if (control->path)
		unlink(control->path);
	free(control->path);
	free(control);
}

/*
 * Client
 */

/* COMMAND [WINDOW [name=value,...]] */
static json_t *make_request(char *const *words, struct errmsg *err)
{
	json_t *request = json_pack("{s:s}", "command", words[0]);
	json_t *object = json_object();
	struct params params = { 0 };
	struct param *param;

	if (words[1])
		json_object_set_new(request, "window", json_string(words[1]));
	if ((words[1] && words[2] && words[3]) ||
	    (words[1] && words[2] && params_parse(&params, words[2], NULL, err))) {
		if (words[3])
			errmsg_set(err, "too many arguments: %.100s", words[3]);
		params_free(&params);
		json_decref(request);
		json_decref(object);
		return NULL;
	}
	for (param = params.first; param; param = param->next)
		json_object_set_new(object, param->name, json_string(param->value));
	params_free(&params);
	json_object_set_new(request, "params", object);
	return request;
}

/* Print the answer; the exit status */
static int show(const char *line)
{
	json_t *reply = json_loads(line, 0, NULL);
	const char *error = json_string_value(json_object_get(reply, "error"));
	json_t *ok = json_object_get(reply, "ok");
	int ret = 1;

	if (ok) {
		json_dumpf(ok, stdout, JSON_INDENT(2));
		putchar('\n');
		ret = 0;
	} else {
		log_line("%s", error ? error : "the answer makes no sense");
	}
	json_decref(reply);
	return ret;
}

int control_client(const char *path, char *const *words)
{
	struct errmsg err;
	json_t *request;
	FILE *stream;
	char *line = NULL;
	size_t size = 0;
	int fd, ret = 2;

	request = make_request(words, &err);
	fd = request ? sock_connect(path, &err) : -1;
	if (fd < 0) {
		log_line("%s", err.text);
		json_decref(request);
		return 2;
	}
	stream = sock_stream(fd);
	if (stream && !json_dumpf(request, stream, JSON_COMPACT) && fputc('\n', stream) != EOF &&
	    !fflush(stream) && getline(&line, &size, stream) > 0)
		ret = show(line);
	else
		log_line("%s: no answer", path);
	json_decref(request);
	free(line);
	if (stream)
		fclose(stream);
	return ret;
}
