#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The far side of the tests: HTTP, echo and an answer after the client's end of data.

GET /bytes/N     N bytes of a fixed pattern that never repeats at a power of two
GET /ip          the address that the connection came from
GET /drip/N      N lines, one every 100 ms
PUT|POST /...    how many bytes came and their SHA-256, as JSON
"""
import hashlib
import http.server
import json
import os
import random
import socket
import socketserver
import threading
import time

try:
    from t2plab import plan
except ImportError:  # run by its path
    import plan

PATTERN_BYTES = (1 << 24) + 4099


def pattern():
    return random.Random(4711).randbytes(PATTERN_BYTES)


def sha256(size):
    """What /bytes/SIZE must add up to."""
    block, digest = pattern(), hashlib.sha256()
    for offset in range(0, size, PATTERN_BYTES):
        digest.update(block[:min(PATTERN_BYTES, size - offset)])
    return digest.hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    disable_nagle_algorithm = True

    def _head(self, length, kind='text/plain'):
        self.send_response(200)
        self.send_header('Content-Type', kind)
        self.send_header('Content-Length', str(length))
        self.end_headers()
        self.wfile.flush()

    def _send(self, data, kind='text/plain'):
        self._head(len(data), kind)
        self.wfile.write(data)

    def _send_pattern(self, size):
        self._head(size, 'application/octet-stream')
        sent = 0
        while sent < size:
            offset = sent % PATTERN_BYTES
            sent += os.sendfile(self.connection.fileno(), self.server.pattern_fd, offset,
                                min(PATTERN_BYTES - offset, size - sent))

    def _drip(self, lines):
        self._head(7 * lines)
        for number in range(lines):
            self.wfile.write(b'%06d\n' % number)
            self.wfile.flush()
            time.sleep(0.1)

    def do_GET(self):
        what, _, number = self.path.strip('/').partition('/')
        if what == 'bytes' and number.isdigit():
            self._send_pattern(int(number))
        elif what == 'drip' and number.isdigit():
            self._drip(int(number))
        elif what == 'ip':
            self._send(self.client_address[0].removeprefix('::ffff:').encode() + b'\n')
        else:
            self._send(b'hello from the server\n')

    def _body(self):
        left = int(self.headers.get('Content-Length', 0))
        while left > 0:
            data = self.rfile.read(min(left, 1 << 20))
            if not data:
                return
            left -= len(data)
            yield data

    def do_PUT(self):
        digest, count = hashlib.sha256(), 0
        for data in self._body():
            digest.update(data)
            count += len(data)
        answer = {'bytes': count, 'sha256': digest.hexdigest()}
        self._send(json.dumps(answer).encode() + b'\n', 'application/json')

    do_POST = do_PUT

    def log_message(self, *args):
        print(self.client_address[0], *args[1:], flush=True)


class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        while data := self.request.recv(65536):
            self.request.sendall(data)
        self.request.shutdown(socket.SHUT_WR)


class AnswerAfterEof(socketserver.BaseRequestHandler):
    """Says how much came, then 1 MiB of the pattern, once the client has shut down its side."""

    def handle(self):
        count = 0
        while data := self.request.recv(65536):
            count += len(data)
        self.request.sendall(b'%020d\n' % count + self.server.answer)


class EchoUdp(socketserver.BaseRequestHandler):
    def handle(self):
        data, sock = self.request
        sock.sendto(data, self.client_address)


class DualStack:
    address_family = socket.AF_INET6
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 1024

    def server_bind(self):
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        socketserver.TCPServer.server_bind(self)

    def handle_error(self, request, client_address):
        pass  # a client that goes away is no news here


class Http(DualStack, http.server.ThreadingHTTPServer):
    def server_bind(self):
        DualStack.server_bind(self)
        self.server_name, self.server_port = 'www.example', self.server_address[1]


class Tcp(DualStack, socketserver.ThreadingTCPServer):
    pass


class Udp(DualStack, socketserver.ThreadingUDPServer):
    pass


def main():
    block = pattern()
    fd = os.memfd_create('pattern')
    os.truncate(fd, 0)
    with open(fd, 'wb', closefd=False) as file:
        file.write(block)
    servers = [Http(('::', port), Handler) for port in (plan.HTTP, plan.HTTP_ALT)]
    servers += [Tcp(('::', plan.ECHO), Echo), Udp(('::', plan.ECHO), EchoUdp),
                Tcp(('::', plan.ANSWER_AFTER_EOF), AnswerAfterEof)]
    for server in servers:
        server.pattern_fd, server.answer = fd, block[:1 << 20]
        threading.Thread(target=server.serve_forever).start()


if __name__ == '__main__':
    main()
