"""Many at once."""
import contextlib
import os
import resource
import smtplib
import threading

from harness import HOST, case, check, equal, message


@case("load: thousands of connections, and the others go on")
def connections(server):
    wanted = int(os.environ.get("MARTLET_E2E_CONNECTIONS", "2000"))
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limits[1], limits[1]))
    wanted = min(wanted, limits[1] - 200)
    before = server.memory()
    opened = []
    greeted = 0
    try:
        for number in range(wanted):
            # Not all from one address: there is a limit for each.
            source = f"127.0.{1 + number % 20}.1"
            opened.append(server.socket(("imap", "pop3", "smtp")[number % 3], source=source))
        for connection in opened:
            with contextlib.suppress(OSError):
                greeted += bool(connection.recv(200))
        equal(greeted, wanted, "connections that were greeted")
        grown = server.memory() - before
        server.works()
        check(grown < wanted * 40, f"{wanted} connections took {grown} KB")
    finally:
        for connection in opened:
            connection.close()
    server.works()


@case("load: too many connections from one address are told so, others are not")
def per_address(server):
    opened = []
    try:
        for _ in range(1_100):
            opened.append(server.socket("smtp", source="127.0.99.1"))
        replies = []
        for connection in opened[-50:]:
            with contextlib.suppress(OSError):
                replies.append(connection.recv(200))
        check(any(reply.startswith(b"421") for reply in replies), "nobody was told:", replies[:3])
        server.works()
    finally:
        for connection in opened:
            connection.close()


@case("load: 50 senders at once, every message is there once")
def senders(server):
    user = server.user()
    failures = []

    def send(worker):
        try:
            with smtplib.SMTP(HOST, server.ports["smtp"], timeout=60) as client:
                for number in range(20):
                    client.sendmail("a@elsewhere.test", [user], message(f"from {worker} number {number}"))
        except Exception as error:
            failures.append(repr(error))

    threads = [threading.Thread(target=send, args=(worker,)) for worker in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    equal(failures, [], "failures")
    with server.imap(user) as client:
        equal(client.select()[1], [b"1000"], "messages")
        equal(client.search(None, "SUBJECT", '"number 7"')[1][0].count(b" ") + 1, 50, "found")
        uids = client.uid("SEARCH", None, "ALL")[1][0].split()
        equal(len(set(uids)), 1000, "different UIDs")
