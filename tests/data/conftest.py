"""A server on this machine, for what is downloaded otherwise."""

import http.server
import threading
from types import SimpleNamespace

import pytest


@pytest.fixture(scope="module")
def server():
    """`url`, and `answer`: (path) -> the body, or (body, bytes that are promised beyond it).

    None is 404.  `asked` lists the paths.
    """
    served = SimpleNamespace(asked=[], answer=lambda path: None)

    class Answers(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            served.asked.append(self.path)
            found = served.answer(self.path)
            if found is None:
                return self.send_error(404)
            body, more = found if isinstance(found, tuple) else (found, 0)
            self.send_response(200)
            self.send_header("Content-Length", str(len(body) + more))
            self.end_headers()
            self.wfile.write(body)
            return None

        def log_message(self, format, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers) as httpd:
        served.url = f"http://127.0.0.1:{httpd.server_port}"
        thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield served
        httpd.shutdown()
        thread.join()
