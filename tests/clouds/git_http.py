#!/usr/bin/env python3
"""A git server over HTTP: git_http.py FOLDER USER PASSWORD.

Prints "PORT PID". /x.git wants the login; /v0/x.git as well, and speaks the old protocol only;
/open/x.git wants none; /moved/... redirects to the same path at another name of this machine;
/down/... answers 503. Each request's path and whether it had an Authorization is a line of
FOLDER/requests.
"""
import base64
import http.server
import os
import subprocess
import sys

FOLDER, USER, PASSWORD = sys.argv[1:4]
LOGIN = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def plain(self, status, headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        login = self.headers.get("Authorization")
        with open(os.path.join(FOLDER, "requests"), "a") as log:
            log.write(f"{self.headers['Host']} {self.path} {'login' if login else 'none'}\n")
        path, _, query = self.path.partition("?")
        if path.startswith("/down/"):
            return self.plain(503)
        if path.startswith("/moved/"):
            port = self.server.server_address[1]
            to = f"http://localhost:{port}/open/{self.path[len('/moved/'):]}"
            return self.plain(302, [("Location", to)])
        if path.startswith("/open/"):
            path = path[len("/open"):]
        elif login != LOGIN:
            return self.plain(401, [("WWW-Authenticate", 'Basic realm="git"')])
        old = path.startswith("/v0/")
        self.backend(path[len("/v0"):] if old else path, query, body, old)

    def backend(self, path, query, body, old):
        env = {
            "PATH": os.environ["PATH"], "GIT_PROJECT_ROOT": FOLDER, "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path, "QUERY_STRING": query, "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)), "REMOTE_ADDR": "127.0.0.1", "REMOTE_USER": "",
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": "*",
        }
        if not old:
            env["GIT_PROTOCOL"] = self.headers.get("Git-Protocol", "")
        done = subprocess.run(["git", "http-backend"], input=body, env=env,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        head, _, answer = done.stdout.partition(b"\r\n\r\n")
        lines = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if line)
        self.send_response(int(lines.pop("Status", "200").split()[0]))
        for name, value in lines.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_POST = do


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], os.getpid(), flush=True)
server.serve_forever()
