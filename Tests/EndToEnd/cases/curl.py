"""curl in its six mail protocols."""
import os

from harness import HOST, PASSWORD, case, check, command, equal, message, program


def curl(server, *arguments, **keywords):
    return command(program("curl"), "--silent", "--show-error", "--max-time", "30", "--cacert", server.ca, *arguments, **keywords)


def scratch_message(server, subject):
    path = os.path.join(server.scratch, "curl.eml")
    with open(path, "wb") as file:
        file.write(message(subject))
    return path


@case("curl sends by smtp, smtp with STARTTLS, submission by PLAIN and LOGIN, and smtps")
def smtp(server):
    user = server.user()
    envelope = ("--mail-from", "a@elsewhere.test", "--mail-rcpt", user)
    own = ("--mail-from", user, "--mail-rcpt", user, "--user", f"{user}:{PASSWORD}")
    path = scratch_message(server, "by curl")
    curl(server, f"smtp://{HOST}:{server.ports['smtp']}", *envelope, "-T", path)
    curl(server, f"smtp://{HOST}:{server.ports['smtp']}", "--ssl-reqd", *envelope, "-T", path)
    for mechanism in ("PLAIN", "LOGIN"):
        curl(server, f"smtp://{HOST}:{server.ports['submission']}", "--ssl-reqd", "--login-options", f"AUTH={mechanism}", *own, "-T", path)
    curl(server, f"smtps://{HOST}:{server.ports['submissions']}", *own, "-T", path)
    curl(server, f"smtps://{HOST}:{server.ports['submissions']}", "--sasl-ir", *own, "-T", path)
    with server.imap(user) as client:
        equal(client.select()[1], [b"6"], "messages")


@case("curl reads and writes by imap and imaps")
def imap(server):
    user = server.user()
    login = ("--user", f"{user}:{PASSWORD}")
    path = scratch_message(server, "appended by curl")
    for url, options in ((f"imap://{HOST}:{server.ports['imap']}", ("--ssl-reqd",)), (f"imaps://{HOST}:{server.ports['imaps']}", ())):
        curl(server, f"{url}/INBOX", *options, *login, "-T", path)
        check("appended by curl" in curl(server, f"{url}/INBOX;MAILINDEX=1", *options, *login), "the message is not there")
        check("INBOX" in curl(server, f"{url}/", *options, *login), "no INBOX in the list")
        check("* SEARCH 1" in curl(server, f"{url}/INBOX?SUBJECT%20curl", *options, *login), "not found")
        check("EXISTS" in curl(server, url, *options, *login, "-X", "EXAMINE INBOX"), "no EXISTS")
        for mechanism in ("PLAIN", "LOGIN"):
            curl(server, f"{url}/", *options, *login, "--login-options", f"AUTH={mechanism}")
    check(curl(server, f"imaps://{HOST}:{server.ports['imaps']}/INBOX;MAILINDEX=2;SECTION=TEXT", *login).strip() == "Hello.", "SECTION=TEXT")


@case("curl reads by pop3 and pop3s")
def pop3(server):
    user = server.user()
    server.deliver(user, message("for pop3"))
    login = ("--user", f"{user}:{PASSWORD}")
    for url, options in ((f"pop3://{HOST}:{server.ports['pop3']}", ("--ssl-reqd",)), (f"pop3s://{HOST}:{server.ports['pop3s']}", ())):
        check(curl(server, url, *options, *login).startswith("1 "), "LIST")
        check("Subject: for pop3" in curl(server, f"{url}/1", *options, *login), "RETR")
        check(curl(server, url, *options, *login, "-X", "UIDL").startswith("1 "), "UIDL")
        for mechanism in ("PLAIN", "LOGIN"):
            curl(server, url, *options, *login, "--login-options", f"AUTH={mechanism}")
    curl(server, f"{url}/1", *login, "-X", "DELE", "--head")
    check(curl(server, url, *login).strip() == "", "the message is still there")


@case("curl is refused with a wrong password by each protocol")
def wrong(server):
    for service, scheme in (("submissions", "smtps"), ("imaps", "imaps"), ("pop3s", "pop3s")):
        # 67: login denied; 21: curl's word for a refused POP3 quote.
        curl(server, f"{scheme}://{HOST}:{server.ports[service]}/", "--user", f"{server.user()}:wrong", ok=(67,))
