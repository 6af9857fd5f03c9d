"""One account with a million messages, 100,000 a mailbox: what it costs to open, to look at and to deliver to."""

import os
import shutil
import statistics
import subprocess
import time

from imap import Imap
from servers import USER, Martlet, resident_memory


def timed(connection, command):
    begin = time.perf_counter()
    connection.command(command)
    return (time.perf_counter() - begin) * 1000


def deliveries(server, count=4000):
    """Messages a second of ten sessions."""
    begin = time.monotonic()
    subprocess.run(["smtp-source", "-s", "10", "-m", str(count), "-l", "2000", "-d", "-f", "sender@elsewhere.test", "-t",
                    USER, f"inet:127.0.0.1:{server.smtp}"], check=True, timeout=240)
    return count / (time.monotonic() - begin)


def in_turn(small, large, rounds=7):
    """The median rate of each. They are asked one after the other, so that what else goes on meets both."""
    rates = [(deliveries(small), deliveries(large)) for _ in range(rounds)]
    return tuple(statistics.median(column) for column in zip(*rates))


def million(scale, scratch, drop_caches):
    count = max(200_000, int(1_000_000 * scale))
    server, empty = Martlet(scratch / "million"), Martlet(scratch / "empty")
    for each in (server, empty):
        each.data.parent.mkdir(parents=True, exist_ok=True)
    server.start()
    server.stop()
    begin = time.monotonic()
    subprocess.run([os.environ["MARTLET_BENCH"], "fill", str(server.data), str(count), "2000"], check=True, timeout=900)
    filled = count / (time.monotonic() - begin)
    drop_caches()
    server.start()
    yield (f"{count:,} messages: start, cold", "\u2013", f"{server.ready_seconds * 1000:.0f} ms", "\u2013")
    before = resident_memory(server.pids()[0])
    connection = Imap(server.imap)
    cold = timed(connection, "SELECT Large0")
    status_cold = timed(connection, "STATUS Large1 (MESSAGES UNSEEN UIDNEXT SIZE)")
    select = min(timed(connection, "SELECT Large0") for _ in range(5))
    status = min(timed(connection, "STATUS Large1 (MESSAGES UNSEEN UIDNEXT SIZE)") for _ in range(5))
    memory = resident_memory(server.pids()[0]) - before
    connection.close()
    empty.start()
    small, large = in_turn(empty, server)
    peak = resident_memory(server.pids()[0])
    for each in (server, empty):
        each.stop()
        shutil.rmtree(each.data.parent, ignore_errors=True)
    yield ("filled in batches of 250", "\u2013", f"{filled:,.0f} msg/s", "\u2013")
    yield ("SELECT of 100,000, cold, warm", "\u2013", f"{cold:.1f}, {select:.2f} ms", "\u2013")
    yield ("STATUS of 100,000, cold, warm", "\u2013", f"{status_cold:.1f}, {status:.2f} ms", "\u2013")
    yield ("resident memory added by them", "\u2013", f"{memory / 1e6:.1f} MB", "\u2013")
    yield ("resident memory after all of it", "\u2013", f"{peak / 1e6:.1f} MB", "\u2013")
    yield ("deliveries, 10 sessions, kept connections: empty, full", "\u2013", f"{small:,.0f}, {large:,.0f} msg/s",
           f"{large / small:.2f}")
