"""The cases of ends for what serves: relay, between a client and a server; serve exec, between one and a program."""
import os
import time

from ends import ANSWER, Case, LARGE, LATE, QUESTION, Thread, act
from ends_pipes import (PIECE, QUESTIONS, REPLIES, SOME, answers, answers_in_two, answers_late, answers_without_reading,
                        closes_without_a_word, closes_without_reading, ends_first, returns_everything, sends_for_ever,
                        sends_much, sends_some_and_resets, takes_and_resets, takes_much_slowly,
                        takes_some_and_closes_at_once)


# --- what clients do ---

def asks(play):
    play.user.send(QUESTION)
    play.user.half_close()
    play.user.read_to_end()


def asks_and_stays(play):
    play.user.send(QUESTION)
    play.user.read_to_end()


def asks_and_tells_what_came(play):
    play.user.send(QUESTION)
    play.user.read(len(ANSWER))
    play.tell("printed")
    play.user.read_to_end()


def writes_after_the_answer(play):
    play.user.read_to_end()
    time.sleep(LATE)
    play.user.send(QUESTION)
    play.user.half_close()


def writes_on_after_the_answer(play):
    play.user.read_to_end()
    while True:
        play.user.send(bytes(PIECE))


def reads_late(play):
    play.user.send(QUESTION)
    play.user.half_close()
    time.sleep(0.7)
    play.user.read_to_end()


def writes_much_and_reads(play):
    def write(play):
        play.user.send(QUESTIONS)
        play.user.half_close()

    writer = Thread(act, write, play)
    try:
        play.user.read_to_end()
    finally:
        writer.join(play.limit)


def reads_when_it_was_reset(play):
    play.user.send(QUESTION)
    play.user.half_close()
    play.await_told("reset")
    time.sleep(0.3)
    play.user.read_to_end()


def sends_some_and_resets_itself(play):
    play.user.send(SOME)
    play.user.await_acknowledged()
    play.user.reset()
    play.tell("reset")


def asks_and_resets(play):
    play.user.send(QUESTION)
    play.await_told("taken")
    play.user.reset()


def reads_some_and_closes(play):
    play.user.send(QUESTION)
    play.user.half_close()
    play.user.read(PIECE)


# --- what servers do, beside the peers of ends_pipes.py ---

def answers_and_resets(play):
    play.peer.read(len(QUESTION))
    play.peer.send(ANSWER)
    play.await_told("printed")
    play.peer.reset()


def answers_and_closes(play):
    play.peer.send(ANSWER)
    play.peer.close()


def reads_when_the_client_has_reset(play):
    play.await_told("reset")
    time.sleep(0.3)
    play.peer.read_to_end()


def takes_and_sees(play):
    play.peer.read(len(QUESTION))
    play.tell("taken")
    play.peer.read_to_end()


RELAY = tuple(Case(commands=("relay",), status=None, **case) for case in (
    # the client ends first
    dict(name="answer", title="the client ends its side; the server answers and closes", peer=answers, user=asks,
         user_sees="end", peer_sees="end"),
    dict(name="late-answer", title="the client ends its side; the answer comes 1.2 s later", peer=answers_late,
         user=asks, user_sees="end", peer_sees="end"),
    dict(name="answer-in-two", title="the client ends its side; 1.2 s pass within the answer", peer=answers_in_two,
         user=asks, user_sees="end", peer_sees="end"),
    dict(name="no-answer", title="the client ends its side; the server takes it and closes", answer=b"",
         peer=closes_without_a_word, user=asks, user_sees="end", peer_sees="end"),
    dict(name="client-resets", title="the client resets", peer=takes_and_sees, user=asks_and_resets, answer=b"",
         peer_sees="cut"),
    dict(name="client-resets-behind", title="the client sends 120 KB and resets; then the server reads", answer=b"",
         peer=reads_when_the_client_has_reset, user=sends_some_and_resets_itself, question=SOME, peer_sees="cut",
         transports=("tcp",)),
    dict(name="client-gone", title="the client closes while the server sends", peer=sends_for_ever, question=None,
         user=reads_some_and_closes, answer=bytes(PIECE), peer_sees="cut"),
    # the server ends first
    dict(name="half-close", title="the server answers and ends its side; 1.2 s later the client has more, and ends",
         peer=ends_first, user=writes_after_the_answer, user_sees="end", peer_sees="end"),
    dict(name="written-to-closed", title="the server answers and closes; the client goes on sending", question=b"",
         peer=answers_and_closes, user=writes_on_after_the_answer, user_sees="cut"),
    dict(name="server-resets", title="the server takes the question and resets", peer=takes_and_resets, answer=b"",
         user=asks_and_stays, user_sees="cut"),
    dict(name="answers-and-resets", title="the server answers, then resets", peer=answers_and_resets,
         user=asks_and_tells_what_came, user_sees="cut"),
    dict(name="resets-behind", title="the server sends 120 KB and resets; then the client reads", answer=SOME,
         peer=sends_some_and_resets, user=reads_when_it_was_reset, user_sees="cut", transports=("tcp",)),
    dict(name="closed-unread", title="the server closes without having read", peer=closes_without_reading,
         user=asks_and_stays, question=None, answer=b"", user_sees="cut"),
    dict(name="answered-unread", title="the server answers and closes without having read", question=None,
         peer=answers_without_reading, user=asks_and_stays, user_sees="cut"),
    dict(name="unreachable", title="no server is there", peer=None, user=asks_and_stays, question=b"", answer=b"",
         user_sees="cut"),
    # much
    dict(name="large-answer", peer=sends_much,
         title="the client ends its side; the server sends 8 MB and closes; the client reads later",
         user=reads_late, answer=REPLIES, user_sees="end", peer_sees="end"),
    dict(name="large-question", title="the client has 8 MB; the server has ended its side, and reads later", answer=b"",
         peer=takes_much_slowly, user=writes_much_and_reads, question=QUESTIONS, user_sees="end", peer_sees="end"),
    dict(name="large-both", title="8 MB each way at once", peer=returns_everything, user=writes_much_and_reads,
         question=QUESTIONS, answer=QUESTIONS, user_sees="end", peer_sees="end"),
    dict(name="question-cut", title="the client has 8 MB; the server takes 64 KiB, answers, and closes",
         peer=takes_some_and_closes_at_once, user=writes_much_and_reads, question=QUESTIONS[:PIECE], user_sees="cut"),
))


# --- serve exec ---

def await_file(play, name):
    """Waits until the program has written a file."""
    path, end = os.path.join(play.folder, name), time.monotonic() + play.limit
    while not os.path.exists(path) and time.monotonic() < end:
        time.sleep(0.02)


def resets_a_program(play):
    play.user.send(QUESTION)
    await_file(play, "taken")
    play.user.reset()


ANSWERS = "echo an answer"

EXEC = tuple(Case(commands=("exec",), status=None, peer=None, **case) for case in (
    # the client ends first
    dict(name="answer", title="the client ends its side; the program answers", program=f"cat > taken; {ANSWERS}",
         user=asks, user_sees="end"),
    dict(name="late-answer", title="the client ends its side; the program answers 1.2 s later", user=asks,
         program=f"cat > taken; sleep {LATE}; {ANSWERS}", user_sees="end"),
    dict(name="answer-in-two", title="the client ends its side; 1.2 s pass within the answer", user=asks,
         program=f"cat > taken; printf 'an '; sleep {LATE}; echo answer", user_sees="end"),
    dict(name="no-answer", title="the client ends its side; the program takes it and ends", program="cat > taken",
         user=asks, answer=b"", user_sees="end"),
    dict(name="client-resets", title="the client resets; the program waits",
         program="head -n 1 > new; mv new taken; sleep 60", user=resets_a_program, transports=("tcp",), answer=b"", peer_sees="end"),
    dict(name="client-gone", title="the client closes while the program writes", question=None,
         program="while echo much; do :; done", answer=(b"much\n" * PIECE)[:PIECE], user=reads_some_and_closes,
         peer_sees="end"),
    # the program ends first
    dict(name="unread", title="the program answers and ends without having read", program=ANSWERS, user=asks_and_stays,
         question=None),
    dict(name="half-close",
         title="the program answers and closes its stdout; 1.2 s later the client has more, and ends",
         program=f"{ANSWERS}; exec >&-; cat > taken", user=writes_after_the_answer, user_sees="end"),
    # much
    dict(name="large-answer", title="the client ends its side; the program writes 8 MB; the client reads later",
         program=f"cat > taken; head -c {LARGE} /dev/zero", user=reads_late, answer=bytes(LARGE), user_sees="end"),
    dict(name="large-question", title="the client has 8 MB; the program closes its stdout, and reads later", answer=b"",
         program="exec >&-; sleep 0.7; cat > taken", user=writes_much_and_reads, question=QUESTIONS, user_sees="end"),
    dict(name="large-both", title="8 MB each way at once", program="tee taken", user=writes_much_and_reads,
         question=QUESTIONS, answer=QUESTIONS, user_sees="end"),
    dict(name="question-cut", title="the client has 8 MB; the program takes 64 KiB, answers, and ends",
         program=f"head -c {PIECE} > taken; {ANSWERS}", user=writes_much_and_reads, question=QUESTIONS[:PIECE]),
))
