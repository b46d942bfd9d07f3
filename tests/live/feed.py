"""
A feed of alerts by https, with certificates of its own, for the tests of threat.

    feed.py FOLDER ADDRESS PORT [NAME]...   makes the certificates (FOLDER/ca.pem) for these names, serves /feed.xml there
"""
import http.server
import pathlib
import ssl
import subprocess
import sys
import threading
import time

import conftest


def alert(kind, begins=-3600, ends=3600, quote='"'):
    """An alert as an element; times are seconds from now, None: no end."""
    def at(seconds):
        return quote + time.strftime("%Y/%m/%d %H:%M", time.gmtime(time.time() + seconds)) + quote

    end = "" if ends is None else f" end={at(ends)}"
    return (f"<alert start={at(begins)}{end} type={quote}{kind}{quote} link={quote}/ntas/alert.xml{quote}>"
            "<summary>A summary</summary><details><![CDATA[<p>for <b>people</b></p>]]></details></alert>")


def alerts(*elements):
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<alerts>{"".join(elements)}</alerts>\n'.encode()


def make_certificates(folder, *names):
    """A root, FOLDER/ca.pem, and a certificate of its for the names: FOLDER/server.pem, with its key."""
    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True, timeout=conftest.seconds(30))

    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=weir's tests",
            "-addext", "keyUsage=critical,keyCertSign")
    named = ",".join(("IP:" if name[-1].isdigit() else "DNS:") + name for name in names)
    openssl("req", "-x509", *key, "-keyout", "server.key", "-out", "server.crt", "-subj", "/CN=feed", "-CA", "ca.pem",
            "-CAkey", "ca.key", "-addext", f"subjectAltName={named}", "-addext", "basicConstraints=critical,CA:FALSE")
    (folder / "server.pem").write_bytes((folder / "server.crt").read_bytes() + (folder / "server.key").read_bytes())


class Feed:
    """
    Serves what `body`, `status` and `headers` say; where `reply` is set it is called with the request's handler instead.
    """

    def __init__(self, folder, address=("127.0.0.1", 0)):
        self.status, self.headers, self.body, self.reply = 200, {}, alerts(), None
        self.requests = 0
        feed = self

        class Handler(http.server.BaseHTTPRequestHandler):
            timeout = conftest.seconds(30)

            def do_GET(self):
                feed.requests += 1
                (feed.reply or feed.answer)(self)

            def log_message(self, *arguments):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64

            def finish_request(self, request, client_address):
                """Also the handshake, which may fail since the client does not trust us."""
                try:
                    with context.wrap_socket(request, server_side=True) as connection:
                        super().finish_request(connection, client_address)
                except OSError:
                    pass

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "server.pem")
        self.server = Server(address, Handler)
        self.url = f"https://127.0.0.1:{self.server.server_address[1]}/feed.xml"
        self.options = ("--feed", self.url, "--feed-ca", folder / "ca.pem")
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    def answer(self, handler):
        handler.send_response(self.status)
        for name, value in {"Content-Length": len(self.body), **self.headers}.items():
            if value is not None:
                handler.send_header(name, str(value))
        handler.end_headers()
        handler.wfile.write(self.body)

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(conftest.seconds(5))


def main(folder, address, port, *names):
    make_certificates(pathlib.Path(folder), *names)
    feed = Feed(pathlib.Path(folder), (address, int(port)))
    feed.body = alerts(alert("Elevated Threat"))
    print("ready", flush=True)
    feed.thread.join()


if __name__ == "__main__":
    main(*sys.argv[1:])
