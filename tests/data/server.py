"""A server for files on this machine that can be told to misbehave."""

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Server:
    """Serves ``files``; ``requests`` are the paths that were asked for, with their range.

    ``breaks`` cuts off so many answers after half of what was asked for. ``ranges`` is whether parts are given.
    """

    def __init__(self, files):
        self.files, self.requests, self.breaks, self.ranges, self.delay = files, [], 0, True, threading.Event()
        self.delay.set()
        self.address = ""


@contextmanager
def serving(files):
    server = Server(files)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked = self.headers.get("Range")
            server.requests.append((self.path, asked))
            content = server.files.get(self.path.lstrip("/"))
            if content is None:
                self.send_error(404)
                return
            first = int(asked.removeprefix("bytes=").rstrip("-")) if asked and server.ranges else 0
            body = content[first:]
            self.send_response(206 if asked and server.ranges else 200)
            if asked and server.ranges:
                self.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if server.breaks:
                server.breaks -= 1
                body = body[: len(body) // 2]
                self.close_connection = True
            self.wfile.write(body)
            self.wfile.flush()
            server.delay.wait(10)

        def log_message(self, *_):
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.daemon_threads = True
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    server.address = f"http://127.0.0.1:{httpd.server_address[1]}/"
    try:
        yield server
    finally:
        server.delay.set()
        httpd.shutdown()
        httpd.server_close()
