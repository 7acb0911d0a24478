// SPDX-License-Identifier: GPL-2.0-only
/*
 * virtio-msgd: the device side of virtio-msg.
 */
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "model/model.h"
#include "carriers/xen/xen.h"
#include "program/config.h"
#include "program/control.h"
#include "base/base.h"
#include "program/child.h"
#include "program/guests.h"
#include "program/xen_child.h"
#include "program/xen_parent.h"

#define EXIT_USAGE	2
#define MAX_OPTIONS	16

static const char usage[] =
	"Usage: virtio-msgd [--config FILE] [--listen SOCKET] [--counters FILE]\n"
	"                   --uml SOCKET --window device=KIND[,...] [--window ...]...\n"
	"       virtio-msgd [...] --vfio-user SOCKET[,...] --window device=KIND[,...]\n"
	"       virtio-msgd [...] --xen device=KIND[,...] [--xen ...]...\n"
	"       virtio-msgd --control SOCKET COMMAND [ARGUMENT]...\n"
	"\n"
	"Serve virtio devices to guests whose kernel has virtio-msg.\n"
	"\n"
	"      --uml SOCKET          a User Mode Linux guest will connect here; the windows\n"
	"                            that follow are its\n"
	"      --vfio-user SOCKET,... a VMM will connect here, QEMU's vfio-user-pci for example,\n"
	"                            and have the window that follows as a PCI function\n"
	"          msi=on|off          MSI instead of MSI-X (off)\n"
	"          vectors=N           interrupts (one, and one for each queue)\n"
	"          device-id=N         PCI device ID, 0x10f0 to 0x10ff (0x10f0)\n"
	"      --window PARAM,...    a window, 0x200 bytes, with a device, or empty:\n"
	"          device=i2c          I2C adapter; clock=ds1338|none: what is on its bus\n"
	"          device=rng          random numbers\n"
	"          device=blk          a disk in memory; size=N bytes, read-only=on|off\n"
	"          indirect=, event-idx=, ring-reset= (on); packed=, in-order=,\n"
	"          notification-data= (off)\n"
	"                              ring features of built-in devices\n"
	"          delay=MICROSECONDS  they look at a queue so long after a notification (0)\n"
	"          coalesce=on|off     one interrupt for all requests found then (on)\n"
	"          device=TYPE,socket=PATH\n"
	"                              a vhost-user backend that listens at PATH; TYPE is blk,\n"
	"                              console, fs, gpio, i2c, input, net, rng, scsi, sound,\n"
	"                              vsock, or any (with id=N, the virtio device ID)\n"
	"          queues=N, queue-size=N\n"
	"                              how many queues, and how large (what the type has)\n"
	"          reconnect=SECONDS   how long requests wait for a backend to come back (10)\n"
	"          answer=SECONDS      how long an answer of the backend is waited for (30)\n"
	"          ring-reset=on|off   offer virtqueue reset (on)\n"
	"          tag=NAME (fs), mac=ADDRESS, mtu=N (net), guest-cid=N (vsock),\n"
	"          capacity=SECTORS (blk), config=HEX, config-size=N (any)\n"
	"                              config space that a backend does not have\n"
	"          slots=N             room for so many devices, 1 to 64 (1); with more than 44\n"
	"                              the window has 0x400 bytes\n"
	"          index=N             number of the window (the next one)\n"
	"          personality=msg|mmio\n"
	"                              virtio-msg, or plain virtio-mmio\n"
	"          page=on|off         offer the message page (on)\n"
	"          strict=on|off       strict config generation (off)\n"
	"          access-platform=on|off\n"
	"                              insist on VIRTIO_F_ACCESS_PLATFORM (off)\n"
	"          msg-size=N          maximum message size, 52 to 256 (256)\n"
	"      --slot device=KIND,... one more device in the window before it, of several slots=;\n"
	"                            index=N: in that slot\n"
	"      --xen PARAM,...       devices of Xen guests, found in xenstore, are this\n"
	"          guest=NAME, entry=TYPE, index=N\n"
	"                              only those (entry=device22: I2C, device4: rng)\n"
	"          ioeventfd=on|off, irqfd=on|off\n"
	"                              leave notifications, interrupts to the kernel (on)\n"
	"          and what --window takes; the first rule that fits counts\n"
	"      --config FILE         the same from a file: [uml], [vfio-user], [window],\n"
	"                            [slot], [xen] sections\n"
	"      --listen SOCKET       take commands here\n"
	"      --sandbox PARAM,...   what the process of each guest is left with:\n"
	"          user=NAME           the rights of this user (what this program has, but\n"
	"                              without capabilities)\n"
	"          filter=on|off       only system calls that it needs (on)\n"
	"          memory=MIB, files=N memory of its own (4096), open files (4096)\n"
	"      --counters FILE       write the counters here at the end, as JSON\n"
	"      --control SOCKET      send a command to a virtio-msgd that listens:\n";

static const char usage_end[] =
	"      --help                show this\n"
	"      --version             show the version\n"
	"\n"
	"WINDOW is a number, or CARRIER/NUMBER as \"list\" shows them, e.g. uml:/tmp/guest/0.\n";

enum {
	OPTION_SECTION = 0x100,		/* and above: config_sections[] */
	OPTION_HELP = 'h',
	OPTION_VERSION = 'V',
	OPTION_CONFIG = 'c',
	OPTION_CONTROL = 'C',
};

static void fill_options(struct option *options)
{
	static const struct option own[] = {
		{ "help", no_argument, NULL, OPTION_HELP },
		{ "version", no_argument, NULL, OPTION_VERSION },
		{ "config", required_argument, NULL, OPTION_CONFIG },
		{ "control", required_argument, NULL, OPTION_CONTROL },
	};
	unsigned int i;

	memcpy(options, own, sizeof(own));
	options += sizeof(own) / sizeof(own[0]);
	for (i = 0; i < config_num_sections; i++)
		*options++ = (struct option) {
			.name = config_sections[i].name,
			.has_arg = required_argument,
			.val = OPTION_SECTION + i,
		};
	*options = (struct option) { 0 };
}

static int fail(const struct errmsg *err)
{
	log_line("%s", err->text);
	return EXIT_USAGE;
}

static void on_signal(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	event_base_loopbreak(arg);
}

/*
 * The parent
 */

struct counting {
	const char *path;
	bool done;
};

static void write_counters(void *arg, json_t *reply)
{
	struct counting *counting = arg;

	if (json_dump_file(json_object_get(reply, "ok"), counting->path, JSON_INDENT(2)))
		log_line("%s: the counters cannot be written", counting->path);
	json_decref(reply);
	counting->done = true;
}

static void ask_counters(const char *path)
{
	struct counting counting = { .path = path };
	json_t *request = json_pack("{s:s}", "command", "counters");

	guests_ask(request, write_counters, &counting);
	json_decref(request);
	while (!counting.done)
		event_base_loop(loop, EVLOOP_ONCE);
}

static int start(struct config *config, struct errmsg *err)
{
	if (guests_start(&config->confinement, config->listen, err))
		return -1;
	if (carrier_xen_wanted() && !event_base_got_break(loop) && xen_find(config, err))
		return -1;
	if (!event_base_got_break(loop))
		guests_found_all();
	return 0;
}

static int serve(struct config *config)
{
	struct control *control = NULL;
	struct event *on_term, *on_int;
	int ret = EXIT_SUCCESS;
	struct errmsg err;

	/* Whoever sees the control socket may already want us to end in order */
	on_term = evsignal_new(loop, SIGTERM, on_signal, loop);
	on_int = evsignal_new(loop, SIGINT, on_signal, loop);
	event_add(on_term, NULL);
	event_add(on_int, NULL);
	/* First, since there can be one only: who has it, has the guests */
	if (config->listen) {
		control = control_listen(config->listen, guests_ask, guests_process, &err);
		if (!control) {
			ret = fail(&err);
			goto out;
		}
	}
	if (start(config, &err) || (control && control_serve(control, &err))) {
		ret = fail(&err);
		guests_leave();
	} else {
		/* We may have been told to end before all guests were served */
		if (!event_base_got_break(loop))
			event_base_dispatch(loop);
		if (config->counters)
			ask_counters(config->counters);
	}
	xen_find_no_more();
	/* What they say last is still to be kept in xenstore */
	guests_stop();
	carrier_xen_find_stop();
	if (control)
		control_close(control);
out:
	event_free(on_term);
	event_free(on_int);
	return ret;
}

/*
 * The process of a guest
 */

static int serve_guest(struct config *config)
{
	struct child *child = &config->child;
	bool xen = config->domain >= 0;
	struct errmsg err;
	int ret = 0;

	/* It was executed by another name */
	prctl(PR_SET_NAME, "virtio-msgd");
	if (child_open(child))
		ret = errmsg_set(&err, "out of memory");
	if (!ret && xen)
		ret = xen_child_serve(child, config->domain, &err);
	if (!ret)
		ret = confine(&config->confinement, xen, &err);
	if (ret) {
		child_say(json_pack("{s:s}", "error", err.text));
		return EXIT_FAILURE;
	}
	return child_serve(carriers ? carriers->name : "");
}

/* Operations of devices that are under way are waited for, but not for ever. */
#define FINISH_MS	5000

static void close_all(void)
{
	task_finish(FINISH_MS);
	while (carriers)
		carriers->ops->close(carriers);
	carrier_xen_stop();
}

/* Options in the order they were given; -1: go on, otherwise the exit status */
static int take_options(struct config *config, int argc, char **argv, const char **control)
{
	struct option options[MAX_OPTIONS];
	struct errmsg err;
	int c;

	fill_options(options);
	while ((c = getopt_long(argc, argv, "+hV", options, NULL)) != -1) {
		int ret = 0;

		switch (c) {
		case OPTION_HELP:
			printf("%s%s%s", usage, control_help, usage_end);
			return EXIT_SUCCESS;
		case OPTION_VERSION:
			puts("virtio-msgd " VERSION);
			return EXIT_SUCCESS;
		case OPTION_CONFIG:
			ret = config_file(config, optarg, &err);
			break;
		case OPTION_CONTROL:
			*control = optarg;
			break;
		case '?':
			return EXIT_USAGE;
		default:
			ret = config_option(config, &config_sections[c - OPTION_SECTION], optarg,
					    &err);
		}
		if (!ret)
			continue;
		if (!config->is_child)
			return fail(&err);
		child_refuse(&config->child, &err);
		return EXIT_USAGE;
	}
	return -1;
}

static int run(struct config *config, int argc, char **argv)
{
	const char *control = NULL;
	struct errmsg err;
	int ret;

	ret = take_options(config, argc, argv, &control);
	if (ret >= 0)
		return ret;
	if (config->is_child)
		return serve_guest(config);
	if (control && optind < argc)
		return control_client(control, argv + optind);
	if (control)
		errmsg_set(&err, "--control needs a command; --help lists them");
	else if (optind < argc)
		errmsg_set(&err, "\"%.100s\" is not an option", argv[optind]);
	else if (!guests_any() && !carrier_xen_wanted())
		errmsg_set(&err, "there is no guest to serve: name one (--uml, --vfio-user, --xen), see --help");
	else
		return serve(config);
	return fail(&err);
}

int main(int argc, char **argv)
{
	struct config config;
	int ret;

	log_init();
	config_init(&config);
	signal(SIGPIPE, SIG_IGN);
	loop = event_base_new();
	if (!loop) {
		log_line("no event loop can be had: %s", strerror(errno));
		return EXIT_FAILURE;
	}
	ret = run(&config, argc, argv);
	close_all();
	child_close();
	config_free(&config);
	log_end();
	event_base_free(loop);
	return ret;
}
