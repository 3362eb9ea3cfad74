"""One end of a wire, without an IP stack: sends whole IP packets, and says which ones arrive.

    packet_end.py DEVICE ROUTER_MAC

A line of hexadecimal digits on standard input is a packet to be sent to the router. Of each packet
that comes from there, the last eight bytes are printed, as hexadecimal digits. All packets go
through one socket, on one CPU, so that they keep their order.
"""
import os
import select
import socket
import sys

ETH_P_ALL, ETH_P_IP, ETH_P_IPV6 = 3, 0x0800, 0x86DD
TAG_BYTES = 8

device, router = sys.argv[1], bytes.fromhex(sys.argv[2].replace(':', ''))
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
wire = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
wire.bind((device, ETH_P_ALL))
print('ready', flush=True)
pending = b''
while True:
    ready, _, _ = select.select([0, wire], [], [])
    if wire in ready:
        packet, (_, _, kind, _, _) = wire.recvfrom(65536)
        if kind != socket.PACKET_OUTGOING:
            print(packet[-TAG_BYTES:].hex(), flush=True)
    if 0 in ready:
        chunk = os.read(0, 65536)
        if chunk == b'':
            break
        *lines, pending = (pending + chunk).split(b'\n')
        for line in lines:
            packet = bytes.fromhex(line.decode())
            protocol = ETH_P_IP if packet[0] >> 4 == 4 else ETH_P_IPV6
            wire.sendto(packet, (device, protocol, 0, 0, router))
