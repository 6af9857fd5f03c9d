"""What was acknowledged is there after the worst; and an orderly end is orderly."""
import os
import smtplib
import threading
import time

from harness import HOST, Server, case, check, equal, message
from cases.push import RawIMAP


@case("kill -9 right after 250: the message is there after a restart", own_server=True)
def killed(start):
    server = start(users=2)
    user = server.user()
    acknowledged = []
    for round in range(3):
        client = smtplib.SMTP(HOST, server.ports["smtp"], timeout=20)
        client.sendmail("a@elsewhere.test", [user], message(f"round {round}"))
        acknowledged.append(f"round {round}")
        server.process.kill()
        server.process.wait()
        server.start()
        with server.imap(user) as reader:
            reader.select()
            texts = b"".join(part[1] for part in reader.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1] if isinstance(part, tuple))
            for subject in acknowledged:
                equal(texts.count(subject.encode()), 1, f"copies of {subject}")
    server.stop()


@case("kill -9 under load: every acknowledged message is there once, UIDs and UIDVALIDITY stay", own_server=True)
def killed_under_load(start):
    server = start(users=2)
    user = server.user()
    server.deliver(user, message("the first"))
    with server.imap(user) as reader:
        reader.select()
        before = (reader.response("UIDVALIDITY"), reader.fetch("1", "(UID)")[1])
    acknowledged = []
    lock = threading.Lock()

    def send(worker):
        try:
            with smtplib.SMTP(HOST, server.ports["smtp"], timeout=20) as client:
                for number in range(10_000):
                    name = f"load {worker} {number}"
                    client.sendmail("a@elsewhere.test", [user], message(name))
                    with lock:
                        acknowledged.append(name)
        except (smtplib.SMTPException, OSError):
            pass

    workers = [threading.Thread(target=send, args=(worker,)) for worker in range(8)]
    for worker in workers:
        worker.start()
    while len(acknowledged) < 200 and any(worker.is_alive() for worker in workers):
        time.sleep(0.01)
    server.process.kill()
    server.process.wait()
    for worker in workers:
        worker.join(30)
    server.start()
    with server.imap(user) as reader:
        reader.select()
        equal((reader.response("UIDVALIDITY"), reader.fetch("1", "(UID)")[1]), before, "UIDVALIDITY and UID")
        parts = reader.fetch("1:*", "(UID BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1]
        found = [part[1].decode().split(":", 1)[1].strip() for part in parts if isinstance(part, tuple)]
    check(len(acknowledged) >= 200, "only", len(acknowledged), "were acknowledged")
    missing = set(acknowledged) - set(found)
    check(not missing, len(missing), "acknowledged messages are lost")
    equal(len(found), len(set(found)), "messages that are there once")
    server.stop()


@case("SIGTERM: idle sessions are told, the server ends in time with exit code 0", own_server=True)
def terminated(start):
    server = start(users=2)
    user = server.user()
    idle = RawIMAP(server, user)
    idle.send("a3 IDLE")
    idle.until(b"+ ")
    pop3 = server.socket("pop3s")
    pop3.recv(500)
    smtp = server.socket("smtp")
    smtp.recv(500)
    seconds = server.stop()
    idle.until(b"* BYE")
    check(pop3.recv(500).startswith(b"-ERR"), "POP3 was told nothing")
    check(smtp.recv(500).startswith(b"421 "), "SMTP was told nothing")
    check(seconds < 2, f"it took {seconds:.2f} s")


@case("SIGTERM during DATA: the message is finished and kept, or never acknowledged", own_server=True)
def terminated_during_data(start):
    server = start(users=2)
    user = server.user()
    client = server.socket("smtp")
    client.recv(500)
    for line in ("EHLO me", "MAIL FROM:<a@elsewhere.test>", f"RCPT TO:<{user}>", "DATA"):
        client.sendall(line.encode() + b"\r\n")
        check(client.recv(2000)[:1] in b"23", line)
    client.sendall(b"Subject: half\r\n\r\n")
    stopper = threading.Thread(target=server.process.terminate)
    stopper.start()
    time.sleep(0.2)
    reply = b""
    try:
        client.sendall(b"other half\r\n.\r\n")
        reply = client.recv(500)
    except OSError:
        pass
    stopper.join()
    equal(server.process.wait(35), 0, "exit code")
    server.start()
    with server.imap(user) as reader:
        count = reader.select()[1]
    equal(count, [b"1"] if reply.startswith(b"250") else [b"0"], f"messages after the reply {reply!r}")
    server.stop()


@case("a second server does not open the same store", own_server=True)
def second(start):
    server = start(users=2)
    check(os.path.exists(server.data), "no data directory")
    try:
        other = Server(server.scratch, data=server.data, users=0)
    except Exception:
        other = None
    check(other is None or not other.is_running(), "two servers have one store")
    server.works()
    server.stop()
