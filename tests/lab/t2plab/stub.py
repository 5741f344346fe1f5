#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A SOCKS5 proxy that does as it is told, for what real ones do only on bad days.

stub.py PORT BEHAVIOUR [ARGUMENT]; each request is a JSON line on standard output.

record          says yes and sends "HOST PORT" as the request had it, then ends
refuse CODE     replies with that code
silent          takes connections and says nothing
slow            says yes in single bytes with pauses, then as record
no-method       accepts none of the client's methods
wrong-password  wants user and password, and is never content
close-early     closes when the greeting has come
close-midway    closes after half of the reply
garbage         answers as a web server would
vanish BYTES    really connects, and resets after so many bytes
pipelined       as record, but answers only when the request has come with the greeting
"""
import ipaddress
import json
import select
import socket
import socketserver
import struct
import sys
import time

YES = b'\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00'


class Gone(Exception):
    """The client went away."""


def read(sock, count):
    data = b''
    while len(data) < count:
        part = sock.recv(count - len(data))
        if not part:
            raise Gone
        data += part
    return data


def read_request(sock):
    _, _, _, kind = read(sock, 4)
    if kind == 3:
        host = read(sock, read(sock, 1)[0]).decode('ascii', 'replace')
    else:
        host = str(ipaddress.ip_address(read(sock, 4 if kind == 1 else 16)))
    return {'kind': {1: 'ipv4', 3: 'name', 4: 'ipv6'}[kind], 'host': host,
            'port': struct.unpack('>H', read(sock, 2))[0]}


def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    sock.close()


class Client(socketserver.BaseRequestHandler):
    def handle(self):
        try:
            self.talk(self.server.behaviour, self.server.argument)
        except (Gone, OSError, KeyError):
            pass

    def greet(self, method=b'\x00'):
        read(self.request, read(self.request, 2)[1])
        if self.server.behaviour == 'pipelined':
            self.request.settimeout(2)
            self.request.recv(1, socket.MSG_PEEK)
        self.request.sendall(b'\x05' + method)

    def ask(self):
        request = read_request(self.request)
        sys.stdout.write(json.dumps(request) + '\n')  # at once, not between another's parts
        return request

    def linger(self):
        while self.request.recv(65536):
            pass

    def talk(self, behaviour, argument):
        if behaviour == 'silent':
            return self.linger()
        if behaviour == 'garbage':
            self.request.recv(1)
            self.request.sendall(b'HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n')
            return self.linger()
        if behaviour == 'close-early':
            return read(self.request, 2)
        if behaviour == 'no-method':
            self.greet(b'\xff')
            return self.linger()
        if behaviour == 'wrong-password':
            self.greet(b'\x02')
            read(self.request, read(self.request, 2)[1])
            read(self.request, read(self.request, 1)[0])
            self.request.sendall(b'\x01\x01')
            return None
        self.greet()
        return self.answer(behaviour, argument, self.ask())

    def answer(self, behaviour, argument, request):
        line = f'{request["host"]} {request["port"]}\n'.encode()
        if behaviour == 'refuse':
            self.request.sendall(b'\x05' + bytes([int(argument)]) + YES[2:])
        elif behaviour == 'close-midway':
            self.request.sendall(YES[:5])
        elif behaviour == 'slow':
            for byte in YES:
                self.request.sendall(bytes([byte]))
                time.sleep(0.02)
            self.request.sendall(line)
        elif behaviour == 'vanish':
            self.vanish(request, int(argument))
        else:
            self.request.sendall(YES + line)

    def vanish(self, request, most):
        # one thread: a socket that another one is reading would not go at once
        with socket.create_connection((request['host'], request['port']), 10) as far:
            self.request.sendall(YES)
            carried = 0
            while carried < most:
                ready, _, _ = select.select([self.request, far], [], [], 30)
                if self.request in ready:
                    far.sendall(self.request.recv(65536))
                if far in ready:
                    data = far.recv(min(65536, most - carried))
                    if not data:
                        break
                    self.request.sendall(data)
                    carried += len(data)
            reset(self.request)


class Stub(socketserver.ThreadingTCPServer):
    address_family = socket.AF_INET6
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 1024

    def server_activate(self):
        super().server_activate()
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 64)

    def shutdown_request(self, request):
        try:
            super().shutdown_request(request)
        except OSError:
            pass

    def handle_error(self, request, client_address):
        pass


def main():
    sys.stdout.reconfigure(line_buffering=True)
    with Stub(('::', int(sys.argv[1])), Client) as stub:
        stub.behaviour = sys.argv[2]
        stub.argument = sys.argv[3] if len(sys.argv) > 3 else ''
        stub.serve_forever()


if __name__ == '__main__':
    main()
