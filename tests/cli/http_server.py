"""Servers that `evalua mock` is not, for the tests of HTTP: all on 127.0.0.1, each prints its port when it listens.

usage: http_server.py tls CERTIFICATE KEY   HTTPS that answers every request with "secure"
       http_server.py proxy LOG             a forward proxy; each line of LOG is a request's method and target
"""
import http.server
import select
import socket
import ssl
import sys
import urllib.parse


class Secure(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "6")
        self.end_headers()
        self.wfile.write(b"secure")

    def log_message(self, *_):
        pass


class Proxy(http.server.BaseHTTPRequestHandler):
    log = None

    def note(self):
        with open(Proxy.log, "a", encoding="ascii") as log:
            log.write("%s %s %s\n" % (self.command, self.path, self.headers.get("Proxy-Authorization", "-")))

    def log_message(self, *_):
        pass

    def do_CONNECT(self):
        self.note()
        host, port = self.path.rsplit(":", 1)
        with socket.create_connection((host, int(port))) as far:
            self.send_response(200)
            self.end_headers()
            ends = {self.connection: far, far: self.connection}
            while True:
                for ready in select.select(list(ends), [], [])[0]:
                    data = ready.recv(65536)
                    if not data:
                        return
                    ends[ready].sendall(data)

    def forward(self):
        self.note()
        parts = urllib.parse.urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with socket.create_connection((parts.hostname, parts.port)) as far:
            path = (parts.path or "/") + ("?" + parts.query if parts.query else "")
            lines = ["%s %s HTTP/1.1" % (self.command, path), "Connection: close"]
            lines += ["%s: %s" % header for header in self.headers.items() if not header[0].startswith("Proxy-")]
            far.sendall("\r\n".join(lines + ["", ""]).encode() + body)
            while True:
                data = far.recv(65536)
                if not data:
                    break
                self.wfile.write(data)
        self.close_connection = True

    do_GET = do_POST = forward


def main():
    kind = sys.argv[1]
    if kind == "proxy":
        Proxy.log = sys.argv[2]
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy if kind == "proxy" else Secure)
    if kind == "tls":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[2], sys.argv[3])
        server.socket = context.wrap_socket(server.socket, server_side=True)
        server.handle_error = lambda *_: None
    print(server.server_address[1], flush=True)
    server.serve_forever()


main()
