// SPDX-License-Identifier: GPL-2.0-only
/* Options, the config file, and the commands of the control socket. */
#include "event_loop.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "program/config.h"
#include "program/control.h"

static char dir[] = "/tmp/virtio-msgd-test-XXXXXX";
static char path[64];

static int group_setup(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int group_teardown(void **state)
{
	(void)state;
	return rmdir(dir);
}

static struct config config;
static struct errmsg err;

static int setup(void **state)
{
	config_init(&config);
	/* As in the process of a guest: all is done here */
	config.is_child = true;
	return loop_setup(state);
}

static int teardown(void **state)
{
	while (carriers)
		carriers->ops->close(carriers);
	config_free(&config);
	return loop_teardown(state);
}

static int option(const char *name, const char *value)
{
	unsigned int i;

	for (i = 0; i < config_num_sections; i++) {
		if (!strcmp(config_sections[i].name, name))
			return config_option(&config, &config_sections[i], value, &err);
	}
	fail_msg("no option %s", name);
	return -1;
}

static const char *in_dir(const char *name)
{
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void refused(const char *name, const char *value, const char *why)
{
	assert_int_equal(option(name, value), -1);
	assert_string_equal(err.text, why);
}

static void slots(void **state)
{
	struct window *win;

	(void)state;
	refused("slot", "device=rng", "slot: it comes before any window: name that first");
	assert_int_equal(option("uml", in_dir("a")), 0);
	assert_int_equal(option("window", "device=i2c,slots=64"), 0);
	assert_int_equal(option("slot", "device=rng"), 0);
	assert_int_equal(option("slot", "device=rng,index=63"), 0);
	assert_int_equal(option("slot", "device=blk,size=512"), 0);
	win = carriers->windows[0];
	assert_int_equal(win->config.num_slots, 64);
	assert_string_equal(win->slots[0].dev->name, "i2c");
	assert_string_equal(win->slots[1].dev->name, "rng");
	assert_string_equal(win->slots[2].dev->name, "blk");
	assert_string_equal(win->slots[63].dev->name, "rng");
	assert_null(win->slots[3].dev);
	refused("slot", "device=rng,index=63", "slot: window 0.63 has a device");
	refused("slot", "index=5", "slot: device=KIND is needed");
	refused("slot", "index=64,device=rng", "slot: index=64: a number from 0 to 63 is expected");

	/* It has the place of two */
	assert_int_equal(option("window", "device=i2c"), 0);
	assert_string_equal(carriers->windows[2]->slots[0].dev->name, "i2c");
	refused("slot", "device=rng", "slot: window 2 has room for 1 device: say so with slots=");
	refused("window", "slots=65", "window: slots=65: a number from 1 to 64 is expected");
	refused("window", "slots=0", "window: slots=0: a number from 1 to 64 is expected");
	refused("window", "slots=2,personality=mmio", "window: slots=2: virtio-mmio has one device in a window");
	assert_int_equal(option("vfio-user", in_dir("b")), 0);
	refused("window", "slots=2", "window: slots=2: no more than 1 here");
}

static void windows(void **state)
{
	(void)state;
	assert_int_equal(option("uml", in_dir("a")), 0);
	assert_int_equal(option("window", "device=i2c"), 0);
	assert_int_equal(option("window", "device=rng,personality=mmio"), 0);
	assert_int_equal(option("window", "index=5,device=rng,page=off,strict=on,msg-size=0x40"), 0);
	assert_int_equal(option("uml", in_dir("b")), 0);
	assert_int_equal(option("window", "page=on"), 0);

	assert_int_equal(carriers->num_windows, 6);
	assert_string_equal(carriers->windows[0]->slots[0].dev->name, "i2c");
	assert_ptr_equal(carriers->windows[0]->personality, &personality_msg);
	assert_ptr_equal(carriers->windows[1]->personality, &personality_mmio);
	assert_null(carriers->windows[2]);
	assert_int_equal(carriers->windows[5]->config.msg_size, 64);
	assert_false(carriers->windows[5]->config.page);
	assert_true(carriers->windows[5]->config.strict);
	assert_int_equal(carriers->next->num_windows, 1);
	assert_null(carriers->next->windows[0]->slots[0].owned);
}

static void functions(void **state)
{
	(void)state;
	assert_int_equal(option("vfio-user", in_dir("a")), 0);
	assert_int_equal(option("window", "device=rng"), 0);
	assert_int_equal(option("window", "device=rng"), -1);
	assert_string_equal(err.text, "window: window 1: No space left on device");
	assert_int_equal(carriers->num_windows, 1);
	assert_int_equal(option("vfio-user", "path=/x,msi=maybe"), -1);
	assert_string_equal(err.text, "vfio-user: msi=maybe: on or off is expected");
	assert_int_equal(option("vfio-user", "path=/x,irq=7"), -1);
}

/* Each is compared with all others: without a bound, a command would hold up a guest */
static const char *too_many(void)
{
	static char text[512];
	unsigned int i, len = 0;

	for (i = 0; i < 65; i++)
		len += snprintf(text + len, sizeof(text) - len, "%sp%u=", i ? "," : "", i);
	return text;
}

static void wrong_options(void **state)
{
	(void)state;
	refused("window", "device=i2c", "window: it comes before any guest: name that first (uml, vfio-user)");
	refused("uml", "", "uml: uml needs the path of a socket");
	refused("uml", "/nonexistent/socket", "uml: /nonexistent/socket: No such file or directory");
	assert_int_equal(option("uml", in_dir("a")), 0);
	refused("window", "device", "window: \"device\" is not of the form name=value");
	refused("window", "device=rng,device=rng", "window: device is given twice");
	refused("window", too_many(), "window: there are too many parameters");
	refused("window", "page=maybe", "window: page=maybe: on or off is expected");
	refused("window", "personality=x", "window: personality=x: msg or mmio is expected");
	refused("window", "msg-size=51", "window: msg-size=51: a number from 52 to 256 is expected");
	refused("window", "msg-size=-1", "window: msg-size=-1: a number from 52 to 256 is expected");
	refused("window", "msg-size=60x", "window: msg-size=60x: a number from 52 to 256 is expected");
	refused("window", "index=64", "window: index=64: a number from 0 to 63 is expected");
	refused("window", "device=i2c,clock=cuckoo",
		"window: clock=cuckoo: ds1338 or none is expected");
	refused("window", "index=9,device=rng,colour=red", "window: colour is not known here");
	refused("window", "index=9,device=rng", "window: window 9: File exists");
	refused("listen", "", "listen: a path is needed");
}

static void socket_in_use(void **state)
{
	char text[128];
	FILE *file;

	(void)state;
	assert_int_equal(option("uml", in_dir("a")), 0);
	snprintf(text, sizeof(text), "uml: %s: Address already in use", path);
	refused("uml", path, text);
	/* What is no socket is not replaced */
	file = fopen(in_dir("file"), "w");
	assert_non_null(file);
	fclose(file);
	snprintf(text, sizeof(text), "uml: %s: Address already in use", path);
	refused("uml", path, text);
	assert_int_equal(unlink(path), 0);
}

static int read_file(const char *text)
{
	FILE *file = fopen(in_dir("conf"), "w");
	int ret;

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	ret = config_file(&config, path, &err);
	unlink(path);
	return ret;
}

static void file(void **state)
{
	char text[512];

	(void)state;
	in_dir("a");
	snprintf(text, sizeof(text),
		 "; a guest\n[uml]\npath = %s\n\n[window 0]\ndevice = i2c\nclock = none\n"
		 "[window second]\ndevice = rng\npage = off\n[listen]\npath = /x\n", path);
	assert_int_equal(read_file(text), 0);
	assert_int_equal(carriers->num_windows, 2);
	assert_string_equal(carriers->windows[0]->slots[0].dev->name, "i2c");
	assert_string_equal(carriers->windows[1]->slots[0].dev->name, "rng");
	assert_false(carriers->windows[1]->config.page);
	assert_string_equal(config.listen, "/x");
}

static void bad_file(const char *text, const char *why)
{
	char expected[300];

	assert_int_equal(read_file(text), -1);
	snprintf(expected, sizeof(expected), "%s/conf: %s", dir, why);
	assert_string_equal(err.text, expected);
}

static void bad_files(void **state)
{
	(void)state;
	bad_file("[toaster]\na = b\n", "line 1: section [toaster] is not known");
	bad_file("[umlaut]\na = b\n", "line 1: section [umlaut] is not known");
	bad_file("[window]\ndevice = i2c\n",
		 "window: it comes before any guest: name that first (uml, vfio-user)");
	bad_file("[uml]\nnonsense\n", "line 2: \"name = value\" or \"[section]\" is expected");
	bad_file("[listen]\npath = /x\npath = /y\n", "line 3: path is given twice");
	bad_file("[listen]\npath = /x\nmode = 1\n", "listen: mode is not known here");
	assert_int_equal(config_file(&config, "/nonexistent", &err), -1);
	assert_string_equal(err.text, "/nonexistent: No such file or directory");
}

/*
 * Commands
 */

static json_t *ask(const char *request)
{
	json_t *json = json_loads(request, 0, NULL);
	json_t *reply = control_execute(json);

	json_decref(json);
	return reply;
}

static void ask_fails(const char *request, const char *why)
{
	json_t *reply = ask(request);

	assert_null(json_object_get(reply, "ok"));
	assert_string_equal(json_string_value(json_object_get(reply, "error")), why);
	json_decref(reply);
}

static void ask_works(const char *request)
{
	json_t *reply = ask(request);

	if (!json_object_get(reply, "ok"))
		fail_msg("%s", json_string_value(json_object_get(reply, "error")));
	json_decref(reply);
}

static void commands(void **state)
{
	struct window *win;
	char text[128];
	json_t *reply;

	(void)state;
	assert_int_equal(option("uml", in_dir("a")), 0);
	assert_int_equal(option("window", "page=on"), 0);
	win = carriers->windows[0];
	ask_works("{\"command\":\"add\",\"window\":\"0\",\"params\":{\"device\":\"i2c\"}}");
	assert_string_equal(win->slots[0].dev->name, "i2c");
	ask_works("{\"command\":\"config-change\",\"window\":\"0\"}");
	assert_int_equal(win->slots[0].generation, 2);
	slot_set_status(&win->slots[0], 1);
	ask_works("{\"command\":\"break\",\"window\":\"0\"}");
	assert_int_equal(win->slots[0].status, 1 | VIRTIO_CONFIG_S_NEEDS_RESET);
	ask_works("{\"command\":\"remove\",\"window\":\"0\"}");
	assert_null(win->slots[0].owned);
	snprintf(text, sizeof(text),
		 "{\"command\":\"add\",\"window\":\"uml:%s/0\",\"params\":{\"device\":\"rng\"}}", path);
	ask_works(text);
	assert_string_equal(win->slots[0].owned->name, "rng");

	window_read(win, 0, 4);
	reply = ask("{\"command\":\"counters\"}");
	assert_int_equal(json_integer_value(json_object_get(json_object_get(json_array_get(
		json_object_get(json_array_get(json_object_get(json_object_get(reply, "ok"),
		"carriers"), 0), "windows"), 0), "traps"), "total")), 1);
	json_decref(reply);
	ask_works("{\"command\":\"counters-reset\"}");
	assert_int_equal(win->counters.reads[0], 0);
	ask_works("{\"command\":\"list\"}");
}

static void bad_commands(void **state)
{
	(void)state;
	assert_int_equal(option("uml", in_dir("a")), 0);
	assert_int_equal(option("window", "device=rng"), 0);
	assert_int_equal(option("window", "page=on"), 0);
	ask_fails("[]", "request: no such command");
	ask_fails("{\"command\":7}", "request: no such command");
	ask_fails("{\"command\":\"dance\"}", "dance: no such command");
	ask_fails("{\"command\":\"add\"}", "add: it needs a window");
	ask_fails("{\"command\":\"add\",\"window\":\"7\"}", "add: window 7 does not exist");
	ask_fails("{\"command\":\"add\",\"window\":\"x/0\"}", "add: window x/0 does not exist");
	ask_fails("{\"command\":\"add\",\"window\":\"\"}", "add: window  does not exist");
	ask_fails("{\"command\":\"add\",\"window\":\"-1\"}", "add: window -1 does not exist");
	ask_fails("{\"command\":\"add\",\"window\":\"0\",\"params\":{\"device\":\"rng\"}}",
		  "add: window 0 has a device");
	ask_fails("{\"command\":\"add\",\"window\":\"1\"}", "add: device=KIND is needed");
	ask_fails("{\"command\":\"add\",\"window\":\"1\",\"params\":{\"device\":1}}",
		  "add: device: a string is expected");
	ask_fails("{\"command\":\"add\",\"window\":\"1\",\"params\":{\"device\":\"rng\",\"a\":\"b\"}}",
		  "add: a is not known here");
	ask_fails("{\"command\":\"remove\",\"window\":\"1\"}", "remove: window 1 has no device");
	ask_fails("{\"command\":\"break\",\"window\":\"1\"}",
		  "break: window 1 has no device that is ready");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(windows),
		TEST(slots),
		TEST(functions),
		TEST(wrong_options),
		TEST(socket_in_use),
		TEST(file),
		TEST(bad_files),
		TEST(commands),
		TEST(bad_commands),
	};

	return cmocka_run_group_tests_name("config", tests, group_setup, group_teardown);
}
