"""A web app that behaves as MODE says. VERSION is its body; /env shows its environment."""
import http.server
import json
import os
import signal
import sys
import time

mode = os.environ.get("MODE", "ok")
print("starting", mode, flush=True)
if mode == "exit3":
    print("no database: giving up", flush=True)
    sys.exit(3)
if mode == "never":
    time.sleep(600)
if mode == "slow":
    time.sleep(2)
if mode == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body, status = os.environ.get("VERSION", "?"), 200
        if self.path == "/env":
            body = json.dumps({**os.environ, "HEADERS": str(self.headers)})
        elif self.path == "/die":
            os._exit(4)
        elif self.path.startswith("/sleep"):
            time.sleep(float(self.path[6:]))
        elif self.path == "/healthz" and mode == "500":
            status = 500
        elif self.path == "/healthz" and mode == "hang":
            time.sleep(600)
        elif self.path == "/healthz" and mode == "later":
            signal.setitimer(signal.ITIMER_REAL, 0.7)  # SIGALRM ends it
        data = body.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Slipway-Slot", "x")
        self.end_headers()
        self.wfile.write(data)

    do_POST = do_GET

    def log_message(self, *args):
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 1024


port = int(os.environ["PORT"]) + (1 if mode == "elsewhere" else 0)
Server(("127.0.0.1", port), Handler).serve_forever()
