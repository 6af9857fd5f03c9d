"""Starting servers, and running cases against them."""
import contextlib
import json
import os
import shutil
import signal
import smtplib
import socket
import ssl
import imaplib
import poplib
import subprocess
import sys
import tempfile
import threading
import time
import traceback

HOST = "localhost"
PASSWORD = "correct horse"
USERS = 120
# Seconds after which a case has failed, whatever it waits for.
CASE_LIMIT = 180
cases = []


class Failure(Exception):
    """What a case found to be otherwise than it should be."""


class Missing(Exception):
    """A program or package that a case needs is not there."""


class Unavailable(Exception):
    """What a case needs cannot be had from here, such as a package of PyPI without a network: it is skipped."""


def case(name, own_server=False):
    """Registers a case. With `own_server` it is given a function that starts servers instead of the shared one."""
    def register(function):
        cases.append((name, function, own_server))
        return function
    return register


def check(truth, *what):
    if not truth:
        raise Failure(" ".join(str(part) for part in what) or "not so")


def equal(got, wanted, what="value"):
    if got != wanted:
        raise Failure(f"{what}: got {shortened(got)}, wanted {shortened(wanted)}")


def shortened(value):
    text = repr(value)
    return text if len(text) < 600 else text[:300] + " … " + text[-300:]


def program(name):
    path = shutil.which(name)
    if path is None:
        raise Missing(f"{name} is not installed (see packages.txt)")
    return path


def command(*arguments, timeout=60, environment=None, input=None, ok=(0,)):
    """Runs a program and returns its output; fails if its exit code is not among `ok`."""
    clean = {key: value for key, value in os.environ.items() if key not in ("SSL_CERT_FILE", "CURL_CA_BUNDLE")}
    clean.update(environment or {})
    done = subprocess.run(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout, env=clean, input=input)
    if done.returncode not in ok:
        raise Failure(f"{os.path.basename(arguments[0])} exited with {done.returncode}:\n{done.stdout.decode(errors='replace')[-3000:]}")
    return done.stdout.decode(errors="replace")


class Server:
    """A `martlet dev` of our own, with logins of its own."""

    def __init__(self, scratch, *options, data=None, users=USERS):
        self.scratch = tempfile.mkdtemp(dir=scratch)
        self.data = data or os.path.join(self.scratch, "data")
        self.log_path = os.path.join(self.scratch, "log")
        self.options = options
        self.addresses = [f"user{number}@example.test" for number in range(users)]
        self.next_user = 0
        self.lock = threading.Lock()
        self.start()

    def start(self):
        logins = [word for address in self.addresses for word in ("--user", f"{address}:{PASSWORD}")]
        self.log = open(self.log_path, "ab")
        began = time.monotonic()
        self.process = subprocess.Popen(
            [binary(), "dev", "--ports", "auto", "--data", self.data, *logins, *self.options],
            stdout=subprocess.PIPE, stderr=self.log)
        self.ports = None
        watchdog = threading.Timer(60, self.process.kill)
        watchdog.start()
        for line in self.process.stdout:
            line = line.decode().strip()
            if line.startswith("{"):
                self.ports = json.loads(line)
            if line == "martlet is ready":
                break
        watchdog.cancel()
        self.seconds_to_ready = time.monotonic() - began
        if not self.ports:
            raise Failure("the server did not become ready:\n" + self.log_tail())
        self.ca = self.ports["ca"]

    def log_tail(self):
        with open(self.log_path, "rb") as file:
            return file.read()[-4000:].decode(errors="replace")

    def user(self):
        with self.lock:
            self.next_user += 1
            check(self.next_user <= len(self.addresses), "no logins left")
            return self.addresses[self.next_user - 1]

    def is_running(self):
        return self.process.poll() is None

    def stop(self):
        """Asks the server to end; returns how long that took."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(35)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Failure("the server was still there 35 s after SIGTERM")
        equal(code, 0, "exit code after SIGTERM")
        return time.monotonic() - began

    def kill(self):
        if self.is_running():
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.log.close()

    def memory(self):
        """Resident kilobytes."""
        with open(f"/proc/{self.process.pid}/status") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))

    # Clients

    @property
    def tls(self):
        return ssl.create_default_context(cafile=self.ca)

    def socket(self, service, timeout=20, source=None):
        """A bare connection; under TLS where the service is."""
        connection = socket.create_connection(
            ("127.0.0.1", self.ports[service]), timeout, source_address=(source, 0) if source else None)
        return self.tls.wrap_socket(connection, server_hostname=HOST) if service in ("submissions", "imaps", "pop3s") else connection

    @contextlib.contextmanager
    def imap(self, user):
        client = imaplib.IMAP4_SSL(HOST, self.ports["imaps"], ssl_context=self.tls, timeout=30)
        client.login(user, PASSWORD)
        try:
            yield client
        finally:
            with contextlib.suppress(Exception):
                client.logout()

    @contextlib.contextmanager
    def pop3(self, user):
        poplib._MAXLINE = 1 << 20
        client = poplib.POP3_SSL(HOST, self.ports["pop3s"], context=self.tls, timeout=30)
        client.user(user)
        client.pass_(PASSWORD)
        try:
            yield client
        finally:
            client.close()

    def deliver(self, user, data, sender="someone@elsewhere.test"):
        """Mail from outside, over port 25. `data` is the message as bytes."""
        with smtplib.SMTP(HOST, self.ports["smtp"], timeout=60) as client:
            client.sendmail(sender, [user], data)

    def works(self):
        """A message goes in and comes out: nothing that happened before has harmed the server."""
        user = self.user()
        self.deliver(user, message("still works"))
        with self.imap(user) as client:
            equal(client.select()[1], [b"1"], "messages")
        check(self.is_running(), "the server has ended:\n" + self.log_tail())


def message(subject, body="Hello.\r\n", more=""):
    return (f"From: Someone <someone@elsewhere.test>\r\nTo: you@example.test\r\nSubject: {subject}\r\n"
            f"Message-ID: <{subject.replace(' ', '.')}@elsewhere.test>\r\n{more}\r\n{body}").encode()


def packages(server, *names):
    """Makes packages of PyPI importable, out of a folder of the scratch."""
    folder = os.path.join(server.scratch, "-".join(names))
    if not os.path.isdir(folder):
        # Debian's Python has pip only inside a virtual environment.
        environment = os.path.join(server.scratch, "venv")
        subprocess.run([sys.executable, "-m", "venv", environment], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)
        pip = os.path.join(environment, "bin", "pip")
        install = (pip, "install", "--quiet", "--disable-pip-version-check", "--target", folder, *names)
        if not os.path.exists(pip) or subprocess.run(
                install, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120).returncode != 0:
            raise Unavailable("pip cannot install " + ", ".join(names))
    if folder not in sys.path:
        sys.path.insert(0, folder)


def binary():
    path = os.environ.get("MARTLET_BINARY")
    if not path or not os.path.exists(path):
        sys.exit("MARTLET_BINARY must name the martlet executable")
    return os.path.abspath(path)


def main(words, skip_missing):
    binary()
    scratch = tempfile.mkdtemp(prefix="martlet-end-to-end-")
    os.chmod(scratch, 0o755)
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    servers = []

    def start(*options, kind=Server, **keywords):
        server = kind(scratch, *options, **keywords)
        servers.append(server)
        return server

    def overdue(*_):
        # Without its server nothing that the case does on its way out can wait either.
        for server in servers:
            server.process.kill()
        raise Failure(f"not done after {CASE_LIMIT} s:\n" + "".join(traceback.format_stack(limit=6)))

    signal.signal(signal.SIGALRM, overdue)
    shared = None
    try:
        for name, function, own_server in cases:
            if words and not any(word in name for word in words):
                continue
            began = time.monotonic()
            signal.alarm(CASE_LIMIT)
            try:
                if own_server:
                    function(start)
                else:
                    if shared is None or not shared.is_running():
                        shared = start()
                    function(shared)
                    check(shared.is_running(), "the server has ended")
                outcome, detail = "passed", ""
            except Missing as problem:
                outcome, detail = ("skipped" if skip_missing else "failed"), str(problem)
            except Unavailable as problem:
                outcome, detail = "skipped", str(problem)
            except Failure as problem:
                outcome, detail = "failed", str(problem)
            except Exception:
                outcome, detail = "failed", traceback.format_exc(limit=-4)
            finally:
                signal.alarm(0)
            counts[outcome] += 1
            if outcome == "failed" and not own_server and shared:
                detail += "\nserver log:\n" + shared.log_tail()[-1500:]
                # Whatever it did to the server, the next case begins with a fresh one.
                shared.kill()
            mark = {"passed": "ok  ", "failed": "FAIL", "skipped": "skip"}[outcome]
            print(f"{mark} {name} ({time.monotonic() - began:.2f} s)" + (f": {detail}" if detail else ""), flush=True)
        if shared and shared.is_running():
            shared.stop()
    finally:
        for server in servers:
            server.kill()
        shutil.rmtree(scratch, ignore_errors=True)
    skipped = f", {counts['skipped']} skipped" if counts["skipped"] else ""
    print(f"{counts['passed']} passed, {counts['failed']} failed{skipped}")
    return 1 if counts["failed"] or not counts["passed"] else 0
