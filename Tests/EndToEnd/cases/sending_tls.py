"""Mail to other servers under TLS: DANE, MTA-STS, a smarthost, and servers that others have written."""
import contextlib
import os
import re
import tempfile

from certificates import Authority, tlsa
from harness import PASSWORD, case, check, equal
from policies import Policies
from postfix import Postfix
from cases.sending import World, report
from cases.serve import Serve
from signed_dns import SignedDNS
from world import DNS, until


@contextlib.contextmanager
def folder():
    """A scratch folder that other users may enter."""
    with tempfile.TemporaryDirectory(prefix="martlet-tls-") as path:
        os.chmod(path, 0o755)
        yield path


@contextlib.contextmanager
def signed_folder():
    """A scratch folder and a name server in it, which ends however the case does."""
    with folder() as path, contextlib.closing(SignedDNS(path)) as dns:
        yield path, dns


class SignedWorld(World):
    """A world whose names are signed, but for those under `plain.zz`. `prepare` adds the others' servers."""

    def __init__(self, start, dns, prepare, port=None, options=()):
        def publish(world):
            prepare(world)
            dns.publish()
        super().__init__(
            start, "--set", f"outbound.trust_anchors={dns.anchor}", *options, dns=dns, port=port, prepare=publish)

    def secure(self, host, *records):
        """TLSA records of a host, for the port that all have."""
        self.dns.zone[f"_{self.port}._tcp.{host}"] = {"TLSA": list(records)}


class SmarthostClient(World):
    """A server that hands everything to another, in somebody else's world."""

    def __init__(self, start, dns, url, password, authorities):
        self.server = start(
            "--set", f"outbound.resolver={dns.address}", "--set", "outbound.trust_anchors=",
            "--set", f"outbound.smarthost={url}", "--set", f"outbound.smarthost_password={password}",
            "--set", f"outbound.authorities={authorities}", "--set", "outbound.first_retry=1s", kind=Serve)
        self.alice = self.server.account("alice@example.test")


@case("TLS, DANE: a host with TLSA records gets mail only under the certificate that they name", own_server=True)
def dane(start):
    with signed_folder() as (path, dns):
        authority = Authority(path)
        own = {name: authority.self_signed(f"mx.{name}.zz") for name in ("good", "wrong", "bogus", "open.plain", "unusable")}
        peers = {}

        def prepare(world):
            for name in ("good", "wrong", "stripped", "bogus", "open.plain", "unusable"):
                peers[name] = world.peer(name, certificate=own.get(name))
            good, other = tlsa(own["good"][0]), "3 1 1 " + "ab" * 32
            world.secure("mx.good.zz", other, good)
            for name in ("wrong", "stripped", "bogus", "open.plain"):
                world.secure(f"mx.{name}.zz", other)
            world.secure("mx.unusable.zz", "1 1 1 " + "ab" * 32)
            world.dns.tampered.add("mx.bogus.zz")
            world.dns.zone["both.zz"] = {"MX": [(10, "mx.wrong.zz"), (20, "mx.good.zz")]}

        world = SignedWorld(start, dns, prepare)
        world.send(*(f"a@{name}.zz" for name in [*peers, "both"]))
        arrived = sorted(peers["good"].mail()[1][0] for _ in range(2))
        equal(arrived, ["a@both.zz", "a@good.zz"], "what the good one has, also as the second host of a domain")
        for name, assurance in (("good", "dane"), ("unusable", "none: self-signed certificate"), ("open.plain", "none")):
            if name != "good":
                equal(peers[name].mail()[1], [f"a@{name}.zz"], "recipients")
            line = world.delivery(f"a@{name}.zz", "sent")
            check(re.search(rf'tls="TLSv1\.3 \S+ {assurance}"', line), "log line", line)
        for name, words in (("wrong", "handshake"), ("stripped", "STARTTLS"), ("bogus", "mx.bogus.zz")):
            line = world.delivery(f"a@{name}.zz", "deferred")
            check(words in line, "the reason", line)
            equal(peers[name].count, 0, f"messages at {name}")
        equal(peers["bogus"].connections, 0, "connections to an address that is not signed as it stands")
        equal(sorted(recipient["address"] for mail in world.queue() for recipient in mail["recipients"]),
              ["a@bogus.zz", "a@stripped.zz", "a@wrong.zz"], "waiting")
        world.end()


@case("TLS, DANE: from one Martlet to another, whose certificate is its own", own_server=True)
def two(start):
    with signed_folder() as (_, dns):
        other = start("--set", "outbound.enabled=false", kind=Serve)
        other.martlet("domain", "add", "b.zz")
        bob = other.account("bob@b.zz")

        def prepare(world):
            world.dns.zone["b.zz"] = {"MX": [(10, "mx.b.zz")]}
            world.dns.zone["mx.b.zz"] = {"A": ["127.0.0.1"]}
            world.secure("mx.b.zz", tlsa(other.ca))

        world = SignedWorld(start, dns, prepare, port=other.ports["smtp"])
        world.send("bob@b.zz", "nobody@b.zz", body="one\r\n.dot\r\n")
        check(re.search(r'tls="TLSv1\.3 \S+ dane"', world.delivery("bob@b.zz", "sent")), "log line")
        with other.imap(bob) as client:
            equal(until(lambda: client.select()[1], "the mailbox"), [b"1"], "messages")
            data = client.fetch("1", "(BODY.PEEK[])")[1][0][1]
        check(b" with ESMTPS" in data and data.endswith(b"\r\n\r\none\r\n.dot\r\n"), "the message", data)
        equal([part["Status"] for part in report(world.inbox(1)[0])], ["5.1.1"], "reported")
        world.end()
        other.stop()


@case("TLS, Postfix: mail goes there under DANE and comes back under TLS, as mail and as a report of Postfix", own_server=True)
def postfix(start):
    with signed_folder() as (path, dns):
        certificate = Authority(path).self_signed("mx.post.zz")

        def prepare(world):
            world.dns.zone["post.zz"] = {"MX": [(10, "mx.post.zz")]}
            world.dns.zone["mx.post.zz"] = {"A": ["127.0.0.99"]}
            world.secure("mx.post.zz", tlsa(certificate[0]))

        world = SignedWorld(start, dns, prepare)
        with contextlib.closing(Postfix(
                os.path.join(path, "postfix"), "127.0.0.99", world.port, "post.zz", certificate,
                transports={"example.test": f"smtp:[127.0.0.1]:{world.server.ports['smtp']}", "dead.zz": "error:5.1.1 nobody here"},
                aliases={"echo@post.zz": "alice@example.test", "gone@post.zz": "gone@dead.zz"})) as other:
            world.send("echo@post.zz", subject="there and back")
            check(re.search(r'tls="TLSv1\.3 \S+ dane"', world.delivery("echo@post.zz", "sent")), "log line")
            back = world.inbox(1)[0]
            equal(back["Subject"], "there and back", "subject")
            trace = back.get_all("Received")
            check("from mx.post.zz" in trace[0] and "with ESMTPS" in trace[0], "how it came back", trace[0])
            check("by mx.post.zz (Postfix) with ESMTPS" in trace[1], "how Postfix got it", trace[1])
            world.send("gone@post.zz", subject="in vain")
            world.delivery("gone@post.zz", "sent")
            bounce = world.inbox(2)[1]
            equal(bounce["Return-Path"], "<>", "return path")
            equal([(part["Original-Recipient"], part["Final-Recipient"], part["Status"]) for part in report(bounce)],
                  [("rfc822;gone@post.zz", "rfc822; gone@dead.zz", "5.1.1")], "reported by Postfix")
            check("TLS connection established to 127.0.0.1" in other.log(), "Postfix's log", other.log()[-1000:])
        world.end()


@case("TLS, MTA-STS: enforced, tested, and kept over a restart when nobody answers for it any more", own_server=True)
def policies(start):
    with folder() as path:
        authority = Authority(path)
        names = ("good", "bad", "tested", "stripped", "unnamed")
        web = Policies("127.0.0.1", authority.issue(*(f"mta-sts.{name}.zz" for name in names)))
        peers = {}

        def prepare(world):
            for name, certificate in (
                    ("good", authority.issue("mx.good.zz")), ("bad", authority.issue("mx.elsewhere.zz")),
                    ("tested", authority.self_signed("mx.tested.zz")), ("stripped", None),
                    ("unnamed", authority.issue("mx.unnamed.zz"))):
                peers[name] = world.peer(name, certificate=certificate)
                mode = "testing" if name == "tested" else "enforce"
                host = "mx.other.zz" if name == "unnamed" else f"mx.{name}.zz"
                web.texts[f"mta-sts.{name}.zz"] = f"version: STSv1\nmode: {mode}\nmx: {host}\nmax_age: 86400\n"
                world.dns.zone[f"mta-sts.{name}.zz"] = {"A": [web.address]}
                world.dns.zone[f"_mta-sts.{name}.zz"] = {"TXT": ["v=STSv1; id=1;"]}

        world = World(start, "--set", f"outbound.authorities={authority.certificate}",
                      "--set", f"outbound.policy_port={web.port}", prepare=prepare)
        world.send(*(f"a@{name}.zz" for name in names))
        for name, assurance in (("good", "pkix"), ("tested", "none: self-signed certificate")):
            equal(peers[name].mail()[1], [f"a@{name}.zz"], "recipients")
            line = world.delivery(f"a@{name}.zz", "sent")
            check(re.search(rf'tls="TLSv1\.3 \S+ {assurance}"', line), "log line", line)
        for name, words in (("bad", "certificate"), ("stripped", "STARTTLS"), ("unnamed", "does not name mx.unnamed.zz")):
            line = world.delivery(f"a@{name}.zz", "deferred")
            check(words in line, "the reason", line)
            equal(peers[name].count, 0, f"messages at {name}")
        equal(web.asked, len(names), "policies fetched")
        world.server.stop()
        web.close()
        for kind in ("mta-sts", "_mta-sts"):
            del world.dns.zone[f"{kind}.good.zz"]
        peers["good"].certificate = authority.self_signed("mx.good.zz")
        world.server.start()
        world.send("b@good.zz")
        check("certificate" in world.delivery("b@good.zz", "deferred"), "what is enforced still")
        equal(peers["good"].count, 1, "messages at good")
        world.end()


@case("TLS, smarthost: STARTTLS and TLS from the start, SCRAM and PLAIN; a wrong password or authority sends nothing back", own_server=True)
def smarthost(start):
    with folder() as path:
        authority = Authority(path)
        chain, key = authority.issue("mail.hub.zz")
        dns = DNS()
        dns.zone["mail.hub.zz"] = {"A": ["127.0.0.1"]}
        # The smarthost sends it on to where it belongs; its world is the one with the peers.
        hub = World(start, "--set", f"tls.certificates={chain}:{key}", dns=dns, trusts=authority.certificate)
        peers = [hub.peers[0], hub.peer("second"), hub.peer("third")]
        recipients = ["a@first.zz", "a@second.zz", "a@third.zz"]

        def sender(url, password=PASSWORD, known=authority.certificate):
            return SmarthostClient(start, dns, url, password, known)

        for scheme, service in (("smtp", "submission"), ("smtps", "submissions")):
            world = sender(f"{scheme}://alice@example.test@mail.hub.zz:{hub.server.ports[service]}")
            world.send(*recipients, subject=scheme)
            for peer, recipient in zip(peers, recipients):
                check(f"Subject: {scheme}\r\n".encode() in peer.mail()[2], "subject")
                check(re.search(r'tls="TLSv1\.3 \S+ pkix"', world.delivery(recipient, "sent")), "log line")
            check("SCRAM-SHA-256-PLUS" in hub.log(), "mechanism", hub.log()[-2000:])
            until(lambda: not world.queue(), "an empty queue")
            world.server.stop()

        relay = hub.peer("relay", certificate=authority.issue("mx.relay.zz"), extensions=("AUTH PLAIN",), AUTH="235 2.7.0 known")
        world = sender(f"smtp://me@mx.relay.zz:{relay.port}")
        world.send("a@first.zz")
        equal(relay.mail()[1], ["a@first.zz"], "recipients")
        many = [f"a@many{number}.zz" for number in range(50)]
        world.send(*many)
        equal(relay.mail()[1], many, "recipients of one message")
        for recipient in many:
            world.send(recipient)
        equal(sorted(relay.mail()[1][0] for _ in many), sorted(many), "recipients of one message each")
        check(relay.most <= 10, "sessions at once with a smarthost:", relay.most)
        world.server.stop()

        stranger, _ = authority.self_signed("An authority of somebody else")
        for password, known, words in (("wrong", authority.certificate, "535"), (PASSWORD, stranger, "certificate")):
            world = sender(f"smtps://alice@example.test@mail.hub.zz:{hub.server.ports['submissions']}", password, known)
            world.send("a@first.zz")
            line = world.delivery("a@first.zz", "deferred")
            check(words in line, "the reason", line)
            shown = world.server.martlet("queue", "show", str(world.queue()[0]["id"]))
            check(words in shown, "queue show", shown)
            with world.server.imap(world.alice) as client:
                equal(client.select()[1], [b"0"], "reports")
            world.server.stop()
        hub.end()
