/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Between the parts of what the parent does with guests:
 *
 * processes.c	their processes, from start to end
 * execute.c	how such a process begins
 * xen_parent.c	what those of Xen guests have the parent do for them
 * questions.c	what it is asked
 * meeting.c	how a parent finds the processes that another one has left
 * ask.c	whom a control request concerns, and the one answer of several
 */
#ifndef MSGD_GUESTS_INTERNAL_H
#define MSGD_GUESTS_INTERNAL_H

#include <event2/event.h>
#include <stdint.h>
#include <sys/types.h>

#include "program/guests.h"

/*
 * Where a process finds what it is given: channel, then meet, then what its guest comes by,
 * or on Xen the socket to ask for devices
 */
#define GUEST_FD_CHANNEL	3

#define START_MS	10000	/* until a process serves */
#define END_MS		10000	/* until it has ended, once it was asked to */
#define LONG_LIFE_MS	1000	/* whoever dies sooner is started later */
#define MAX_DELAY_MS	10000
#define ANSWER_SECONDS	60	/* longer than any operation of a device */

struct channel;

enum guest_state {
	GUEST_NEW,
	GUEST_STARTING,		/* its process has not said that it serves */
	GUEST_READY,
	GUEST_WAITING,		/* until it is started again */
	GUEST_ENDING,
	GUEST_ENDED,
};

/**
 * struct question - what its process was asked, and has not answered
 * @next: the next one
 * @id: its number
 * @guest: who was asked
 * @answer: who wants to know
 * @arg: for that
 * @patience: the end of it
 */
struct question {
	struct question *next;
	uint64_t id;
	struct guest *guest;
	control_answer *answer;
	void *arg;
	struct event *patience;
};

/**
 * struct guest - a guest, for the parent
 * @next: the next one
 * @key: tells it from all others
 * @name: for the user
 * @where: prefix of what is wrong with its options, e.g. the name of a file
 * @words: its options
 * @num_words: how many
 * @mark: what they are, for a comparison
 * @path: of the socket that it connects to, NULL: none
 * @sock: that socket, -1: not yet
 * @domain: of a Xen guest, -1: none
 * @devices: socket at which its process asks for devices, -1: none
 * @asked: it does
 * @meet: the socket by which the next parent finds its process, -1: none
 * @meet_path: the path of that
 * @found: it was not named by the user, but found
 * @state: of its process
 * @pid: of its process, 0: none
 * @adopted: that is the child of a parent before this one
 * @over: it says that the guest is gone and will not come back
 * @channel: to its process
 * @served: a process of it did
 * @problem: what its process says is wrong
 * @since: when that was started, in milliseconds
 * @delay_ms: how long the next one would be waited with
 * @timer: of the state
 * @questions: that it has not answered
 */
struct guest {
	struct guest *next;
	char *key;
	char *name;
	char *where;
	char **words;
	unsigned int num_words;
	char mark[20];
	char *path;
	int sock;
	int domain;
	int devices;
	struct event *asked;
	int meet;
	char *meet_path;
	bool found;
	enum guest_state state;
	pid_t pid;
	bool adopted;
	bool over;
	struct channel *channel;
	bool served;
	char problem[384];
	uint64_t since;
	unsigned int delay_ms;
	struct event *timer;
	struct question *questions;
};

extern struct guest *guests;

void guest_free(struct guest *guest);
/* Its process is gone, with that status of waitpid(). */
void guest_ended(struct guest *guest, int status);
/* Its process is the one at the other end of @sock. 0 or -errno. */
int guest_take_over(struct guest *guest, int sock);
/* execute.c */

/* What the user chose, in so few words that another parent can compare it */
void guest_make_mark(struct guest *guest, const char *sandbox);
/* Start its process: our end of the channel to it, or -errno; @devices is filled in */
int guest_execute(struct guest *guest, const struct confinement *confinement);

/* xen_parent.c */

/* Its process has a channel: say what there is to know, and listen at guest->devices. */
void guest_xen_begin(struct guest *guest);
/* Its process is gone. */
void guest_xen_end(struct guest *guest);
/* It has something to be kept in xenstore. */
void guest_xen_note(struct guest *guest, const json_t *notes);

/* questions.c */

/* NULL as answer: it has no process at the moment */
void guest_ask(struct guest *guest, const json_t *request, control_answer *answer, void *arg);

/* It answers the question with this number; the reply is the caller's. */
void guest_answered(struct guest *guest, json_int_t id, json_t *reply);
/* Whoever waits for an answer hears that there is none. */
void guest_forget_questions(struct guest *guest);

/* meeting.c */

/* Make, or look through, the directory for processes; those nobody wants are told to end. */
int meeting_directory(const char *listen, struct errmsg *err);
void meeting_directory_remove(const char *listen);
/*
 * A socket for the guest's process to be found by, or, if there is a process that was
 * found and is what the user wants, that process. @listen NULL: nothing to be done.
 */
int meeting_open(struct guest *guest, const char *listen);
void meeting_close(struct guest *guest);
/* The same, but the socket stays where the next parent looks for it. */
void meeting_leave(struct guest *guest);
/* Those that are no guest's any more are told to end. */
void meeting_rest(void);

#endif
