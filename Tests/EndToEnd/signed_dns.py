"""A name server whose answers are signed: nsd, with `zz.` signed by ldns and `plain.zz.` below it unsigned."""
import os
import re
import signal
import socket
import subprocess

from harness import Failure, program


class SignedDNS:
    """Is told its names as `world.DNS` is, with `TLSA` besides, and knows no more after `publish`. `anchor` is the file by
    which the signatures are known."""

    def __init__(self, folder):
        # Whatever is missing is missed before anything starts.
        self.nsd = program("nsd")
        self.keygen, self.signzone = program("ldns-keygen"), program("ldns-signzone")
        self.folder = folder
        self.zone = {}
        # Names whose addresses are changed after they were signed.
        self.tampered = set()
        self.anchor = os.path.join(folder, "anchor")
        self.port = free_port()
        self.address = f"127.0.0.1@{self.port}"
        self.process = None

    def publish(self):
        key = self.run(self.keygen, "-a", "ECDSAP256SHA256", "-k", "zz").strip()
        self.write("anchor", self.read(f"{key}.ds"))
        below = {name: records for name, records in self.zone.items() if name.endswith(".plain.zz")}
        above = {name: records for name, records in self.zone.items() if name not in below}
        self.write("zz", self.text("zz.", above) + "plain.zz. NS ns.zz.\nns.zz. A 127.0.0.1\n")
        self.write("plain.zz", self.text("plain.zz.", below))
        self.run(self.signzone, "-n", "zz", key)
        signed = self.read("zz.signed")
        for name in self.tampered:
            signed, count = re.subn(rf"(?m)^({re.escape(name)}\.\s.*\sA\s+)\S+$", r"\g<1>127.0.0.9", signed)
            if count != 1:
                raise Failure(f"{count} addresses of {name} in the signed zone")
        self.write("zz.signed", signed)
        self.write("nsd.conf", self.configuration())
        # A group of its own: the children end with it.
        self.process = subprocess.Popen(
            [self.nsd, "-d", "-c", os.path.join(self.folder, "nsd.conf")], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            start_new_session=True)
        for line in self.process.stdout:
            if b"nsd started" in line:
                return
        raise Failure("nsd did not start")

    def close(self):
        if self.process:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process.stdout.close()
            self.process = None

    def text(self, origin, names):
        lines = [f"$ORIGIN {origin}", "$TTL 300", "@ SOA ns.zz. admin.zz. 1 3600 600 86400 300", "@ NS ns.zz."]
        for name, records in names.items():
            lines += [f"{name}. MX {preference} {host}." for preference, host in records.get("MX", [])]
            lines += [f"{name}. {kind} {value}" for kind in ("A", "TLSA") for value in records.get(kind, [])]
            lines += [f'{name}. TXT "{value}"' for value in records.get("TXT", [])]
        return "\n".join(lines) + "\n"

    def configuration(self):
        zones = "".join(
            f'zone:\n  name: "{name}"\n  zonefile: "{file}"\n' for name, file in (("zz", "zz.signed"), ("plain.zz", "plain.zz")))
        return f"""server:
  ip-address: 127.0.0.1
  port: {self.port}
  username: ""
  zonesdir: "{self.folder}"
  pidfile: ""
  database: ""
  xfrdfile: ""
  xfrdir: "{self.folder}"
  zonelistfile: "{self.folder}/zonelist"
  rrl-ratelimit: 0
  server-count: 1
  verbosity: 1
remote-control:
  control-enable: no
{zones}"""

    def run(self, path, *arguments):
        done = subprocess.run(
            [path, *arguments], cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
        if done.returncode:
            raise Failure(f"{path} exited with {done.returncode}: {done.stderr.decode(errors='replace')}")
        return done.stdout.decode()

    def write(self, name, text):
        with open(os.path.join(self.folder, name), "w") as file:
            file.write(text)

    def read(self, name):
        with open(os.path.join(self.folder, name)) as file:
            return file.read()


def free_port():
    """One that nobody has for UDP or TCP just now."""
    for _ in range(50):
        with socket.socket() as stream, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
            stream.bind(("127.0.0.1", 0))
            try:
                datagrams.bind(stream.getsockname())
                return stream.getsockname()[1]
            except OSError:
                pass
    raise Failure("there is no free port")
