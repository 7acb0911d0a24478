// SPDX-License-Identifier: GPL-2.0-only
#include "program/guests.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/base.h"
#include "program/channel.h"
#include "program/guests_internal.h"

struct guest *guests;

static const struct confinement *confinement;
static const char *meeting_place;
static struct event *on_child;

static void set_timer(struct guest *guest, unsigned int ms)
{
	const struct timeval after = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	event_add(guest->timer, &after);
}

/*
 * Guests
 */

bool guests_any(void)
{
	return guests;
}

bool guests_process(pid_t pid)
{
	const struct guest *guest = guests;

	while (guest && guest->pid != pid)
		guest = guest->next;
	return guest;
}

struct guest *guest_find(const char *key)
{
	struct guest *guest = guests;

	while (guest && strcmp(guest->key, key))
		guest = guest->next;
	return guest;
}

static void on_timer(evutil_socket_t fd, short what, void *arg);

struct guest *guest_new(const char *key, const char *name, const char *where,
			const char *path)
{
	struct guest *guest = calloc(1, sizeof(*guest)), **end = &guests;

	if (!guest)
		return NULL;
	guest->sock = -1;
	guest->domain = -1;
	guest->devices = -1;
	guest->meet = -1;
	guest->key = strdup(key);
	guest->name = strdup(name);
	guest->where = strdup(where);
	guest->path = path ? strdup(path) : NULL;
	guest->timer = evtimer_new(loop, on_timer, guest);
	while (*end)
		end = &(*end)->next;
	*end = guest;
	if (guest->key && guest->name && guest->where && guest->timer && (!path || guest->path))
		return guest;
	guest_free(guest);
	return NULL;
}

int guest_option(struct guest *guest, const char *option, const char *value)
{
	char **words = reallocarray(guest->words, guest->num_words + 3, sizeof(*words));

	if (!words)
		return -ENOMEM;
	guest->words = words;
	words[guest->num_words] = strdup(option);
	words[guest->num_words + 1] = strdup(value);
	words[guest->num_words + 2] = NULL;
	guest->num_words += 2;
	return words[guest->num_words - 2] && words[guest->num_words - 1] ? 0 : -ENOMEM;
}

void guest_free(struct guest *guest)
{
	struct guest **at = &guests;
	unsigned int i;

	guest_forget_questions(guest);
	while (*at && *at != guest)
		at = &(*at)->next;
	if (*at)
		*at = guest->next;
	if (guest->channel)
		channel_close(guest->channel, false);
	if (guest->timer)
		event_free(guest->timer);
	if (guest->sock >= 0) {
		close(guest->sock);
		unlink(guest->path);
	}
	guest_xen_end(guest);
	meeting_close(guest);
	for (i = 0; i < guest->num_words; i++)
		free(guest->words[i]);
	free(guest->words);
	free(guest->path);
	free(guest->where);
	free(guest->name);
	free(guest->key);
	free(guest);
}

/*
 * Their processes
 */

static int open_channel(struct guest *guest, int sock);

static int start(struct guest *guest)
{
	int channel;

	/* Also of a start that fails: the next one waits longer and longer */
	guest->since = loop_now_ms();
	channel = guest_execute(guest, confinement);
	if (channel < 0)
		return channel;
	guest->state = GUEST_STARTING;
	guest->adopted = false;
	guest->over = false;
	guest->problem[0] = '\0';
	set_timer(guest, START_MS);
	return open_channel(guest, channel);
}

static void kill_process(struct guest *guest)
{
	if (guest->pid > 0)
		kill(guest->pid, SIGKILL);
}

/* It is to be started again: at once, unless it never lives for long */
static void start_later(struct guest *guest)
{
	if (loop_now_ms() - guest->since > LONG_LIFE_MS)
		guest->delay_ms = 0;
	set_timer(guest, guest->delay_ms);
	guest->state = GUEST_WAITING;
	guest->delay_ms = guest->delay_ms ? guest->delay_ms * 2 : 100;
	if (guest->delay_ms > MAX_DELAY_MS)
		guest->delay_ms = MAX_DELAY_MS;
}

static void start_again(struct guest *guest)
{
	int ret = start(guest);

	if (!ret)
		return;
	log_line("%s: its process cannot be started: %s", guest->name, strerror(-ret));
	kill_process(guest);
	start_later(guest);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct guest *guest = arg;

	(void)fd;
	(void)what;
	if (guest->state == GUEST_WAITING) {
		start_again(guest);
		return;
	}
	/* It does not get ready, or does not end */
	if (guest->state == GUEST_STARTING && !guest->problem[0])
		snprintf(guest->problem, sizeof(guest->problem), "its process does not start");
	kill_process(guest);
	/* Nothing but its channel would say so, and that may be in somebody else's hands */
	if (guest->adopted)
		guest_ended(guest, SIGKILL);
}

/* How it ended, for the user */
static void say_end(const struct guest *guest, int status)
{
	if (guest->problem[0])
		log_line("%s: %s", guest->name, guest->problem);
	if (guest->adopted)
		log_line("%s: its process has ended; it is started again", guest->name);
	else if (WIFSIGNALED(status))
		log_line("%s: its process was ended by signal %d (%s); it is started again",
			 guest->name, WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		log_line("%s: its process has ended, with status %d; it is started again",
			 guest->name, WEXITSTATUS(status));
}

/* Process and channel are gone. */
void guest_ended(struct guest *guest, int status)
{
	guest->pid = 0;
	if (guest->channel)
		channel_close(guest->channel, false);
	guest->channel = NULL;
	guest_xen_end(guest);
	event_del(guest->timer);
	guest_forget_questions(guest);
	if (guest->state == GUEST_ENDING) {
		guest->state = GUEST_ENDED;
	} else if (guest->state == GUEST_STARTING && !guest->served) {
		/* The first start: the user is there to hear why */
		guest->state = GUEST_ENDED;
	} else if (guest->over && guest->found) {
		guest_free(guest);
	} else {
		say_end(guest, status);
		start_later(guest);
	}
}

/* SIGCHLD */
static void reap(evutil_socket_t fd, short what, void *arg)
{
	struct guest *guest, *next;
	int status;

	(void)fd;
	(void)what;
	(void)arg;
	for (guest = guests; guest; guest = next) {
		next = guest->next;
		if (guest->pid > 0 && !guest->adopted && waitpid(guest->pid, &status, WNOHANG) == guest->pid) {
			/* What it said last */
			if (guest->channel)
				channel_drain(guest->channel);
			guest_ended(guest, status);
		}
	}
}

static void on_closed(void *arg)
{
	struct guest *guest = arg;

	channel_close(guest->channel, false);
	guest->channel = NULL;
	/* With no channel it is of no use; SIGCHLD says when it is gone */
	kill_process(guest);
	if (guest->adopted || !guest->pid)
		guest_ended(guest, SIGKILL);
}

static void on_message(void *arg, json_t *message)
{
	const char *error = json_string_value(json_object_get(message, "error"));
	json_t *reply = json_object_get(message, "reply");
	json_t *notes = json_object_get(message, "note");
	struct guest *guest = arg;

	if (json_is_true(json_object_get(message, "ready"))) {
		guest->served = true;
		if (guest->state == GUEST_STARTING) {
			guest->state = GUEST_READY;
			event_del(guest->timer);
		}
	} else if (json_is_true(json_object_get(message, "over"))) {
		guest->over = true;
	} else if (error) {
		snprintf(guest->problem, sizeof(guest->problem), "%s%s", guest->where, error);
	} else if (notes) {
		guest_xen_note(guest, notes);
	} else if (reply) {
		guest_answered(guest, json_integer_value(json_object_get(message, "id")), reply);
	}
}

static const struct channel_ops channel_ops = {
	.message = on_message,
	.closed = on_closed,
};

static int open_channel(struct guest *guest, int sock)
{
	guest->channel = channel_open(sock, &channel_ops, guest);
	if (!guest->channel)
		return -ENOMEM;
	guest_xen_begin(guest);
	return 0;
}

/* It serves, for another parent until now. */
int guest_take_over(struct guest *guest, int sock)
{
	guest->state = GUEST_READY;
	guest->served = true;
	guest->since = loop_now_ms();
	return open_channel(guest, sock);
}

/*
 * All of them
 */

static bool any_in(enum guest_state state)
{
	const struct guest *guest;

	for (guest = guests; guest; guest = guest->next) {
		if (guest->state == state)
			return true;
	}
	return false;
}

static int report(struct errmsg *err)
{
	const struct guest *guest;

	for (guest = guests; guest; guest = guest->next) {
		if (guest->state == GUEST_READY || guest->state == GUEST_WAITING)
			continue;
		if (guest->problem[0])
			return errmsg_set(err, "%s", guest->problem);
		return errmsg_set(err, "%s: its process ended before it served", guest->name);
	}
	return 0;
}

static int start_first(struct guest *guest, struct errmsg *err)
{
	char *sandbox = confine_text(confinement);
	int ret = sandbox ? 0 : -ENOMEM;

	if (!ret) {
		guest_make_mark(guest, sandbox);
		ret = meeting_open(guest, meeting_place);
	}
	free(sandbox);
	if (!ret && guest->path && guest->sock < 0) {
		guest->sock = sock_listen(guest->path, err);
		if (guest->sock < 0)
			return -1;
	}
	if (!ret && guest->state == GUEST_NEW)
		ret = start(guest);
	if (ret)
		return errmsg_set(err, "%s: its process cannot be started: %s", guest->name,
				  strerror(-ret));
	return 0;
}

int guests_start(const struct confinement *conf, const char *listen, struct errmsg *err)
{
	struct guest *guest;

	confinement = conf;
	on_child = evsignal_new(loop, SIGCHLD, reap, NULL);
	if (!on_child || event_add(on_child, NULL))
		return errmsg_set(err, "out of memory");
	meeting_place = listen;
	if (listen && meeting_directory(listen, err))
		return -1;
	for (guest = guests; guest; guest = guest->next) {
		if (start_first(guest, err))
			return -1;
	}
	while (any_in(GUEST_STARTING) && !event_base_got_break(loop))
		event_base_loop(loop, EVLOOP_ONCE);
	return event_base_got_break(loop) ? 0 : report(err);
}

void guest_start_found(struct guest *guest)
{
	struct errmsg err;

	guest->found = true;
	guest->served = true;	/* nobody waits to hear of it */
	if (start_first(guest, &err)) {
		log_line("%s", err.text);
		guest->since = loop_now_ms();
		start_later(guest);
	}
}

void guests_found_all(void)
{
	meeting_rest();
}

static void end(struct guest *guest)
{
	bool lives = guest->pid > 0 || guest->channel;

	guest->state = lives ? GUEST_ENDING : GUEST_ENDED;
	if (guest->channel)
		channel_send(guest->channel, json_pack("{s:b}", "quit", 1));
	else
		kill_process(guest);
	set_timer(guest, END_MS);
}

void guests_leave(void)
{
	struct guest *guest, *next;

	for (guest = guests; guest; guest = next) {
		next = guest->next;
		if (!guest->adopted || !guest->channel)
			continue;
		if (guest->sock >= 0)
			close(guest->sock);
		guest->sock = -1;
		meeting_leave(guest);
		guest_free(guest);
	}
}

void guests_stop(void)
{
	struct guest *guest;

	for (guest = guests; guest; guest = guest->next)
		end(guest);
	while (any_in(GUEST_ENDING))
		event_base_loop(loop, EVLOOP_ONCE);
	while (guests)
		guest_free(guests);
	if (on_child)
		event_free(on_child);
	on_child = NULL;
	if (meeting_place)
		meeting_directory_remove(meeting_place);
}
