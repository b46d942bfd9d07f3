"""Slowloris: five thousand clients that begin and never finish, beside good ones, all of whom are served.

In a network of its own, whose addresses are not loopback's, which no limit counts.
"""
import socket
import threading

import pytest

from conftest import PATIENCE, Server, end_all, seconds
from namespace import Namespace
from programs import TRIAL, Told
from talk import pattern, read_exactly

ATTACKERS = 5000 if PATIENCE == 1 else 500  # which a sanitizer has for clients too
GOOD = 8


@pytest.fixture
def network():
    namespace = Namespace()
    yield namespace
    namespace.close()


@pytest.fixture
def trial(network, backend):
    """A server that answers lines: trial("--max-per-address", 50)"""
    servers = []

    def start(*options):
        with network:
            server = Server("tcp://10.77.0.1:0", "--backend", backend, *options, program=TRIAL)
        servers.append(server)
        return server

    yield start
    end_all(servers)


@pytest.fixture
def attack(network):
    """Begins an attack and returns when each has tried to connect: attack(server, sources, attackers)"""
    attacks = []

    def begin(server, sources, attackers=ATTACKERS):
        with network:
            attacks.append(Told("slow", server.endpoint("tcp"), "10.77.200", sources, attackers))
        assert attacks[-1].hear() == "all"
        return attacks[-1]

    yield begin
    for each in attacks:
        each.kill()


class GoodClients:
    """Clients that come, ask a few lines, are answered and go, each from an address of its own."""

    def __init__(self, network, server, rounds):
        self.network = network
        self.rounds = rounds
        self.address = server.address("tcp")
        self.served = 0
        self.lock = threading.Lock()

    def be_served(self):
        threads = [threading.Thread(target=self._come_again, args=(number,)) for number in range(GOOD)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert self.served == GOOD * self.rounds

    def _come_again(self, number):
        with self.network:
            for turn in range(self.rounds):
                self._talk((f"10.77.{1 + turn}.{1 + number}", 0), turn)

    def _talk(self, source, turn):
        with socket.create_connection(self.address, timeout=seconds(60), source_address=source) as client:
            for size in (1, 100, 2000):
                line = pattern(size, turn).hex().encode() + b"\n"
                client.sendall(line)
                assert read_exactly(client, len(line)) == line
        with self.lock:
            self.served += 1


def test_from_one_address(network, trial, attack):
    """It gets what an address may have, and the rest is closed at once, again and again: nobody else has less for it."""
    server = trial("--max-per-address", 50, "--message-timeout", "1s")
    attackers = attack(server, 1)
    GoodClients(network, server, 25).be_served()
    counters = server.counters("trial")
    assert counters["active"] <= 50 + GOOD  # of whom the last may be about to end
    assert counters["refused_address"] >= ATTACKERS - counters["accepted"]
    assert counters["refused_limit"] == 0
    attackers.end()
    server.wait_for_counters("trial", active=0)
    assert 1 <= server.text.count("has 50 connections already: closed") < 5, "a line a minute for thousands"


def test_from_many_addresses(network, trial, attack):
    """
    Within what each address may have, and more than there is room for: whoever does not finish a line in time makes room,
    and those who wait in the queue are served.
    """
    room = ATTACKERS // 4
    server = trial("--max-connections", room, "--message-timeout", "300ms", "--backlog", 4096)
    attackers = attack(server, 200)
    GoodClients(network, server, 4).be_served()
    counters = server.counters("trial")
    assert counters["active"] <= room
    assert counters["refused_address"] == 0
    assert counters["refused_limit"] > 0
    assert counters["errors_message_timeout"] > room
    attackers.end()
    server.wait_for_counters("trial", active=0)


def test_silent_ones_from_many_addresses(network, trial, attack):
    """With room for all: they cost what connections cost, and no time."""
    server = trial("--max-connections", "never", "--message-timeout", "never", "--idle-timeout", "never")
    attackers = attack(server, 200)
    GoodClients(network, server, 25).be_served()
    counters = server.wait_for_counters("trial", active=ATTACKERS)
    assert counters["accepted"] == ATTACKERS + GOOD * 25
    attackers.end()
    server.wait_for_counters("trial", active=0)
