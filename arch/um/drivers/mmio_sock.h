/* SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause) */
/*
 * An MMIO region of a User Mode Linux guest, served by another process: what
 * the two say to each other over a UNIX stream socket.
 *
 * Both run on one host: fields have its byte order and natural alignment.
 *
 * The guest connects, sends struct mmio_sock_hello together with two file
 * descriptors (guest memory, doorbell) and waits for struct mmio_sock_welcome.
 * From then on the socket carries one struct mmio_sock_access at a time from
 * the guest, each answered by one struct mmio_sock_reply. The CPU that made
 * the access does nothing else meanwhile, so the server answers at once.
 *
 * To raise interrupt n the server sets bit n of the pending bitmap in guest
 * memory (64-bit words, atomically, with release semantics) and writes a byte
 * to the doorbell, which does not block; a full doorbell needs no other byte.
 */
#ifndef __UM_MMIO_SOCK_H
#define __UM_MMIO_SOCK_H

#include <linux/types.h>

#define MMIO_SOCK_MAGIC		0x6f696d6d	/* "mmio" */
#define MMIO_SOCK_VERSION	1
#define MMIO_SOCK_MAX_IRQS	64

/**
 * struct mmio_sock_hello - the guest's first words
 * @magic: MMIO_SOCK_MAGIC
 * @version: MMIO_SOCK_VERSION
 * @base: guest physical address of the region
 * @size: its size in bytes
 * @mem_base: guest physical address of the memory that may be shared
 * @mem_size: its size in bytes
 * @mem_offset: where it starts in the memory file descriptor
 * @pending_offset: where the pending bitmap starts in that descriptor
 * @num_irqs: interrupts the guest will take, at most MMIO_SOCK_MAX_IRQS
 * @reserved: 0
 */
struct mmio_sock_hello {
	__u32 magic;
	__u32 version;
	__u64 base;
	__u64 size;
	__u64 mem_base;
	__u64 mem_size;
	__u64 mem_offset;
	__u64 pending_offset;
	__u32 num_irqs;
	__u32 reserved;
};

/**
 * struct mmio_sock_welcome - the server's answer
 * @magic: MMIO_SOCK_MAGIC
 * @version: MMIO_SOCK_VERSION
 * @error: 0, or an errno value: the server closes the connection after it
 * @reserved: 0
 */
struct mmio_sock_welcome {
	__u32 magic;
	__u32 version;
	__u32 error;
	__u32 reserved;
};

#define MMIO_SOCK_READ		1
#define MMIO_SOCK_WRITE		2

/**
 * struct mmio_sock_access - one load or store
 * @op: MMIO_SOCK_READ or MMIO_SOCK_WRITE
 * @size: 1, 2, 4 or 8 bytes
 * @reserved: 0
 * @offset: where, from the start of the region
 * @value: what to store
 */
struct mmio_sock_access {
	__u8 op;
	__u8 size;
	__u8 reserved[6];
	__u64 offset;
	__u64 value;
};

/**
 * struct mmio_sock_reply - the access is complete
 * @value: what was loaded; 0 after a store
 */
struct mmio_sock_reply {
	__u64 value;
};

#endif /* __UM_MMIO_SOCK_H */
