"""Mail for other servers: how fast it goes out, and what a queue full of dead destinations costs."""

import base64
import contextlib
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time

from servers import PASSWORD, USER, PostfixDovecot, free_port, insecure_tls, processor_seconds, wait_for_port

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "EndToEnd"))
from world import DNS, Peer, hang  # noqa: E402

LIMIT = 120.0


class Domains:
    """A zone for `DNS`: `dN.zz` has its mail taken at one address, `live.zz` at another."""

    def __init__(self, address, live="127.0.0.1"):
        self.address = address
        self.live = live

    def get(self, name, default):
        if name == "mx.live.zz":
            return {"A": [self.live]}
        if re.fullmatch(r"mx\.d\d+\.zz", name):
            return {"A": [self.address]}
        return {"MX": [(10, f"mx.{name}")]} if re.fullmatch(r"(d\d+|live)\.zz", name) else default

    def __contains__(self, name):
        return bool(self.get(name, None))

    def __iter__(self):
        return iter(())


class RelayingMartlet:
    """`martlet serve` with an account that sends."""

    name = "Martlet"

    def __init__(self, scratch, zone, port):
        self.data = scratch / "relay-martlet"
        self.log = scratch / "relay-martlet.log"
        self.dns = DNS()
        self.dns.zone = zone
        self.port = port
        self.process = None

    def start(self):
        # Nothing of an earlier start counts.
        self.log.write_bytes(b"")
        begin = time.monotonic()
        self.process = subprocess.Popen(
            [os.environ["MARTLET_BINARY"], "serve", "--data", self.data, "--hostname", "localhost", "--domain",
             "bench.test", "--listen", "submission=127.0.0.1:0", "--set", f"outbound.resolver={self.dns.address}",
             "--set", "outbound.trust_anchors=", "--set", f"outbound.port={self.port}",
             # One account sends all of it.
             *(word for limit in ("messages_per_hour", "messages_per_day", "recipients_per_hour", "recipients_per_day",
                                  "new_recipients_per_day") for word in ("--set", f"submission.{limit}=0"))],
            stdout=open(self.log, "ab"), stderr=subprocess.STDOUT)
        while "martlet is ready" not in self.log.read_text():
            if self.process.poll() is not None or time.monotonic() - begin > 60:
                raise RuntimeError(f"martlet did not start: {self.log.read_text()[-2000:]}")
            time.sleep(0.005)
        self.ready_seconds = time.monotonic() - begin
        self.submission = int(re.search(r"submission=127\.0\.0\.1:(\d+)", self.log.read_text())[1])

    def add_account(self):
        self.command("account", "add", USER, "--password-stdin", input=PASSWORD.encode() + b"\n")

    def command(self, *words, **keywords):
        return subprocess.run([os.environ["MARTLET_BINARY"], *words, "--data", self.data], check=True,
                              capture_output=True, **keywords).stdout.decode()

    def pids(self):
        return [self.process.pid]

    def memory(self):
        """Resident octets: now, and at the most so far."""
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return [int(re.search(rf"^{name}:\s+(\d+)", text, re.M)[1]) * 1024 for name in ("VmRSS", "VmHWM")]

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(40)
        self.process = None

    def end(self):
        self.stop()
        self.dns.close()
        shutil.rmtree(self.data, ignore_errors=True)


class RelayingPostfix(PostfixDovecot):
    """Takes mail from those who log in, and finds `dN.zz` in a hosts file of its own."""

    def __init__(self, scratch, domains, port):
        (scratch / "relay").mkdir(exist_ok=True)
        self.submission = free_port()
        self.domains = domains
        self.port = port
        super().__init__(scratch / "relay")

    def _configure(self):
        super()._configure()
        etc = self.postfix / "etc"
        self.hosts = etc / "hosts"
        names = [f"d{number}.zz" for number in range(self.domains)]
        self.hosts.write_text("127.0.0.1 localhost\n" + "".join(f"127.0.0.1 {name}\n" for name in names))
        (etc / "transport").write_text("".join(f"{name} smtp:[{name}]:{self.port}\n" for name in names))
        with open(etc / "main.cf", "a") as file:
            file.write(f"transport_maps = texthash:{etc}/transport\nsmtp_host_lookup = native\n"
                       f"smtpd_tls_cert_file = {self.dovecot}/cert.pem\nsmtpd_tls_key_file = {self.dovecot}/key.pem\n")
        with open(etc / "master.cf", "a") as file:
            file.write(f"127.0.0.1:{self.submission} inet n - n - - smtpd\n" + "".join(
                f"  -o {option}\n" for option in (
                    "smtpd_tls_security_level=may", "smtpd_sasl_auth_enable=yes", "smtpd_sasl_type=dovecot",
                    "smtpd_sasl_path=private/auth",
                    "smtpd_recipient_restrictions=permit_sasl_authenticated,reject")))
        with open(self.dovecot / "dovecot.conf", "a") as file:
            file.write(f"service auth {{\n  unix_listener {self.postfix}/queue/private/auth {{\n    mode = 0666\n  }}\n}}\n")

    def start(self):
        # A hosts file that only Postfix sees: nothing of the machine's is changed.
        subprocess.run(
            ["unshare", "-m", "sh", "-c",
             f"mount --bind {self.hosts} /etc/hosts && exec postfix -c {self.postfix}/etc start"],
            check=True, capture_output=True)
        self.dovecot_process = subprocess.Popen(
            ["dovecot", "-F", "-c", self.dovecot / "dovecot.conf"], stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        # Whoever connects before Dovecot answers finds no way to log in.
        for port in (self.imap, self.submission):
            wait_for_port(port)

    def end(self):
        self.stop()


class Sink:
    """Postfix's `smtp-sink`, which counts what arrives."""

    def __init__(self):
        self.port = free_port()
        self.count = 0
        self.sessions = 0
        self.changed = threading.Condition()
        self.process = subprocess.Popen(
            ["smtp-sink", "-u", "nobody", "-c", "-m", "1000", f"127.0.0.1:{self.port}", "1000"], stdout=subprocess.PIPE)
        threading.Thread(target=self._read, daemon=True).start()
        wait_for_port(self.port)

    def _read(self):
        while piece := os.read(self.process.stdout.fileno(), 65536):
            found = re.findall(rb"sess=(\d+) quit=\d+ mesg=(\d+)\r", piece)
            if found:
                with self.changed:
                    self.sessions, self.count = int(found[-1][0]), int(found[-1][1])
                    self.changed.notify_all()

    def wait(self, goal, seconds):
        with self.changed:
            if not self.changed.wait_for(lambda: self.count >= goal, seconds):
                raise RuntimeError(f"{self.count} of {goal} messages arrived in {seconds:.0f} s")

    def stop(self):
        self.process.kill()
        self.process.wait()


class Submission:
    """A logged-in session that sends one message after the other."""

    def __init__(self, port):
        raw = socket.create_connection(("127.0.0.1", port), 60)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket, self.stream = raw, raw.makefile("rb")
        self.reply()
        self.ask(b"EHLO bench")
        self.ask(b"STARTTLS")
        self.socket = insecure_tls().wrap_socket(raw)
        self.stream = self.socket.makefile("rb")
        self.ask(b"EHLO bench")
        self.ask(b"AUTH PLAIN " + base64.b64encode(f"\0{USER}\0{PASSWORD}".encode()))

    def reply(self):
        while True:
            line = self.stream.readline()
            if line[:1] not in (b"2", b"3"):
                raise RuntimeError(line or "the server closed the connection")
            if line[3:4] == b" ":
                return

    def ask(self, command):
        self.socket.sendall(command + b"\r\n")
        self.reply()

    def send(self, recipient, content):
        self.socket.sendall(f"MAIL FROM:<{USER}>\r\nRCPT TO:<{recipient}>\r\nDATA\r\n".encode())
        for _ in range(3):
            self.reply()
        self.socket.sendall(content)
        self.reply()

    def quit(self):
        with contextlib.suppress(Exception):
            self.ask(b"QUIT")
        self.socket.close()


def letter(size, recipient="someone@elsewhere.test"):
    head = (f"From: <{USER}>\r\nTo: <{recipient}>\r\nSubject: bench\r\nMessage-ID: <bench@bench.test>\r\n"
            "Date: Wed, 17 Jul 1996 02:44:25 -0700\r\n\r\n").encode()
    line = b"The quick brown fox jumps over the lazy dog, and then does it once more.\r\n"
    return head + line * max(1, (size - len(head)) // len(line)) + b".\r\n"


def submit(port, sessions, count, domains):
    """Sends `count` messages over that many kept sessions, to the domains by turns."""
    content = letter(10_000)
    failures = []

    def run(first):
        try:
            session = Submission(port)
            for number in range(first, count, sessions):
                session.send(f"user{number}@d{number % domains}.zz", content)
            session.quit()
        except (OSError, RuntimeError, ssl.SSLError) as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(sessions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT)
    if failures:
        raise RuntimeError(f"submission: {failures[0]}")


def relay(scale, scratch, compare):
    """10 KB messages submitted over 10 kept sessions until all have arrived, to 1 and to 100 domains."""
    for domains in (1, 100):
        rates, taken, sessions = {}, {}, {}
        for kind in ("Postfix + Dovecot", "Martlet"):
            count = int((6000 if kind == "Martlet" else 2000) * scale)
            sink = Sink()
            if kind == "Martlet":
                server = RelayingMartlet(scratch, Domains("127.0.0.1"), sink.port)
                server.start()
                server.add_account()
            else:
                server = RelayingPostfix(scratch, domains, sink.port)
                server.start()
            try:
                used, begin = processor_seconds(server.pids()), time.monotonic()
                submit(server.submission, 10, count, domains)
                taken[kind] = count / (time.monotonic() - begin)
                sink.wait(count, LIMIT)
                rates[kind] = count / (time.monotonic() - begin)
                cost = (processor_seconds(server.pids()) - used) * 1000 / count
                # What comes now came twice.
                time.sleep(1)
                if sink.count != count:
                    raise RuntimeError(f"{sink.count} messages arrived of {count} that {kind} was given")
                server.stop()
                # The sink counts sessions when they end; the first was ours, to see whether it is there.
                time.sleep(0.5)
                sessions[kind] = sink.sessions - 1
                if kind == "Martlet":
                    server.command("store", "verify")
                    cost_of_ours = cost
            finally:
                server.end()
                sink.stop()
        label = f"10 KB to {domains} domain{'s' if domains > 1 else ''}"
        yield compare(f"submitted, {label}", taken, "msg/s", digits=0)
        yield compare(f"submitted and arrived elsewhere, {label}", rates, "msg/s", digits=0)
        yield (f"sessions with the other server, {label}", f"{sessions['Postfix + Dovecot']:,}",
               f"{sessions['Martlet']:,}, CPU {cost_of_ours:.2f} ms a message", "–")


def queue(scale, scratch):
    """A queue full of what can't be delivered: memory, start, and a fresh message to somebody who lives."""
    count = int(100_000 * scale)
    # The port is one that the living listen on; at their own addresses the dead refuse, or take the call and say nothing.
    live = Peer("127.0.0.1", 0)
    silent = Peer("127.0.0.3", live.port, greeting=hang)
    try:
        for destinations, state, address, what in (
                (1_000, "dead", "127.0.0.2", "1,000 destinations that refuse"),
                (1_000, "dead", "127.0.0.3", "1,000 destinations that hang"),
                (1_000, "new", "127.0.0.3", "1,000 destinations that hang, none tried before"),
                (count, "new", "127.0.0.2", f"{count:,} destinations that refuse, none tried before")):
            server = RelayingMartlet(scratch, Domains(address), live.port)
            try:
                server.start()
                server.add_account()
                server.stop()
                subprocess.run([os.environ["MARTLET_BENCH"], "queue", server.data, str(count), str(destinations), state],
                               check=True, timeout=LIMIT)
                server.start()
                session = Submission(server.submission)
                waits = []
                for _ in range(10):
                    before = live.mails.qsize()
                    begin = time.monotonic()
                    session.send("someone@live.zz", letter(10_000))
                    while live.mails.qsize() == before:
                        if time.monotonic() - begin > 60:
                            raise RuntimeError("a message to somebody who lives did not leave within 60 s")
                        time.sleep(0.001)
                    waits.append(time.monotonic() - begin)
                    time.sleep(0.7)
                session.quit()
                resident, peak = server.memory()
                yield (f"{count:,} in the queue, {what}: start", "–", f"{server.ready_seconds * 1000:,.0f} ms", "–")
                yield ("… a fresh message, submitted to arrived: first, slowest of 10", "–",
                       f"{waits[0] * 1000:,.0f} ms, {max(waits) * 1000:,.0f} ms", "–")
                yield ("… resident memory, at its peak", "–", f"{resident / 1e6:.0f} MB, {peak / 1e6:.0f} MB", "–")
            finally:
                server.end()
    finally:
        live.close()
        silent.close()
