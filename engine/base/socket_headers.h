// The system's socket headers. <sys/socket.h> declares a global `struct linger` (the option
// SO_LINGER), and a namespace of that name cannot stand beside it: here the struct takes another
// name. Include this instead of <sys/socket.h>, and before any library header that includes it.
#pragma once

#define linger socket_linger_option
#include <arpa/inet.h>
#include <linux/sockios.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>
#undef linger
