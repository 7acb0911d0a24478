/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Between the parts of the Xen carrier:
 *
 * serve.c	 a guest and its devices as they come and go
 * mirror.c	 what it knows of xenstore
 * find.c	 which guests there are (the parent)
 * describe.c	 what the parent does for a guest's process
 * store.c	 xenstore (the parent)
 * rule.c	 what the user wants them to be
 * guest.c	 a guest's IOREQ server: accesses, interrupts
 * eventfd.c	 ioeventfd and irqfd, by the kernel's privcmd
 * memory.c	 grants and foreign mappings
 * state.c	 what the next virtio-msgd needs to go on
 */
#ifndef MSGD_CARRIER_XEN_INTERNAL_H
#define MSGD_CARRIER_XEN_INTERNAL_H

#include <time.h>

#define __XEN_TOOLS__ 1
#include <xendevicemodel.h>
#include <xenevtchn.h>
#include <xenforeignmemory.h>
#include <xengnttab.h>
#include <xenstore.h>
#include <xen/hvm/ioreq.h>
#include <xen/memory.h>

#include "model/model.h"
#include "carriers/xen/xen.h"
#include "base/base.h"

#define XEN_PAGE_SHIFT	12
#define XEN_PAGE_SIZE	(1UL << XEN_PAGE_SHIFT)
/* struct shared_iopage has no room for more */
#define XEN_MAX_VCPUS	(XEN_PAGE_SIZE / sizeof(struct ioreq))

struct xen_guest;

/* What toolstacks give a device is a window of the smallest size */
#define XEN_MAX_SLOTS	WINDOW_SMALL_SLOTS

/**
 * struct xen_eventfd - an ioeventfd or irqfd that is assigned
 * @next: the device's next one
 * @fd: a duplicate of what was assigned: it stays what it is if the owner
 *	closes its own before taking the assignment back
 * @slot: of the device that it is for
 * @queue: for which queue
 */
struct xen_eventfd {
	struct xen_eventfd *next;
	int fd;
	unsigned int slot;
	unsigned int queue;
};

/**
 * struct xen_device - a virtio device of a guest, as xenstore has it
 * @carrier: its one window
 * @guest: whose it is
 * @next: the guest's next one
 * @index: its number in xenstore
 * @base: guest-physical address of its window
 * @irq: its interrupt (INTID)
 * @grants: the guest grants what the device may use; otherwise all is mapped
 * @shared: what another process is told of its memory
 * @present: it is in xenstore. If not, its window stays claimed and empty as
 *	long as the guest lives, which may still touch it
 * @ioeventfds: assigned
 * @irqfds: assigned
 * @use_ioeventfd: the rule did not forbid them
 * @use_irqfd: likewise
 * @leaving: this process lets go of it: that is no news for the driver
 * @page: what the driver wrote to Page
 * @page_low: the low half, if it comes in halves
 * @saved: what xenstore has of its state
 * @saved_status: the device status in that
 * @saved_generation: the config generation in that
 * @restore: what it had when this process started, until the device is there: till
 *	then the guest's accesses wait, but for notifications
 * @late: the end of that
 */
struct xen_device {
	struct carrier carrier;
	struct xen_guest *guest;
	struct xen_device *next;
	unsigned int index;
	uint64_t base;
	uint32_t irq;
	bool grants;
	struct memory_xen shared;
	bool present;
	struct xen_eventfd *ioeventfds;
	struct xen_eventfd *irqfds;
	bool use_ioeventfd;
	bool use_irqfd;
	bool leaving;
	uint64_t page;
	uint32_t page_low;
	char *saved;
	uint8_t saved_status;
	uint32_t saved_generation;
	char *restore;
	struct event *late;
};

/**
 * struct xen_vcpu - a CPU of a guest
 * @access: what it waits for
 * @guest: whose it is
 * @waits: @access is being carried out
 * @dev: for which device
 * @port: event channel of its slot, here
 * @left_at: when a request of it was left to the kernel
 * @events: how many more came than requests were accounted for; negative if one was
 *	answered before its event came
 */
struct xen_vcpu {
	struct window_access access;
	struct xen_guest *guest;
	bool waits;
	struct xen_device *dev;
	uint32_t port;
	struct timespec left_at;
	int events;
};

/**
 * struct xen_guest - a guest with at least one virtio device
 * @domid: its number
 * @name: its name, or "domain N"
 * @uuid: tells it from a later guest with the same number
 * @ram_kib: how much RAM it may have
 * @devices: its devices
 * @dm: device model operations, restricted to this guest
 * @fmem: foreign memory, restricted likewise
 * @privcmd: for ioeventfds and irqfds, restricted likewise
 * @gnttab: grant mappings, which cannot be restricted
 * @evtchn: its event channels here
 * @server: the IOREQ server's id
 * @have_server: which is valid
 * @enabled: its vCPUs run into the server
 * @adopted: an earlier virtio-msgd had made it
 * @resource: the mapping of @page
 * @page: a request slot for each vCPU
 * @num_vcpus: how many
 * @vcpus: each of them
 * @ports: their event channels, as the kernel wants to have them
 * @event: @evtchn has something
 * @again: look at all requests
 * @left: a request was left to the kernel: look whether it took it
 * @log: of accesses that make no sense
 */
struct xen_guest {
	uint16_t domid;
	char *name;
	char *uuid;
	uint64_t ram_kib;
	struct xen_device *devices;
	xendevicemodel_handle *dm;
	xenforeignmemory_handle *fmem;
	int privcmd;
	xengnttab_handle *gnttab;
	xenevtchn_handle *evtchn;
	ioservid_t server;
	bool have_server;
	bool enabled;
	bool adopted;
	xenforeignmemory_resource_handle *resource;
	volatile struct shared_iopage *page;
	unsigned int num_vcpus;
	struct xen_vcpu vcpus[XEN_MAX_VCPUS];
	uint32_t ports[XEN_MAX_VCPUS];
	struct event *event;
	struct event *again;
	struct event *left;
	struct log_limit log;
};

/* rule.c */

/**
 * struct xen_choice - what the rules say about a device
 * @window: how its window speaks
 * @use_ioeventfd: see struct xen_device
 * @use_irqfd: likewise
 * @device: what to plug in, NULL: nothing
 */
struct xen_choice {
	struct window_config window;
	bool use_ioeventfd;
	bool use_irqfd;
	struct device *device;
};

/* 0, or -1 with @err set if the device cannot be made; the window can. */
int xen_choose(const struct xen_guest *guest, unsigned int index,
	       const char *type, struct xen_choice *choice, struct errmsg *err);

void xen_rules_free(void);

/* guest.c */

/*
 * Make or, with @adopt not negative, adopt the guest's IOREQ server. 0, or -1
 * with @err set.
 */
int xen_guest_open(struct xen_guest *guest, long adopt, struct errmsg *err);
/* Let the vCPUs run into it; from here on they wait for this process. */
int xen_guest_enable(struct xen_guest *guest, struct errmsg *err);
/* Look for requests that came without an event, or before there was a window. */
void xen_guest_serve(struct xen_guest *guest);
/* The same, but from the event loop. */
void xen_guest_serve_later(struct xen_guest *guest);
/* Close all handles; the server is destroyed if the guest is @dead. */
void xen_guest_close(struct xen_guest *guest, bool dead);
int xen_guest_claim(struct xen_guest *guest, uint64_t base, struct errmsg *err);

/* memory.c */

/* Restrict a privcmd file descriptor to a guest: 0, or -1 with errno set. */
int xen_restrict(int privcmd, uint16_t domid);
int xen_memory_open(struct xen_device *dev, struct errmsg *err);

/* eventfd.c */
bool xen_ioeventfd(struct carrier *carrier, const struct slot *slot, unsigned int queue,
		   int fd);
bool xen_irqfd(struct carrier *carrier, const struct slot *slot, unsigned int queue,
	       int fd);
/* Take back all that is still assigned. */
void xen_eventfds_release(struct xen_device *dev);
/* The kernel answers this request, or has done so. */
bool xen_ioeventfd_takes(const struct xen_guest *guest, const struct ioreq *req);

/* state.c */

/* The guest wrote this to its window. */
void xen_state_page(struct xen_device *dev, uint64_t offset, unsigned int size,
		    uint64_t value);
/* Keep what has changed. */
void xen_state_save(struct xen_device *dev);
/* The device says something: keep its status and generation, if that is what changed. */
void xen_state_changed(struct xen_device *dev);
/* An earlier virtio-msgd had this guest: wait for the device, for a while. */
void xen_state_adopt(struct xen_device *dev, char *text);
/* The device is in its slot: give it the state in @dev->restore. */
void xen_state_restore(struct xen_device *dev);
/* Nobody waits for it any more. */
void xen_state_forget(struct xen_device *dev);
/* This process ends: stop the device, and keep where that was. */
void xen_state_leave(struct xen_device *dev);

/* store.c, find.c, describe.c: in the parent */

/* Below this domain's own directory, written by the toolstack */
#define XEN_BACKEND	"backend/virtio"
/* And by us */
#define XEN_RECORD	"virtio-msgd"
/* What xenbus calls a device that is closed */
#define XEN_CLOSED	"6"

extern struct xs_handle *xen_store;

/* Connect; @on_change is called when something that is watched changed. 0, or -1 with @err set. */
int xen_store_open(event_callback_fn on_change, struct errmsg *err);
void xen_store_close(void);
int xen_store_watch(const char *path, struct errmsg *err);
/* To be called first in @on_change: whether there is something to look at */
bool xen_store_changed(void);
/* What is at a path, to be freed by the caller; NULL: nothing */
char *xen_store_read(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void xen_store_write(const char *path, const char *value);
void xen_store_remove(const char *path);
/* Call @visit for each number that is the name of a node below @path. */
void xen_store_each(const char *path,
		    void (*visit)(unsigned int number, void *arg), void *arg);
/* False: @text is no number */
bool xen_number(const char *text, uint64_t *value);

/* mirror.c: the same in the process of a guest, as far as it has to do with that guest */

int xen_mirror_open(void (*note)(json_t *notes), struct errmsg *err);
/* What was not said yet is said now. */
void xen_mirror_close(void);
bool xen_mirror_introduced(void);
char *xen_mirror_read(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Frees @text, as xen_mirror_read() returned it; false if it is no number. */
bool xen_mirror_number(char *text, uint64_t *value);
void xen_mirror_write(const char *value, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void xen_mirror_each(const char *path, void (*visit)(unsigned int number, void *arg),
		     void *arg);
/* Remove what was noted of the guest. */
void xen_mirror_forget(unsigned int domid);

/* serve.c */
void xen_record_state(const struct xen_device *dev, const char *text);
/* The device a carrier belongs to */
struct xen_device *xen_device(struct carrier *carrier);
/* There is another description of the guest. */
void xen_guest_changed(void);
/* A descriptor for a backend, see struct carrier_xen_ops */
int xen_ask_device(bool grants);

#endif
