#!/usr/bin/env python3
"""Traffic of one machine for soak.sh, at rates that leave the processor alone. Ends by a signal.

    soak_traffic.py [KIND=ADDRESS=RATE]...

It always takes what the others send. KIND is what it sends to an overlay address: `stream`, one TCP
connection with RATE Mbit/s; `datagrams`, RATE Mbit/s of UDP; `short`, RATE connections a second, each
a request and an answer. What fails (a member is away, a cable is cut) is begun again.
"""

import socket
import sys
import threading
import time

PORT = 7000
PATIENCE = 3  # seconds without an answer, or room to write, before it begins again
REQUEST, ANSWER = b"GET / HTTP/1.0\r\n\r\n", b"HTTP/1.0 200 OK\r\n\r\n" + b"a" * 4000
TICK = 0.05  # seconds between two turns of a paced sender


def open_socket(address, kind):
    s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind)
    s.settimeout(PATIENCE)
    return s


def answer(s):
    """A request gets its answer; anything else is a stream, which is read to its end."""
    with s:
        s.settimeout(4 * PATIENCE)
        try:
            if s.recv(65536) == REQUEST:
                s.sendall(ANSWER)
            else:
                while s.recv(65536):
                    pass
        except OSError:
            pass


def listen():
    with socket.create_server(("::", PORT), family=socket.AF_INET6, dualstack_ipv6=True) as server:
        while True:
            s, _ = server.accept()
            threading.Thread(target=answer, args=(s,), daemon=True).start()


def absorb():
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as s:
        s.bind(("::", PORT))
        while True:
            s.recv(65536)


def paced(size, mbit, send):
    """Sends pieces of so many bytes at a rate. What could not be sent in time is not made up for."""
    each = size * 8 / (mbit * 1e6)
    due = time.monotonic()
    while True:
        due = max(due, time.monotonic() - TICK)
        while due <= time.monotonic():
            send(b"x" * size)
            due += each
        time.sleep(TICK / 2)


def stream(address, rate):
    with open_socket(address, socket.SOCK_STREAM) as s:
        s.connect((address, PORT))
        paced(16384, rate, s.sendall)


def datagrams(address, rate):
    with open_socket(address, socket.SOCK_DGRAM) as s:
        paced(1200, rate, lambda piece: s.sendto(piece, (address, PORT)))


def short(address, rate):
    while True:
        with open_socket(address, socket.SOCK_STREAM) as s:
            s.connect((address, PORT))
            s.sendall(REQUEST)
            while s.recv(65536):
                pass
        time.sleep(1 / rate)


def forever(work, *arguments):
    while True:
        try:
            work(*arguments)
        except OSError:
            time.sleep(0.2)


def main(wishes):
    kinds = {"stream": stream, "datagrams": datagrams, "short": short}
    jobs = [(listen,), (absorb,)]
    for wish in wishes:
        kind, address, rate = wish.split("=")
        jobs.append((kinds[kind], address, float(rate)))
    threads = [threading.Thread(target=forever, args=job, daemon=True) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main(sys.argv[1:])
