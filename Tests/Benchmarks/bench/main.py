"""Runs the measurements and prints one table. Ratios are Martlet's figure against Postfix + Dovecot's of the same run."""

import argparse
import pathlib
import platform
import shutil
import sys
import tempfile

import measurements
from servers import Martlet, PostfixDovecot


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="a fifth of the load")
    parser.add_argument("--only", default="", help="comma-separated: " + ",".join(measurements.ALL))
    parser.add_argument("--output", help="write the table here too")
    parser.add_argument("--martlet-only", action="store_true")
    arguments = parser.parse_args()
    chosen = [name for name in arguments.only.split(",") if name] or list(measurements.ALL)
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="martlet-bench-"))
    servers = [Martlet(scratch)] if arguments.martlet_only else [PostfixDovecot(scratch), Martlet(scratch)]
    rows = []
    try:
        for name in chosen:
            print(f"… {name}", file=sys.stderr, flush=True)
            for row in measurements.ALL[name](servers, 0.2 if arguments.quick else 1.0, scratch):
                rows.append(row)
                print("  " + " | ".join(str(cell) for cell in row), file=sys.stderr, flush=True)
    finally:
        for server in servers:
            server.stop()
        shutil.rmtree(scratch, ignore_errors=True)
    lines = [f"{platform.system()} {platform.release()}, {platform.machine()}", "",
             "| measure | Postfix + Dovecot | Martlet | ratio |", "|---|---|---|---|"]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    text = "\n".join(lines)
    print(text)
    if arguments.output:
        pathlib.Path(arguments.output).write_text(text + "\n")


main()
