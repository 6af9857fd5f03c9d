"""Backs the store up, again and again, while it is in use and the server dies or fails."""
import shutil
import threading

from .ledger import Violation


class Keeper:
    def __init__(self, directory):
        self.directory = directory
        self.stopping = threading.Event()
        # May a backup fail? Only where the disk is full or fails.
        self.may_refuse = False
        self.violation = None
        self.made = 0
        self.failed = 0

    def live(self, server):
        """Works until the server is gone or `stopping` is set."""
        while not self.stopping.is_set() and not server.is_ending:
            code, reply = server.run("store", "backup", self.directory)
            if code == 0:
                self.made += 1
            elif self.may_refuse or server.is_ending:
                self.failed += 1
            else:
                self.violation = Violation(f"a backup failed: {reply}")
                return
            self.stopping.wait(0.2)

    def check(self, server):
        """One more backup, all of it looked at, brought back and looked at again."""
        code, reply = server.run("store", "backup", self.directory, "--verify")
        if code != 0:
            raise Violation(f"the backup is not good: {reply}")
        self.made += 1
        data = self.directory + "-restored"
        for words in [("store", "restore", self.directory), ("store", "verify")]:
            code, reply = server.run(*words, data=data)
            if code != 0:
                raise Violation(f"{' '.join(words)} into {data}: {reply}")
        shutil.rmtree(data)
        shutil.rmtree(self.directory)
