"""The cases of ends for what joins stdin and stdout with a connection: connect and listen, and in its own way ask."""
import time

from ends import ANSWER, Case, EARLY, LARGE, LATE, QUESTION, asks, large

REPLIES, QUESTIONS = large("replies"), large("questions")
PIECE = 65536
SOME = REPLIES[:120_000]  # fits between a peer and a program whose output nobody reads
ASK = ("ask",)
PIPES = ("connect", "listen")


# --- what peers do ---

def answers(play):
    """Answers when the end of stdin has come to it."""
    play.peer.read_to_end()
    play.peer.send(ANSWER)


def answers_late(play):
    play.peer.read_to_end()
    time.sleep(LATE)
    play.peer.send(ANSWER)


def greets(play):
    play.peer.send(ANSWER)
    play.peer.read_to_end()


def answers_in_two(play):
    play.peer.read_to_end()
    play.peer.send(ANSWER[:3])
    time.sleep(LATE)
    play.peer.send(ANSWER[3:])


def ends_first(play):
    """Says what it has to say, ends its side, and takes what comes."""
    play.peer.send(ANSWER)
    play.peer.half_close()
    play.peer.read_to_end()


def ends_first_and_closes(play):
    play.peer.send(ANSWER)
    play.peer.half_close()
    play.peer.read(len(QUESTION))


def ends_first_in_silence(play):
    play.peer.half_close()
    play.peer.read_to_end()


def closes_first(play):
    play.peer.send(ANSWER)
    play.peer.close()
    play.tell("closed")


def takes_and_closes(play):
    play.peer.read(len(QUESTION))
    play.peer.send(ANSWER)
    play.peer.close()
    play.tell("closed")


def closes_without_a_word(play):
    play.peer.read_to_end()


def resets_first(play):
    play.peer.send(ANSWER)
    play.await_told("printed")
    play.peer.reset()


def takes_and_resets(play):
    play.peer.read(len(QUESTION))
    play.peer.reset()


def resets_after_the_question(play):
    play.peer.read_to_end()
    play.peer.reset()


def resets_after_the_answer(play):
    play.peer.read_to_end()
    play.peer.send(ANSWER)
    play.await_told("printed")
    play.peer.reset()


def sends_some_and_resets(play):
    play.peer.read_to_end()
    play.peer.send(SOME)
    play.peer.await_acknowledged()
    play.peer.reset()
    play.tell("reset")


def closes_without_reading(play):
    play.peer.await_more()
    play.peer.close()


def answers_without_reading(play):
    play.peer.await_more()
    play.peer.send(ANSWER)
    play.peer.close()


def takes_some_and_closes(play):
    play.peer.read(PIECE)
    play.peer.send(ANSWER)
    play.await_told("printed")
    play.peer.close()


def takes_some_and_closes_at_once(play):
    play.peer.read(PIECE)
    play.peer.await_more()
    play.peer.send(ANSWER)
    play.peer.close()


def sends_much(play):
    play.peer.read_to_end()
    play.peer.send(REPLIES)


def sends_much_first(play):
    play.peer.send(REPLIES)
    play.peer.half_close()
    play.peer.read_to_end()


def takes_much_slowly(play):
    play.peer.half_close()
    time.sleep(0.7)
    play.peer.read_to_end()


def returns_everything(play):
    play.peer.read_and_return()


def returns_all_and_closes(play):
    play.peer.read_and_return(LARGE)


def sends_for_ever(play):
    while True:
        play.peer.send(bytes(PIECE))


# --- what users do ---

def only_reads(play):
    play.user.read_along()
    play.user.end()


def only_writes_nothing(play):
    """Stdin is what it is, and has its end by itself."""
    play.user.read_along()


def writes_after_the_answer(play):
    """The peer has long ended its side when stdin goes on."""
    play.user.await_output(len(ANSWER))
    time.sleep(LATE)
    play.user.write(QUESTION)
    play.user.end()


def writes_late(play):
    play.user.read_along()
    time.sleep(LATE)
    play.user.write(QUESTION)
    play.user.end()


def ends_when_it_has_closed(play):
    play.user.await_output(len(ANSWER))
    play.await_told("closed")
    play.user.end()


def writes_when_it_has_closed(play):
    play.user.await_output(len(ANSWER))
    play.await_told("closed")
    play.user.write(QUESTION)
    play.user.end()


def writes_and_ends_when_it_has_closed(play):
    play.user.write(QUESTION)
    ends_when_it_has_closed(play)


def tells_what_is_printed(play):
    """Stdin stays open, and has nothing more."""
    play.user.await_output(len(ANSWER))
    play.tell("printed")


def asks_and_tells_what_is_printed(play):
    asks(play)
    tells_what_is_printed(play)


def types(play):
    """At a terminal: a line, and Ctrl-D once the answer is there, or would be."""
    play.user.read_along()
    play.user.write(QUESTION)
    time.sleep(0.2)
    play.user.end()


def types_and_stays(play):
    play.user.read_along()
    play.user.write(QUESTION)


def reads_slowly(play):
    play.user.write(QUESTION)
    play.user.end()
    time.sleep(0.7)
    play.user.read_along()


def reads_when_it_was_reset(play):
    play.user.write(QUESTION)
    play.user.end()
    play.await_told("reset")
    time.sleep(0.3)
    play.user.read_along()


def writes_much(play):
    play.user.read_along()
    play.user.write(QUESTIONS)
    play.user.end()


def writes_much_and_tells_what_is_printed(play):
    play.user.read_along()
    play.user.write(QUESTIONS[:2 * PIECE])
    tells_what_is_printed(play)
    play.user.write(QUESTIONS[2 * PIECE:])
    play.user.end()


def goes_away(play):
    play.user.read_no_more(10)


# --- connect and listen ---

CASES = (
    # stdin ends first
    Case("answer", "stdin ends; then the peer answers and closes", answers),
    Case("late-answer", "stdin ends; the answer comes 1.2 s later", answers_late),
    Case("answer-in-two", "stdin ends; 1.2 s pass within the answer", answers_in_two),
    Case("no-answer", "stdin ends; the peer takes it and closes", closes_without_a_word, answer=b""),
    Case("reset-after-question", "stdin ends; the peer takes it and resets", resets_after_the_question, answer=b"",
         status=EARLY, transports=("tcp",)),
    Case("reset-after-answer", "stdin ends; the peer answers, then resets", resets_after_the_answer,
         user=asks_and_tells_what_is_printed, status=EARLY, transports=("tcp",)),
    Case("reset-behind", "stdin ends; the peer sends 120 KB and resets; then stdout is read", sends_some_and_resets,
         user=reads_when_it_was_reset, answer=SOME, status=EARLY, transports=("tcp",)),
    Case("closed-unread", "stdin ends; the peer closes without having read", closes_without_reading, answer=b"",
         question=None, status=EARLY),
    Case("answered-unread", "stdin ends; the peer answers and closes without having read", answers_without_reading,
         question=None, status=EARLY),
    # the peer ends first
    Case("half-close", "the peer answers and ends its side; 1.2 s later stdin has more, and ends", ends_first,
         user=writes_after_the_answer),
    Case("silent-half-close", "the peer ends its side at once; 1.2 s later stdin has something, and ends",
         ends_first_in_silence, user=writes_late, answer=b""),
    Case("closed", "the peer answers and closes; then stdin ends", closes_first, user=ends_when_it_has_closed,
         question=b""),
    Case("closed-after-question", "the peer takes, answers and closes; then stdin ends", takes_and_closes,
         user=writes_and_ends_when_it_has_closed),
    Case("written-to-closed", "the peer answers and closes; then stdin has more, and ends", closes_first,
         user=writes_when_it_has_closed, question=b"", status=EARLY),
    Case("reset-unanswered", "the peer takes and resets; stdin is open", takes_and_resets, user=types_and_stays,
         answer=b"", status=EARLY, transports=("tcp",)),
    Case("reset", "the peer answers and resets; stdin is open", resets_first, user=tells_what_is_printed,
         question=b"", status=EARLY, transports=("tcp",)),
    # much
    Case("large-answer", "stdin ends; the peer sends 8 MB and closes; stdout is read later", sends_much,
         user=reads_slowly, answer=REPLIES),
    Case("large-greeting", "the peer sends 8 MB and ends its side; stdin ends", sends_much_first, answer=REPLIES),
    Case("large-question", "stdin has 8 MB; the peer has ended its side, and reads later", takes_much_slowly,
         user=writes_much, answer=b"", question=QUESTIONS),
    Case("large-both", "8 MB each way at once", returns_everything, user=writes_much, answer=QUESTIONS,
         question=QUESTIONS),
    Case("question-cut", "stdin has 8 MB; the peer takes 64 KiB, answers, and closes", takes_some_and_closes,
         user=writes_much_and_tells_what_is_printed, question=QUESTIONS[:PIECE], status=EARLY),
    Case("question-cut-at-once", "the same, and it closes at once", takes_some_and_closes_at_once, user=writes_much,
         question=QUESTIONS[:PIECE], status=EARLY),
    # what stdin is
    Case("null", "stdin is /dev/null", answers_late, user=only_writes_nothing, stdin="null", question=b""),
    Case("closed-stdin", "stdin is closed", answers_late, user=only_writes_nothing, stdin="closed", question=b""),
    Case("file", "stdin is a file", answers, user=only_writes_nothing, stdin="file"),
    Case("greeting", "stdin is an empty pipe; the peer speaks first", greets, user=only_reads, question=b""),
    Case("terminal", "stdin is a terminal: a line, then Ctrl-D", answers, user=types, stdin="terminal"),
    Case("terminal-peer", "stdin is a terminal; the peer answers and closes", takes_and_closes, user=types_and_stays,
         stdin="terminal"),
    # who reads stdout
    Case("reader-gone", "the reader of stdout goes away while the peer sends", sends_for_ever, user=goes_away,
         question=b"", answer=None),
)


# --- ask: it sends stdin, ends nothing, and has its answer when the peer closes or is quiet ---

def reply(*, late=0, answer=ANSWER, end="close", size=len(QUESTION)):
    """A peer that reads the question, answers it and ends so."""
    def play_it(play):
        play.peer.read(size)
        time.sleep(late)
        play.peer.send(answer)
        if end == "half-close":
            play.peer.half_close()
        if end == "reset":
            play.await_told("printed")
            play.peer.reset()
        if end in ("half-close", "stay"):
            play.peer.read_to_end()
    return play_it


def refuses(end):
    """One that reads the question, and has nothing to say."""
    def play_it(play):
        play.peer.read(len(QUESTION))
        getattr(play.peer, end)()
        if end == "half_close":
            play.peer.read_to_end()
    return play_it


# Peers that close may be slower than what `ask` takes for the end of an answer.
PATIENT = {"options": ("--quiet", "20s")}

ASK_CASES = tuple(Case(commands=ASK, **PATIENT | case) for case in (
    dict(name="ask-answer", title="the peer answers and closes", peer=reply()),
    dict(name="ask-half-close", title="the peer answers and ends its side", peer=reply(end="half-close")),
    dict(name="ask-quiet", title="the peer answers and stays", peer=reply(end="stay"), options=()),
    dict(name="ask-late", title="the answer comes 1.2 s later", peer=reply(late=LATE)),
    dict(name="ask-reset", title="the peer answers, then resets", peer=reply(end="reset"),
         user=asks_and_tells_what_is_printed, status=EARLY, transports=("tcp",)),
    dict(name="ask-no-answer", title="the peer closes without an answer", peer=refuses("close"), answer=b"",
         status=EARLY),
    dict(name="ask-no-answer-half", title="the peer ends its side without an answer", peer=refuses("half_close"),
         answer=b"", status=EARLY),
    dict(name="ask-reset-at-once", title="the peer resets without an answer", peer=refuses("reset"), answer=b"",
         status=EARLY, transports=("tcp",)),
    dict(name="ask-unread", title="the peer closes without having read", peer=closes_without_reading, answer=b"",
         question=None, status=EARLY),
    dict(name="ask-answered-unread", title="the peer answers and closes without having read",
         peer=answers_without_reading, question=None, status=EARLY),
    dict(name="ask-closed", title="the peer answers and closes; then stdin has the question", peer=closes_first,
         user=writes_when_it_has_closed, question=b"", status=EARLY),
    dict(name="ask-half-closed", title="the peer answers and ends its side; 1.2 s later stdin has the question",
         peer=ends_first_and_closes, user=writes_after_the_answer),
    dict(name="ask-large-answer", title="the peer sends 8 MB and closes; stdout is read later", user=reads_slowly,
         peer=reply(answer=REPLIES), answer=REPLIES),
    dict(name="ask-large-question", title="stdin has 8 MB; the peer takes all, then answers", user=writes_much,
         peer=reply(size=LARGE), question=QUESTIONS),
    dict(name="ask-large-both", title="8 MB each way at once", peer=returns_all_and_closes, user=writes_much,
         answer=QUESTIONS, question=QUESTIONS),
    dict(name="ask-question-cut", title="stdin has 8 MB; the peer takes 64 KiB, answers, and closes",
         peer=takes_some_and_closes, user=writes_much_and_tells_what_is_printed, question=QUESTIONS[:PIECE],
         status=EARLY),
    dict(name="ask-null", title="stdin is /dev/null; the peer speaks first", peer=greets, user=only_writes_nothing,
         stdin="null", question=b"", options=()),
    dict(name="ask-closed-stdin", title="stdin is closed; the peer speaks first", peer=greets,
         user=only_writes_nothing, stdin="closed", question=b"", options=()),
    dict(name="ask-file", title="stdin is a file", peer=reply(), user=only_writes_nothing, stdin="file"),
    dict(name="ask-terminal", title="stdin is a terminal: a line, then Ctrl-D", peer=reply(), user=types,
         stdin="terminal"),
    dict(name="ask-reader-gone", title="the reader of stdout goes away while the peer sends", peer=sends_for_ever,
         user=goes_away, stdin="pipe", question=b"", answer=None),
))
