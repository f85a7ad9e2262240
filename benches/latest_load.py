"""Registers 10,000 versions over HTTP, then asks for the latest at a fixed rate and prints the latencies.

Standard library only: one process of the load does nothing but wait for sockets, in an epoll loop with keep-alive connections.
A request's time counts from the moment it was due, not from when it was sent (no coordinated omission).
"""

import json
import selectors
import socket
import sys
import time
import urllib.parse

VERSIONS = 10_000
RATE = 1_000
CONNECTIONS = 16


def request(method, path, host, body=b""):
    head = f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


class Connection:
    def __init__(self, address):
        self.socket = socket.create_connection(address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.buffer = b""
        self.due = None

    def answer(self):
        """The status of a complete answer, when there is one."""
        self.buffer += self.socket.recv(65536)
        head, found, rest = self.buffer.partition(b"\r\n\r\n")
        if not found:
            return None
        length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        if len(rest) < length:
            return None
        self.buffer = rest[length:]
        return int(head.split(b" ", 2)[1])


def drive(address, host, schedule, wanted):
    """Sends what the schedule yields as (due, bytes) and answers the latencies in seconds."""
    selector = selectors.DefaultSelector()
    idle = [Connection(address) for _ in range(CONNECTIONS)]
    for connection in idle:
        selector.register(connection.socket, selectors.EVENT_READ, connection)
    latencies, busy, pending = [], 0, next(schedule, None)
    while pending or busy:
        now = time.perf_counter()
        while pending and idle and pending[0] <= now:
            connection = idle.pop()
            connection.due = pending[0]
            connection.socket.sendall(pending[1])
            busy += 1
            pending = next(schedule, None)
        # A request that is due soon is waited for by asking again and again: sleeping would be late by more than is measured.
        patience = 0 if pending and idle and pending[0] - now < 0.001 else 0.0005
        for key, _ in selector.select(patience):
            connection = key.data
            status = connection.answer()
            if status is not None:
                if status not in wanted:
                    sys.exit(f"unexpected answer: {status}")
                latencies.append(time.perf_counter() - connection.due)
                idle.append(connection)
                busy -= 1
    return latencies


def at_once(requests):
    for one in requests:
        yield (0.0, one)


def paced(one, seconds):
    start = time.perf_counter() + 0.05
    for index in range(RATE * seconds):
        yield (start + index / RATE, one)


def main():
    url, seconds, runs = urllib.parse.urlparse(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    address, host = (url.hostname, url.port), url.netloc
    bodies = (
        json.dumps({"model_name": "bench", "version": f"{i // 100}.{i % 100}.0", "hyperparameters": {"seed": i}}).encode()
        for i in range(VERSIONS)
    )
    begun = time.perf_counter()
    registered = drive(address, host, at_once(request("POST", "/governance/models/register", host, b) for b in bodies), {201})
    took = time.perf_counter() - begun
    print(f"{VERSIONS} versions registered in {took:.1f} s ({VERSIONS / took:.0f} a second)")
    assert len(registered) == VERSIONS
    ask = request("GET", "/governance/models/bench/latest", host)
    drive(address, host, paced(ask, 1), {200})
    medians = []
    for run in range(runs):
        times = sorted(drive(address, host, paced(ask, seconds), {200}))
        at = lambda share: times[min(len(times) - 1, int(share * len(times)))] * 1e3
        medians.append(at(0.99))
        print(f"run {run + 1}: {len(times)} requests at {RATE}/s: p50 {at(0.5):.2f} ms, p99 {at(0.99):.2f} ms, worst {at(1):.2f} ms")
    print(f"p99, median of {runs} runs: {sorted(medians)[runs // 2]:.2f} ms (goal: under 5 ms)")


main()
