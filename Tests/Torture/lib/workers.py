"""Workers: each changes messages of its own, one change after the other, among the others in the same mailboxes."""
import random
import re
import threading

from . import texts
from .ledger import Ledger, Place, Violation
from .wire import IMAP, POP3, SMTP, Lost, Refused, numbers

USERS = [f"user{number}@torture.test" for number in range(4)]
POPPERS = [f"pop{number}@torture.test" for number in range(2)]
EVERYBODY = USERS + POPPERS
FLAGS = [r"\Seen", r"\Answered", r"\Flagged", r"\Deleted", r"\Draft", "$Forwarded", "torture"]
# With more messages than this a worker makes no new ones.
LIMIT = 30
# One step of so many brings back something that was expunged.
UNDELETING = 60
# Octets beyond which a body gets a file of its own.
LARGE = 1 << 20


class Worker:
    def __init__(self, number, seed):
        self.number = number
        self.random = random.Random(f"{seed} {number}")
        self.ledger = Ledger()
        self.made = 0
        self.connections = {}
        self.server = None
        self.ports = None
        self.violation = None
        # May the server refuse what is right? Only where the disk is full or fails.
        self.may_refuse = False
        # One body in so many is larger than LARGE.
        self.large = 150
        self.stopping = threading.Event()
        self.lost = None

    def live(self, server):
        """Works until the server is gone or `stopping` is set."""
        self.server = server
        self.ports = server.ports
        self.lost = None
        try:
            while not self.stopping.is_set():
                self.step()
        except Lost as lost:
            self.lost = str(lost)
        except Violation as violation:
            self.violation = violation
        except Exception as error:
            self.violation = Violation(f"worker {self.number}: {type(error).__name__}: {error}")
            self.violation.__cause__ = error

    def hang_up(self):
        for connection in self.connections.values():
            connection.close()
        self.connections = {}

    def connection(self, kind, user=None):
        if (kind, user) not in self.connections:
            if kind == "imap":
                made = IMAP(self.ports["imap"], user)
            else:
                made = SMTP(self.ports[kind], lmtp=kind == "lmtp")
            self.connections[kind, user] = made
        return self.connections[kind, user]

    def imap(self, user):
        return self.connection("imap", user)

    def step(self):
        raise NotImplementedError

    def change(self, after, act):
        """`act` makes the change and returns the state with all that the answer has told; `after` is that state as far as it is
        known before."""
        self.ledger.intend(after)
        try:
            state = act()
        except Refused as refusal:
            self.refuse(refusal)
        else:
            self.ledger.accept(state)
            self.ledger.acknowledged += 1

    def refuse(self, refusal):
        # "452 4.3.1", "NO [UNAVAILABLE]", "-ERR": what kind of answer it was, for the summary.
        match = re.search(r"^\d{3} [\d.]+|(NO|BAD)( \[[A-Z]+)?|-ERR( \[[A-Z/]+)?", str(refusal))
        kind = match[0] if match else str(refusal)
        self.ledger.refused[kind] = self.ledger.refused.get(kind, 0) + 1
        if not self.may_refuse or not (kind.startswith(("4", "NO", "-ERR"))):
            raise Violation(f"worker {self.number} was refused: {refusal}")

    # What there is to choose from

    def new_name(self, size=None):
        self.made += 1
        if size is None:
            if self.random.randrange(self.large) == 0:
                size = self.random.randint(LARGE + 1, LARGE * 3 // 2)
            else:
                size = int(10 ** self.random.uniform(2.2, 4.6))
        return f"w{self.number}.{self.made}.{size}"

    def some_flags(self):
        return frozenset(flag for flag in FLAGS if self.random.randrange(3) == 0)

    def mailboxes(self):
        return ["INBOX", "Archive", "Trash", self.own_box]

    @property
    def own_box(self):
        return f"w{self.number}"

    def need_own_box(self, user):
        if (user, self.own_box) not in self.ledger.boxes:
            try:
                self.imap(user).command(f"CREATE {self.own_box}")
            except Refused as refusal:
                if "ALREADYEXISTS" not in str(refusal):
                    raise
            self.ledger.boxes.add((user, self.own_box))

    def chosen(self, users):
        """Some messages in one mailbox: (user, mailbox, {UID: name}), or None."""
        places = [(user, name, place) for (user, name), places in self.ledger.state.items() for place in places if user in users]
        if not places:
            return None
        user, _, one = self.random.choice(places)
        take_all = self.random.randrange(4) == 0
        result = {}
        for other_user, name, place in places:
            if other_user == user and place.mailbox == one.mailbox and (place == one or take_all or self.random.randrange(6) == 0):
                uid = place.uid if place.uid is not None else self.resolve(user, name, place)
                if uid is not None:
                    result[uid] = name
        return (user, one.mailbox, result) if result else None

    def resolve(self, user, name, place):
        """SMTP tells no UID: asks for it."""
        try:
            client = self.imap(user)
            client.select(place.mailbox)
            # A session is told what is new at the end of a command, so the search is to be the one after that.
            client.command("NOOP")
            _, untagged = client.command(f"UID SEARCH HEADER X-Torture {name}")
        except Refused as refusal:
            self.refuse(refusal)
            return None
        found = next((line[0].split()[2:] for line in untagged if line[0].startswith(b"* SEARCH")), [])
        if len(found) != 1:
            raise Violation(f"{name} of {user} was acknowledged and is there {len(found)} times")
        uid = int(found[0])
        state = dict(self.ledger.state)
        state[user, name] = [place._replace(uid=uid) if other is place else other for other in state[user, name]]
        # Knowledge, not a change: what is in doubt stays in doubt.
        doubts = self.ledger.doubts
        self.ledger.accept(state)
        self.ledger.doubts = doubts
        return uid

    # Changes

    def deliver(self):
        name = self.new_name()
        kind = self.random.choice(["smtp", "smtp", "lmtp"])
        if self.random.randrange(5) == 0:
            users = self.random.sample(EVERYBODY, len(EVERYBODY))
        else:
            users = self.random.sample(USERS, self.random.choice([1, 1, 1, 2]))
        self.deliver_to(users, name, kind)

    def deliver_to(self, users, name, kind):
        delivered = [Place("INBOX", None, frozenset())]
        before = dict(self.ledger.state)

        def having(users):
            return {**before, **{(user, name): delivered for user in users}}

        def act():
            client = self.connection(kind)
            replies = []
            try:
                # All of them, whatever they say: the next command's come after these.
                for reply in client.deliver(users, texts.text(name), chunked=self.random.randrange(3) == 0):
                    replies.append(reply)
            finally:
                # LMTP answers for each recipient, and each answer counts.
                if kind == "lmtp" and len(replies) < len(users):
                    self.ledger.state = having(user for user, reply in zip(users, replies) if reply.startswith(b"250"))
            if kind == "smtp":
                replies *= len(users)
            refused = [reply for reply in replies if not reply.startswith(b"250")]
            if len(refused) == len(users):
                raise Refused(refused[0].decode())
            if refused:
                self.refuse(refused[0].decode())
            return having(user for user, reply in zip(users, replies) if reply.startswith(b"250"))

        self.change(having(users), act)

    def append(self):
        user = self.random.choice(USERS)
        mailbox = self.random.choice(self.mailboxes())
        names = [self.new_name() for _ in range(3 if self.random.randrange(4) == 0 else 1)]
        flags = self.some_flags()
        before = dict(self.ledger.state)

        def after(uids):
            return {**before, **{(user, name): [Place(mailbox, uid, flags)] for name, uid in zip(names, uids)}}

        def act():
            self.need_own_box(user)
            parts = [f"APPEND {mailbox}"]
            for name in names:
                parts += [f" ({' '.join(sorted(flags))}) ", texts.text(name)]
            answer, _ = self.imap(user).command(*parts)
            uids = numbers(re.search(r"APPENDUID \d+ ([\d:,]+)", answer)[1])
            if len(uids) != len(names):
                raise Violation(f"{len(names)} messages were appended, {answer}")
            return after(uids)

        self.change(after([None] * len(names)), act)

    def store(self):
        chosen = self.chosen(EVERYBODY)
        if not chosen:
            return
        user, mailbox, messages = chosen
        flags = self.some_flags()
        kind = self.random.choice(["+FLAGS", "-FLAGS", "FLAGS"])
        after = dict(self.ledger.state)
        for uid, name in messages.items():
            after[user, name] = [
                place._replace(flags=flags if kind == "FLAGS" else place.flags | flags if kind == "+FLAGS" else place.flags - flags)
                if (place.mailbox, place.uid) == (mailbox, uid) else place for place in after[user, name]]

        def act():
            client = self.imap(user)
            client.select(mailbox)
            client.command(f"UID STORE {self.set(messages)} {kind}.SILENT ({' '.join(sorted(flags))})")
            return after

        self.change(after, act)

    def transfer(self, command):
        chosen = self.chosen(USERS)
        if not chosen:
            return
        user, source, messages = chosen
        target = self.random.choice([mailbox for mailbox in self.mailboxes() if mailbox != source])
        before = dict(self.ledger.state)

        def after(given):
            state = dict(before)
            for uid, name in messages.items():
                places = list(state[user, name])
                old = next(place for place in places if (place.mailbox, place.uid) == (source, uid))
                if command == "MOVE":
                    places.remove(old)
                state[user, name] = places + [Place(target, given.get(uid), old.flags)]
            return state

        def act():
            self.need_own_box(user)
            client = self.imap(user)
            client.select(source)
            answer, untagged = client.command(f"UID {command} {self.set(messages)} {target}")
            lines = [answer] + [line[0].decode() for line in untagged]
            match = next(filter(None, (re.search(r"COPYUID \d+ ([\d:,]+) ([\d:,]+)", line) for line in lines)), None)
            given = dict(zip(numbers(match[1]), numbers(match[2]))) if match else {}
            if set(given) != set(messages):
                raise Violation(f"{command} of {sorted(messages)} in {user} {source} told of {given}")
            return after(given)

        self.change(after({}), act)

    def expunge(self, users):
        chosen = self.chosen(users)
        if not chosen:
            return
        user, mailbox, messages = chosen
        # Nobody else has messages in a worker's own mailbox: there a plain EXPUNGE or CLOSE is its own affair.
        plain = mailbox == self.own_box and self.random.choice(["EXPUNGE", "CLOSE"])
        marked = dict(self.ledger.state)
        for uid, name in messages.items():
            marked[user, name] = [place._replace(flags=place.flags | {r"\Deleted"}) if (place.mailbox, place.uid) == (mailbox, uid) else place
                                  for place in marked[user, name]]

        def mark():
            client = self.imap(user)
            client.select(mailbox)
            client.command(f"UID STORE {self.set(messages)} +FLAGS.SILENT (\\Deleted)")
            return marked

        self.change(marked, mark)
        if self.ledger.doubts:
            return
        after = {}
        for (owner, name), places in marked.items():
            left = [place for place in places
                    if not (owner == user and place.mailbox == mailbox and r"\Deleted" in place.flags and (plain or place.uid in messages))]
            if left:
                after[owner, name] = left

        def remove():
            client = self.imap(user)
            client.select(mailbox)
            client.command(plain or f"UID EXPUNGE {self.set(messages)}")
            if plain == "CLOSE":
                client.selected = None
            return after

        self.change(after, remove)

    def undelete(self):
        """With the postmaster's commands."""
        user = self.random.choice(USERS)
        listed = []
        before = dict(self.ledger.state)
        lost = None

        def after(uid):
            place = Place("Archive", uid, frozenset(lost["flags"]) - {r"\Deleted"})
            return {**before, (user, lost["subject"]): before.get((user, lost["subject"]), []) + [place]}

        try:
            listed = self.server.command("message", "list", user, "--deleted", "--limit", "500")["messages"]
        except Refused as refusal:
            self.refuse(refusal)
        own = [message for message in listed if message["subject"].startswith(f"w{self.number}.")]
        if not own:
            return
        lost = self.random.choice(own)

        def act():
            restored = self.server.command("message", "restore", user, lost["id"], "--into", "Archive")["restored"]
            if len(restored) != 1:
                raise Violation(f"{lost} was listed, and restored {len(restored)} times")
            # Until it has been told of it, a session takes its UID for that of no message.
            self.imap(user).command("NOOP")
            return after(int(restored[0]["newID"].split(".")[1]))

        self.change(after(None), act)

    @staticmethod
    def set(messages):
        return ",".join(map(str, sorted(messages)))


class Mailer(Worker):
    """SMTP, LMTP and IMAP."""

    def step(self):
        grows = len(self.ledger.state) < LIMIT
        kind = self.random.randrange(20)
        if self.random.randrange(UNDELETING) == 0 and grows:
            self.undelete()
        elif kind < 5 and grows:
            self.deliver()
        elif kind < 8 and grows:
            self.append()
        elif kind < 12:
            self.store()
        elif kind < 13 and grows:
            self.transfer("COPY")
        elif kind < 16:
            self.transfer("MOVE")
        else:
            # Messages to everybody are in maildrops too, where IMAP removes them.
            self.expunge(POPPERS if self.random.randrange(3) == 0 else USERS)


class Popper(Worker):
    """Delivers to a maildrop and takes from it over POP3."""

    def __init__(self, number, seed, user):
        super().__init__(number, seed)
        self.user = user

    def step(self):
        if len(self.ledger.state) < LIMIT and self.random.randrange(3):
            self.deliver_to([self.user], self.new_name(), self.random.choice(["smtp", "lmtp"]))
        else:
            self.fetch()

    def fetch(self):
        after = dict(self.ledger.state)

        def act():
            client = POP3(self.ports["pop3"], self.user)
            try:
                there = {}
                for line in client.lines("LIST"):
                    number = int(line.split()[0])
                    head = client.lines(f"TOP {number} 0")
                    name = next((line[len(texts.MARK):].decode() for line in head if line.startswith(texts.MARK)), None)
                    if name and name.startswith(f"w{self.number}."):
                        there.setdefault(name, []).append(number)
                for _, name in self.ledger.state:
                    if len(there.get(name, [])) != 1:
                        raise Violation(f"{name} was acknowledged and is in the maildrop {len(there.get(name, []))} times")
                for name, (number, *_) in there.items():
                    if self.random.randrange(2):
                        client.command(f"DELE {number}")
                        # In the same place as the state that is in doubt: all marked messages go with QUIT, or none.
                        after.pop((self.user, name), None)
                client.command("QUIT")
                return after
            finally:
                client.close()

        self.change(after, act)
