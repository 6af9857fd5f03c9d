"""fetchmail and getmail over POP3."""
import os
import shutil

from harness import HOST, PASSWORD, case, command, equal, message, program


@case("fetchmail fetches over pop3s and over STLS, keeps, and fetches nothing twice")
def fetchmail(server):
    user = server.user()
    for number in range(5):
        server.deliver(user, message(f"number {number}", ".dots\r\n..\r\n"))
    home = os.path.join(server.scratch, user)
    os.makedirs(home)
    output = os.path.join(home, "out")
    for port, tls in (("pop3s", "ssl"), ("pop3", 'sslproto "TLS1.2+"')):
        rc = os.path.join(home, f"rc-{port}")
        with open(rc, "w") as file:
            file.write(
                f'poll {HOST} protocol pop3 port {server.ports[port]} uidl user "{user}" password "{PASSWORD}" {tls} '
                f'sslcertck sslcertfile "{server.ca}" keep mda "cat >> {output}"\n')
        os.chmod(rc, 0o600)
        identifiers = os.path.join(home, f"ids-{port}")
        run = (program("fetchmail"), "--nodetach", "-d0", "-f", rc, "-i", identifiers, "--pidfile", os.path.join(home, "pid"))
        environment = {"HOME": home, "FETCHMAILHOME": home}
        command(*run, environment=environment)
        with open(output) as file:
            text = file.read()
        equal(text.count("Subject: number"), 5, "messages")
        equal(text.count("\n.dots\n"), 5, "dot-stuffed lines")
        # 1: there is mail, but all of it has been seen.
        command(*run, environment=environment, ok=(0, 1))
        with open(output) as file:
            equal(file.read().count("Subject: number"), 5, "messages after the second run")
        os.remove(output)


@case("getmail fetches over pop3s, deletes after, and fetches nothing twice")
def getmail(server):
    user = server.user()
    for number in range(3):
        server.deliver(user, message(f"number {number}"))
    home = os.path.join(server.scratch, user)
    for part in ("cur", "new", "tmp"):
        os.makedirs(os.path.join(home, "mail", part))
    with open(os.path.join(home, "getmailrc"), "w") as file:
        file.write(f"""[retriever]
type = SimplePOP3SSLRetriever
server = {HOST}
port = {server.ports['pop3s']}
username = {user}
password = {PASSWORD}
ca_certs = {home}/ca.pem
[destination]
type = Maildir
path = {home}/mail/
[options]
delete = true
delivered_to = false
received = false
""")
    shutil.copy(server.ca, os.path.join(home, "ca.pem"))
    run = [program("getmail"), "--getmaildir", home, "--rcfile", os.path.join(home, "getmailrc")]
    if os.getuid() == 0:
        # getmail refuses to deliver as root.
        os.chmod(server.scratch, 0o755)
        for place, _, names in os.walk(home):
            os.chown(place, 65534, 65534)
            for name in names:
                os.chown(os.path.join(place, name), 65534, 65534)
        run = [program("setpriv"), "--reuid=65534", "--regid=65534", "--clear-groups", *run]
    environment = {"HOME": home}
    command(*run, environment=environment)
    equal(len(os.listdir(os.path.join(home, "mail", "new"))), 3, "messages")
    with server.pop3(user) as client:
        equal(client.stat(), (0, 0), "maildrop after delete = true")
    command(*run, environment=environment)
    equal(len(os.listdir(os.path.join(home, "mail", "new"))), 3, "messages after the second run")
