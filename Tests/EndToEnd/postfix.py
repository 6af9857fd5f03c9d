"""A Postfix of our own: takes mail for one domain, and sends it on or back."""
import os
import re
import shutil
import subprocess

from harness import Unavailable, command, program
from world import until


class Postfix:
    """Runs in `folder`, which all may enter. `transports` says where mail goes, `aliases` who is who, by address or domain."""

    def __init__(self, folder, address, port, domain, certificate, transports, aliases):
        self.postfix = program("postfix")
        if os.geteuid() != 0:
            raise Unavailable("Postfix starts for root only")
        self.configuration = os.path.join(folder, "etc")
        self.log_path = os.path.join(folder, "log")
        for name in ("queue", "data", "etc"):
            os.makedirs(os.path.join(folder, name))
        shutil.chown(os.path.join(folder, "data"), "postfix")
        chain, key = certificate
        with open(os.path.join(self.configuration, "main.cf"), "w") as file:
            file.write(f"""compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
myhostname = mx.{domain}
mydestination =
mynetworks =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
relay_domains = {domain}
smtpd_relay_restrictions = reject_unauth_destination
transport_maps = {self.table(transports)}
virtual_alias_maps = {self.table(aliases)}
alias_maps =
smtp_dns_support_level = disabled
smtp_tls_security_level = encrypt
smtp_tls_loglevel = 1
smtpd_tls_security_level = may
smtpd_tls_loglevel = 1
smtpd_tls_received_header = yes
smtpd_tls_chain_files = {key}, {chain}
maillog_file = {self.log_path}
maillog_file_prefixes = /tmp, /var
""")
        with open("/usr/share/postfix/master.cf.dist") as file:
            stock = file.read()
        # Not in a jail, one listener, no pickup of local mail.
        services = [line for line in stock.splitlines() if re.match(r"(?!smtp\s+inet|pickup|postlog|maildrop)\w\S*\s+unix\s", line)]
        services = [re.sub(r"^(\S+\s+\S+\s+\S+\s+\S+\s+)[y-](\s)", r"\1n\2", line) for line in services if "pipe" not in line.split()]
        services += [f"{address}:{port} inet n - n - - smtpd", "postlog unix-dgram n - n - 1 postlogd"]
        with open(os.path.join(self.configuration, "master.cf"), "w") as file:
            file.write("\n".join(services) + "\n")
        command(self.postfix, "-c", self.configuration, "start")
        until(self.is_listening, "Postfix listens")

    @staticmethod
    def table(entries):
        return "inline:{ " + ", ".join(f"{{ {key} = {value} }}" for key, value in entries.items()) + " }"

    def is_listening(self):
        return "daemon started" in self.log()

    def log(self):
        if not os.path.exists(self.log_path):
            return ""
        with open(self.log_path) as file:
            return file.read()

    def close(self):
        subprocess.run([self.postfix, "-c", self.configuration, "abort"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
