"""The release executable, started, killed and stopped."""
import json
import os
import signal
import subprocess
import sys
import threading

from .wire import Lost, Refused

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))


def binary():
    path = os.environ.get("MARTLET_BINARY") or os.path.join(ROOT, ".build", "release", "martlet")
    if not os.path.exists(path):
        sys.exit(f"{path} is not there: build it (swift build -c release --product martlet), or name another in MARTLET_BINARY")
    return os.path.abspath(path)


class Server:
    """`martlet dev` on free ports of loopback, with LMTP besides; any password logs in."""

    def __init__(self, data, log):
        self.data = data
        self.log = log
        self.process = None
        self.ports = None
        # It is being killed or stopped, and whoever asks it for something may get no answer.
        self.is_ending = False

    def spawn(self, *prefix):
        """Starts it and waits for nothing."""
        words = [binary(), "dev", "--data", self.data, "--ports", "auto", "--log-level", "notice"]
        for service in ("smtp", "lmtp", "imap", "pop3"):
            words += ["--listen", f"{service}=127.0.0.1:0"]
        self.is_ending = False
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([*prefix, *words], stdout=subprocess.PIPE, stderr=log)

    def wait_until_ready(self, seconds=60):
        """False where it ended instead."""
        self.ports = None
        watchdog = threading.Timer(seconds, self.process.kill)
        watchdog.start()
        try:
            for line in self.process.stdout:
                if line.startswith(b"{"):
                    self.ports = json.loads(line)
                if line.strip() == b"martlet is ready":
                    return True
            return False
        finally:
            watchdog.cancel()

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        if self.process is None:
            return None
        self.is_ending = True
        self.process.kill()
        self.process.stdout.close()
        return self.process.wait()

    def stop(self):
        self.is_ending = True
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(35)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        self.process.stdout.close()
        return code

    def run(self, *words, data=None):
        """A command beside the server, which asks it where it runs: the exit code and the JSON."""
        done = subprocess.run([binary(), *words, "--data", data or self.data, "--json"], capture_output=True, timeout=120)
        try:
            return done.returncode, json.loads(done.stdout)
        except ValueError:
            return done.returncode, {"error": f"{' '.join(words)}: {done.stdout[-300:]!r} {done.stderr[-300:]!r}"}

    def command(self, *words):
        """As `run`, for what must succeed."""
        code, reply = self.run(*words)
        if code == 0:
            return reply
        if self.is_ending:
            raise Lost(str(reply))
        raise Refused(f"NO {' '.join(words[:2])}: {reply.get('error', reply)}")

    def log_tail(self, octets=3_000):
        with open(self.log, "rb") as log:
            log.seek(max(0, os.path.getsize(self.log) - octets))
            return log.read().decode(errors="replace")
