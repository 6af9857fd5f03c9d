"""What an account may send: as whom, to which groups, and how much."""
import json

from harness import HOST, PASSWORD, case, check, command, equal, program
from cases.sending import World


def swaks(world, *arguments, sender="alice@example.test", author=None, ok=(0,)):
    """Submits as alice and returns the dialogue."""
    return command(
        program("swaks"), "--server", HOST, "--port", str(world.server.ports["submissions"]), "--tls-on-connect",
        "--timeout", "30", "--auth", "PLAIN", "--auth-user", "alice@example.test", "--auth-password", PASSWORD,
        "--from", sender, "--header", f"From: {author or sender}", *arguments, ok=ok)


@case("submission: as whom an account sends is its own, and what a command allows", own_server=True)
def senders(start):
    world = World(start)
    martlet = world.server.martlet
    world.server.account("bob@example.test")
    martlet("alias", "add", "team@example.test", "alice@example.test", "bob@example.test")
    to = ("--to", "bob@example.test")
    # 23: MAIL refused, 26: refused after the data.
    output = swaks(world, *to, sender="boss@example.test", author="alice@example.test", ok=(23,))
    command_named = "martlet account send-as alice@example.test add boss@example.test"
    check("553 5.7.1" in output and command_named in output, output)
    output = swaks(world, *to, author="Boss <boss@example.test>", ok=(26,))
    check("550 5.7.1" in output and command_named in output, output)
    swaks(world, *to, sender="team@example.test", ok=(23,))
    check("may send as" in martlet(*command_named.split()[1:]), "reply")
    swaks(world, *to, sender="boss@example.test", author="Boss <Boss+x@example.test>")
    martlet("alias", "add", "team@example.test", "alice@example.test", "bob@example.test", "--members-send")
    swaks(world, *to, sender="team@example.test")
    # Durable: after a crash, and where store.db is lost.
    world.server.kill()
    world.server.start()
    swaks(world, *to, sender="boss@example.test")
    world.server.stop()
    for name in ("store.db", "store.db-wal", "store.db-shm"):
        path = f"{world.server.data}/{name}"
        command("rm", "-f", path)
    martlet("store", "repair", "--yes")
    world.server.start()
    swaks(world, *to, sender="boss@example.test")
    swaks(world, *to, sender="team@example.test")
    equal(json.loads(martlet("account", "send-as", "alice@example.test", "list", "--json")), ["boss@example.test"], "list")
    martlet("account", "send-as", "alice@example.test", "remove", "boss@example.test")
    swaks(world, *to, sender="boss@example.test", ok=(23,))
    world.end()


@case("submission: a group of members only is closed to others, nested, and known by login alone", own_server=True)
def groups(start):
    world = World(start)
    martlet = world.server.martlet
    for name in ("bob", "carol"):
        world.server.account(f"{name}@example.test")
    martlet("alias", "add", "inner@example.test", "bob@example.test", "f@first.zz")
    martlet("alias", "add", "all@example.test", "inner@example.test", "alice@example.test", "--senders", "members")
    swaks(world, "--to", "all@example.test")
    equal(world.peers[0].mail()[1], ["f@first.zz"], "outside member")
    equal(len(world.inbox(1)), 1, "alice's copy")
    # 24: no recipient was taken.
    output = command(
        program("swaks"), "--server", HOST, "--port", str(world.server.ports["smtp"]), "--from", "alice@example.test",
        "--to", "all@example.test", ok=(24,))
    check("550 5.7.2" in output, output)
    martlet("alias", "add", "all@example.test", "inner@example.test", "--senders", "carol@example.test")
    check("550 5.7.2" in swaks(world, "--to", "all@example.test", ok=(24,)), "not among the accounts")
    aliases = {alias["pattern"]: alias for alias in json.loads(martlet("alias", "list", "--json"))}
    equal(aliases["all@example.test"]["senders"], "carol@example.test", "senders")
    world.end()


@case("submission: an account sends so much to other servers, and a command shows and changes it", own_server=True)
def limits(start):
    world = World(start, "--set", "submission.new_recipients_per_day=3")
    martlet = world.server.martlet

    def used():
        details = json.loads(martlet("account", "show", "alice@example.test", "--json"))
        return {limit["name"]: (limit["used"], limit["limit"]) for limit in details["sending"]}

    output = swaks(world, "--to", ",".join(f"r{number}@first.zz" for number in range(5)) + ",alice@example.test")
    equal(output.count("450-4.7.1"), 2, "recipients beyond the limit")
    check("3 new recipients a day" in output, output)
    equal(world.peers[0].mail()[1], ["r0@first.zz", "r1@first.zz", "r2@first.zz"], "sent to")
    equal(used()["new_recipients_per_day"], (3, 3), "used")
    equal(used()["messages_per_day"], (1, 500), "messages")
    world.server.kill()
    world.server.start()
    swaks(world, "--to", "r9@first.zz", ok=(24,))
    swaks(world, "--to", "r1@first.zz")
    world.peers[0].mail()
    lines = [line for line in world.log().splitlines() if "sending_limit_reached" in line]
    equal(len(lines), 2, "one line an hour and start")
    check("level=warning" in lines[0] and "user=alice@example.test" in lines[0], lines[0])
    martlet("account", "limit", "alice@example.test", "--new-recipients-per-day", "0", "--messages-per-hour", "3")
    swaks(world, "--to", "r9@first.zz")
    check("3 messages an hour" in swaks(world, "--to", "r9@first.zz", ok=(24,)), "messages an hour")
    # Mail for mailboxes here goes on.
    swaks(world, "--to", "alice@example.test")
    martlet("account", "limit", "alice@example.test", "--messages-per-hour", "default")
    equal(used()["messages_per_hour"], (3, 200), "taken back")
    metrics = json.loads(martlet("store", "stats", "--json"))["metrics"]
    check(any("martlet_submission_limit_refusals_total" in metric["name"] for metric in metrics), "metrics")
    world.end()
