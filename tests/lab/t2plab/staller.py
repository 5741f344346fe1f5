#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A proxy that goes wrong at each byte of what it says, for every handshake that we speak.

staller.py PORT PROTOCOL FILE; PROTOCOL is a key of TALKS, "+tls" may follow. FILE is read for each
connection and holds MODE POSITIONS STRIDE FIRST:

fine    says yes and sends "HOST PORT" as the request had it, then ends
split   the same, but pauses behind byte FIRST, FIRST + STRIDE, …: each connection takes the next
        position below POSITIONS, and after the last the first
stall   says nothing more behind it
close   closes there
reset   resets there

Each connection prints a JSON line when it has come to its position, or to its end: the mode, the
position, and how many bytes the whole handshake sent (null unless it came to its end).
"""
import ipaddress
import itertools
import json
import secrets
import socket
import socketserver
import ssl
import struct
import sys
import threading
import time

import plan

PAUSE_SECONDS = 0.03


class Gone(Exception):
    """The client went away, or the position was reached."""


class Wire:
    """A socket that goes wrong behind so many sent bytes; with TLS those are TLS's own."""

    def __init__(self, sock, mode, position, tls):
        self.sock, self.mode, self.position, self.sent = sock, mode, position, 0
        self.incoming, self.outgoing, self.tls = ssl.MemoryBIO(), ssl.MemoryBIO(), None
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self.tls = tls.wrap_bio(self.incoming, self.outgoing, server_side=True)
            self._until_done(self.tls.do_handshake)

    def tell(self, total):
        said = {'mode': self.mode, 'position': self.position, 'total': total}
        sys.stdout.write(json.dumps(said) + '\n')

    def _go_wrong(self):
        self.tell(None)
        if self.mode == 'split':
            time.sleep(PAUSE_SECONDS)
            return
        if self.mode == 'stall':
            while self.sock.recv(65536):
                pass
        if self.mode == 'reset':
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        raise Gone

    def _send_raw(self, data):
        before = self.position - self.sent
        if self.mode != 'fine' and 0 <= before < len(data):
            self.sock.sendall(data[:before])
            self.sent += before
            self._go_wrong()
            data = data[before:]
        self.sock.sendall(data)
        self.sent += len(data)

    def _until_done(self, step, *args):
        while True:
            try:
                done = step(*args)
                self._flush()
                return done
            except ssl.SSLWantReadError:
                self._flush()
                data = self.sock.recv(65536)
                if not data:
                    raise Gone from None
                self.incoming.write(data)

    def _flush(self):
        if self.outgoing.pending:
            self._send_raw(self.outgoing.read())

    def send(self, data):
        if self.tls is None:
            self._send_raw(data)
        else:
            self._until_done(self.tls.write, data)

    def end(self):
        """As one that has nothing more to say, and leaves nothing unread."""
        if self.tls is not None:
            self._until_done(self.tls.unwrap)
        self.sock.shutdown(socket.SHUT_WR)
        while self.sock.recv(65536):
            pass

    def read(self, count):
        data = b''
        while len(data) < count:
            if self.tls is None:
                part = self.sock.recv(count - len(data))
            else:
                part = self._until_done(self.tls.read, count - len(data))
            if not part:
                raise Gone
            data += part
        return data

    def read_until(self, end):
        data = b''
        while not data.endswith(end):
            data += self.read(1)
        return data


def socks_address(wire, kind):
    if kind == 3:
        return wire.read(wire.read(1)[0]).decode('ascii', 'replace')
    return str(ipaddress.ip_address(wire.read(4 if kind == 1 else 16)))


def socks5(wire, method=0):
    wire.read(wire.read(2)[1])
    wire.send(bytes([5, method]))
    if method == 2:
        wire.read(wire.read(2)[1])
        wire.read(wire.read(1)[0])
        wire.send(b'\x01\x00')
    host = socks_address(wire, wire.read(4)[3])
    port, = struct.unpack('>H', wire.read(2))
    return b'\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00', host, port


def socks5_password(wire):
    return socks5(wire, method=2)


def socks4(wire):
    _, _, port, address = struct.unpack('>BBH4s', wire.read(8))
    wire.read_until(b'\x00')
    host = str(ipaddress.ip_address(address))
    if host.startswith('0.0.0.'):
        host = wire.read_until(b'\x00')[:-1].decode('ascii', 'replace')
    return b'\x00\x5a\x00\x00\x00\x00\x00\x00', host, port


def http(wire):
    target = wire.read_until(b'\r\n\r\n').split()[1].decode('ascii', 'replace')
    host, _, port = target.rpartition(':')
    return b'HTTP/1.1 200 OK\r\nVia: here\r\n\r\n', host.strip('[]'), int(port)


def http_digest(wire):
    """Asks for a password first, whatever it was told: the nonce is a new one. Then takes any."""
    wire.read_until(b'\r\n\r\n')
    nonce = secrets.token_hex(16).encode()
    wire.send(b'HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 3\r\n'
              b'Proxy-Authenticate: Digest realm="r", qop="auth", stale=true, nonce="' + nonce
              + b'"\r\n\r\nno\n')
    return http(wire)


TALKS = {'socks4': socks4, 'socks4a': socks4, 'socks5': socks5, 'socks5-password': socks5_password,
         'http': http, 'http-digest': http_digest}


class Client(socketserver.BaseRequestHandler):
    def handle(self):
        try:
            wire = Wire(self.request, *self.server.next_position(), self.server.tls)
            yes, host, port = self.server.talk(wire)
            line = f'{host} {port}\n'.encode()
            wire.send(yes + line)
            wire.tell(wire.sent - len(line))
            wire.end()
        except (Gone, OSError):
            pass


class Staller(socketserver.ThreadingTCPServer):
    address_family = socket.AF_INET6
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 1024

    def __init__(self, port, protocol, file):
        self.file, self._orders, self._positions = file, None, None
        self.lock, self.tls = threading.Lock(), None
        self.talk = TALKS[protocol.removesuffix('+tls')]
        if protocol.endswith('+tls'):
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(f'{plan.TLS}/server.pem')
            self.tls.num_tickets = 0  # a session taken up again would have fewer bytes
        super().__init__(('::', port), Client)

    def next_position(self):
        """The mode that the file orders now, and the position."""
        with self.lock, open(self.file, encoding='ascii') as file:
            orders = file.read().split()
            if orders != self._orders:
                self._orders = orders
                positions, stride, first = map(int, orders[1:])
                self._positions = itertools.cycle(range(first, positions, stride))
            return orders[0], next(self._positions)

    def shutdown_request(self, request):
        try:
            super().shutdown_request(request)
        except OSError:
            pass

    def handle_error(self, request, client_address):
        pass


def main():
    sys.stdout.reconfigure(line_buffering=True)
    port, protocol, file = sys.argv[1:]
    with Staller(int(port), protocol, file) as staller:
        staller.serve_forever()


if __name__ == '__main__':
    main()
