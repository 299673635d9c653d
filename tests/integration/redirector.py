# SPDX-License-Identifier: MIT
"""A Marathon that sends everybody elsewhere: /v2/events is a redirect to LOCATION, all else 404. Prints its port, then the path and the
Authorization of each request. Usage: redirector.py LOCATION|none, where %PORT% is its own port."""
import http.server
import sys


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        print(self.path, self.headers.get("Authorization", "-"), flush=True)
        location = sys.argv[1].replace("%PORT%", str(self.server.server_address[1]))
        self.send_response(302 if self.path == "/v2/events" and location != "none" else 404)
        self.send_header("Location", location)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
