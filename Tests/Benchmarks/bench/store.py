"""The store alone, against the bare disk; what changes cost; the SMTP sessions without a store; many large senders."""

import os
import shutil
import socket
import subprocess
import threading
import time

from imap import Imap
from servers import USER, Martlet, processor_seconds


def _rows(command, directory, scale):
    """What `martlet-bench` prints of a measurement, row by row."""
    shutil.rmtree(directory, ignore_errors=True)
    process = subprocess.Popen([os.environ["MARTLET_BENCH"], command, str(directory), str(2 * scale)],
                               stdout=subprocess.PIPE, text=True)
    try:
        for line in process.stdout:
            cells = [cell.strip() for cell in line.rstrip("\n").split(" | ")]
            if len(cells) == 4:
                yield tuple(cells)
        if process.wait() != 0:
            raise RuntimeError(f"martlet-bench {command} failed")
    finally:
        if process.poll() is None:
            process.kill()
        shutil.rmtree(directory, ignore_errors=True)


def appends(scale, scratch):
    yield from _rows("appends", scratch / "appends", scale)


def changes(scale, scratch):
    yield from _rows("changes", scratch / "changes", scale)


class SessionServer:
    """The SMTP server of `martlet-bench`, with the store or with nothing behind it."""

    def __init__(self, directory, behind):
        self.directory = directory
        self.process = subprocess.Popen([os.environ["MARTLET_BENCH"], "smtp", str(directory), behind],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line.startswith("port "):
            raise RuntimeError("martlet-bench smtp did not start")
        self.port = int(line.split()[1])

    def rate(self, sessions, size, count):
        """Messages a second, and milliseconds of the server's CPU for each."""
        used = processor_seconds([self.process.pid])
        begin = time.monotonic()
        subprocess.run(["smtp-source", "-s", str(sessions), "-m", str(count), "-l", str(size), "-d", "-f",
                        "sender@elsewhere.test", "-t", USER, f"inet:127.0.0.1:{self.port}"], check=True, timeout=240)
        taken = time.monotonic() - begin
        return count / taken, (processor_seconds([self.process.pid]) - used) * 1000 / count

    def stop(self):
        self.process.stdin.close()
        self.process.wait(30)
        shutil.rmtree(self.directory, ignore_errors=True)


def smtp_ceiling(scale, scratch):
    """Both kinds of server run at once and are asked in turn; the best of five each."""
    servers = {behind: SessionServer(scratch / f"smtp-{behind}", behind) for behind in ("nothing", "store")}
    try:
        for sessions in (1, 10, 50):
            for size in (2_000, 10_000):
                count = int((3_000 if sessions == 1 else 10_000) * scale)
                best = {behind: (0.0, 0.0) for behind in servers}
                for _ in range(5):
                    for behind, server in servers.items():
                        best[behind] = max(best[behind], server.rate(sessions, size, count))
                label = f"{size // 1000} KB, {sessions} session{'s' if sessions > 1 else ''}"
                show = lambda result: f"{result[0]:,.0f} msg/s, CPU {result[1]:.2f} ms"
                yield (f"SMTP into the store, {label}", "nothing behind the sessions: " + show(best["nothing"]),
                       show(best["store"]), f"{best['store'][0] / best['nothing'][0] * 100:.0f} %")
    finally:
        for server in servers.values():
            server.stop()


def _peak(pid):
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:"))


def _send(port, octets, failures):
    """One message of `octets`, as fast as the server takes it."""
    try:
        with socket.create_connection(("127.0.0.1", port), 60) as connection:
            connection.settimeout(600)
            stream = connection.makefile("rb")

            def reply(code):
                while True:
                    line = stream.readline()
                    if line[:3] != code:
                        raise RuntimeError(f"{line!r} instead of {code!r}")
                    if line[3:4] == b" ":
                        return

            reply(b"220")
            for command, code in ((b"EHLO bench", b"250"), (b"MAIL FROM:<sender@elsewhere.test>", b"250"),
                                  (f"RCPT TO:<{USER}>".encode(), b"250"), (b"DATA", b"354")):
                connection.sendall(command + b"\r\n")
                reply(code)
            connection.sendall(b"Subject: large\r\n\r\n")
            piece = (b"x" * 76 + b"\r\n") * 840
            for _ in range(octets // len(piece)):
                connection.sendall(piece)
            connection.sendall(b".\r\n")
            reply(b"250")
            connection.sendall(b"QUIT\r\n")
    except (OSError, RuntimeError) as error:
        failures.append(error)


def senders(scale, scratch):
    """200 senders push 25 MB each at the same time."""
    count, octets = max(40, int(200 * scale)), 25_000_000
    server = Martlet(scratch / "senders")
    (scratch / "senders").mkdir(parents=True, exist_ok=True)
    server.start()
    try:
        pid = server.pids()[0]
        rest, used, begin, failures = _peak(pid), processor_seconds([pid]), time.monotonic(), []
        threads = [threading.Thread(target=_send, args=(server.smtp, octets, failures)) for _ in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(900)
        taken = time.monotonic() - begin
        cost = (processor_seconds([pid]) - used) * 1000 / count
        connection = Imap(server.imap)
        arrived = connection.message_count()
        connection.close()
        yield (f"{count} senders of {octets // 1_000_000} MB each: arrived", "–", f"{arrived} of {count}",
               "all" if arrived == count and not failures else f"{len(failures)} were refused: {failures[:1]}")
        yield ("resident memory at rest, at its peak", "–", f"{rest / 1e6:.0f}, {_peak(pid) / 1e6:.0f} MB", "–")
        yield ("octets taken in", "–", f"{count * octets / taken / 1e6:,.0f} MB/s, CPU {cost:.0f} ms each", "–")
    finally:
        server.stop()
        shutil.rmtree(scratch / "senders", ignore_errors=True)
