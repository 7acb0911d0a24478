/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The host side of mmio_sock: talking to the server's socket
 */
#ifndef __UM_MMIO_SOCK_USER_H
#define __UM_MMIO_SOCK_USER_H

int mmio_sock_connect(const char *path, unsigned int timeout_ms);
int mmio_sock_receive(int fd, void *buf, unsigned int len,
		      unsigned int timeout_ms);
int mmio_sock_exchange(int fd, const void *request, unsigned int request_len,
		       void *reply, unsigned int reply_len,
		       unsigned int timeout_ms);

#endif /* __UM_MMIO_SOCK_USER_H */
