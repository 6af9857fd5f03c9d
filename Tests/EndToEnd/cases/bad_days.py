"""Days on which other servers, the network or the disk are at their worst, and what still arrives."""
import os
import re
import signal
import socket
import subprocess
import tempfile
import time

from harness import case, check, equal, program
from cases.sending import World
from certificates import Authority
from policies import Policies
from world import drip, hang, reset, until


@case("bad days: silence at any point, a reply at an octet a second, no for ever; everybody else's mail arrives at once", own_server=True)
def silence(start):
    with tempfile.TemporaryDirectory(prefix="martlet-bad-") as path:
        certificate = Authority(path).self_signed("mx.peer.zz")
        world = World(start)
        scripts = {
            "greeting": dict(greeting=hang), "ehlo": dict(EHLO=hang), "starttls": dict(STARTTLS=hang, certificate=certificate),
            "mail": dict(MAIL=hang), "rcpt": dict(RCPT=hang), "data": dict(DATA=hang), "dot": dict(message=hang),
            "drips": dict(greeting=drip), "dripsmail": dict(MAIL=drip), "later": dict(MAIL="451 4.3.2 later"),
            "never": dict(RCPT="450 4.2.1 never today"), "resetsdot": dict(message=reset), "twice": dict(EHLO="250-a\r\n350 b"),
        }
        for name, script in scripts.items():
            world.peer(name, **script)
        # Takes connections and is too busy even to accept them.
        full = socket.socket()
        full.bind(("127.0.0.99", world.port))
        full.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(("127.0.0.99", world.port))
        world.dns.zone["connect.zz"] = {"MX": [(10, "mx.connect.zz")]}
        world.dns.zone["mx.connect.zz"] = {"A": ["127.0.0.99"]}
        # A hundred hosts that nobody answers at, and one that does, of which none is asked for.
        world.dns.zone["many.zz"] = {"MX": [(number, f"mx{number}.many.zz") for number in range(100)]}
        for number in range(100):
            world.dns.zone[f"mx{number}.many.zz"] = {"A": ["127.0.0.98"]}
        names = [*scripts, "connect", "many"]
        for name in names:
            world.send(f"a@{name}.zz", subject=name)
        # Says nothing to QUIT either.
        world.peer("quits", QUIT=hang)
        for number in range(20):
            began = time.monotonic()
            world.send("a@first.zz", "a@quits.zz", subject=f"good {number}")
            for peer in (world.peers[0], world.peers[-1]):
                peer.mail(10)
            check(time.monotonic() - began < 5, "a good one took", time.monotonic() - began)
        for name in ("later", "never", "resetsdot", "twice", "many"):
            world.delivery(f"a@{name}.zz", "deferred")
        equal(len(until(lambda: len(world.queue()) == len(names) and world.queue(), "the good ones gone")), len(names), "waiting")
        with world.server.imap(world.alice) as client:
            equal(client.select()[1], [b"0"], "reports")
        taken = world.server.stop()
        check(taken < 5, "it waits for nobody when it stops:", taken)
        for one in [full, *waiting]:
            one.close()
        world.end()


@case("bad days: a certificate that is out of date holds mail back under MTA-STS; others' mail arrives", own_server=True)
def expired(start):
    with tempfile.TemporaryDirectory(prefix="martlet-bad-") as path:
        authority = Authority(path)
        web = Policies("127.0.0.1", authority.issue("mta-sts.old.zz"))
        old = {}

        def prepare(world):
            old["peer"] = world.peer("old", certificate=authority.issue("mx.old.zz", days=-1))
            web.texts["mta-sts.old.zz"] = "version: STSv1\nmode: enforce\nmx: mx.old.zz\nmax_age: 86400\n"
            world.dns.zone["mta-sts.old.zz"] = {"A": [web.address]}
            world.dns.zone["_mta-sts.old.zz"] = {"TXT": ["v=STSv1; id=1;"]}

        world = World(start, "--set", f"outbound.authorities={authority.certificate}",
                      "--set", f"outbound.policy_port={web.port}", prepare=prepare)
        world.send("a@old.zz", "b@first.zz")
        equal(world.peers[0].mail()[1], ["b@first.zz"], "recipients")
        check("expired" in world.delivery("a@old.zz", "deferred"), "the reason")
        equal(old["peer"].count, 0, "messages")
        world.end()
        web.close()


@case("bad days: a disk that is full while mail goes out loses and doubles nothing, and all goes on when it has room", own_server=True)
def full_disk(start):
    world = World(start)
    late = world.peer("late", MAIL="451 4.3.2 not now")
    for number in range(30):
        world.send("a@late.zz", subject=f"number {number}")
    until(lambda: world.log().count("status=deferred") >= 30, "all put off")
    process = world.server.process.pid
    # What is written to files fails, and sockets go on.
    disk = subprocess.Popen(
        [program("strace"), "-f", "-qq", "-p", str(process), "-e", "trace=pwrite64,pwritev,fdatasync,fsync",
         "-e", "inject=pwrite64,pwritev,fdatasync,fsync:error=ENOSPC", "-o", os.devnull])
    try:
        time.sleep(1)
        late.replies["MAIL"] = ["250 ok"]
        until(lambda: "queue_not_noted" in world.log(), "a result that can't be written", 40)
        # Long enough for another attempt, if there were one.
        time.sleep(5)
        check(late.count <= 20, "messages that went out without a note:", late.count)
    finally:
        disk.send_signal(signal.SIGINT)
        disk.wait(20)
    until(lambda: not world.queue(), "an empty queue", 90)
    subjects = [re.search(rb"Subject: (.*?)\r\n", late.mail()[2])[1].decode() for _ in range(late.count)]
    equal(sorted(subjects), sorted(f"number {number}" for number in range(30)), "subjects, each once")
    world.send("b@first.zz")
    equal(world.peers[0].mail()[1], ["b@first.zz"], "the next one")
    world.server.martlet("store", "verify")
    world.end()
