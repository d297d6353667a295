"""The apps behind the services' URLs.

With the setting urls "true", a URL is what AWS would give (HOST.REGION.awsapprunner.com): reach it through the stand-in as
an HTTPS proxy (CONNECT), which then speaks TLS for that name with a certificate of its own authority. With "loopback",
each service has a port of its own and its URL is http://127.0.0.1:PORT.
"""
import http.server
import os
import ssl
import subprocess
import threading
import time

EXTENSIONS = """\
[v3_ca]
basicConstraints=critical,CA:TRUE
keyUsage=critical,keyCertSign
subjectKeyIdentifier=hash
[leaf]
subjectAltName=DNS:{host}
basicConstraints=CA:FALSE
extendedKeyUsage=serverAuth
authorityKeyIdentifier=keyid
"""


class Apps:
    def __init__(self, cloud, folder):
        self.cloud, self.folder = cloud, folder
        self.hosts = {}
        self.scripts = {}
        self.seen = []
        self.servers = []
        self.authority_lock = threading.Lock()

    def reset(self):
        self.hosts.clear()
        self.scripts.clear()
        self.seen.clear()
        self.stop()

    def stop(self):
        for server in self.servers:
            server.shutdown()
            server.server_close()
        self.servers.clear()

    def open(self, host, answer):
        """Serve a host; its URL as the service's description gives it."""
        self.hosts[host] = answer
        if self.cloud["urls"] != "loopback":
            return host
        apps = self

        class Handler(AppHandler):
            def app(self):
                return apps, host

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
        self.servers.append(server)
        return f"http://127.0.0.1:{server.server_address[1]}"

    def answer(self, host, method, path, headers):
        """(status, headers, body) of a request to an app."""
        with self.cloud.lock:
            self.seen.append({"host": host, "method": method, "path": path, "headers": headers})
            if host not in self.hosts:
                return 404, {}, b""
            status, body = self.hosts[host]()
            queue = self.scripts.get(host, [])
            script = queue[0] if queue else {}
            if script and script.get("times", 0):
                script["times"] -= 1
                if not script["times"]:
                    queue.pop(0)
        time.sleep(script.get("delay", 0))
        status, body = script.get("status", status), script.get("body", body)
        return status, {"server": "envoy", "x-envoy-upstream-service-time": "1", **script.get("headers", {})}, body.encode()

    # --- TLS ---

    def certificate(self, host):
        """The path of a PEM with key and certificate for the host; the authority's is FOLDER/ca.pem."""
        with self.authority_lock:
            self.authority()
            path = os.path.join(self.folder, host + ".pem")
            if not os.path.exists(path):
                base = os.path.join(self.folder, host)
                extensions = os.path.join(self.folder, "extensions")
                with open(extensions, "w", encoding="utf-8") as f:
                    f.write(EXTENSIONS.format(host=host))
                self.openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", base + ".key",
                             "-out", base + ".csr", "-subj", "/CN=app")
                self.openssl("x509", "-req", "-in", base + ".csr", "-CA", self.folder + "/ca.pem", "-CAkey",
                             self.folder + "/ca.key", "-CAcreateserial", "-days", "2", "-extfile", extensions, "-extensions",
                             "leaf", "-out", base + ".crt")
                with open(path, "w", encoding="utf-8") as out:
                    for part in (".key", ".crt"):
                        with open(base + part, encoding="utf-8") as f:
                            out.write(f.read())
            return path

    def authority(self):
        if os.path.exists(self.folder + "/ca.pem"):
            return
        config = os.path.join(self.folder, "ca.cnf")
        with open(config, "w", encoding="utf-8") as f:
            f.write("[req]\ndistinguished_name=dn\n[dn]\n" + EXTENSIONS.format(host="none.invalid"))
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                     self.folder + "/ca.key", "-out", self.folder + "/ca.pem", "-days", "2", "-subj", "/CN=stand-in authority",
                     "-config", config, "-extensions", "v3_ca")

    @staticmethod
    def openssl(*words):
        subprocess.run(["openssl", *words], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def tunnel(self, sock, host):
        """Speak TLS for the host on an accepted connection, and answer as its app."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate(host))
        apps = self

        class Handler(AppHandler):
            def app(self):
                return apps, host

        try:
            with context.wrap_socket(sock, server_side=True) as secure:
                secure.settimeout(30)
                Handler(secure, ("127.0.0.1", 0), None)
        except (OSError, ssl.SSLError):
            pass


class AppHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_GET(self):
        apps, host = self.app()
        status, headers, body = apps.answer(host, self.command, self.path, dict(self.headers))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_POST = do_GET


