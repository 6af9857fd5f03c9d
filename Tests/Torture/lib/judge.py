"""Looks at all that is there, over IMAP, and has the store verified; says what is otherwise than it was acknowledged."""
import re

from . import texts
from .ledger import Place, Violation
from .wire import IMAP
from .workers import EVERYBODY

# Flags, UID and text of a FETCH response.
FETCH = re.compile(rb"^\* \d+ FETCH \(")


class Judge:
    """Remembers what may never go back: UIDVALIDITY and UIDNEXT."""

    def __init__(self, allows_leftovers=False):
        # After writes that failed there may be files that nobody refers to.
        self.allows_leftovers = allows_leftovers
        # (account, mailbox) -> (UIDVALIDITY, UIDNEXT)
        self.floors = {}
        self.messages = 0
        self.doubted = 0
        self.happened = 0

    def check(self, server, workers):
        """While nobody works."""
        self.verify(server)
        states = {worker.number: {} for worker in workers}
        for user in EVERYBODY:
            client = IMAP(server.ports["imap"], user)
            try:
                self.look(client, user, states)
            finally:
                client.close()
        for worker in workers:
            for box in worker.ledger.boxes:
                if box not in self.floors:
                    raise Violation(f"mailbox {box} was made, and is not there")
            for (account, mailbox, uid), name in worker.ledger.owners.items():
                if self.floors[account, mailbox][1] <= uid:
                    raise Violation(f"UIDNEXT of {account} {mailbox} is {self.floors[account, mailbox][1]}, and {uid} was {name}")
            try:
                doubted, happened = worker.ledger.settle(states[worker.number])
            except Violation as violation:
                raise Violation(f"worker {worker.number}: {violation}") from None
            self.doubted += doubted
            self.happened += happened

    def verify(self, server):
        code, report = server.run("store", "verify")
        if code != 0 and not (code == 2 and self.allows_leftovers):
            findings = [f"{finding['kind']}: {finding['subject']}: {finding['text']}" for finding in report.get("findings", [])[:20]]
            raise Violation("store verify: " + "\n".join(findings or [str(report)]))

    def look(self, client, user, states):
        _, listed = client.command('LIST "" "*"')
        mailboxes = [line[0].decode().rsplit(" ", 1)[1].strip('"') for line in listed if line[0].startswith(b"* LIST")]
        for account, mailbox in self.floors:
            if account == user and mailbox not in mailboxes:
                raise Violation(f"mailbox {mailbox} of {user} is gone")
        for mailbox in mailboxes:
            answer, lines = client.command(f"EXAMINE {mailbox}")
            told = "\n".join([answer] + [line[0].decode() for line in lines])
            validity, uid_next = (int(re.search(rf"\[{word} (\d+)", told)[1]) for word in ("UIDVALIDITY", "UIDNEXT"))
            count = int(re.search(r"\* (\d+) EXISTS", told)[1])
            before = self.floors.get((user, mailbox))
            if before and (before[0] != validity or before[1] > uid_next):
                raise Violation(f"{user} {mailbox} had UIDVALIDITY and UIDNEXT {before}, and has {(validity, uid_next)}")
            self.floors[user, mailbox] = (validity, uid_next)
            if count:
                self.read(client, user, mailbox, count, states)

    def read(self, client, user, mailbox, count, states):
        _, responses = client.command("UID FETCH 1:* (UID FLAGS BODY.PEEK[])")
        fetched = [response for response in responses if FETCH.match(response[0])]
        if len(fetched) != count:
            raise Violation(f"{user} {mailbox} has {count} messages and gives {len(fetched)}")
        for response in fetched:
            words = b" ".join(response[::2]).decode()
            uid = int(re.search(r"UID (\d+)", words)[1])
            flags = frozenset(re.search(r"FLAGS \(([^)]*)\)", words)[1].split()) - {r"\Recent"}
            name = texts.name_of(response[1])
            if name is None:
                raise Violation(f"UID {uid} of {user} {mailbox} is not as it was: {response[1][:600]}")
            worker = int(name[1:].split(".")[0])
            if worker not in states:
                raise Violation(f"{name} in {user} {mailbox} is nobody's")
            states[worker].setdefault((user, name), []).append(Place(mailbox, uid, flags))
            self.messages += 1

