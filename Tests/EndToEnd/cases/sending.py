"""Mail to other servers: the queue, its patience, its reports."""
import email
import email.policy
import json
import os
import re
import smtplib

import opendkim
from harness import HOST, PASSWORD, case, check, equal, message, packages
from cases.serve import Serve
from world import DNS, Peer, hang, reset, until


class World:
    """A server that sends, and the others it meets: each domain `NAME.zz` has one peer at an address of its own."""

    def __init__(self, start, *options, dns=None, port=None, prepare=None, trusts=None):
        """`prepare` is called before the server starts, for a DNS that has to know everything by then. `trusts` is the
        authority of the server's certificate, where it has not made one itself."""
        self.dns = dns or DNS()
        self.port = port
        self.peers = []
        # Where nobody has picked it, the first peer picks the port that all have.
        self.peer("first")
        if prepare:
            prepare(self)
        self.server = start(
            "--set", f"outbound.resolver={self.dns.address}", "--set", "outbound.trust_anchors=",
            "--set", f"outbound.port={self.port}", "--set", "outbound.first_retry=1s", *options, kind=Serve)
        if trusts:
            self.server.trusts = self.server.ca = trusts
        self.alice = self.server.account("alice@example.test")

    def peer(self, name, **keywords):
        peer = Peer(f"127.0.0.{10 + len(self.peers)}", self.port or 0, **keywords)
        self.port = peer.port
        self.peers.append(peer)
        self.dns.zone[f"{name}.zz"] = {"MX": [(10, f"mx.{name}.zz")]}
        self.dns.zone[f"mx.{name}.zz"] = {"A": [peer.address]}
        return peer

    def send(self, *recipients, subject="hello", sender="alice@example.test", parameters=(), options=(), body="Hello.\r\n",
             data=None):
        with smtplib.SMTP_SSL(HOST, self.server.ports["submissions"], context=self.server.tls, timeout=30) as client:
            client.login(sender if sender.endswith(".zz") else "alice@example.test", PASSWORD)
            data = data or message(subject, body).replace(b"someone@elsewhere.test>\r\nTo", f"{sender}>\r\nTo".encode(), 1)
            client.sendmail(sender, recipients, data, mail_options=list(options), rcpt_options=list(parameters))

    def queue(self, *words):
        return json.loads(self.server.martlet("queue", "list", "--json", *words))["messages"]

    def inbox(self, count):
        """Waits until so many messages are there, and returns them."""
        def look():
            with self.server.imap(self.alice) as client:
                if int(client.select()[1][0]) < count:
                    return None
                return [part[1] for part in client.fetch("1:*", "(BODY.PEEK[])")[1] if isinstance(part, tuple)]
        return [email.message_from_bytes(data, policy=email.policy.default) for data in until(look, f"{count} messages")]

    def delivery(self, address, status):
        """The log's line of what became of a recipient."""
        def found():
            return next((line for line in self.log().splitlines() if f"to={address}" in line and f"status={status}" in line), None)
        return until(found, f"{address}: {status}")

    def log(self):
        with open(self.server.log_path) as file:
            return file.read()

    def end(self):
        self.server.stop()
        for peer in self.peers:
            peer.close()
        self.dns.close()


def report(text):
    """The fields of a report about each recipient."""
    parts = list(text.walk())
    equal(text.get_content_type(), "multipart/report", "type")
    status = next(part for part in parts if part.get_content_type() == "message/delivery-status")
    return [dict(block) for block in status.get_payload()[1:]]


@case("sending: to two domains and a mailbox here, one commit, one copy each, dots and trace whole", own_server=True)
def sends(start):
    world = World(start)
    other = world.peer("other", extensions=("PIPELINING", "8BITMIME", "SIZE"))
    world.send("a@first.zz", "b@other.zz", "c@other.zz", "alice@example.test", body="one\r\n.dot\r\n..two\r\n")
    for peer, wanted in ((world.peers[0], ["a@first.zz"]), (other, ["b@other.zz", "c@other.zz"])):
        sender, recipients, data = peer.mail()
        equal((sender, recipients), ("alice@example.test", wanted), "envelope")
        check(data.endswith(b"\r\n\r\none\r\n.dot\r\n..two\r\n"), "content", data)
        check(data.startswith(b"Received: from "), "trace", data[:80])
    world.inbox(1)
    until(lambda: not world.queue(), "an empty queue")
    equal(other.count, 1, "copies")
    world.end()


@case("sending: refused for good comes back once for all, with the other server's words; deferred is tried again", own_server=True)
def bounces(start):
    world = World(start)
    world.peer("strict", RCPT="550 5.1.1 no such person here")
    grey = world.peer("grey", RCPT=["450 4.2.0 come back later", "250 welcome"])
    world.send("x@strict.zz", "y@strict.zz", "z@nowhere.zz", "g@grey.zz")
    found = world.inbox(1)
    equal(len(found), 1, "reports")
    fields = {re.sub(r"^rfc822; ?", "", part["Final-Recipient"]): part for part in report(found[0])}
    equal(sorted(fields), ["x@strict.zz", "y@strict.zz", "z@nowhere.zz"], "reported")
    equal(fields["x@strict.zz"]["Status"], "5.1.1", "status")
    check("no such person here" in fields["x@strict.zz"]["Diagnostic-Code"], "the server's words", fields)
    equal(found[0]["Return-Path"], "<>", "return path")
    sender, recipients, _ = grey.mail()
    equal(recipients, ["g@grey.zz"], "recipients")
    until(lambda: not world.queue(), "an empty queue")
    check("status=deferred" in world.log() and "status=sent" in world.log(), "log lines")
    world.end()


@case("sending: kill -9 with a full queue: everything arrives after the restart", own_server=True)
def killed(start):
    world = World(start)
    late = world.peer("late", greeting="421 4.3.2 not now")
    for number in range(20):
        world.send("a@late.zz", subject=f"number {number}")
    equal(len(world.queue()), 20, "waiting")
    world.server.process.kill()
    world.server.process.wait()
    late.replies["greeting"] = ["220 peer.zz ESMTP"]
    world.server.start()
    world.server.martlet("queue", "retry", "--all")
    subjects = sorted(re.search(rb"Subject: (.*?)\r\n", late.mail()[2])[1].decode() for _ in range(20))
    equal(subjects, sorted(f"number {number}" for number in range(20)), "subjects")
    until(lambda: not world.queue(), "an empty queue")
    equal(late.count, 20, "copies")
    world.end()


@case("sending: servers that hang, reset, babble or close at any point stop nobody else's mail", own_server=True)
def hostile(start):
    world = World(start)
    peers = {
        "hangs": dict(greeting=hang), "hangsmail": dict(MAIL=hang), "hangsdata": dict(message=hang),
        "resets": dict(greeting=reset), "resetsdata": dict(DATA=lambda connection: reset(connection)),
        "babbles": dict(greeting="hello, this is not SMTP"), "endless": dict(greeting=lambda connection: [
            connection.sendall(b"220-more\r\n" * 1000) for _ in range(100)]),
        "fails": dict(message="451 4.3.0 disk full"), "bye": dict(RCPT="421 4.3.2 shutting down"),
    }
    for name, script in peers.items():
        world.peer(name, **script)
    for name in peers:
        world.send(f"a@{name}.zz", subject=name)
    for number in range(10):
        world.send("a@first.zz", subject=f"good {number}")
    for _ in range(10):
        world.peers[0].mail(10)
    equal(len(until(lambda: len(world.queue()) <= len(peers) and world.queue(), "the good ones gone")), len(peers), "waiting")
    # Nobody of these has said no.
    with world.server.imap(world.alice) as client:
        equal(client.select()[1], [b"0"], "reports")
    world.server.martlet("queue", "drop", "--all")
    equal(world.queue(), [], "queue")
    world.end()


@case("sending: hosts are tried in order, addresses too; a host that is down costs nothing but time", own_server=True)
def hosts(start):
    world = World(start)
    backup = world.peer("backup")
    full = world.peer("full", MAIL="452 4.3.1 no room")
    world.dns.zone["many.zz"] = {"MX": [(10, "down.many.zz"), (20, "mx.full.zz"), (30, "mx.backup.zz")]}
    world.dns.zone["down.many.zz"] = {"A": ["127.0.0.9"]}
    world.dns.zone["plain.zz"] = {"A": world.dns.zone["mx.backup.zz"]["A"]}
    world.dns.zone["null.zz"] = {"MX": [(0, ".")]}
    world.send("a@many.zz")
    equal(backup.mail()[1], ["a@many.zz"], "recipients")
    check(full.connections > 0, "the second host was asked")
    world.send("b@plain.zz")
    equal(backup.mail()[1], ["b@plain.zz"], "without MX")
    world.send("c@null.zz")
    equal([part["Status"] for part in report(world.inbox(1)[0])], ["5.1.10"], "null MX")
    world.end()


@case("sending: hold, release, list, show, drop", own_server=True)
def administration(start):
    world = World(start)
    late = world.peer("late", greeting="421 4.3.2 not now")
    for name in ("a", "b", "c"):
        world.send(f"{name}@late.zz", subject=name)
    queued = world.queue()
    equal([message["recipients"][0]["address"] for message in queued], ["a@late.zz", "b@late.zz", "c@late.zz"], "list")
    first, second, third = (str(message["id"]) for message in queued)
    until(lambda: "not now" in world.server.martlet("queue", "show", first), "the reason")
    world.server.martlet("queue", "hold", first)
    equal([str(message["id"]) for message in world.queue("--held")], [first], "held")
    world.server.martlet("queue", "drop", second)
    late.replies["greeting"] = ["220 peer.zz ESMTP"]
    world.server.martlet("queue", "retry", third)
    equal(late.mail()[1], ["c@late.zz"], "retried")
    equal(len(until(lambda: len(world.queue()) == 1 and world.queue(), "the held one alone")), 1, "left")
    world.server.martlet("queue", "release", "--from", "alice@example.test")
    equal(late.mail()[1], ["a@late.zz"], "released")
    world.server.martlet("queue", "show", "999999", ok=(1,))
    world.server.martlet("queue", "drop", ok=(64,))
    world.end()


@case("sending: an alias leads outside; the return path is ours then, and a bounce to it finds the sender", own_server=True)
def forwards(start):
    world = World(start)
    world.server.martlet("alias", "add", "team@example.test", "alice@example.test", "bob@first.zz")
    world.server.deliver("team@example.test", message("for the team"), sender="someone@origin.zz")
    sender, recipients, data = world.peers[0].mail()
    equal(recipients, ["bob@first.zz"], "recipients")
    check(re.fullmatch(r"SRS0=\S+=origin\.zz=someone@example\.test", sender), "rewritten sender", sender)
    check(data.startswith(b"Delivered-To: team@example.test\r\n"), "mark", data[:60])
    equal(len(world.inbox(1)), 1, "alice's copy")
    origin = world.peer("origin")
    with smtplib.SMTP(HOST, world.server.ports["smtp"], timeout=20) as client:
        client.sendmail("", [sender], message("it did not arrive"))
        code, _ = (client.ehlo(), client.mail(""), client.rcpt("SRS0=abcd=zz=origin.zz=someone@example.test"))[2]
        equal(code, 550, "a made-up one")
    equal(origin.mail()[:2], ("", ["someone@origin.zz"]), "where the bounce goes")
    world.end()


@case("sending: nobody relays through port 25, and an account sends only as itself", own_server=True)
def policy(start):
    world = World(start)
    with smtplib.SMTP(HOST, world.server.ports["smtp"], timeout=20) as client:
        client.ehlo()
        client.mail("someone@elsewhere.test")
        equal(client.rcpt("a@first.zz")[0], 550, "relaying")
    try:
        world.send("a@first.zz", sender="boss@example.test")
        check(False, "another's sender was taken")
    except smtplib.SMTPSenderRefused as refusal:
        equal(refusal.smtp_code, 553, "sender")
    equal(world.queue(), [], "queue")
    world.end()


@case("sending: signed by RSA and Ed25519 once the records are in DNS, as dkimpy and OpenDKIM see it; keys survive a repair", own_server=True)
def signed(start):
    world = World(start)
    packages(world.server, "dkimpy", "pynacl")
    import dkim
    first = world.peers[0]
    # Nobody asks DNS for names below .test.
    world.server.martlet("domain", "add", "ours.zz")
    carol = world.server.account("carol@ours.zz")
    world.send("a@first.zz", subject="too early", sender=carol)
    check(b"DKIM-Signature" not in first.mail()[2], "signed without a record")
    keys = json.loads(world.server.martlet("domain", "dkim", "ours.zz", "--json"))
    equal([(key["algorithm"], key["stage"]) for key in keys], [("rsa", "made"), ("ed25519", "made")], "keys")
    for key in keys:
        world.dns.zone[key["recordName"]] = {"TXT": [key["record"]]}

    def signing():
        found = json.loads(world.server.martlet("domain", "dkim", "ours.zz", "--json"))
        return all(key["stage"] == "signing" for key in found)
    until(signing, "keys that sign")

    def records(name, timeout=5):
        return world.dns.zone[name.decode().rstrip(".")]["TXT"][0].encode()

    def verify(data, what):
        for index in range(2):
            check(dkim.DKIM(data).verify(index, dnsfunc=records), f"signature {index} of {what}", data)
        equal(data.count(b"DKIM-Signature:"), 2, f"signatures of {what}")
        return data
    world.send("a@first.zz", subject="signed", sender=carol, body="one\r\n.two  with   spaces\r\n\r\n\r\n")
    small = verify(first.mail()[2], "a small message")
    world.send("a@first.zz", "alice@example.test", subject="large", sender=carol, body="0123456789 abcdefghij\r\n" * 100_000)
    verify(first.mail(60)[2], "a large message")
    check("DKIM-Signature" not in str(world.inbox(1)[0]), "what stays here is not signed")
    records_of_keys = {key["recordName"]: key["record"] for key in keys}
    found = opendkim.complaints(records_of_keys, [small, small.replace(b"spaces", b"places")])
    if found is not None:
        equal(found[0], "", "OpenDKIM")
        check("Bad signature" in found[1], "what OpenDKIM says of a changed message", found)
    # The keys are in the packs, too.
    world.server.stop()
    os.unlink(os.path.join(world.server.data, "store.db"))
    world.server.martlet("store", "repair", "--yes")
    world.server.start()
    until(signing, "keys that sign after a repair")
    world.send("a@first.zz", subject="again", sender=carol)
    verify(first.mail()[2], "a message after the repair")
    rotated = json.loads(world.server.martlet("domain", "dkim", "ours.zz", "--rotate", "--json"))
    equal([key["stage"] for key in rotated], ["signing", "signing", "made", "made"], "stages after a rotation")
    world.end()


@case("sending: reports of success and of nothing, as the sender asked; ENVID and ORCPT come back", own_server=True)
def asked(start):
    world = World(start)
    world.peer("aware", extensions=("DSN",))
    world.send("a@first.zz", "b@aware.zz", "alice@example.test", parameters=("NOTIFY=SUCCESS", "ORCPT=rfc822;x@old.zz"))
    found = [part for text in world.inbox(3) if text.get_content_type() == "multipart/report" for part in report(text)]
    actions = sorted((part["Final-Recipient"].split(";")[1].strip(), part["Action"]) for part in found)
    # The aware server sees to its own report.
    equal(actions, [("a@first.zz", "relayed"), ("alice@example.test", "delivered")], "reports")
    check(all(part["Original-Recipient"] == "rfc822; x@old.zz" for part in found), "ORCPT", found)
    world.peer("strict", RCPT="550 5.1.1 no such person here")
    world.send("silent@strict.zz", parameters=("NOTIFY=NEVER",))
    until(lambda: not world.queue(), "an empty queue")
    equal(len(world.inbox(3)), 3, "nothing more")
    world.end()
