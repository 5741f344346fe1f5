#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What Debian has no server for: datagrams in a stream, written from what the protocols say.

udpservers.py udpgw PORT         badvpn's udpgw: frames of little-endian length, flags, number of
                                 a connection, far end, payload
udpservers.py udp-in-tcp PORT    a SOCKS5 proxy with CONNECT and command 5 of hev-socks5-server: frames of
                                 big-endian length of the payload, length of the header, far end,
                                 payload; datagrams of more than 1500 bytes end the connection
"""
import asyncio
import ipaddress
import socket
import struct
import sys

KEEPALIVE, REBIND, IPV6 = 1, 2, 8
MOST_CONNECTIONS, SILENCE_SECONDS, MOST_BYTES = 256, 20, 1500


def udp_socket(family, receive):
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.setblocking(False)

    def readable():
        while True:
            try:
                data, peer = sock.recvfrom(65536)
            except OSError:
                return
            receive(ipaddress.ip_address(peer[0]), peer[1], data)
    asyncio.get_running_loop().add_reader(sock, readable)
    return sock


def close(sock):
    asyncio.get_running_loop().remove_reader(sock)
    sock.close()


class Gateway:
    """One client of udpgw: a socket for each number, connected to its far end."""

    def __init__(self, reader, writer):
        self.reader, self.writer, self.connections = reader, writer, {}

    def answer(self, number, address, port, data):
        flags = IPV6 if address.version == 6 else 0
        body = struct.pack('<BH', flags, number) + address.packed + struct.pack('>H', port) + data
        self.writer.write(struct.pack('<H', len(body)) + body)

    def take(self, frame):
        flags, number = struct.unpack_from('<BH', frame)
        if flags & KEEPALIVE:
            return
        size = 16 if flags & IPV6 else 4
        address = ipaddress.ip_address(frame[3:3 + size])
        port, = struct.unpack_from('>H', frame, 3 + size)
        place, sock = self.connections.pop(number, (None, None))
        if sock and (flags & REBIND or place != (address, port)):
            close(sock)
            sock = None
        if sock is None:
            if len(self.connections) == MOST_CONNECTIONS:
                close(self.connections.pop(next(iter(self.connections)))[1])
            sock = udp_socket(socket.AF_INET6 if size == 16 else socket.AF_INET,
                              lambda *_: self.answer(number, address, port, _[2]))
            sock.connect((str(address), port))
        self.connections[number] = (address, port), sock
        try:
            sock.send(frame[3 + size + 2:])
        except OSError:
            pass

    async def run(self):
        try:
            while True:
                async with asyncio.timeout(SILENCE_SECONDS):
                    length, = struct.unpack('<H', await self.reader.readexactly(2))
                    self.take(await self.reader.readexactly(length))
        except (asyncio.IncompleteReadError, TimeoutError, OSError, struct.error, ValueError):
            pass
        finally:
            for _, sock in self.connections.values():
                close(sock)
            self.writer.close()


async def read_place(reader):
    kind, = await reader.readexactly(1)
    if kind == 3:
        name = await reader.readexactly((await reader.readexactly(1))[0])
        address = None
    else:
        address, name = await reader.readexactly(16 if kind == 4 else 4), None
    port, = struct.unpack('>H', await reader.readexactly(2))
    if name is None:
        return str(ipaddress.ip_address(address)), port
    found = await asyncio.get_running_loop().getaddrinfo(name.decode(), port,
                                                         type=socket.SOCK_DGRAM)
    return found[0][4][:2]


async def pipe(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()


class InTcp:
    """One association: a socket for each family, which anybody may answer."""

    def __init__(self, reader, writer):
        self.reader, self.writer, self.sockets = reader, writer, {}

    def answer(self, address, port, data):
        place = bytes([4 if address.version == 6 else 1]) + address.packed + struct.pack('>H', port)
        self.writer.write(struct.pack('>HB', len(data), 3 + len(place)) + place + data)

    def reply(self, code):
        self.writer.write(bytes([5, code, 0, 1, 0, 0, 0, 0, 0, 0]))

    async def shake(self):
        """The command, and the place of it."""
        _, n_methods = await self.reader.readexactly(2)
        await self.reader.readexactly(n_methods)
        self.writer.write(b'\5\0')
        _, command, _ = await self.reader.readexactly(3)
        return command, await read_place(self.reader)

    async def connect(self, place):
        reader, writer = await asyncio.open_connection(*place)
        self.reply(0)
        await asyncio.gather(pipe(self.reader, writer), pipe(reader, self.writer))

    async def take(self):
        length, header = struct.unpack('>HB', await self.reader.readexactly(3))
        place = await read_place(self.reader)
        if not 0 < length <= MOST_BYTES or header < 10:
            raise ValueError('no datagram')
        data = await self.reader.readexactly(length)
        family = socket.AF_INET6 if ':' in place[0] else socket.AF_INET
        if family not in self.sockets:
            self.sockets[family] = udp_socket(family, self.answer)
        try:
            self.sockets[family].sendto(data, place)
        except OSError:
            pass

    async def run(self):
        try:
            command, place = await self.shake()
            if command == 1:
                await self.connect(place)
            self.reply(0 if command == 5 else 7)
            while command == 5:
                await self.take()
        except (asyncio.IncompleteReadError, OSError, ValueError):
            pass
        finally:
            for sock in self.sockets.values():
                close(sock)
            self.writer.close()


async def main(protocol, port):
    kind = {'udpgw': Gateway, 'udp-in-tcp': InTcp}[protocol]
    server = await asyncio.start_server(lambda *pair: kind(*pair).run(), None, int(port))
    async with server:
        await server.serve_forever()


if __name__ == '__main__':
    asyncio.run(main(*sys.argv[1:]))
