"""Mistakes that somebody could make in the library, which scripts/sim-check plants one at a time for the simulator to find.

Each is a text of a file, which must occur there once, and what would stand in its place.
"""
from typing import NamedTuple


class Plant(NamedTuple):
    name: str
    file: str
    old: str
    new: str


PLANTS = [
    Plant("lost wake-up: an event of both directions wakes the reader alone", "src/engine/watch.c",
          """        weir__wake(&watch->slot[0]);
    if (directions & WEIR__WRITABLE)
""",
          """        weir__wake(&watch->slot[0]);
    else if (directions & WEIR__WRITABLE)
"""),
    Plant("a short write is taken for whole", "src/net/send.c",
          """        ssize_t length = weir__conn_send(conn, (const char *)data + done, size - done, 0);
        if (length < 0)
            result = weir__error_transferred(done);
        else
            done += (size_t)length;
""",
          """        ssize_t length = weir__conn_send(conn, (const char *)data + done, size - done, 0);
        if (length < 0)
            result = weir__error_transferred(done);
        else
            done = size;
"""),
    Plant("a lent buffer goes back as soon as it is lent", "src/net/receive.c",
          """            conn->lent = *data = buffer;
            return length;
""",
          """            *data = buffer;
            weir__lend_return(buffer);
            return length;
"""),
    Plant("a timer that was set for less is not set again", "src/engine/fiber.c",
          """        weir__timer_add(&loop->timers, timer, fiber->deadline);
        return;
""",
          """        return;
"""),
    Plant("a timer that is set for later is left so", "src/engine/wait.c",
          "if (deadline != WEIR_FOREVER && (!weir__timer_armed(&fiber->timer) || fiber->timer.expiry > deadline)) {",
          "if (deadline != WEIR_FOREVER && !weir__timer_armed(&fiber->timer)) {"),
    Plant("a connect that failed leaves its descriptor open", "src/net/happy_eyeballs.c",
          "leave_several(race, attempt.fd, state < 0);",
          "leave_several(race, attempt.fd, false);"),
    Plant("the loser of happy eyeballs stays open", "src/net/happy_eyeballs.c",
          """        leave_several(race, race->attempts[i].fd, true);
    }
""",
          """        leave_several(race, race->attempts[i].fd, false);
    }
"""),
    Plant("a client refused by its address is not closed", "src/server/gate.c",
          """        weir__system()->close(fd);
        weir__slot_give(gate->worker->server);
""",
          """        weir__slot_give(gate->worker->server);
"""),
    Plant("a cancel that comes before the wait is forgotten", "src/engine/wait.c",
          """    if (cancellable && fiber->cancelled)
        return give_up(slot, &fiber->waiter, ECANCELED);
""",
          ""),
    Plant("a copy does not pass on the half-close", "src/net/copy.c",
          "        weir_shutdown(pump->to.conn, SHUT_WR);\n",
          "        ;\n"),
    Plant("a client's place under its address is not given back", "src/server/client.c",
          "    weir__addresses_give(&server->addresses, address_key);\n",
          ""),
    Plant("the end that came with the last bytes is forgotten", "src/engine/engine.h",
          "if (weir__watch_at_home(watch) && !watch->hangup && (watch->armed & WEIR__READABLE))",
          "if (weir__watch_at_home(watch) && (watch->armed & WEIR__READABLE))"),
    Plant("accepting is not taken up again after a want of descriptors", "src/server/gate.c",
          "return gate->paused && gate->state == WEIR__GATE_IDLE ? gate->resume_at : WEIR_FOREVER;",
          "return gate->paused && gate->state == WEIR__GATE_ENDING ? gate->resume_at : WEIR_FOREVER;"),
    Plant("the last client to go does not tell who drains", "src/server/client.c",
          """    if (worker->draining && worker->active == 0)
        weir__worker_wake(worker); /* before the lock is let go: the keeper may end then */
""",
          ""),
    Plant("what was read ahead is passed over", "src/net/receive.c",
          """    if (conn->lines && weir__lines_left(conn))
        return weir__lines_take(conn, buffer, size, flags & MSG_PEEK);
    return weir__conn_receive""",
          """    return weir__conn_receive"""),
    Plant("idle is who has not sent, whatever it was sent", "src/net/conn_wait.c",
          "add(sent > received ? sent : received, conn->limits->idle)",
          "add(received, conn->limits->idle)"),
    Plant("a pause ends the lines of who ends them by LF", "src/conversation/message.c",
          "return conversation->newline == WEIR_NEWLINE_LF || conversation->newline == WEIR_NEWLINE_CRLF;",
          "return conversation->newline == WEIR_NEWLINE_CRLF;"),
    Plant("answers end as nobody's lines do", "src/conversation/answer.c",
          "    case WEIR_NEWLINE_CRLF:\n        return \"\\r\\n\";\n",
          "    case WEIR_NEWLINE_CRLF:\n        return \"\\n\";\n"),
    Plant("a message has no limit where a pause ends it", "src/net/messages.c",
          "        if (too_long(conn, message))\n            return fail_too_long(conn, message);\n",
          ""),
    Plant("TLS: a stream that is cut has ended", "src/net/tls.c",
          """        if (tls->cut && tls->deaf)
            return 0;
""",
          """        if (tls->cut)
            return 0;
"""),
    Plant("TLS: of a record that finds no room the rest is lost", "src/net/tls_bio.c",
          "    if (sent == size || keep(tls, data + sent, (size_t)(size - sent)) == 0)\n",
          "    if (sent > 0 || keep(tls, data + sent, (size_t)(size - sent)) == 0)\n"),
    Plant("TLS: nobody looks at what was received with the last record", "src/net/conn.h",
          "weir__watch_maybe_ready(&conn->watch, WEIR__READABLE) || (conn->secure && weir__tls_pending(conn));",
          "weir__watch_maybe_ready(&conn->watch, WEIR__READABLE);"),
    Plant("TLS: a stream ends without a word", "src/net/tls.c",
          "        SSL_shutdown(tls->ssl);\n        ERR_clear_error();\n",
          "        ERR_clear_error();\n"),
    Plant("TLS: a session that was used is never freed", "src/net/tls_sessions.c",
          "        if (!session || once)\n            forget(take_out(context, i));\n",
          "        if (!session || once)\n            take_out(context, i);\n"),
    Plant("TLS: a handshake takes as long as whoever comes likes", "src/net/tls_handshake.c",
          "bool bound = conn->limits && conn->limits->message != WEIR_FOREVER;",
          "bool bound = conn->limits;"),
    Plant("HTTP proxies: what came behind the answer is thrown away", "src/net/via_http.c",
          "        size_t taken = take_bytes(head, piece, (size_t)seen);\n",
          "        size_t taken = (take_bytes(head, piece, (size_t)seen), (size_t)seen);\n"),
    Plant("SOCKS proxies: the port in an answer is left to be read", "src/net/via_socks.c",
          "hear(talk, rest, length - 1 + 2)",
          "hear(talk, rest, length - 1)"),
    Plant("listeners: the rest of a frame that found no room is left out", "src/services/stream/listener_send.c",
          "        keep(listener, (const char *)batch->pieces[i].iov_base + gone, takes - gone);\n",
          "        keep(listener, (const char *)batch->pieces[i].iov_base + gone, 0);\n"),
    Plant("listeners: who takes nothing is kept", "src/services/stream/listener.c",
          "weir_now() - listener->moved >= options_of(listener)->patience;",
          "weir_now() - listener->moved >= WEIR_S(3600);"),
    Plant("listeners: the interval of titles begins anew with the rest of a frame", "src/services/stream/listener_send.c",
          "            state->until -= (uint32_t)takes;\n",
          "            state->until = LISTENER_INTERVAL;\n"),
    Plant("mounts: a source of another type is fallen back to", "src/services/stream/mounts.c",
          "(!type || strcmp(type, reel_type(reel)) == 0)",
          "(!type || *reel_type(reel))"),
    Plant("mounts: a ghost goes on writing", "src/services/stream/mount.c",
          "    if (reel)\n        reel_end(reel);\n",
          ""),
]
