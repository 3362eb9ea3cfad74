"""
Datagrams as QUIC stacks send them, many to a system call: UDP_SEGMENT at the sender, UDP_GRO at the
receiver (udp(7)). At a set rate, for a set time; the receiver counts what has come.

    datagrams.py receive ADDRESS PORT                   prints {"datagrams": N, "bytes": B} at the end
    datagrams.py send ADDRESS PORT BYTES BIT/S SECONDS  prints {"datagrams": N, "seconds": S}

The sender ends with datagrams of one byte, which the receiver ends at. Datagrams are numbered by
nobody: in a tunnel none is made twice, so what was sent less what has come is what was lost.
"""
import json
import socket
import struct
import sys
import time

UDP_SEGMENT = 103
UDP_GRO = 104
SEGMENTS_MAX = 44
SOCKET_BYTES = 8 << 20
# Of SO_RCVBUFFORCE and SO_SNDBUFFORCE, which Python does not name.
SO_SNDBUFFORCE = 32
SO_RCVBUFFORCE = 33
LAST = b'.'
LAST_COUNT = 20


def receive(address, port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, SOCKET_BYTES)
        receiver.setsockopt(socket.IPPROTO_UDP, UDP_GRO, 1)
        receiver.bind((address, port))
        print('listening', flush=True)
        buffer = bytearray(65536)
        datagrams = total = 0
        while True:
            count, ancillary, _, _ = receiver.recvmsg_into([buffer], 64)
            if count == len(LAST):
                break
            size = count
            for level, kind, data in ancillary:
                if level == socket.IPPROTO_UDP and kind == UDP_GRO:
                    size = struct.unpack('i', data[:4])[0]
            datagrams += -(-count // size)
            total += count
        print(json.dumps({'datagrams': datagrams, 'bytes': total}))


def send(address, port, size, rate, seconds):
    segments = min(SEGMENTS_MAX, 65000 // size)
    payload = bytes(size * segments)
    pause = len(payload) * 8 / rate
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, SOCKET_BYTES)
        sender.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, size)
        sender.connect((address, port))
        began = time.monotonic()
        datagrams = calls = 0
        while (now := time.monotonic()) - began < seconds:
            ahead = began + calls * pause - now
            if ahead > 0:
                time.sleep(ahead)
            sender.send(payload)
            calls += 1
            datagrams += segments
        elapsed = time.monotonic() - began
        print(json.dumps({'datagrams': datagrams, 'seconds': elapsed}))
        for _ in range(LAST_COUNT):
            time.sleep(0.05)
            try:
                sender.send(LAST)
            except ConnectionRefusedError:
                break


if sys.argv[1] == 'receive':
    receive(sys.argv[2], int(sys.argv[3]))
else:
    send(sys.argv[2], *(int(word) for word in sys.argv[3:6]), float(sys.argv[6]))
