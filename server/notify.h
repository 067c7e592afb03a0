/* Tells the service manager how the server is (sd_notify's protocol: one datagram to the socket
 * that NOTIFY_SOCKET names). Without such a socket nothing happens. Any thread. */
#ifndef HOTLEAD_SERVER_NOTIFY_H
#define HOTLEAD_SERVER_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

/* `state`: "READY=1", "STOPPING=1", "WATCHDOG=1", lines of them. False: it was not sent. */
bool notify_send(const char *state);

/* How often WATCHDOG=1 should be sent, half of what the manager allows; 0: not at all. */
uint64_t notify_watchdog_ms(void);

#endif
