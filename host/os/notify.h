/* notify: tells the service manager how we are, by the protocol of sd_notify(3): datagrams to the socket that $NOTIFY_SOCKET
 * names (https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html). Without a manager nothing happens. */
#ifndef SLUICE_OS_NOTIFY_H
#define SLUICE_OS_NOTIFY_H

/* One or several assignments, a line each: "READY=1", "STOPPING=1", "WATCHDOG=1", "RELOADING=1\nMONOTONIC_USEC=..". Lost when
 * the manager does not listen. */
void notify(const char *state);

#endif
