"""FETCH BODY[] throughput: small and large messages, in plaintext and over TLS, warm."""

import random
import time

from imap import Imap
from servers import insecure_tls

SIZES = ((10_000, 2_000, "10 KB"), (5_000_000, 20, "5 MB"))


def filled(size, number):
    chance = random.Random(number)
    line = "".join(chance.choices("abcdefghijklmnopqrstuvwxyz ", k=70)) + "\r\n"
    head = f"From: a@elsewhere.test\r\nSubject: body {number}\r\nMessage-ID: <body.{number}.{size}@elsewhere.test>\r\n\r\n"
    return (head + line * ((size - len(head)) // len(line))).encode()


def fetch(port, mailbox, tls):
    """Megabytes a second, the best of three."""
    connection = Imap(port, tls=insecure_tls() if tls else None)
    connection.command(f"SELECT {mailbox}")
    best = 0.0
    for _ in range(3):
        begin = time.perf_counter()
        octets = connection.drain("FETCH 1:* (BODY.PEEK[])")
        best = max(best, octets / (time.perf_counter() - begin) / 1e6)
    connection.close()
    return best


def bodies(servers, scale, compare):
    results = {}
    for server in servers:
        server.start()
        loader = Imap(server.imap)
        for size, count, label in SIZES:
            mailbox = f"Bodies{size}"
            loader.command(f"CREATE {mailbox}")
            for number in range(max(4, int(count * scale))):
                loader.append(filled(size, number), mailbox)
            for tls in (False, True):
                row = f"FETCH BODY[], {label}, " + ("TLS" if tls else "plaintext")
                results.setdefault(row, {})[server.name] = fetch(server.imaps if tls else server.imap, mailbox, tls)
        loader.close()
        server.stop()
    for row, rates in results.items():
        yield compare(row, rates, "MB/s", digits=0)
