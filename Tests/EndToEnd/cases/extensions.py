"""What a sender may ask for with MAIL: time, priority, TLS on all of the way; and 8-bit mail for servers that take 7 bits."""
import email
import email.policy
import json
import re
import smtplib

from certificates import Authority, tlsa
from cases.sending import World, report
from cases.sending_tls import SignedWorld, signed_folder
from harness import case, check, equal, packages
from world import until

TEXT = "Gr\u00fc\u00dfe und ein Text, der lang genug ist, um als Text zu gelten.\r\n"


def written(body, fields=""):
    return ("From: <alice@example.test>\r\nTo: someone\r\nSubject: hello\r\n" + fields + "\r\n" + body).encode()


@case("extensions, FUTURERELEASE: held back for mailboxes here and elsewhere, over a restart, until its time or a release", own_server=True)
def held(start):
    world = World(start)
    first = world.peers[0]
    bob = world.server.account("bob@example.test")
    world.send("a@first.zz", "bob@example.test", subject="later", options=("HOLDFOR=86400",))
    queued = world.queue()
    equal(sorted(mail["recipients"][0]["address"] for mail in queued), ["a@first.zz", "bob@example.test"], "held")
    check(all(mail.get("heldUntil") for mail in queued), "until when", queued)
    check("held back" in world.server.martlet("queue", "show", str(queued[0]["id"])), "shown")
    world.server.stop()
    world.server.start()
    with world.server.imap(bob) as client:
        equal(client.select()[1], [b"0"], "bob's mailbox")
    equal((first.count, len(world.queue())), (0, 2), "after a restart")
    world.server.martlet("queue", "release", "--all")
    equal(first.mail()[1], ["a@first.zz"], "released")
    with world.server.imap(bob) as client:
        until(lambda: client.select()[1] == [b"1"], "bob's copy")
        data = client.fetch("1", "(BODY.PEEK[])")[1][0][1]
    check(re.match(rb"Return-Path: <alice@example.test>\r\nDelivered-To: bob@example.test\r\nReceived: from ", data), "trace", data)
    until(lambda: not world.queue(), "an empty queue")
    # By itself, and dropped.
    world.send("b@first.zz", "alice@example.test", options=("HOLDFOR=2",), parameters=("NOTIFY=SUCCESS",))
    equal(first.count, 1, "too early")
    equal(first.mail()[1], ["b@first.zz"], "on time")
    reports = [part for text in world.inbox(3) if text.get_content_type() == "multipart/report" for part in report(text)]
    equal(sorted(part["Action"] for part in reports), ["delivered", "relayed"], "reports")
    world.send("c@first.zz", options=("HOLDFOR=1000",))
    world.server.martlet("queue", "drop", "--all")
    equal(world.queue(), [], "dropped")
    world.end()


@case("extensions, 8BITMIME: a server that takes 7 bits gets the same text in 7 bits, signed as it goes out", own_server=True)
def seven_bits(start):
    world = World(start)
    packages(world.server, "dkimpy", "pynacl")
    import dkim
    first = world.peers[0]
    wide = world.peer("wide", extensions=("8BITMIME",))
    world.server.martlet("domain", "add", "ours.zz")
    carol = world.server.account("carol@ours.zz")
    for key in json.loads(world.server.martlet("domain", "dkim", "ours.zz", "--json")):
        world.dns.zone[key["recordName"]] = {"TXT": [key["record"]]}
    until(lambda: all(key["stage"] == "signing" for key in json.loads(
        world.server.martlet("domain", "dkim", "ours.zz", "--json"))), "keys that sign")
    fields = "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n"
    data = written(TEXT * 3000, fields).replace(b"alice@example.test", b"carol@ours.zz")
    world.send("a@first.zz", "b@wide.zz", sender=carol, options=("BODY=8BITMIME",), data=data)
    seven, eight = first.mail()[2], wide.mail()[2]
    check(eight.endswith(data.split(b"\r\n\r\n", 1)[1]), "as it came")
    check(all(octet < 0x80 for octet in seven), "7 bits")
    parsed = email.message_from_bytes(seven, policy=email.policy.default)
    equal(parsed["Content-Transfer-Encoding"], "quoted-printable", "encoding")
    equal(parsed.get_content().replace("\r\n", "\n"), (TEXT * 3000).replace("\r\n", "\n"), "text")

    def records(name, timeout=5):
        return world.dns.zone[name.decode().rstrip(".")]["TXT"][0].encode()
    for data in (seven, eight):
        equal(data.count(b"DKIM-Signature:"), 2, "signatures")
        for index in range(2):
            check(dkim.DKIM(data).verify(index, dnsfunc=records), f"signature {index}", data[:2000])
    # What is signed as a part must not change.
    signed = written(f"--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{TEXT}--b\r\n\r\nsignature\r\n--b--\r\n",
                     "MIME-Version: 1.0\r\nContent-Type: multipart/signed; boundary=b\r\n")
    world.send("c@first.zz", options=("BODY=8BITMIME",), data=signed)
    equal([part["Status"] for part in report(world.inbox(1)[0])], ["5.6.3"], "reported")
    world.end()


@case("extensions, DELIVERBY: in time, back, or told of; passed on with the time that is left", own_server=True)
def in_time(start):
    world = World(start)
    aware = world.peer("aware", extensions=("DELIVERBY 20", "DSN"))
    late = world.peer("late", greeting="421 4.3.2 not now")
    world.send("a@aware.zz", options=("BY=100;R",))
    aware.mail()
    left = int(re.search(r" BY=(\d+);R$", aware.senders[0])[1])
    check(90 <= left <= 100, "time left", aware.senders)
    # Who promises nothing, or not so fast, does not get it.
    world.send("b@first.zz", options=("BY=100;R",))
    equal([part["Status"] for part in report(world.inbox(1)[0])], ["5.4.7"], "no promise")
    world.send("c@aware.zz", options=("BY=15;R",))
    equal([part["Status"] for part in report(world.inbox(2)[1])], ["5.4.7"], "too fast for it")
    world.send("d@first.zz", options=("BY=100;N",))
    equal(world.peers[0].mail()[1], ["d@first.zz"], "passed on")
    equal([part["Action"] for part in report(world.inbox(3)[2])], ["relayed"], "told that it was")
    # Each step is told of, where that is asked for.
    world.send("g@aware.zz", options=("BY=100;RT",))
    aware.mail()
    check(re.search(r" BY=\d+;RT$", aware.senders[-1]), "passed on", aware.senders)
    found = world.inbox(4)[3]
    equal([(part["Final-Recipient"].split()[1], part["Action"]) for part in report(found)],
          [("g@aware.zz", "relayed")], "traced")
    check("Deliver-By-Date:" in str(found), "when", str(found))
    # Its time runs out here.
    world.send("e@late.zz", options=("BY=10;RT",))
    world.send("f@late.zz", options=("BY=1;N",))
    equal([(part["Final-Recipient"].split()[1], part["Action"], part["Status"]) for part in report(world.inbox(5)[4])],
          [("f@late.zz", "delayed", "4.4.7")], "told that it is late")
    found = world.inbox(6)[5]
    equal([(part["Final-Recipient"].split()[1], part["Action"], part["Status"]) for part in report(found)],
          [("e@late.zz", "failed", "5.4.7")], "back")
    check("Deliver-By-Date:" in str(found), "when", str(found))
    world.end()


@case("extensions, MT-PRIORITY: what is urgent goes first, and says so where that is understood", own_server=True)
def urgent(start):
    world = World(start)
    late = world.peer("late", extensions=("MT-PRIORITY MIXER",))
    for number, priority in enumerate((0, -9, 4, 9, 0, -1, 4)):
        world.send("a@late.zz", subject=f"{number}", options=("HOLDFOR=600", f"MT-PRIORITY={priority}"))
    world.server.martlet("queue", "hold", "--all")
    world.server.martlet("queue", "release", "--all")
    for _ in range(7):
        late.mail()
    # The first session takes them one by one; further ones may come once it has reached somebody.
    order = [int(re.search(r"MT-PRIORITY=(-?\d+)", line)[1]) for line in late.senders]
    equal((order[0], sorted(order)), (9, [-9, -1, 0, 0, 4, 4, 9]), "priorities")
    world.end()


@case("extensions, REQUIRETLS: only to verified hosts that promise the same; reports of it too; TLS-Required: No the other way", own_server=True)
def require_tls(start):
    with signed_folder() as (path, dns):
        authority = Authority(path)
        names = ("good", "silent", "wrong", "issued", "self", "issued.plain", "other")
        own = {name: authority.self_signed(f"mx.{name}.zz") for name in names}
        # Known to us, and without TLSA records: it counts where signed DNS says that this is the host.
        for name in ("issued", "issued.plain"):
            own[name] = authority.issue(f"mx.{name}.zz")
        own["other"] = authority.issue("mx.another.zz")
        peers = {}

        def prepare(world):
            for name in names:
                peers[name] = world.peer(
                    name, certificate=own[name], extensions=("REQUIRETLS",) if name != "silent" else ())
            peers["open.plain"] = world.peer("open.plain", extensions=("REQUIRETLS",))
            for name in ("good", "silent"):
                world.secure(f"mx.{name}.zz", tlsa(own[name][0]))
            world.secure("mx.wrong.zz", "3 1 1 " + "ab" * 32)

        world = SignedWorld(start, dns, prepare, options=("--set", f"outbound.authorities={authority.certificate}"))
        refused = ("issued.plain", "open.plain", "other", "self", "silent")
        world.send(*(f"a@{name}.zz" for name in ("good", "issued", *refused)), options=("REQUIRETLS", "RET=FULL"))
        for name, assurance in (("good", "dane"), ("issued", "pkix")):
            equal(peers[name].mail()[1], [f"a@{name}.zz"], "recipients")
            check(" REQUIRETLS" in peers[name].senders[0], "passed on", peers[name].senders)
            line = world.delivery(f"a@{name}.zz", "sent")
            check(re.search(rf'tls="TLSv1\.3 \S+ {assurance}"', line), "log line", line)
        found = world.inbox(1)[0]
        equal(sorted((part["Final-Recipient"].split()[1], part["Status"]) for part in report(found)),
              [(f"a@{name}.zz", "5.7.30") for name in refused], "reported")
        check("text/rfc822-headers" in [part.get_content_type() for part in found.walk()], "the header alone", found)
        equal([peers[name].count for name in refused], [0] * len(refused), "copies")
        # Nothing but REQUIRETLS asks for a good certificate there.
        world.send("b@self.zz", "b@other.zz", "b@issued.plain.zz")
        for name in ("self", "other", "issued.plain"):
            equal(peers[name].mail()[1], [f"b@{name}.zz"], "recipients")
        # Its sender would rather have it arrive.
        world.send("b@wrong.zz")
        world.delivery("b@wrong.zz", "deferred")
        world.send("c@wrong.zz", data=written("x\r\n", "TLS-Required: No\r\n"))
        world.server.martlet("queue", "retry", "--all")
        equal(peers["wrong"].mail()[1], ["c@wrong.zz"], "recipients")
        equal([mail["recipients"][0]["address"] for mail in world.queue()], ["b@wrong.zz"], "waiting")
        world.end()


@case("extensions, NO-SOLICITING: kinds that are refused are refused, others are passed on", own_server=True)
def solicitations(start):
    world = World(start, "--set", "limits.refused_solicitations=net.example:ADV")
    aware = world.peer("aware", extensions=("NO-SOLICITING",))
    world.send("a@aware.zz", options=("SOLICIT=org.example:ADV",))
    aware.mail()
    check(aware.senders[0].endswith(" SOLICIT=org.example:ADV"), "passed on", aware.senders)
    try:
        world.send("a@aware.zz", options=("SOLICIT=net.example:ADV:ADLT",))
        check(False, "it was taken")
    except smtplib.SMTPSenderRefused as refusal:
        equal((refusal.smtp_code, refusal.smtp_error[:5]), (550, b"5.7.1"), "reply")
    world.end()
