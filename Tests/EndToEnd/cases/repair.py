"""The store is looked at while it works, and comes back from its packs alone."""
import glob
import json
import os
import re
import smtplib
import threading

from harness import HOST, binary, case, check, command, equal, message


def store(server, *words, ok=(0,)):
    return command(binary(), "store", *words, "--data", server.data, ok=ok)


def shown(server, user):
    """Everything that IMAP shows of an account."""
    with server.imap(user) as client:
        names = sorted(line.decode().rsplit(' "/" ', 1)[1].strip('"') for line in client.list()[1])
        subscribed = sorted(line.decode() for line in client.lsub()[1])
        mailboxes = {}
        for name in names:
            equal(client.select(f'"{name}"')[0], "OK", name)
            status = client.status(f'"{name}"', "(UIDVALIDITY UIDNEXT MESSAGES UNSEEN)")[1]
            parts = client.uid("FETCH", "1:*", "(FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])")[1]
            texts = [part if isinstance(part, bytes) else b" ".join(part) for part in parts if part and part != b")"]
            # \Recent belongs to sessions.
            mailboxes[name] = (status, [re.sub(rb" \\Recent|\\Recent ?", b"", text) for text in texts])
        return names, subscribed, mailboxes


def live_in(server, user):
    """Some of everything that changes a mailbox."""
    for number in range(12):
        body = "x" * 1_300_000 if number == 5 else f"text {number}\r\n"
        server.deliver(user, message(f"letter {number}", "\r\n".join(body[i:i + 900] for i in range(0, len(body), 900))))
    with server.imap(user) as client:
        client.create("Work/2024")
        client.create("Gone")
        client.select()
        client.store("1:3", "+FLAGS", "(\\Seen $Important)")
        client.store("4", "+FLAGS", "(\\Flagged)")
        client.copy("2:5", "Work/2024")
        client.store("7:8", "+FLAGS", "(\\Deleted)")
        client.expunge()
        client.copy("1", "Gone")
        client.delete("Gone")
        client.rename("Work", "Job")
        client.subscribe("Job/2024")
        client.append("Drafts", "(\\Draft)", '"01-Feb-2002 03:04:05 +0100"', message("a draft"))


@case("store verify while mail comes in and is read: nothing is wrong", own_server=True)
def verified_under_load(start):
    server = start(users=6)
    users = [server.user() for _ in range(6)]
    over = threading.Event()
    sent = []

    def work(user):
        with smtplib.SMTP(HOST, server.ports["smtp"], timeout=20) as sender, server.imap(user) as reader:
            for number in range(100_000):
                if over.is_set():
                    return
                sender.sendmail("a@elsewhere.test", [user], message(f"load {number}"))
                sent.append(user)
                reader.select()
                reader.store("*", "+FLAGS", "(\\Seen)")
                if number % 3 == 0:
                    reader.copy("*", "Archive")
                if number % 5 == 0:
                    reader.store("1", "+FLAGS", "(\\Deleted)")
                    reader.expunge()

    workers = [threading.Thread(target=work, args=(user,)) for user in users]
    for worker in workers:
        worker.start()
    try:
        before = len(sent)
        for options in ([], ["--thorough"], ["--rate", "200KB"], []):
            report = json.loads(store(server, "verify", "--json", *options))
            equal(report["findings"], [], "findings")
            check(report["accounts"] >= 6, report)
        check(len(sent) > before, "no mail came in meanwhile")
    finally:
        over.set()
        for worker in workers:
            worker.join(30)
    check("nothing is wrong" in store(server, "verify"))
    server.stop()
    check("nothing is wrong" in store(server, "verify"), "without a server")
    check("nothing to repair" in store(server, "repair"), "repair")


@case("store.db deleted after kill -9: store repair brings back what IMAP showed", own_server=True)
def repaired(start):
    server = start(users=2)
    user, other = server.user(), server.user()
    live_in(server, user)
    server.deliver(other, message("for the other"))
    before = shown(server, user), shown(server, other)
    check("stop it first" in store(server, "repair", "--yes", ok=(1,)), "a repair beside the server")
    server.process.kill()
    server.process.wait()
    for path in glob.glob(server.data + "/store.db*"):
        os.unlink(path)
    refusal = command(binary(), "dev", "--ports", "auto", "--data", server.data, ok=(1,))
    check("store.db is missing" in refusal and "martlet store repair" in refusal, refusal)
    check("nothing was changed" in store(server, "repair", ok=(1,)), "asked by nobody")
    report = json.loads(store(server, "repair", "--yes", "--json"))
    equal((report["outcome"], report["plan"]["source"], report["plan"]["lostCount"]), ("done", "packs", 0), "repair")
    server.start()
    equal((shown(server, user), shown(server, other)), before, "what IMAP shows")
    server.deliver(user, message("after"))
    server.stop()
    equal(json.loads(store(server, "verify", "--json"))["findings"], [], "findings")


@case("a byte flipped in a pack: verify names the message, repair takes out that one alone", own_server=True)
def flipped(start):
    server = start(users=1)
    user = server.user()
    for number in range(20):
        server.deliver(user, message(f"letter {number}", f"the text of number {number}.\r\n"))
    server.stop()
    pack, = glob.glob(server.data + "/packs/*.pack")
    with open(pack, "r+b") as file:
        place = file.read().index(b"the text of number 11.")
        file.seek(place)
        file.write(b"T")
    text = store(server, "verify", ok=(1,))
    check(f"damage: {user} INBOX UID 12: its body" in text and "1 finding" in text, text)
    text = store(server, "repair", "--yes", ok=(2,))
    check(f"{user} INBOX UID 12" in text and "1 message lost" in text, text)
    server.start()
    with server.imap(user) as client:
        client.select()
        uids = client.uid("SEARCH", "ALL")[1][0].split()
        equal(uids, [b"%d" % uid for uid in range(1, 21) if uid != 12], "UIDs")
    server.deliver(user, message("after"))
    with server.imap(user) as client:
        client.select()
        equal(client.uid("SEARCH", "UID", "20:*")[1][0].split(), [b"20", b"21"], "UIDs")
    server.stop()
    check("nothing is wrong" in store(server, "verify"))
