# SPDX-License-Identifier: MIT
"""A server that speaks TLS itself: answers each request with TEXT. Use: tls_stub.py CERTIFICATE TEXT [PORT]; prints its port."""
import socketserver
import ssl
import sys

context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1])
text = sys.argv[2].encode()


class Handler(socketserver.BaseRequestHandler):
    def handle(self):
        try:
            with context.wrap_socket(self.request, server_side=True) as secure:
                data = b""
                while b"\r\n\r\n" not in data:
                    part = secure.recv(4096)
                    if not part:
                        return
                    data += part
                secure.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text))
        except OSError:
            pass


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 64


server = Server(("127.0.0.1", int(sys.argv[3]) if len(sys.argv) > 3 else 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
