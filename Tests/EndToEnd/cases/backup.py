"""A backup is made while mail comes in, and comes back: all of it, or what is missing."""
import json
import os
import re
import smtplib
import threading

from cases.push import RawIMAP
from harness import HOST, binary, case, check, command, equal, message


def store(server, *words, data=None, ok=(0,)):
    return command(binary(), "store", *words, "--data", data or server.data, ok=ok)


@case("store backup under load, restored whole: every message acknowledged before is there with its UID", own_server=True)
def whole(start):
    server = start(users=4)
    users = [server.user() for _ in range(4)]
    place = server.scratch + "/backup"
    over = threading.Event()
    sent = {user: 0 for user in users}
    for number in range(200):
        server.deliver(users[number % 4], message(f"before {number}"))

    def work(user):
        with smtplib.SMTP(HOST, server.ports["smtp"], timeout=20) as sender:
            while not over.is_set():
                sender.sendmail("a@elsewhere.test", [user], message(f"load {sent[user]}"))
                sent[user] += 1

    workers = [threading.Thread(target=work, args=(user,)) for user in users]
    for worker in workers:
        worker.start()
    try:
        reports = []
        for _ in range(3):
            acknowledged = dict(sent)
            reports.append(json.loads(store(server, "backup", place, "--verify", "--json")))
        equal([report["verification"]["findings"] for report in reports], [[], [], []], "findings")
        check(reports[2]["copiedOctets"] < reports[2]["octets"], "all was copied again", reports)
    finally:
        over.set()
        for worker in workers:
            worker.join(30)
    check("lies in the data directory" in store(server, "backup", server.data + "/backup", ok=(1,)))
    check("stop it first" in store(server, "restore", place, ok=(1,)), "a whole restore beside the server")
    uids = {}
    validity = {}
    for user in users:
        with server.imap(user) as client:
            client.select()
            uids[user] = client.uid("SEARCH", "ALL")[1][0].split()
            validity[user] = client.response("UIDVALIDITY")[1]
    server.stop()

    check("--replace" in store(server, "restore", place, ok=(1,)), "a store stands in the way")
    target = server.scratch + "/restored"
    report = json.loads(store(server, "restore", place, "--json", data=target))
    equal(report["verification"]["findings"], [], "findings")
    server.data = target
    server.start()
    for user in users:
        with server.imap(user) as client:
            client.select()
            equal(client.response("UIDVALIDITY")[1], validity[user], "UIDVALIDITY")
            there = client.uid("SEARCH", "ALL")[1][0].split()
            check(len(there) >= 50 + acknowledged[user], f"{len(there)} messages of {50 + acknowledged[user]}")
            equal(there, uids[user][:len(there)], "UIDs")
            seen = max(int(uid) for uid in uids[user])
        server.deliver(user, message("after"))
        with server.imap(user) as client:
            client.select()
            new = int(client.uid("SEARCH", "ALL")[1][0].split()[-1])
            check(new > seen, f"UID {new} is given again")
    server.stop()
    check("nothing is wrong" in store(server, "verify"))


@case("store restore of one mailbox into the running server is seen by an IDLE connection", own_server=True)
def additive(start):
    server = start(users=2)
    user, other = server.user(), server.user()
    for number in range(12):
        server.deliver(user, message(f"letter {number}", "x" * 900 + "\r\n" if number != 5 else ("x" * 900 + "\r\n") * 1_500))
    with server.imap(user) as client:
        client.select()
        client.store("2:4", "+FLAGS", "(\\Flagged $Important)")
        before = client.uid("FETCH", "2:6", "(FLAGS INTERNALDATE BODY.PEEK[])")[1]
    # By a path that the server, which is elsewhere, could not find.
    program, where = binary(), os.getcwd()
    os.chdir(server.scratch)
    try:
        command(program, "store", "backup", "copy", "--data", server.data)
    finally:
        os.chdir(where)
    place = server.scratch + "/copy"
    with server.imap(user) as client:
        client.select()
        client.store("2:6", "+FLAGS", "(\\Deleted)")
        client.expunge()
    words = ["restore", place, "--account", user, "--mailbox", "INBOX"]
    check("5 messages would be restored" in store(server, *words, "--dry-run"), "dry run")
    watcher = RawIMAP(server, user)
    watcher.send("a3 IDLE")
    watcher.until(b"+ ")
    check("5 restored, 7 there already" in store(server, *words), "restore")
    watcher.until(b"* 12 EXISTS")
    watcher.send("DONE")
    watcher.until(b"a3 OK")
    watcher.close()
    check("0 restored, 12 there already" in store(server, *words), "again")
    with server.imap(user) as client:
        client.select()
        after = client.uid("FETCH", "13:17", "(FLAGS INTERNALDATE BODY.PEEK[])")[1]
        equal(texts(after), texts(before), "what came back")
    check("1 restored" in store(server, *words, "--message", "3", "--into", "Back"), "one message")
    check("no account" in store(server, "restore", place, "--account", "nobody@example.test", ok=(1,)))
    store(server, "restore", place, "--account", other)
    server.stop()
    check("nothing is wrong" in store(server, "verify"))


def texts(parts):
    """Flags, internal date and text, without the numbers that change; \\Recent belongs to sessions."""
    result = []
    for head, text in (part for part in parts if isinstance(part, tuple)):
        flags = re.search(rb"FLAGS \((.*?)\)", head).group(1).split()
        date = re.search(rb'INTERNALDATE "(.*?)"', head).group(1)
        result.append((sorted(flag for flag in flags if flag != b"\\Recent"), date, text))
    return result
