"""The servers that are compared: each starts in a scratch folder, on loopback, and is stopped by its own means."""

import json
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import subprocess
import time

USER = "alice@bench.test"
PASSWORD = "correct-horse"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(port, limit=20.0):
    end = time.monotonic() + limit
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise RuntimeError(f"nothing listens on port {port}")


def processor_seconds(pids):
    """User and system time of processes and the children they have waited for."""
    tick = os.sysconf("SC_CLK_TCK")
    total = 0
    for pid in pids:
        try:
            fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            total += sum(int(field) for field in fields[11:15])
        except (OSError, IndexError):
            pass
    return total / tick


def proportional_memory(pids):
    """PSS in bytes: memory that processes share is counted once."""
    total = 0
    for pid in pids:
        try:
            text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
            total += int(re.search(r"^Pss:\s+(\d+)", text, re.M).group(1)) * 1024
        except (OSError, AttributeError):
            pass
    return total


def resident_memory(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"^VmRSS:\s+(\d+)", text, re.M).group(1)) * 1024


def descendants(pid):
    found, queue = [], [pid]
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                fields = pathlib.Path(f"/proc/{entry}/stat").read_text().rsplit(")", 1)[1].split()
                parents.setdefault(int(fields[1]), []).append(int(entry))
            except (OSError, IndexError):
                pass
    while queue:
        current = queue.pop()
        found.append(current)
        queue += parents.get(current, [])
    return found


class Martlet:
    name = "Martlet"

    def __init__(self, scratch):
        self.data = scratch / "martlet"
        self.log = scratch / "martlet.log"
        self.process = None
        self.ready_seconds = None

    def start(self):
        self.data.mkdir(parents=True, exist_ok=True)
        begin = time.monotonic()
        log = open(self.log, "ab")
        self.process = subprocess.Popen(
            [os.environ["MARTLET_BINARY"], "dev", "--ports", "auto", "--data", str(self.data),
             "--user", f"{USER}:{PASSWORD}"],
            stdout=subprocess.PIPE, stderr=log, text=True, bufsize=1)
        ports = None
        for line in self.process.stdout:
            log.write(line.encode())
            if line.startswith("{"):
                ports = json.loads(line)
            if line.strip() == "martlet is ready":
                self.ready_seconds = time.monotonic() - begin
                break
        if ports is None or self.ready_seconds is None:
            raise RuntimeError(f"martlet did not start, see {self.log}")
        ports = ports.get("ports", ports)
        self.smtp, self.imap, self.imaps = ports["smtp"], ports["imap"], ports["imaps"]
        # The pipe must be read or the server would wait for it.
        self.drain = subprocess.Popen(["cat"], stdin=self.process.stdout, stdout=subprocess.DEVNULL)

    def pids(self):
        return [self.process.pid]

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process = None


class PostfixDovecot:
    name = "Postfix + Dovecot"

    def __init__(self, scratch):
        self.root = scratch / "anchor"
        self.postfix = self.root / "postfix"
        self.dovecot = self.root / "dovecot"
        self.smtp, self.imap, self.imaps = free_port(), free_port(), free_port()
        self.dovecot_process = None
        self._configure()

    def _configure(self):
        for folder in ("postfix/queue", "postfix/data", "postfix/etc", "dovecot/run", "dovecot/state", "mail"):
            (self.root / folder).mkdir(parents=True, exist_ok=True)
        shutil.chown(self.root / "mail", "mail", "mail")
        shutil.chown(self.postfix / "data", "postfix")
        for parent in [self.root, *self.root.parents]:
            if str(parent).startswith("/tmp/"):
                parent.chmod(0o755)
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
             "-subj", "/CN=localhost", "-keyout", self.dovecot / "key.pem", "-out", self.dovecot / "cert.pem"],
            check=True, capture_output=True)
        (self.dovecot / "dovecot.conf").write_text(f"""
base_dir = {self.dovecot}/run
state_dir = {self.dovecot}/state
protocols = imap lmtp
listen = 127.0.0.1
log_path = {self.dovecot}/log
mail_location = maildir:{self.root}/mail/%u
mail_uid = mail
mail_gid = mail
first_valid_uid = 1
ssl_cert = <{self.dovecot}/cert.pem
ssl_key = <{self.dovecot}/key.pem
disable_plaintext_auth = no
passdb {{
  driver = static
  args = password={PASSWORD}
}}
userdb {{
  driver = static
  args = uid=mail gid=mail home={self.root}/mail/%u
}}
mail_max_userip_connections = 5000
service imap-login {{
  process_min_avail = 1
  service_count = 0
  client_limit = 4000
  inet_listener imap {{
    port = {self.imap}
  }}
  inet_listener imaps {{
    port = {self.imaps}
  }}
}}
service imap {{
  process_limit = 2000
}}
service anvil {{
  client_limit = 8000
}}
service auth {{
  client_limit = 8000
}}
service lmtp {{
  process_min_avail = 5
  unix_listener {self.postfix}/queue/private/dovecot-lmtp {{
    mode = 0666
  }}
}}
namespace inbox {{
  inbox = yes
}}
""")
        (self.postfix / "etc/main.cf").write_text(f"""
compatibility_level = 3.6
queue_directory = {self.postfix}/queue
data_directory = {self.postfix}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
myhostname = bench.test
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
virtual_mailbox_domains = bench.test
virtual_transport = lmtp:unix:private/dovecot-lmtp
smtpd_recipient_restrictions = permit_mynetworks, reject
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
maillog_file = {self.root}/postfix.log
maillog_file_prefixes = /tmp, /var
alias_maps =
smtputf8_enable = yes
""")
        stock = pathlib.Path("/usr/share/postfix/master.cf.dist")
        if not stock.exists():
            stock = pathlib.Path("/etc/postfix/master.cf")
        lines = []
        for line in stock.read_text().splitlines():
            if re.match(r"^smtp\s+inet\s", line):
                line = f"127.0.0.1:{self.smtp} inet n - n - - smtpd"
            elif re.match(r"^(pickup|maildrop|uucp|ifmail|bsmtp|scalemail-backend|mailman)\s", line):
                continue
            elif re.match(r"^\s", line) and not line.strip().startswith("-o"):
                continue
            lines.append(re.sub(r"^(\S+\s+\S+\s+\S+\s+\S+\s+)[y-](\s)", r"\1n\2", line))
        lines.append("postlog unix-dgram n - n - 1 postlogd")
        unique = []
        for line in lines:
            if line.startswith("postlog") and any(other.startswith("postlog") for other in unique):
                continue
            unique.append(line)
        (self.postfix / "etc/master.cf").write_text("\n".join(unique) + "\n")

    def start(self):
        begin = time.monotonic()
        subprocess.run(["postfix", "-c", self.postfix / "etc", "start"], check=True, capture_output=True)
        self.dovecot_process = subprocess.Popen(
            ["dovecot", "-F", "-c", self.dovecot / "dovecot.conf"], stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        for port in (self.smtp, self.imap, self.imaps):
            wait_for_port(port)
        self.ready_seconds = time.monotonic() - begin

    def pids(self):
        found = descendants(self.dovecot_process.pid)
        master = (self.postfix / "queue/pid/master.pid").read_text().strip()
        return found + descendants(int(master))

    def imap_pids(self):
        return descendants(self.dovecot_process.pid)

    def stop(self):
        subprocess.run(["postfix", "-c", self.postfix / "etc", "stop"], capture_output=True)
        if self.dovecot_process and self.dovecot_process.poll() is None:
            self.dovecot_process.send_signal(signal.SIGTERM)
            self.dovecot_process.wait(20)
        self.dovecot_process = None


def insecure_tls():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
