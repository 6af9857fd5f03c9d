"""`martlet serve` as a real server: strict, with accounts made by commands while it runs."""
import base64
import imaplib
import json
import os
import poplib
import re
import smtplib
import ssl
import subprocess
import tempfile
import time

from harness import HOST, PASSWORD, Failure, Server, binary, case, check, command, equal, message
from cases.push import RawIMAP


class Serve(Server):
    """A `martlet serve` on ports that the system picks, and an LMTP socket."""

    def __init__(self, scratch, *options):
        # What to listen on instead of every protocol on a free port.
        self.listens = None
        # What its environment has besides.
        self.environment = {}
        # Who signed its certificate, where it does not itself.
        self.trusts = None
        super().__init__(scratch, *options, users=0)

    def start(self):
        self.lmtp = os.path.join(self.scratch, "lmtp")
        listens = self.listens
        if listens is None:
            services = ("smtp", "submission", "submissions", "imap", "imaps", "pop3", "pop3s")
            listens = [f"{name}=127.0.0.1:0" for name in services] + [f"lmtp={self.lmtp}"]
        listeners = [word for listen in listens for word in ("--listen", listen)]
        self.log = open(self.log_path, "ab")
        position = self.log.tell()
        self.process = subprocess.Popen(
            [binary(), "serve", "--data", self.data, "--hostname", HOST, "--domain", "example.test", *listeners,
             *self.options], stdout=self.log, stderr=self.log, env={**os.environ, **self.environment})
        began = time.monotonic()
        while time.monotonic() - began < 60 and self.is_running():
            with open(self.log_path) as file:
                file.seek(position)
                if "martlet is ready" in file.read():
                    break
            time.sleep(0.02)
        else:
            raise Failure("the server did not become ready:\n" + self.log_tail())
        self.seconds_to_ready = time.monotonic() - began
        with open(self.log_path) as file:
            file.seek(position)
            self.ports = {name: int(port) for name, port in re.findall(r"([a-z0-9]+)=127\.0\.0\.1:(\d+)", file.read())}
        self.ca = self.trusts or os.path.join(self.data, "tls", f"self-signed-{HOST}.pem")

    def kill(self):
        if self.is_running():
            self.process.kill()
            self.process.wait()
        self.log.close()

    def martlet(self, *arguments, input=None, ok=(0,)):
        return command(binary(), *arguments, "--data", self.data, input=input, ok=ok)

    def account(self, address):
        self.martlet("account", "add", address, "--password-stdin", input=PASSWORD.encode() + b"\n")
        return address


def refused(server, sender, recipient):
    """The reply to RCPT on port 25."""
    with smtplib.SMTP(HOST, server.ports["smtp"], timeout=20) as client:
        client.ehlo()
        client.mail(sender)
        code, text = client.rcpt(recipient)
        return code, text.decode()


@case("serve: accounts and aliases made by commands while it runs, catch-all, +detail, postmaster", own_server=True)
def directory(start):
    server = start(kind=Serve)
    server.martlet("healthcheck")
    alice, bob = server.account("alice@example.test"), server.account("bob@example.test")
    code, text = refused(server, "a@elsewhere.test", "nobody@example.test")
    check(code == 550 and "5.1.1" in text, code, text)
    code, text = refused(server, "a@elsewhere.test", "someone@elsewhere.test")
    check(code in (550, 554) and "5.7.1" in text, "a relay:", code, text)
    server.martlet("alias", "add", "sales@example.test", alice, bob)
    server.martlet("domain", "add", "other.test")
    server.martlet("alias", "add", "@other.test", bob)
    for recipient in ("sales@example.test", "ALICE+lists@Example.TEST", "anyone@other.test", "postmaster@example.test", "postmaster"):
        server.deliver(recipient, message(f"to {recipient}"))
    with server.imap(alice) as client:
        equal(client.select()[1], [b"4"], "messages for alice: the alias, the detail, postmaster twice")
    with server.imap(bob) as client:
        equal(client.select()[1], [b"2"], "messages for bob: the alias and the catch-all")
    listed = json.loads(server.martlet("account", "list", "--json"))
    equal([account["address"] for account in listed], [alice, bob], "accounts")
    server.martlet("account", "passwd", bob, "--password-stdin", input=b"new password\n")
    with smtplib.SMTP_SSL(HOST, server.ports["submissions"], context=server.tls, timeout=20) as client:
        client.login(bob, "new password")
    server.martlet("account", "remove", bob)
    equal(refused(server, "a@elsewhere.test", bob)[0], 550, "RCPT for a removed account")
    check(server.stop() < 2, "a slow stop")


@case("serve: passwords only under TLS; a sender must be one's own; elsewhere is refused clearly where nothing is sent", own_server=True)
def strict(start):
    server = start("--set", "outbound.enabled=false", kind=Serve)
    alice, bob = server.account("alice@example.test"), server.account("bob@example.test")
    with smtplib.SMTP(HOST, server.ports["submission"], timeout=20) as client:
        client.ehlo()
        check("PLAIN" not in client.esmtp_features.get("auth", ""), "PLAIN without TLS")
    with server.socket("imap") as plain:
        check(b"LOGINDISABLED" in plain.recv(2000), "no LOGINDISABLED")
        plain.sendall(f'a LOGIN {alice} "{PASSWORD}"\r\n'.encode())
        check(plain.recv(2000).startswith(b"a NO [PRIVACYREQUIRED]"), "LOGIN in plaintext")
    with server.socket("pop3") as plain:
        plain.recv(2000)
        plain.sendall(b"USER alice@example.test\r\n")
        check(plain.recv(2000).startswith(b"-ERR"), "USER in plaintext")
    with smtplib.SMTP_SSL(HOST, server.ports["submissions"], context=server.tls, timeout=20) as client:
        client.login(alice, PASSWORD)
        code, text = client.mail(bob)
        check(code in (550, 553) and b"5.7.1" in text, "another's sender:", code, text)
        client.rset()
        client.mail(alice)
        code, text = client.rcpt("someone@elsewhere.test")
        check(code in (550, 554), "mail for elsewhere:", code, text)
        equal(client.rcpt(bob)[0], 250, "RCPT for a local address")
        equal(client.data(b"From: alice@example.test\r\nSubject: completed\r\n\r\ntext\r\n")[0], 250, "DATA")
    with server.imap(bob) as client:
        client.select()
        header = client.fetch("1", "(BODY.PEEK[HEADER])")[1][0][1]
        check(b"\r\nMessage-ID: <" in header and b"\r\nDate: " in header, "not completed:", header)
    server.stop()


@case("serve: LMTP answers for each recipient, and IDLE sees the mail", own_server=True)
def lmtp(start):
    server = start(kind=Serve)
    alice, bob = server.account("alice@example.test"), server.account("bob@example.test")
    server.martlet("account", "quota", bob, "--messages", "0")
    idle = RawIMAP(server, alice)
    idle.send("a3 IDLE")
    idle.until(b"+ ")
    client = smtplib.LMTP(server.lmtp)
    client.ehlo()
    client.mail("a@elsewhere.test")
    equal(client.rcpt(alice)[0], 250, "RCPT")
    second = client.rcpt(bob)[0]
    equal(client.rcpt("nobody@example.test")[0], 550, "RCPT for nobody")
    client.putcmd("data")
    equal(client.getreply()[0], 354, "DATA")
    client.send(message("by lmtp") + b".\r\n")
    equal(client.getreply()[0], 250, "the reply for alice")
    if second == 250:
        check(client.getreply()[0] in (452, 552), "the reply for bob, who is over his quota")
    else:
        check(second in (452, 552), second)
    idle.until(b"* 1 EXISTS")
    idle.close()
    client.quit()
    server.stop()


@case("serve: commands also work while it is stopped; a wrong configuration is told with all its errors", own_server=True)
def offline(start):
    server = start(kind=Serve)
    alice = server.account("alice@example.test")
    server.stop()
    server.martlet("healthcheck", ok=(1,))
    server.martlet("account", "add", "carol@example.test", "--password-stdin", input=PASSWORD.encode())
    equal(len(json.loads(server.martlet("account", "list", "--json"))), 2, "accounts")
    server.start()
    for user in (alice, "carol@example.test"):
        with server.imap(user) as client:
            equal(client.select()[0], "OK", "SELECT")
    server.stop()
    path = os.path.join(server.scratch, "wrong.yaml")
    with open(path, "w") as file:
        file.write("hostnam: mail.example.test\nlimits:\n  recipients: many\n")
    output = command(binary(), "config", "check", "--config", path, ok=(78,))
    check("did you mean" in output and "hostname" in output, output)
    check("3" in output and "recipients" in output, output)


@case("serve: a failed login is one line of the log; the log has no password", own_server=True)
def log(start):
    server = start("--trace", kind=Serve)
    alice = server.account("alice@example.test")
    with server.imap(alice) as client:
        client.select()
    with server.pop3(alice) as client:
        client.stat()
    with smtplib.SMTP_SSL(HOST, server.ports["submissions"], context=server.tls, timeout=20) as client:
        client.login(alice, PASSWORD)
        mine = message("secret body", "do not log this line\r\n").replace(b"someone@elsewhere.test", alice.encode())
        client.sendmail(alice, [alice], mine)
    client = poplib.POP3_SSL(HOST, server.ports["pop3s"], context=server.tls, timeout=20)
    client.user(alice)
    try:
        client.pass_("a wrong one")
        check(False, "the wrong password logged in")
    except poplib.error_proto:
        client.close()
    plain = base64.b64encode(f"\0{alice}\0{PASSWORD}".encode()).decode()
    name, password = (base64.b64encode(text.encode()).decode() for text in (alice, PASSWORD))
    # Every way in which a password comes: each line is one packet, so that each is answered before the next is sent.
    for service, lines in (
        ("imaps", [f"a LOGIN {alice} {{{len(PASSWORD)}}}", PASSWORD]), ("imaps", [f"a LOGIN {alice} {{{len(PASSWORD)}+}}\r\n{PASSWORD}"]),
        ("imaps", ["a AUTHENTICATE PLAIN", plain]), ("imaps", [f"a AUTHENTICATE PLAIN {plain}"]),
        ("imaps", ["a AUTHENTICATE LOGIN", name, password]), ("pop3s", [f"USER {alice}", f"PASS {PASSWORD}"]),
        ("pop3s", [f"USER {alice}\r\nPASS {PASSWORD}"]), ("pop3s", ["AUTH PLAIN", plain]), ("pop3s", [f"auth plain {plain}"]),
        ("pop3s", ["AUTH LOGIN", name, password]), ("submissions", ["EHLO a", "AUTH PLAIN", plain]),
        ("submissions", ["EHLO a", f"AUTH PLAIN {plain}"]), ("submissions", ["EHLO a", "AUTH LOGIN", name, password]),
        ("submissions", ["EHLO a", f"AUTH LOGIN {name}", password]),
    ):
        with server.socket(service) as connection:
            connection.recv(2000)
            for line in lines:
                connection.sendall(line.encode() + b"\r\n")
                reply = connection.recv(2000)
            check(reply.startswith((b"a OK", b"+OK", b"235 ")), service, lines, reply)
    server.stop()
    with open(server.log_path) as file:
        text = file.read()
    check(re.search(r"event=auth_failed .*user=alice@example.test", text), "no auth_failed in the log")
    check("event=trace" in text and "from=client" in text, "no trace of the dialogues")
    for secret in (PASSWORD, "a wrong one", "do not log this line", plain, plain.rstrip("="), password):
        check(secret not in text, "the log has:", secret)


def client_certificate(folder, name, address, authority=None):
    """Makes a key and a certificate with an address in it, by `authority` or by itself, and returns both files' path."""
    key, certificate, both = (os.path.join(folder, f"{name}.{kind}") for kind in ("key", "pem", "both"))
    signed = ["-CA", authority + ".pem", "-CAkey", authority + ".key"] if authority else []
    command("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key)
    command("openssl", "req", "-new", "-key", key, "-subj", f"/CN={name}", "-out", certificate + ".csr",
            "-addext", f"subjectAltName=email:{address}",
            "-addext", "basicConstraints=critical,CA:" + ("FALSE" if authority else "TRUE"))
    command("openssl", "x509", "-req", "-in", certificate + ".csr", "-copy_extensions", "copy", "-days", "2",
            *(signed or ["-signkey", key]), "-out", certificate)
    with open(both, "wb") as file:
        for part in (certificate, key):
            with open(part, "rb") as source:
                file.write(source.read())
    return both


@case("serve: a client certificate of a known authority logs in by EXTERNAL, an unknown one does no harm", own_server=True)
def external(start):
    with tempfile.TemporaryDirectory() as folder:
        client_certificate(folder, "authority", "ca@example.test")
        known = client_certificate(folder, "known", "alice@example.test", os.path.join(folder, "authority"))
        unknown = client_certificate(folder, "unknown", "alice@example.test")
        server = start("--set", "tls.client_authorities=" + os.path.join(folder, "authority.pem"), kind=Serve)
        server.account("alice@example.test")
        for both, offered in ((known, True), (unknown, False), (None, False)):
            context = ssl.create_default_context(cafile=server.ca)
            if both:
                context.load_cert_chain(both)
            with imaplib.IMAP4_SSL(HOST, server.ports["imaps"], ssl_context=context) as client:
                equal("AUTH=EXTERNAL" in client.capabilities, offered, f"EXTERNAL is offered to {both}")
                if offered:
                    equal(client.authenticate("EXTERNAL", lambda _: b"")[0], "OK", "the login by certificate")
                else:
                    equal(client.login("alice@example.test", PASSWORD)[0], "OK", "the login by password")
                equal(client.select()[0], "OK", "SELECT")


@case("serve: a trusted proxy's header names the client, for all protocols and in the log; others' headers are refused", own_server=True)
def proxy(start):
    def exchange(server, service, *lines):
        """Sends the lines as one, reads until the server has nothing more to say."""
        with server.socket(service) as connection:
            connection.settimeout(5)
            connection.sendall("".join(line + "\r\n" for line in lines).encode())
            received = b""
            while chunk := connection.recv(4096):
                received += chunk
            return received

    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "proxy.yaml")
        server = start(kind=Serve)
        alice = server.account("alice@example.test")
        # Nobody is trusted until named: the header is just a wrong command.
        check(b"220" in (reply := exchange(server, "smtp", "PROXY TCP4 203.0.113.7 127.0.0.1 4711 25", "QUIT")), reply)
        check(b"\r\n5" in reply, "a header that nobody asked for was taken:", reply)
        server.stop()
        with open(path, "w") as file:
            file.write("listeners:\n")
            for protocol in ("smtp", "imap", "pop3"):
                file.write(f"  - protocol: {protocol}\n    address: 127.0.0.1\n    port: 0\n    proxies: [127.0.0.1]\n")
        server.options = ["--config", path]
        server.listens = []
        server.start()
        header = "PROXY TCP4 203.0.113.7 127.0.0.1 4711 25"
        reply = exchange(
            server, "smtp", header, "EHLO client.elsewhere.test", "MAIL FROM:<a@elsewhere.test>", f"RCPT TO:<{alice}>", "DATA",
            "Subject: through a proxy", "", "text", ".", "QUIT")
        check(b"\r\n250 2.0.0" in reply, reply)
        check(b"* BYE" in exchange(server, "imap", header, "a LOGOUT"), "no IMAP behind the proxy")
        check(b"+OK" in exchange(server, "pop3", header, "QUIT"), "no POP3 behind the proxy")
        # From a proxy, a connection without a header is refused.
        check(b"220" not in exchange(server, "smtp", "EHLO client.elsewhere.test", "QUIT"), "a proxy without a header was welcome")
        server.stop()
        with open(server.log_path) as file:
            check("203.0.113.7" in file.read(), "the log does not name the client")
        server.options, server.listens = [], None
        server.start()
        with server.imap(alice) as client:
            client.select()
            received = client.fetch("1", "(BODY.PEEK[HEADER.FIELDS (RECEIVED)])")[1][0][1]
            check(b"[203.0.113.7]" in received, received)
        server.stop()
