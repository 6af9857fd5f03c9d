"""The measurements. Each yields rows: what, the anchor's figure, Martlet's figure, ratio."""

import email.utils
import os
import pathlib
import random
import select
import socket
import ssl
import statistics
import subprocess
import threading
import time

import bodies as body_reading
import million as large_store
import relay as relaying
import search as searching
import store as storing
from imap import Imap
from servers import PASSWORD, USER, Martlet, insecure_tls, processor_seconds, proportional_memory, resident_memory

LIMIT = 240.0


def compare(name, results, unit, higher_is_better=True, digits=1):
    """One row from {server name: value}."""
    ours = results.get("Martlet")
    theirs = results.get("Postfix + Dovecot")
    show = lambda value: "–" if value is None else f"{value:,.{digits}f} {unit}"
    ratio = "–"
    if ours and theirs:
        ratio = f"{(ours / theirs if higher_is_better else theirs / ours):.1f}×"
    return (name, show(theirs), show(ours), ratio)


def wait_until_count(port, goal, begin):
    connection = Imap(port)
    try:
        while time.monotonic() - begin < LIMIT:
            if connection.message_count() >= goal:
                return time.monotonic()
            time.sleep(0.005)
    finally:
        connection.close()
    raise RuntimeError(f"fewer than {goal} messages became visible")


def deliver(servers, scale, scratch):
    """smtp-source drives both; accepted is when the last 250 came, visible when STATUS counts them all."""
    for keep in (False, True):
        for size in (2_000, 10_000):
            for sessions in (1, 10, 50):
                accepted, visible, cost = {}, {}, {}
                for server in servers:
                    count = int((6000 if server.name == "Martlet" else 1500) * scale)
                    if sessions == 1:
                        count //= 3
                    server.start()
                    probe = Imap(server.imap)
                    before = probe.message_count()
                    probe.close()
                    pids = server.pids()
                    used = processor_seconds(pids)
                    begin = time.monotonic()
                    finished = {}
                    watcher = threading.Thread(
                        target=lambda: finished.update(at=wait_until_count(server.imap, before + count, begin)))
                    watcher.start()
                    source = ["smtp-source", "-s", str(sessions), "-m", str(count), "-l", str(size), "-f",
                              "sender@elsewhere.test", "-t", USER] + (["-d"] if keep else [])
                    subprocess.run(source + [f"inet:127.0.0.1:{server.smtp}"], check=True, timeout=LIMIT)
                    accepted[server.name] = count / (time.monotonic() - begin)
                    watcher.join(LIMIT)
                    visible[server.name] = count / (finished["at"] - begin)
                    if server.name == "Martlet":
                        cost[server.name] = (processor_seconds(pids) - used) * 1000 / count
                    server.stop()
                label = f"{size // 1000} KB, {sessions} session{'s' if sessions > 1 else ''}" + (
                    ", connections kept" if keep else "")
                yield compare(f"accepted, {label}", accepted, "msg/s", digits=0)
                yield compare(f"visible over IMAP, {label}", visible, "msg/s", digits=0)
                yield compare(f"CPU a message, {label}", cost, "ms", False, 2)


def smtp_reply(stream):
    while True:
        line = stream.readline()
        if not line:
            raise EOFError("the server closed the connection")
        if line[3:4] == b" ":
            if line[:1] not in b"23":
                raise RuntimeError(line)
            return line


def latency(servers, scale, scratch):
    """From the end of DATA to EXISTS on an idling connection, one message at a time."""
    medians, tails = {}, {}
    for server in servers:
        server.start()
        idle = Imap(server.imap)
        idle.command("SELECT INBOX")
        idle.send("IDLE")
        while not idle.line().startswith(b"+"):
            pass
        sender = socket.create_connection(("127.0.0.1", server.smtp))
        sender.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        stream = sender.makefile("rb")
        smtp_reply(stream)
        sender.sendall(b"EHLO bench\r\n")
        smtp_reply(stream)
        samples = []
        for number in range(int((500 if server.name == "Martlet" else 60) * max(scale, 0.4))):
            for command in (b"MAIL FROM:<sender@elsewhere.test>", f"RCPT TO:<{USER}>".encode(), b"DATA"):
                sender.sendall(command + b"\r\n")
                smtp_reply(stream)
            sender.sendall(b"Subject: %d\r\n\r\n" % number + b"x" * 70 + b"\r\n")
            begin = time.perf_counter()
            sender.sendall(b".\r\n")
            while b"EXISTS" not in idle.line():
                pass
            samples.append((time.perf_counter() - begin) * 1000)
            smtp_reply(stream)
        samples.sort()
        medians[server.name] = statistics.median(samples)
        tails[server.name] = samples[int(len(samples) * 0.99)]
        sender.close()
        idle.socket.close()
        server.stop()
    yield compare("DATA to EXISTS on IDLE, median", medians, "ms", False, 2)
    yield compare("DATA to EXISTS on IDLE, p99", tails, "ms", False, 2)


def memory(servers, scale, scratch):
    """Resident memory at rest, and what 1,000 idling TLS connections with INBOX selected add."""
    rest, added = {}, {}
    for server in servers:
        server.start()
        time.sleep(1)
        measure = lambda: proportional_memory(server.pids())
        rest[server.name] = measure() / 1e6
        if server.name == "Martlet":
            rest[server.name] = resident_memory(server.pids()[0]) / 1e6
        before = measure()
        context = insecure_tls()
        context.options |= ssl.OP_NO_TICKET
        connections = []
        for _ in range(1000):
            raw = socket.create_connection(("127.0.0.1", server.imaps), 30)
            secure = context.wrap_socket(raw)
            stream = secure.makefile("rwb", buffering=4096)
            stream.readline()
            for tag, command in (("a", f'LOGIN "{USER}" "{PASSWORD}"'), ("b", "SELECT INBOX"), ("c", "IDLE")):
                stream.write(f"{tag} {command}\r\n".encode())
                stream.flush()
                while True:
                    line = stream.readline()
                    if not line:
                        raise EOFError("the server closed the connection")
                    if line.startswith((tag + " ").encode()) or (command == "IDLE" and line.startswith(b"+")):
                        break
            connections.append((secure, stream))
        time.sleep(2)
        added[server.name] = (measure() - before) / 1e6
        for secure, _ in connections:
            secure.close()
        server.stop()
    yield compare("resident after start", rest, "MB", False)
    yield compare("added by 1,000 idling IMAPS connections", added, "MB", False)


def start(servers, scale, scratch):
    """From exec until every listener is bound."""
    results = {}
    for server in servers:
        samples = []
        for _ in range(5):
            server.start()
            samples.append(server.ready_seconds * 1000)
            server.stop()
        results[server.name] = statistics.median(samples)
    yield compare("exec to ready", results, "ms", False)


def mixed_messages(count):
    """Messages of several shapes, the same on every run."""
    chance = random.Random(2002)
    words = "the store keeps mail once and every protocol sees it at the same moment".split()
    for number in range(count):
        text = "\r\n".join(" ".join(chance.choices(words, k=12)) for _ in range(chance.randint(5, 60)))
        date = email.utils.formatdate(1_000_000_000 + number * 60)
        head = (f"From: Sender {number % 50} <sender{number % 50}@elsewhere.test>\r\nTo: {USER}\r\n"
                f"Subject: message {number} about {chance.choice(words)}\r\nDate: {date}\r\n"
                f"Message-ID: <{number}@elsewhere.test>\r\nMIME-Version: 1.0\r\n")
        if number % 3 == 0:
            yield (head + 'Content-Type: multipart/alternative; boundary="b1"\r\n\r\n'
                   f"--b1\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n"
                   f"--b1\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>{text}</p>\r\n--b1--\r\n").encode()
        else:
            yield (head + f"Content-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n").encode()


def drop_caches():
    os.sync()
    try:
        pathlib.Path("/proc/sys/vm/drop_caches").write_text("3")
    except OSError:
        pass


def read(servers, scale, scratch):
    """SELECT and FETCH over 10,000 messages: warm is the best of five on one connection, cold is after a restart with the
    page cache dropped."""
    count = max(1000, int(10_000 * scale))
    commands = {"SELECT": "SELECT INBOX", "FETCH FLAGS": "FETCH 1:* (FLAGS)",
                "FETCH ENVELOPE BODYSTRUCTURE": "FETCH 1:* (ENVELOPE BODYSTRUCTURE)"}
    warm = {name: {} for name in commands}
    cold = {name: {} for name in commands}
    for server in servers:
        server.start()
        loader = Imap(server.imap)
        loader.command("CREATE Load")
        if server.name == "Martlet" or True:
            for message in mixed_messages(count):
                loader.append(message, "Load")
        loader.close()
        box = {name: command.replace("INBOX", "Load") for name, command in commands.items()}
        connection = Imap(server.imap)
        connection.command(box["SELECT"])
        for name, command in box.items():
            best = None
            for _ in range(5):
                begin = time.perf_counter()
                connection.command(command)
                taken = (time.perf_counter() - begin) * 1000
                best = taken if best is None else min(best, taken)
            warm[name][server.name] = best
        connection.close()
        for name, command in box.items():
            server.stop()
            drop_caches()
            server.start()
            connection = Imap(server.imap)
            if name != "SELECT":
                connection.command(box["SELECT"])
            begin = time.perf_counter()
            connection.command(command)
            cold[name][server.name] = (time.perf_counter() - begin) * 1000
            connection.close()
        server.stop()
    for name in commands:
        yield compare(f"{name}, {count:,} messages, warm", warm[name], "ms", False)
        yield compare(f"{name}, {count:,} messages, cold", cold[name], "ms", False)


def flush(servers, scale, scratch):
    """Counts the flushes that the acknowledged messages cost, seen by strace."""
    for server in servers:
        if server.name != "Martlet":
            continue
        for sessions in (1, 10, 50):
            count = int(2000 * max(scale, 0.5))
            server.start()
            report = scratch / f"strace-{sessions}"
            tracer = subprocess.Popen(
                ["strace", "-f", "-c", "-e", "trace=fsync,fdatasync,sync_file_range,msync", "-o", report, "-p",
                 str(server.pids()[0])], stderr=subprocess.PIPE)
            tracer.stderr.readline()
            subprocess.run(
                ["smtp-source", "-s", str(sessions), "-m", str(count), "-l", "2000", "-f", "sender@elsewhere.test",
                 "-t", USER, f"inet:127.0.0.1:{server.smtp}"], check=True, timeout=LIMIT)
            tracer.send_signal(2)
            tracer.wait(20)
            flushes = 0
            for line in report.read_text().splitlines():
                fields = line.split()
                if fields and fields[-1] in ("fsync", "fdatasync"):
                    flushes += int(fields[3])
            server.stop()
            yield (f"flushes for {count:,} acknowledged messages, {sessions} sessions", "–", f"{flushes:,}",
                   f"{count / max(flushes, 1):.1f} messages a flush")


def bodies(servers, scale, scratch):
    """FETCH BODY[] of small and large messages."""
    yield from body_reading.bodies(servers, scale, compare)


def million(servers, scale, scratch):
    """One account with a million messages."""
    yield from large_store.million(scale, scratch, drop_caches)


def search(servers, scale, scratch):
    """SEARCH over 100,000 messages."""
    yield from searching.search(servers, scale, compare)


def store(servers, scale, scratch):
    """Durable appends of the store alone, as a share of the bare disk's."""
    yield from storing.appends(scale, scratch)


def changes(servers, scale, scratch):
    """Flags, expunging and reading, in the store alone."""
    yield from storing.changes(scale, scratch)


def smtp_ceiling(servers, scale, scratch):
    """SMTP as a share of what the sessions reach with nothing behind them."""
    yield from storing.smtp_ceiling(scale, scratch)


def senders(servers, scale, scratch):
    """Memory while 200 senders push 25 MB each."""
    yield from storing.senders(scale, scratch)


def relay(servers, scale, scratch):
    """Submission until everything has arrived at other servers."""
    yield from relaying.relay(scale, scratch, compare)


def queue(servers, scale, scratch):
    """100,000 messages for destinations that are dead."""
    yield from relaying.queue(scale, scratch)


ALL = {"start": start, "latency": latency, "deliver": deliver, "flush": flush, "memory": memory, "read": read,
       "bodies": bodies, "million": million, "search": search, "store": store,
       "changes": changes, "smtp-ceiling": smtp_ceiling, "senders": senders,
       "relay": relay, "queue": queue}
