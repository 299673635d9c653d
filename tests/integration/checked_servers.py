# SPDX-License-Identifier: MIT
"""Web servers that are healthy at one path and Host only. Usage: checked_servers.py FOLDER NAME...

For each name: its port is written to FOLDER/NAME.port; a request gets 200 when "PATH HOST" is what FOLDER/NAME.expects says at that moment,
else 503; FOLDER/NAME.seen has the last request.
"""
import http.server
import os
import pathlib
import sys
import threading

folder = pathlib.Path(sys.argv[1])


def replace(path, text):
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(text)
    os.rename(temporary, path)


def handler(name):
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            request = f"{self.path} {self.headers.get('Host')}"
            replace(folder / f"{name}.seen", request + "\n")
            self.send_response(200 if request == (folder / f"{name}.expects").read_text().strip() else 503)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args):
            pass

    return Handler


for name in sys.argv[2:]:
    server = http.server.HTTPServer(("127.0.0.1", 0), handler(name))
    replace(folder / f"{name}.port", f"{server.server_address[1]}\n")
    threading.Thread(target=server.serve_forever).start()
