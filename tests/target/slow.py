"""Three requests that are under way while traffic is switched: one ends within a second, one takes longer than the
old version gets, and one's body is complete only when the old version is gone. Exits with 0 when each went as it
should."""
import socket
import sys
import time

port = int(sys.argv[1])


def send(request):
    connection = socket.create_connection(("127.0.0.1", port))
    connection.settimeout(30)
    connection.sendall(request)
    return connection


def answer(connection):
    text = b""
    while piece := connection.recv(65536):
        text += piece
    return text


head = f"Host: shop.localhost:{port}\r\nConnection: close\r\n"
short = send(f"GET /sleep2 HTTP/1.1\r\n{head}\r\n".encode())
long = send(f"GET /sleep60 HTTP/1.1\r\n{head}\r\n".encode())
upload = send(f"POST / HTTP/1.1\r\n{head}Content-Length: 4\r\n\r\nab".encode())
good = answer(short).endswith(b"\r\n\r\none")
cut = answer(long)
time.sleep(1)
upload.sendall(b"cd")
arrived = answer(upload)
for name, fine, seen in (("short", good, b""), ("long", b" 502 " in cut, cut),
                         ("upload", arrived.endswith(b"\r\n\r\ntwo"), arrived)):
    if not fine:
        print("#", name, seen, file=sys.stderr)
        good = False
sys.exit(0 if good else 1)
