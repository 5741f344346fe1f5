#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A long way to a proxy: passes bytes on after a while, where the kernel has no netem.

delayer.py PORT PROXY_PORT FILE; the file holds the milliseconds that each read is kept for, both
ways, and may change.
"""
import asyncio
import pathlib
import sys

import plan


async def pass_on(reader, writer, delay_file):
    loop = asyncio.get_running_loop()
    queue = asyncio.Queue(1000)

    async def write():
        while (item := await queue.get()) is not None:
            due, data = item
            await asyncio.sleep(max(0, due - loop.time()))
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
    writing = asyncio.create_task(write())
    try:
        while data := await reader.read(65536):
            await queue.put((loop.time() + int(delay_file.read_text()) / 1000, data))
    except OSError:
        writer.transport.abort()  # as whoever sent it
    finally:
        await queue.put(None)
        await writing


async def take(reader, writer, port, delay_file):
    try:
        far_reader, far_writer = await asyncio.open_connection(plan.PROXY4, port)
    except OSError:
        writer.close()
        return
    await asyncio.gather(pass_on(reader, far_writer, delay_file),
                         pass_on(far_reader, writer, delay_file), return_exceptions=True)
    far_writer.close()
    writer.close()


async def main():
    port, proxy_port, delay_file = int(sys.argv[1]), int(sys.argv[2]), pathlib.Path(sys.argv[3])
    server = await asyncio.start_server(lambda r, w: take(r, w, proxy_port, delay_file), None, port)
    await server.serve_forever()


if __name__ == '__main__':
    asyncio.run(main())
