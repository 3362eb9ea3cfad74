"""What the programs here share: namespaces, TUN devices, and numbers that Python does not know.

A program is called with the name of a fact and paths of namespaces, shows the fact with the
kernel's own calls, apart from the project's code, and prints one JSON value.
"""
import ctypes
import errno
import fcntl
import json
import os
import socket
import struct
import sys

UDP_SEGMENT = 103
UDP_GRO = 104
SO_NO_CHECK = 11
SO_RXQ_OVFL = 40
SO_ATTACH_FILTER = 26
IP_MTU_DISCOVER = 10
IP_PMTUDISC_PROBE = 3
TUNSETIFF = 0x400454CA
TUNSETPERSIST = 0x400454CB
TUNSETOFFLOAD = 0x400454D0
TUNSETVNETHDRSZ = 0x400454D8
IFF_TUN, IFF_NO_PI, IFF_VNET_HDR = 0x0001, 0x1000, 0x4000
TUN_F_CSUM, TUN_F_TSO4, TUN_F_TSO6, TUN_F_TSO_ECN = 1, 2, 4, 8
TUN_F_USO4, TUN_F_USO6 = 0x20, 0x40
OFFLOADS = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN | TUN_F_USO4 | TUN_F_USO6
NEEDS_CSUM = 1
GSO_UDP = 5
VNET_HEADER = struct.Struct('=BBHHHH')  # flags, type, header bytes, size, csum start, csum offset

libc = ctypes.CDLL(None, use_errno=True)


def enter(path):
    """Moves the thread into a network namespace."""
    with open(path) as namespace:
        if libc.setns(namespace.fileno(), 0x40000000) != 0:
            raise OSError(ctypes.get_errno(), 'setns')


def udp_socket(address, port=0):
    family = socket.AF_INET6 if ':' in address else socket.AF_INET
    s = socket.socket(family, socket.SOCK_DGRAM)
    s.settimeout(5)
    s.bind((address, port))
    return s


def open_tun(name, offloads=OFFLOADS):
    fd = os.open('/dev/net/tun', os.O_RDWR)
    flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR
    fcntl.ioctl(fd, TUNSETIFF, struct.pack('16sH22x', name.encode(), flags))
    fcntl.ioctl(fd, TUNSETVNETHDRSZ, struct.pack('i', VNET_HEADER.size))
    fcntl.ioctl(fd, TUNSETOFFLOAD, offloads)
    return fd


def ip(*arguments):
    if os.spawnlp(os.P_WAIT, 'ip', 'ip', *arguments) != 0:
        raise RuntimeError('ip ' + ' '.join(arguments))


def errno_of(call, *arguments):
    """Name of the error a call ends with; None when it succeeds."""
    try:
        call(*arguments)
        return None
    except OSError as error:
        return errno.errorcode[error.errno]


def main(facts):
    print(json.dumps(facts[sys.argv[1]](*sys.argv[2:])))
