"""What was acknowledged, and what may have happened besides."""
from collections import namedtuple

# `mailbox` and `uid` are None where the answer that names them never came, or names none (SMTP).
Place = namedtuple("Place", "mailbox uid flags")


class Violation(Exception):
    """Something is otherwise than it was acknowledged."""


class Ledger:
    """The messages of one worker: nobody else touches them. A state maps (account, name) to the places of the message."""

    def __init__(self):
        self.state = {}
        # States that may be true instead, since the change that leads there was not answered, or failed.
        self.doubts = []
        # (account, mailbox, UID) -> name, for every UID that was ever told.
        self.owners = {}
        self.boxes = set()
        self.acknowledged = 0
        self.refused = {}

    def intend(self, after):
        self.doubts.append(after)

    def accept(self, state):
        """The server has answered, or it was looked what is there: this is how it is."""
        self.state = state
        self.doubts = []
        for (account, name), places in state.items():
            for place in places:
                if place.uid is not None and place.mailbox is not None:
                    self.owners[account, place.mailbox, place.uid] = name

    def settle(self, found):
        """Compares with what is there, and goes on from that."""
        for (account, name), places in found.items():
            for place in places:
                owner = self.owners.get((account, place.mailbox, place.uid), name)
                if owner != name:
                    raise Violation(f"UID {place.uid} of {account} {place.mailbox} was {owner}, and is {name}")
        problem = difference(found, self.state)
        if problem:
            others = [difference(found, doubt) for doubt in self.doubts]
            if all(others):
                raise Violation("\n".join([problem] + [f"or, if what was not answered has happened: {other}" for other in others]))
        happened = bool(problem)
        doubted = bool(self.doubts)
        self.accept(found)
        return doubted, happened


def difference(found, expected):
    """What is wrong with what was found, in words, or None."""
    for key, places in expected.items():
        if key not in found:
            return f"{key} is lost; it was in {places}"
        if not agree(found[key], places):
            return f"{key} is in {found[key]}, and should be in {places}"
    for key in found:
        if key not in expected:
            return f"{key} is in {found[key]}, and should be nowhere"
    return None


def agree(found, expected):
    rest = list(found)
    # Known UIDs first, so that unknown ones take what is left.
    for place in sorted(expected, key=lambda place: place.uid is None):
        match = next((other for other in rest
                      if place.mailbox in (None, other.mailbox) and place.uid in (None, other.uid) and place.flags == other.flags), None)
        if match is None:
            return False
        rest.remove(match)
    return not rest
