"""`martlet import` and `export`, with a real Dovecot as the other side."""
import contextlib
import glob
import imaplib
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time

from harness import HOST, PASSWORD, Failure, Unavailable, binary, case, check, command, equal, message, program

DOVECOT_USER = "anna@old.test"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Dovecot:
    """A Dovecot of our own, with one Maildir a user.

    `layout` is what stands behind the path in mail_location, such as `:LAYOUT=fs`.
    """

    def __init__(self, scratch, layout=""):
        program("dovecot")
        if os.getuid() != 0:
            raise Unavailable("Dovecot's master is started by root only")
        # Its sockets' paths are short on purpose.
        self.root = tempfile.mkdtemp(prefix="dc-", dir=scratch)
        self.imap_port, self.imaps_port = free_port(), free_port()
        for folder in ("run", "state", "mail"):
            os.mkdir(f"{self.root}/{folder}")
        os.chmod(self.root, 0o755)
        shutil.chown(f"{self.root}/mail", "mail", "mail")
        command("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", f"{self.root}/key.pem",
                "-out", f"{self.root}/cert.pem")
        self.certificate = f"{self.root}/cert.pem"
        with open(f"{self.root}/dovecot.conf", "w") as file:
            file.write(f"""
base_dir = {self.root}/run
state_dir = {self.root}/state
protocols = imap
listen = 127.0.0.1
log_path = {self.root}/log
mail_location = maildir:{self.root}/mail/%u{layout}
mail_uid = mail
mail_gid = mail
first_valid_uid = 1
ssl = yes
ssl_cert = <{self.root}/cert.pem
ssl_key = <{self.root}/key.pem
disable_plaintext_auth = yes
passdb {{
  driver = static
  args = password={PASSWORD.replace(' ', '_')}
}}
userdb {{
  driver = static
  args = uid=mail gid=mail home={self.root}/mail/%u
}}
service imap-login {{
  inet_listener imap {{
    port = {self.imap_port}
  }}
  inet_listener imaps {{
    port = {self.imaps_port}
    ssl = yes
  }}
}}
namespace inbox {{
  inbox = yes
  separator = /
  mailbox "Sent Items" {{
    special_use = \\Sent
    auto = subscribe
  }}
}}
""")
        self.process = subprocess.Popen(
            ["dovecot", "-F", "-c", f"{self.root}/dovecot.conf"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.imaps_port), 1).close()
                return
            except OSError:
                if time.monotonic() > end:
                    self.stop()
                    raise Failure("Dovecot did not start:\n" + open(f"{self.root}/log").read()[-1000:])
                time.sleep(0.05)

    password = PASSWORD.replace(" ", "_")

    def maildir(self, user=DOVECOT_USER):
        return f"{self.root}/mail/{user}"

    def url(self, scheme="imaps", user=DOVECOT_USER):
        return f"{scheme}://{user.replace('@', '%40')}@localhost:{self.imaps_port if scheme == 'imaps' else self.imap_port}"

    @contextlib.contextmanager
    def imap(self, user=DOVECOT_USER):
        context = ssl.create_default_context(cafile=self.certificate)
        client = imaplib.IMAP4_SSL(HOST, self.imaps_port, ssl_context=context, timeout=30)
        client.login(user, self.password)
        try:
            yield client
        finally:
            with contextlib.suppress(Exception):
                client.logout()

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


@contextlib.contextmanager
def dovecot(server, layout=""):
    other = Dovecot(server.scratch, layout)
    os.chmod(server.scratch, 0o755)
    try:
        yield other
    finally:
        other.stop()


def fill(client):
    """Mail with all that can be lost on the way: flags, keywords, gaps among the UIDs, folders, dates, subscriptions."""
    def append(mailbox, number, flags="", body="Hello.\r\n"):
        date = f'"{number % 28 + 1:2d}-Jul-2002 12:34:{number % 60:02d} +0300"'
        ok = client.append(mailbox, flags, date, message(f"number {number}", body))
        equal(ok[0], "OK", f"APPEND to {mailbox}")

    for mailbox in ('"Work/2020"', '"Entw&APw-rfe"', '"Spam"', '"Empty"'):
        equal(client.create(mailbox)[0], "OK")
    for number in range(1, 31):
        append("INBOX", number, ["", "\\Seen", "\\Flagged $Label1", "\\Answered \\Seen Work", "\\Draft", "\\Deleted"][number % 6])
    append('"Sent Items"', 31, "\\Seen")
    append('"Work/2020"', 32, "\\Seen $Forwarded", "From here on\r\n>From there\r\nend without a line end")
    append('"Entw&APw-rfe"', 33, "\\Draft")
    append('"Spam"', 34, "", "x" * 300_000 + "\r\n" + "y" * 2_000_000 + "\r\n")
    client.select("INBOX")
    client.uid("STORE", "5,7:9,30", "+FLAGS", "\\Deleted")
    client.uid("EXPUNGE", "5,7:9,30")
    client.unselect()
    for mailbox in ('"Work/2020"', '"Entw&APw-rfe"'):
        client.subscribe(mailbox)


def snapshot(client, rename=lambda name: name):
    """Everything a client sees, by mailbox."""
    found = {}
    subscribed = {line.decode().rsplit(' "/" ', 1)[-1].strip('"') for line in client.lsub()[1] if line}
    for line in client.list()[1]:
        attributes, name = re.match(rb'\((.*?)\) "/" "?(.*?)"?$', line).groups()
        name = name.decode()
        if b"\\Noselect" in attributes:
            continue
        count = int(client.select(f'"{name}"', readonly=True)[1][0])
        validity = client.response("UIDVALIDITY")[1][0].decode()
        messages = []
        if count:
            for part in client.fetch("1:*", "(UID FLAGS INTERNALDATE BODY.PEEK[])")[1]:
                if isinstance(part, tuple):
                    head = part[0].decode()
                    uid = int(re.search(r"UID (\d+)", head).group(1))
                    flags = sorted(set(re.search(r"FLAGS \((.*?)\)", head).group(1).split()) - {"\\Recent"})
                    date = imaplib.Internaldate2tuple(part[0])
                    messages.append((uid, flags, time.mktime(date), part[1]))
        found[rename(name)] = (validity, name in subscribed, messages)
    return found


def imported(server, user, *arguments, ok=(0,), password=None, environment=None):
    """Runs the command and returns what it reports."""
    text = run(server, "import", user, *arguments, "--json", ok=ok, password=password, environment=environment)
    return json.loads(text.strip().splitlines()[-1])


def run(server, *arguments, ok=(0,), password=None, environment=None):
    done = subprocess.run(
        [binary(), *arguments, "--data", server.data], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120,
        env={**os.environ, **(environment or {})}, input=(password + "\n").encode() if password else None, stdin=None if password else subprocess.DEVNULL)
    if done.returncode not in ok:
        raise Failure(f"martlet {arguments[0]} exited with {done.returncode}: {done.stdout[-800:]!r} {done.stderr[-800:]!r}")
    return (done.stdout if 0 in ok or 2 in ok else done.stderr).decode()


def ours(name):
    """Where a mailbox of Dovecot goes."""
    return {"Sent Items": "Sent", "Spam": "Junk"}.get(name, name)


def compare(found, wanted, validity=True):
    for name, (validity_there, subscribed, messages) in wanted.items():
        check(name in found, "no mailbox", name)
        validity_here, subscribed_here, messages_here = found[name]
        equal([m[:3] for m in messages_here], [m[:3] for m in messages], f"UIDs, flags and dates in {name}")
        for here, there in zip(messages_here, messages):
            check(here[3] == there[3], "another body:", name, here[0])
        if validity:
            equal(validity_here, validity_there, f"UIDVALIDITY of {name}")
        check(subscribed_here or not subscribed, name, "is not subscribed")


@case("import: Dovecot's Maildir with flags, keywords, UIDs, dates, folders and subscriptions, once; and back into Dovecot")
def maildir(server):
    user = server.user()
    with dovecot(server) as other:
        with other.imap() as client:
            fill(client)
            there = snapshot(client, ours)
        equal(len(there["INBOX"][2]), 25, "messages in Dovecot's INBOX")
        counted = imported(server, user, other.maildir(), "--dry-run")
        equal((counted["imported"], counted["isRehearsal"]), (29, True), "counted")
        report = imported(server, user, other.maildir())
        equal((report["imported"], report["known"], report["failed"]), (29, 0, 0), "imported, known, failed")
        check(all(mailbox["keepsUIDs"] for mailbox in report["mailboxes"] if mailbox["imported"]), report["mailboxes"])
        with server.imap(user) as client:
            here = snapshot(client)
        compare(here, there)
        check("Empty" in here and "Sent Items" not in here and "Spam" not in here, sorted(here))
        again = imported(server, user, other.maildir())
        equal((again["imported"], again["known"]), (0, 29), "imported and known in a second run")
        with server.imap(user) as client:
            equal(snapshot(client), here, "after the second run")

        # Dovecot takes over what is exported as it is.
        out = other.maildir("back@old.test")
        text = run(server, "export", user, out)
        check(text.startswith("29 messages in "), text)
        command("chown", "-R", "mail:mail", out)
        with other.imap("back@old.test") as client:
            back = snapshot(client)
        compare(back, here)


@case("import: Dovecot's Maildir with LAYOUT=fs")
def layout_fs(server):
    user = server.user()
    with dovecot(server, ":LAYOUT=fs") as other:
        with other.imap() as client:
            fill(client)
            there = snapshot(client, ours)
        check(os.path.isdir(f"{other.maildir()}/Work/2020/cur"), os.listdir(other.maildir()))
        report = imported(server, user, other.maildir())
        equal((report["imported"], report["failed"]), (29, 0), "imported and failed")
        with server.imap(user) as client:
            compare(snapshot(client), there)
        equal(imported(server, user, other.maildir())["known"], 29, "known in a second run")


@case("import: store.db deleted after it, store repair keeps UIDs, and nothing comes twice", own_server=True)
def repaired(start):
    server = start()
    user = server.user()
    with dovecot(server) as other:
        with other.imap() as client:
            fill(client)
        imported(server, user, other.maildir())
        with server.imap(user) as client:
            before = snapshot(client)
        server.kill()
        for path in glob.glob(server.data + "/store.db*"):
            os.unlink(path)
        report = json.loads(run(server, "store", "repair", "--yes", "--json"))
        equal((report["outcome"], report["plan"]["source"], report["plan"]["lostCount"]), ("done", "packs", 0), "repair")
        equal(json.loads(run(server, "store", "verify", "--json"))["findings"], [], "findings")
        server.start()
        with other.imap() as client:
            client.append("INBOX", "\\Seen", None, message("one more"))
            there = snapshot(client, ours)
        again = imported(server, user, other.maildir())
        equal((again["imported"], again["known"], again["failed"]), (1, 29, 0), "after the repair")
        with server.imap(user) as client:
            found = snapshot(client)
        compare(found, there)
        equal({name: found[name] for name in found if name != "INBOX"},
              {name: before[name] for name in before if name != "INBOX"}, "the other mailboxes")
        server.stop()
        equal(json.loads(run(server, "store", "verify", "--json"))["findings"], [], "findings at the end")


@case("import: from Dovecot over IMAPS and STARTTLS, once, with what changed since; its certificate and password count")
def over_imap(server):
    user = server.user()
    with dovecot(server) as other:
        with other.imap() as client:
            fill(client)
            there = snapshot(client, ours)
        trust = ("--ca", other.certificate)
        refused = run(server, "import", user, other.url(), ok=(1,), password=other.password)
        check("certificate" in refused and "--insecure" in refused, refused)
        refused = run(server, "import", user, other.url(), *trust, ok=(1,), password="wrong")
        check("refuses the login" in refused, refused)
        refused = run(server, "import", user, f"imaps://anna:{other.password}@localhost", ok=(1,))
        check("password in the address" in refused, refused)

        report = imported(server, user, other.url(), *trust, password=other.password)
        equal((report["imported"], report["known"], report["failed"]), (29, 0, 0), "imported, known, failed")
        with server.imap(user) as client:
            compare(snapshot(client), there)
        with other.imap() as client:
            client.select("INBOX")
            client.uid("STORE", "1", "FLAGS", "(\\Answered Later)")
            client.append("INBOX", "\\Seen", None, message("one more"))
            there = snapshot(client, ours)
        again = imported(server, user, other.url(), *trust, password=other.password)
        equal((again["imported"], again["known"], again["failed"]), (1, 29, 0), "in a second run")
        with server.imap(user) as client:
            compare(snapshot(client), there)

        # By STARTTLS. Another port is another server, unless both are the usual ones.
        second = server.user()
        by_start_tls = imported(server, second, other.url("imap"), *trust, password=other.password)
        equal((by_start_tls["imported"], by_start_tls["failed"]), (30, 0), "by STARTTLS")
        with server.imap(second) as client:
            compare(snapshot(client), there)

        # Mail that came in here meanwhile: nothing is lost, and the mailbox says that it is another one.
        server.deliver(user, message("delivered here"))
        with other.imap() as client:
            client.append("INBOX", "", None, message("delivered there"))
        third = imported(server, user, other.url(), *trust, password=other.password)
        equal(third["imported"], 1, "in a third run")
        with server.imap(user) as client:
            validity, _, messages = snapshot(client)["INBOX"]
        equal(len(messages), 28, "messages in INBOX")
        check(validity != there["INBOX"][0], "UIDVALIDITY is still the other server's")


@case("import: from our own server, and an export as mbox brings the same")
def own_server(server):
    source, target, third = server.user(), server.user(), server.user()
    with server.imap(source) as client:
        fill_ours(client)
        there = snapshot(client)
    url = f"imaps://{source.replace('@', '%40')}@localhost:{server.ports['imaps']}"
    report = imported(server, target, url, "--ca", server.ca, password=PASSWORD)
    equal((report["imported"], report["failed"]), (3, 0), "imported and failed")
    with server.imap(target) as client:
        here = snapshot(client)
    compare(here, there, validity=False)
    out = os.path.join(tempfile.mkdtemp(dir=server.scratch), "mbox")
    run(server, "export", target, out, "--format", "mbox")
    report = imported(server, third, out)
    equal((report["imported"], report["failed"]), (3, 0), "imported and failed")
    with server.imap(third) as client:
        compare(snapshot(client), there, validity=False)
    check("is not empty" in run(server, "export", target, out, ok=(1,)), "a second export into the same directory")


def fill_ours(client):
    client.create('"Work/2020"')
    client.append("INBOX", "\\Seen $Label1", '" 1-Feb-2003 01:02:03 -0500"', message("one"))
    client.append("INBOX", "\\Flagged", '" 2-Feb-2003 01:02:03 +0000"', message("two", "From x\r\n\r\n"))
    client.append('"Work/2020"', "", '" 3-Feb-2003 01:02:03 +0100"', message("three"))


@case("import: killed in the middle it goes on, and so it does when the server was killed", own_server=True)
def killed(start):
    server = start()
    user = server.user()
    count = 6_000
    source = os.path.join(server.scratch, "Maildir")
    for folder in ("cur", "new", "tmp"):
        os.makedirs(f"{source}/{folder}")
    for number in range(count):
        with open(f"{source}/cur/{1_000_000_000 + number}.x{number}.host:2,S", "wb") as file:
            file.write(message(f"number {number}", "y" * 2_000 + "\r\n"))

    def there():
        with server.imap(user) as client:
            return int(client.select("INBOX", readonly=True)[1][0])

    def interrupted(victim):
        """Kills it when some of the messages have come."""
        before = there()
        while True:
            # What a killed command had sent is still being stored.
            time.sleep(0.3)
            now = there()
            if now == before:
                break
            before = now
        process = subprocess.Popen(
            [binary(), "import", user, source, "--data", server.data], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        with server.imap(user) as client:
            while process.poll() is None:
                if int(client.select("INBOX", readonly=True)[1][0]) > before:
                    break
        os.kill(process.pid if victim == "command" else server.process.pid, signal.SIGKILL)
        _, words = process.communicate(timeout=30)
        return words.decode()

    interrupted("command")
    first = there()
    check(0 < first < count, "after the command was killed:", first)
    words = interrupted("server")
    check("goes on where it ended" in words, words)
    server.kill()
    server.start()
    second = there()
    check(first < second < count, "after the server was killed:", second)
    process = subprocess.Popen(
        [binary(), "import", user, source, "--data", server.data], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    report_end = process.communicate(timeout=60)
    equal(process.returncode, 0, report_end)
    equal(there(), count, "messages at the end")
    with server.imap(user) as client:
        client.select("INBOX", readonly=True)
        subjects = {
            part[1] for part in client.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1] if isinstance(part, tuple)}
    equal(len(subjects), count, "different messages")


@case("import and export without a running server; other commands come in meanwhile; failures end with 2", own_server=True)
def offline(start):
    server = start()
    user = server.user()
    server.stop()
    source = os.path.join(server.scratch, "mail")
    os.makedirs(f"{source}/Lists")
    with open(f"{source}/Lists/a.eml", "wb") as file:
        file.write(message("a"))
    with open(f"{source}/Lists/b.eml", "wb") as file:
        file.write(b"\x1f\x8b\x08 packed")
    report = imported(server, user, source, ok=(2,))
    equal((report["imported"], report["failed"]), (1, 1), "imported and failed")
    check("compressed" in report["problems"][0]["reason"], report)
    with open(f"{source}/Lists/c.eml", "wb") as file:
        file.write(message("c", ("y" * 70 + "\r\n") * 1_000))
    limited = imported(server, user, source, ok=(2,), environment={"MARTLET_LIMITS_MESSAGE_SIZE": "64KiB"})
    equal((limited["imported"], limited["known"], limited["failed"]), (0, 1, 2), "imported, known and failed with a limit")
    reason = limited["problems"][1]["reason"]
    check(f"{source}/Lists/c.eml: it is larger than limits.message_size" in reason, limited)
    os.unlink(f"{source}/Lists/c.eml")
    check("there is no account" in run(server, "import", "nobody@example.test", source, ok=(1,)), "a stranger's import")
    run(server, "account", "quota", user, "--messages", "0")
    words = subprocess.run(
        [binary(), "import", user, source, "--into", "Again", "--data", server.data], capture_output=True, timeout=60)
    equal(words.returncode, 2, "exit code")
    check(b"more than its quota" in words.stderr, words.stderr)
    out = os.path.join(server.scratch, "out")
    check("1 messages in 1 mailboxes" in run(server, "export", user, out, "--mailbox", "Lists"), "an export")
    check(not os.path.exists(os.path.join(server.data, "control.sock")), "the door is left open")
    server.start()
    server.works()
