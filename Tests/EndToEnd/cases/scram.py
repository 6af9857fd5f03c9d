"""SCRAM by PyPI's scramp, with and without channel binding; imapclient against the server."""
import base64
import hashlib
import imaplib
import ssl

from harness import HOST, PASSWORD, case, check, equal, message, packages


@case("SCRAM-SHA-1, -256 and -512 by scramp, plain and bound to the TLS session")
def scram(server):
    packages(server, "scramp", "imapclient")
    import scramp
    user = server.user()
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        for mechanism in ("SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512"):
            for plus in (False, True):
                context = server.tls
                context.maximum_version = version
                client = imaplib.IMAP4_SSL(HOST, server.ports["imaps"], ssl_context=context, timeout=30)
                name = mechanism + ("-PLUS" if plus else "")
                check(f"AUTH={name}" in client.capabilities, name, "is not announced in", client.capabilities)
                binding = None
                if plus:
                    certificate = client.sock.getpeercert(binary_form=True)
                    binding = ("tls-server-end-point", hashlib.sha256(certificate).digest())
                conversation = scramp.ScramClient([name], user, PASSWORD, channel_binding=binding)
                steps = iter(range(3))

                def answer(challenge, conversation=conversation, steps=steps):
                    step = next(steps)
                    if step == 0:
                        return conversation.get_client_first().encode()
                    if step == 1:
                        conversation.set_server_first(challenge.decode())
                        return conversation.get_client_final().encode()
                    # The server's proof that it knows the secret too.
                    conversation.set_server_final(challenge.decode())
                    return b""

                equal(client.authenticate(name, answer)[0], "OK", name)
                client.logout()


@case("SCRAM-SHA-256 by scramp over SMTP and POP3 too, also without TLS")
def everywhere(server):
    packages(server, "scramp", "imapclient")
    import scramp
    user = server.user()
    for service, go_on, done in (
        ("submissions", "334 ", "235 "), ("submission", "334 ", "235 "), ("pop3s", "+ ", "+OK"), ("pop3", "+ ", "+OK"),
    ):
        with server.socket(service) as connection, connection.makefile("rwb") as stream:
            def ask(text):
                stream.write(text.encode() + b"\r\n")
                stream.flush()
                return stream.readline().decode().rstrip("\r\n")

            stream.readline()
            if service.startswith("sub"):
                line = ask("EHLO client.test")
                while line[3] == "-":
                    line = stream.readline().decode()
            def challenge():
                check(reply.startswith(go_on), service, reply)
                return base64.b64decode(reply[len(go_on):]).decode()

            client = scramp.ScramClient(["SCRAM-SHA-256"], user, PASSWORD)
            reply = ask("AUTH SCRAM-SHA-256 " + base64.b64encode(client.get_client_first().encode()).decode())
            client.set_server_first(challenge())
            reply = ask(base64.b64encode(client.get_client_final().encode()).decode())
            client.set_server_final(challenge())
            reply = ask("")
            check(reply.startswith(done), service, reply)


@case("imapclient: folders, append, search, fetch, idle")
def imapclient(server):
    packages(server, "scramp", "imapclient")
    from imapclient import IMAPClient
    user = server.user()
    with IMAPClient(HOST, server.ports["imaps"], ssl_context=server.tls, timeout=30) as client:
        client.login(user, PASSWORD)
        equal({name for _, _, name in client.list_folders()}, {"INBOX", "Drafts", "Sent", "Trash", "Archive", "Junk"}, "folders")
        equal(client.find_special_folder(b"\\Sent"), "Sent", "\\Sent")
        client.append("INBOX", message("by imapclient"), flags=(b"\\Seen",))
        client.select_folder("INBOX")
        found = client.search(["SUBJECT", "imapclient"])
        equal(len(found), 1, "found")
        data = client.fetch(found, ["ENVELOPE", "BODYSTRUCTURE", "FLAGS", "RFC822.SIZE"])[found[0]]
        equal(data[b"ENVELOPE"].subject, b"by imapclient", "subject")
        client.idle()
        server.deliver(user, message("during idle"))
        check((2, b"EXISTS") in client.idle_check(timeout=10), "no EXISTS")
        client.idle_done()
        client.move(found, "Archive")
        equal(client.folder_status("Archive", ["MESSAGES"])[b"MESSAGES"], 1, "messages moved")
        client.create_folder("Ünïcode")
        check("Ünïcode" in {name for _, _, name in client.list_folders()}, "no Ünïcode")
