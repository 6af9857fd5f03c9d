"""Deleted mail comes back."""
import json

from harness import binary, case, check, command, equal, message

from cases.push import RawIMAP


def martlet(server, *arguments, ok=(0,)):
    return command(binary(), "message", *arguments, "--data", server.data, ok=ok)


@case("undelete: what was expunged is listed, comes back with its flags, and an IDLE connection sees it")
def undelete(server):
    user = server.user()
    for subject in ("keep", "lose", "lose too"):
        server.deliver(user, message(subject))
    with server.imap(user) as client:
        client.select()
        client.store("2", "+FLAGS", r"(\Flagged \Deleted)")
        client.store("3", "+FLAGS", r"(\Deleted)")
        equal(sorted(client.expunge()[1]), [b"2", b"3"], "expunged, the last first")
    deleted = json.loads(martlet(server, "list", user, "--deleted", "--json"))["messages"]
    equal(sorted(entry["subject"] for entry in deleted), ["lose", "lose too"], "deleted messages")
    check(all(entry["mailbox"] == "INBOX" and "someone@elsewhere.test" in entry["from"] for entry in deleted), deleted)
    wanted = next(entry for entry in deleted if entry["subject"] == "lose")

    idle = RawIMAP(server, user)
    idle.send("a3 IDLE")
    idle.until(b"+ ")
    martlet(server, "restore", user, wanted["id"])
    idle.until(b"* 2 EXISTS")
    idle.send("DONE")
    idle.until(b"a3 OK")
    idle.close()
    with server.imap(user) as client:
        client.select()
        found = client.fetch("2", "(UID FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1]
        text = b" ".join(part if isinstance(part, bytes) else b" ".join(part) for part in found)
        check(b"Subject: lose\r\n" in text and b"UID 4" in text, text)
        check(rb"\Flagged" in text and rb"\Deleted" not in text, text)
    # The ID is not there any more, and the other message is.
    martlet(server, "restore", user, wanted["id"], ok=(1,))
    report = json.loads(martlet(server, "restore", user, "--mailbox", "INBOX", "--into", "Rescued", "--json"))
    equal([entry["mailbox"] for entry in report["restored"]], ["Rescued"], "restored")
    equal(json.loads(martlet(server, "list", user, "--mailbox", "Rescued", "--json"))["messages"][0]["subject"], "lose too", "subject")
