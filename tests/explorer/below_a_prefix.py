"""A proxy that takes a prefix off the path and passes the rest on."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

HOP_BY_HOP = ("connection", "keep-alive", "transfer-encoding", "host")


@contextmanager
def proxying(service: httpx.Client, prefix: str) -> Iterator[str]:
    """The address below which `service` is found, until the end; all else there is 404."""

    class Proxy(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if not self.path.startswith(prefix + "/"):
                self.send_error(404)
                return
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {
                name: value
                for name, value in self.headers.items()
                if name.lower() not in HOP_BY_HOP
            }
            path = self.path.removeprefix(prefix)
            url = str(service.base_url).rstrip("/") + path
            with httpx.stream(self.command, url, headers=headers, content=body) as answer:
                content = b"".join(answer.iter_raw())
                self.send_response(answer.status_code)
                for name, value in answer.headers.items():
                    if name not in (*HOP_BY_HOP, "content-length", "date"):
                        self.send_header(name, value)
            if answer.status_code not in (204, 304):
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}{prefix}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
