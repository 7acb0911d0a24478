// SPDX-License-Identifier: GPL-2.0-only
#include "program/guests.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/base.h"
#include "program/channel.h"
#include "program/guests_internal.h"

struct guest *guests;

static const struct confinement *confinement;
static const char *meeting_place;
static struct event *on_child;
static uint64_t last_question;

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

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

static void forget_questions(struct guest *guest)
{
	struct question *question;

	while ((question = guest->questions)) {
		guest->questions = question->next;
		question->answer(question->arg, NULL);
		event_free(question->patience);
		free(question);
	}
}

void guest_free(struct guest *guest)
{
	struct guest **at = &guests;
	unsigned int i;

	forget_questions(guest);
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

/* What the user chose, in so few words that another parent can compare it */
static void make_mark(struct guest *guest, const char *sandbox)
{
	uint64_t hash = 0xcbf29ce484222325;
	unsigned int i;
	const char *c;

	for (i = 0; i <= guest->num_words; i++) {
		for (c = i < guest->num_words ? guest->words[i] : sandbox; *c; c++)
			hash = (hash ^ (uint8_t)*c) * 0x100000001b3;
		hash *= 0x100000001b3;
	}
	snprintf(guest->mark, sizeof(guest->mark), "%016llx", (unsigned long long)hash);
}

/*
 * In the new process. Descriptors are at known numbers, all others are closed; what
 * is executed is this very program, whatever has become of its file.
 */
static void execute(const struct guest *guest, int channel, char *const *words)
{
	const int from[] = { channel, guest->meet, guest->sock };
	int high[3];
	sigset_t none;
	unsigned int i;

	/* Out of the way of where they shall be */
	for (i = 0; i < 3; i++)
		high[i] = from[i] < 0 ? -1 : fcntl(from[i], F_DUPFD, GUEST_FD_CHANNEL + 3);
	for (i = 0; i < 3; i++) {
		if (high[i] >= 0)
			dup2(high[i], GUEST_FD_CHANNEL + i);
	}
	close_range(GUEST_FD_CHANNEL + 3, ~0U, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execv("/proc/self/exe", words);
	_exit(127);
}

/* The whole command line: what the parent says, and the guest's options */
static char **command_line(const struct guest *guest)
{
	char **words = calloc(guest->num_words + 8, sizeof(*words));
	char *sandbox = confine_text(confinement), *own;
	unsigned int n = 0;

	if (asprintf(&own, "channel=%d%s%s,mark=%s", GUEST_FD_CHANNEL,
		     guest->meet >= 0 ? ",meet=4" : "", guest->sock >= 0 ? ",guest=5" : "",
		     guest->mark) < 0)
		own = NULL;
	if (!words || !sandbox || !own) {
		free(words);
		free(sandbox);
		free(own);
		return NULL;
	}
	words[n++] = (char *)"virtio-msgd";
	words[n++] = (char *)"--guest";
	words[n++] = own;
	words[n++] = (char *)"--sandbox";
	words[n++] = sandbox;
	memcpy(words + n, guest->words, guest->num_words * sizeof(*words));
	return words;
}

static void free_command_line(char **words)
{
	free(words[2]);
	free(words[4]);
	free(words);
}

static const struct channel_ops channel_ops;

static int start(struct guest *guest)
{
	char **words = command_line(guest);
	int pair[2];

	/* Also of a start that fails: the next one waits longer and longer */
	guest->since = now_ms();
	if (!words)
		return -ENOMEM;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair)) {
		free_command_line(words);
		return -errno;
	}
	guest->pid = fork();
	if (!guest->pid)
		execute(guest, pair[1], words);
	free_command_line(words);
	close(pair[1]);
	if (guest->pid < 0) {
		guest->pid = 0;
		close(pair[0]);
		return -EAGAIN;
	}
	guest->state = GUEST_STARTING;
	guest->adopted = false;
	guest->over = false;
	guest->problem[0] = '\0';
	set_timer(guest, START_MS);
	guest->channel = channel_open(pair[0], &channel_ops, guest);
	return guest->channel ? 0 : -ENOMEM;
}

static void kill_process(struct guest *guest)
{
	if (guest->pid > 0)
		kill(guest->pid, SIGKILL);
}

/* It is to be started again: at once, unless it never lives for long */
static void start_later(struct guest *guest)
{
	if (now_ms() - guest->since > LONG_LIFE_MS)
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
	event_del(guest->timer);
	forget_questions(guest);
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

static struct question **find_question(struct guest *guest, json_int_t id)
{
	struct question **at = &guest->questions;

	while (*at && (*at)->id != (uint64_t)id)
		at = &(*at)->next;
	return at;
}

static void on_message(void *arg, json_t *message)
{
	const char *error = json_string_value(json_object_get(message, "error"));
	json_t *reply = json_object_get(message, "reply");
	struct question **at, *question;
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
	} else if (reply) {
		at = find_question(guest, json_integer_value(json_object_get(message, "id")));
		question = *at;
		if (!question)
			return;
		*at = question->next;
		event_free(question->patience);
		question->answer(question->arg, json_incref(reply));
		free(question);
	}
}

static const struct channel_ops channel_ops = {
	.message = on_message,
	.closed = on_closed,
};

/* It serves, for another parent until now. */
int guest_take_over(struct guest *guest, int sock)
{
	guest->state = GUEST_READY;
	guest->served = true;
	guest->since = now_ms();
	guest->channel = channel_open(sock, &channel_ops, guest);
	return guest->channel ? 0 : -ENOMEM;
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
		make_mark(guest, sandbox);
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
		guest->since = now_ms();
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

/*
 * Questions
 */

/* It does not answer: what it says later is for nobody. */
static void out_of_patience(evutil_socket_t fd, short what, void *arg)
{
	struct question *question = arg, **at = &question->guest->questions;

	(void)fd;
	(void)what;
	while (*at != question)
		at = &(*at)->next;
	*at = question->next;
	question->answer(question->arg, json_pack("{s:s++}", "error", question->guest->name,
						  ": ", "its process does not answer"));
	event_free(question->patience);
	free(question);
}

void guest_ask(struct guest *guest, const json_t *request, control_answer *answer, void *arg)
{
	static const struct timeval patience = { .tv_sec = ANSWER_SECONDS };
	struct question *question;

	question = guest->state == GUEST_READY ? calloc(1, sizeof(*question)) : NULL;
	if (question)
		question->patience = evtimer_new(loop, out_of_patience, question);
	if (!question || !question->patience) {
		free(question);
		answer(arg, NULL);
		return;
	}
	question->id = ++last_question;
	question->guest = guest;
	question->answer = answer;
	question->arg = arg;
	question->next = guest->questions;
	guest->questions = question;
	event_add(question->patience, &patience);
	channel_send(guest->channel, json_pack("{s:I,s:O}", "id", (json_int_t)question->id,
					       "request", request));
}
