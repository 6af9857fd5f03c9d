"""Where domains keep their MTA-STS policies and take reports: a web server that knows several hosts."""
import http.server
import ssl
import threading


class Policies:
    """`texts[host]` is what `https://host/.well-known/mta-sts.txt` says; `asked` counts the questions.
    What is handed in is in `posted`, as (URL without the port, type, octets)."""

    def __init__(self, address, certificate):
        self.texts = {}
        self.asked = 0
        self.posted = []
        policies = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                policies.asked += 1
                text = policies.texts.get(self.headers["Host"].split(":")[0])
                found = text is not None and self.path == "/.well-known/mta-sts.txt"
                self.send_response(200 if found else 404)
                self.send_header("Content-Type", "text/plain")
                self.end_headers()
                if found:
                    self.wfile.write(text.encode())

            def do_POST(self):
                octets = self.rfile.read(int(self.headers["Content-Length"]))
                host = self.headers["Host"].split(":")[0]
                policies.posted.append((f"https://{host}{self.path}", self.headers["Content-Type"], octets))
                self.send_response(201)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer((address, 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.address, self.port = self.server.server_address
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
