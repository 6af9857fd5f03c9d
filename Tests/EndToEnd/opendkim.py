"""What OpenDKIM says of signed messages. It asks the system's resolver, so it runs in a network of its own, in which that is us:

    unshare -r -n -m python3 opendkim.py < {"records": {name: text}, "messages": [text]}     prints a list of complaints
"""
import json
import os
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from world import DNS  # noqa: E402

NAMESPACE = ["unshare", "-r", "-n", "-m"]


def complaints(records, messages):
    """One text for each of `messages`, empty where all of its signatures are good. Nil where this machine allows no such
    network."""
    if subprocess.run([*NAMESPACE, "true"], stderr=subprocess.DEVNULL).returncode != 0:
        return None
    result = subprocess.run(
        [*NAMESPACE, sys.executable, os.path.abspath(__file__)], stdout=subprocess.PIPE, timeout=60, text=True, check=True,
        input=json.dumps({"records": records, "messages": [message.decode("latin-1") for message in messages]}))
    return json.loads(result.stdout)


class Resolver(DNS):
    def answer(self, query):
        # OpenDKIM's questions are without EDNS, and the answers just fit.
        return super().answer(query[:11] + b"\1" + query[12:])


def main():
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    with tempfile.NamedTemporaryFile("w") as file:
        file.write("nameserver 127.0.0.1\n")
        file.flush()
        subprocess.run(["mount", "--bind", file.name, "/etc/resolv.conf"], check=True)
        given = json.load(sys.stdin)
        resolver = Resolver(port=53)
        resolver.zone = {name: {"TXT": [text]} for name, text in given["records"].items()}
        found = []
        for message in given["messages"]:
            result = subprocess.run(["opendkim-testmsg"], input=message.encode("latin-1"), capture_output=True, timeout=20)
            found.append("" if result.returncode == 0 else result.stderr.decode(errors="replace") or f"code {result.returncode}")
        print(json.dumps(found))


if __name__ == "__main__":
    main()
