/* weir: sockets for C. Everything the library offers. */
#ifndef WEIR_WEIR_H
#define WEIR_WEIR_H

#include <weir/api.h>
#include <weir/channel.h>
#include <weir/conn.h>
#include <weir/conversation.h>
#include <weir/datagram.h>
#include <weir/endpoint.h>
#include <weir/error.h>
#include <weir/fiber.h>
#include <weir/file.h>
#include <weir/log.h>
#include <weir/loop.h>
#include <weir/option.h>
#include <weir/process.h>
#include <weir/random.h>
#include <weir/server.h>
#include <weir/service.h>
#include <weir/signal.h>
#include <weir/text.h>
#include <weir/time.h>
#include <weir/tls.h>
#include <weir/via.h>

#endif
