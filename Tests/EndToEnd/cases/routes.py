"""Mail that takes other ways than MX records: routes, transports, LMTP, and what TLS they demand."""
import os
import re

from certificates import Authority, tlsa
from harness import binary, case, check, command, equal
from cases.sending import World, report
from cases.sending_tls import SignedWorld, folder, signed_folder
from world import Peer, until


def listed(path, *words):
    """A configuration file that says what flags cannot."""
    with open(path, "w") as file:
        file.write("\n".join(words) + "\n")
    return "--config", path


@case("routes: by recipient and sender, to a server, over LMTP and back; one message for all domains of one server", own_server=True)
def routed(start):
    with folder() as path:
        made = {}

        def prepare(world):
            made["hub"] = world.peer("hub")
            made["bulk"] = world.peer("bulk")
            made["lmtp"] = Peer("127.0.0.1", 0, message=["250 2.1.5 kept", "452 4.2.2 full", "550 5.2.1 disabled"])
            made["socket"] = Peer(os.path.join(path, "lmtp"), None)

        # What a file names has to be known before the server starts.
        file = os.path.join(path, "martlet.yaml")
        peers = {}

        def configure(world):
            prepare(world)
            peers.update(made)
            listed(
                file, "outbound:", "  transports:",
                "    - name: hub", f"      server: smtp://{made['hub'].address}:{made['hub'].port}", "      tls: opportunistic",
                f"    - {{name: bulk, server: 'smtp://{made['bulk'].address}:{made['bulk'].port}', tls: opportunistic}}",
                f"    - archive=lmtp://127.0.0.1:{made['lmtp'].port}",
                f"    - local=lmtp://{path}/lmtp",
                "    - name: closed", "      refuse: We do not write to them.",
                "  routes:", "    - closed.zz=closed", "    - {to: [.far.zz, near.zz], transport: hub}",
                "    - {from: news.zz, transport: bulk}", "    - archive.zz=archive", "    - local.zz=local")

        world = World(start, "--config", file, prepare=configure)
        world.send("a@one.far.zz", "b@near.zz", "c@two.far.zz", "d@first.zz", subject="three and one")
        _, recipients, _ = peers["hub"].mail()
        equal(recipients, ["a@one.far.zz", "b@near.zz", "c@two.far.zz"], "recipients at the hub, of one message")
        equal(world.peers[0].mail()[1], ["d@first.zz"], "by MX records")
        world.server.martlet("domain", "add", "news.zz")
        carol = world.server.account("carol@news.zz")
        world.send("e@first.zz", "f@near.zz", sender=carol)
        equal(peers["bulk"].mail()[1], ["e@first.zz"], "by the sender")
        equal(peers["hub"].mail()[1], ["f@near.zz"], "the first route that matches")

        world.send("x@archive.zz", "y@archive.zz", "z@archive.zz", parameters=("NOTIFY=SUCCESS,FAILURE",))
        equal(peers["lmtp"].mail()[1], ["x@archive.zz", "y@archive.zz", "z@archive.zz"], "recipients by LMTP")
        for address, status in (("x", "sent"), ("y", "deferred"), ("z", "bounced")):
            world.delivery(f"{address}@archive.zz", status)
        peers["lmtp"].replies["message"] = ["250 2.1.5 kept"]
        equal(peers["lmtp"].mail()[1], ["y@archive.zz"], "the one that was full, and nobody else")
        world.send("s@local.zz")
        equal(peers["socket"].mail()[1], ["s@local.zz"], "by a socket")

        world.send("n@closed.zz")
        found = [part for text in world.inbox(3) if text.get_content_type() == "multipart/report" for part in report(text)]
        states = {part["Final-Recipient"].split(";")[1].strip(): (part["Action"], part["Status"]) for part in found}
        equal(states["z@archive.zz"], ("failed", "5.2.1"), "what LMTP refused")
        equal(states["x@archive.zz"][0], "delivered", "what LMTP took")
        equal(states["n@closed.zz"], ("failed", "5.7.1"), "what goes nowhere")
        check(any("We do not write to them." in str(text) for text in world.inbox(3)), "the words")

        # What waits goes by the routes of the next start, also what is held.
        peers["hub"].replies["MAIL"] = ["451 4.3.2 not now"]
        world.send("g@near.zz", "h@far.far.zz")
        world.delivery("g@near.zz", "deferred")
        waiting = world.queue("--to", "near.zz")[0]
        equal({part["transport"] for part in waiting["recipients"]}, {"hub"}, "transport")
        check("by        hub" in world.server.martlet("queue", "show", str(waiting["id"])), "queue show")
        world.server.martlet("queue", "hold", "--to", "far.far.zz")
        world.server.stop()
        with open(file) as text:
            changed = text.read().replace("near.zz], transport: hub", "near.zz], transport: bulk")
        with open(file, "w") as text:
            text.write(changed)
        world.server.start()
        equal(peers["bulk"].mail()[1], ["g@near.zz"], "after the change")
        world.server.martlet("queue", "release", "--all")
        equal(peers["bulk"].mail()[1], ["h@far.far.zz"], "what was held")
        until(lambda: not world.queue(), "an empty queue")
        world.server.martlet("store", "verify")

        broken = os.path.join(path, "broken.yaml")
        listed(broken, "hostname: a.example.org", "outbound:", "  routes: [a.zz=hbu]", "  transports: [hub=smtp://x.zz]")
        said = command(binary(), "config", "check", "--config", broken, ok=(78,))
        check('one of direct, hub, not "hbu"; did you mean hub?' in said, "config check", said)
        world.end()
        for peer in (made["lmtp"], made["socket"]):
            peer.close()


@case("routes: the least TLS of a route holds whatever a domain asks for", own_server=True)
def minimum(start):
    with signed_folder() as (path, dns):
        authority = Authority(path)
        issued = authority.issue("mx.good.zz")
        own = authority.self_signed("mx.own.zz")
        danes = authority.self_signed("mx.dane.zz")
        file = os.path.join(path, "martlet.yaml")
        peers = {}

        def prepare(world):
            for name, certificate in (("bare", None), ("own", own), ("good", issued), ("dane", danes)):
                peers[name] = world.peer(name, certificate=certificate)
                # The same hosts, for domains of which more is demanded.
                for level in ("required", "verified", "dane"):
                    world.dns.zone[f"{name}.{level}.zz"] = {"MX": [(10, f"mx.{name}.zz")]}
            world.secure("mx.dane.zz", tlsa(danes[0]))
            listed(
                file, "outbound:", f"  authorities: {authority.certificate}", "  routes:",
                *(f"    - {{to: .{level}.zz, tls: {level}}}" for level in ("required", "verified", "dane")))

        world = SignedWorld(start, dns, prepare, options=("--config", file))
        wanted = {
            "": ["bare", "own", "good", "dane"], "required.": ["own", "good", "dane"], "verified.": ["good", "dane"],
            "dane.": ["dane"],
        }
        addresses = [f"a@{name}.{level}zz" for level in wanted for name in peers]
        world.send(*addresses)
        for address in addresses:
            name, level = re.fullmatch(r"a@(\w+)\.(\w+\.)?zz", address).groups()
            line = world.delivery(address, "sent" if name in wanted[level or ""] else "deferred")
            if name == "bare" and not level:
                check("plaintext" in line, "log line", line)
        for name, count in (("bare", 1), ("own", 2), ("good", 3), ("dane", 4)):
            equal(peers[name].count, count, f"messages at {name}")
        world.end()
