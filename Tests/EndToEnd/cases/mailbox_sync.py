"""mbsync: two-way synchronisation."""
import os

from harness import HOST, PASSWORD, case, check, command, equal, message, program


def configuration(server, user, folder, tls):
    security, port = ("IMAPS", "imaps") if tls == "implicit" else ("STARTTLS", "imap")
    path = os.path.join(folder, "mbsyncrc")
    with open(path, "w") as file:
        file.write(f"""
IMAPAccount martlet
Host {HOST}
Port {server.ports[port]}
User {user}
Pass "{PASSWORD}"
SSLType {security}
SystemCertificates no
CertificateFile {server.ca}

IMAPStore far
Account martlet

MaildirStore near
Path {folder}/mail/
Inbox {folder}/mail/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Both
Expunge Both
SyncState *
CopyArrivalDate yes
""")
    return path


def near(folder):
    return sorted(
        os.path.relpath(os.path.join(place, name), folder)
        for place, _, names in os.walk(os.path.join(folder, "mail")) for name in names if not name.startswith("."))


def far(server, user):
    found = []
    with server.imap(user) as client:
        for line in client.list()[1]:
            name = line.decode().split(' "/" ')[1]
            client.select(name, readonly=True)
            found.append((name, client.fetch("1:*", "(UID FLAGS)")[1] if client.search(None, "ALL")[1][0] else []))
    return found


@case("mbsync pulls, pushes, and has nothing to do the second time")
def two_ways(server):
    for tls in ("implicit", "STARTTLS"):
        user = server.user()
        folder = os.path.join(server.scratch, user)
        os.makedirs(os.path.join(folder, "mail"))
        run = (program("mbsync"), "-V", "-c", configuration(server, user, folder, tls), "-a")
        for number in range(20):
            server.deliver(user, message(f"number {number}", "text\r\n" * number))
        with server.imap(user) as client:
            client.append("Sent", r"(\Seen)", None, message("was sent"))
            client.create("Lists/Swift")
            client.append("Lists/Swift", None, None, message("on a list"))
        command(*run)
        equal(len([path for path in near(folder) if "/cur/" in path or "/new/" in path]), 22, "messages pulled")

        # A new message, a flag, a deletion and a new mailbox on the near side; a flag and a deletion on the far side.
        inbox = [path for path in near(folder) if path.startswith("mail/INBOX/")]
        where = os.path.join(folder, inbox[0])
        os.rename(where, os.path.join(folder, "mail/INBOX/cur", os.path.basename(where).split(":")[0] + ":2,FS"))
        os.remove(os.path.join(folder, inbox[1]))
        with open(os.path.join(folder, "mail/INBOX/new/1.near"), "wb") as file:
            file.write(message("from the near side").replace(b"\r\n", b"\n"))
        for part in ("cur", "new", "tmp"):
            os.makedirs(os.path.join(folder, "mail/Made here", part))
        with server.imap(user) as client:
            client.select()
            client.store("20", "+FLAGS", r"(\Answered)")
            client.store("19", "+FLAGS", r"(\Deleted)")
            client.expunge()
        command(*run)
        after = (near(folder), far(server, user))
        with server.imap(user) as client:
            equal(client.select()[1], [b"19"], "messages after both sides changed")
            equal(client.search(None, "FLAGGED", "SEEN")[1], [b"1"], "flags pushed")
            equal(client.search(None, "SUBJECT", '"near side"')[1], [b"19"], "message pushed")
        check(any(name == '"Made here"' for name, _ in after[1]), "the new mailbox was not pushed")

        output = command(*run)
        check((near(folder), far(server, user)) == after, "the second run changed something:\n" + output)
