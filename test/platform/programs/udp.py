"""Facts of UDP sockets that daemon/tun/native/underlay.c and send_run.c rely on."""
import select
import struct
import ctypes
import socket

from kernel import (IP_MTU_DISCOVER, IP_PMTUDISC_PROBE, SO_ATTACH_FILTER, SO_NO_CHECK, SO_RXQ_OVFL,
                    UDP_GRO, UDP_SEGMENT, enter, errno_of, main, udp_socket)


def segment(size):
    return [(socket.IPPROTO_UDP, UDP_SEGMENT, struct.pack('H', size))]


def pair(sender_path, receiver_path, sender_address, receiver_address):
    """A socket in each namespace; the receiver takes lumps."""
    enter(receiver_path)
    receiver = udp_socket(receiver_address, 6081)
    receiver.setsockopt(socket.IPPROTO_UDP, UDP_GRO, 1)
    receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    enter(sender_path)
    return udp_socket(sender_address), receiver


def lump(sender_path, receiver_path, sender_address, receiver_address, size, count):
    """Sends `count` datagrams as one run. [bytes, segment size or 0] of every message received."""
    sender, receiver = pair(sender_path, receiver_path, sender_address, receiver_address)
    size, count = int(size), int(count)
    sender.sendmsg([b'x' * (size * count - 1)], segment(size), 0, receiver.getsockname())
    messages = []
    while sum(bytes for bytes, _ in messages) < size * count - 1:
        data, control, _, _ = receiver.recvmsg(65536, 64)
        sizes = [struct.unpack('i', value)[0] for level, kind, value in control
                 if (level, kind) == (socket.IPPROTO_UDP, UDP_GRO)]
        messages.append([len(data), sizes[0] if sizes else 0])
    return messages


def no_check(path, address):
    """Error of a run on a socket without checksums, and of a single datagram there."""
    enter(path)
    sender, receiver = udp_socket(address), udp_socket(address)
    sender.setsockopt(socket.SOL_SOCKET, SO_NO_CHECK, 1)
    to = receiver.getsockname()
    return [errno_of(sender.sendmsg, [b'x' * 300], segment(100), 0, to),
            errno_of(sender.sendmsg, [b'x' * 100], [], 0, to)]


def drop_filter(path, address):
    """Bytes readable on a socket with a filter that drops all, after datagrams came for it."""
    enter(path)
    receiver, other, sender = udp_socket(address), udp_socket(address), udp_socket(address)
    program = ctypes.create_string_buffer(struct.pack('HBBI', 0x06, 0, 0, 0))  # BPF_RET | BPF_K, 0
    receiver.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER,
                        struct.pack('HxxxxxxP', 1, ctypes.addressof(program)))
    for to in (receiver, other):
        sender.sendto(b'x' * 100, to.getsockname())
    other.recv(100)  # loopback delivers in order: the first one has been seen, too
    return len(select.select([receiver], [], [], 0)[0])


def too_big(path, address, to, mtu):
    """Errors with DF: one byte over the MTU, exactly fitting, a run with one byte over."""
    enter(path)
    sender = udp_socket(address)
    sender.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE)
    fits = int(mtu) - 28
    return [errno_of(sender.sendto, b'x' * (fits + 1), (to, 6081)),
            errno_of(sender.sendto, b'x' * fits, (to, 6081)),
            errno_of(sender.sendmsg, [b'x' * (fits + 1) * 3], segment(fits + 1), 0, (to, 6081))]


def overflow(path, address):
    """Drops that SO_RXQ_OVFL tells of: with the first datagram, and with one after an overflow."""
    enter(path)
    receiver, sender = udp_socket(address), udp_socket(address)
    receiver.setsockopt(socket.SOL_SOCKET, SO_RXQ_OVFL, 1)
    receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    told = []
    for count in (1, 100):
        for _ in range(count):
            sender.sendto(b'x' * 1000, receiver.getsockname())
        drain(receiver)
        sender.sendto(b'x', receiver.getsockname())
        _, control, _, _ = receiver.recvmsg(2000, 64)
        told.append([struct.unpack('I', value)[0]
                     for _, kind, value in control if kind == SO_RXQ_OVFL])
    return told


def ipv6_checksum(path, sender_address, receiver_address, device):
    """Is the UDP checksum good, as a packet socket at the sender sees it: of a plain send, and of
    one that waited for more (MSG_MORE)."""
    enter(path)
    sender = udp_socket(sender_address)
    watch = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))  # ETH_P_ALL
    watch.bind((device, 3))
    watch.settimeout(5)
    to = (receiver_address, 6081)
    sender.sendto(b'warms the neighbour up', to)
    good = []
    for more in (False, True):
        if more:
            sender.sendmsg([b'x' * 500], [], socket.MSG_MORE, to)
            sender.sendmsg([b''])
        else:
            sender.sendto(b'x' * 500, to)
        packet = b''
        while len(packet) != 40 + 8 + 500:
            packet = watch.recv(2000)
        good.append(ones_sum(packet[8:40] + struct.pack('!HH', 17, 508) + packet[40:]) == 0xffff)
    return good


def ones_sum(data):
    total = sum(struct.unpack('!%dH' % (len(data) // 2), data))
    while total > 0xffff:
        total = (total & 0xffff) + (total >> 16)
    return total


def drain(receiver):
    while select.select([receiver], [], [], 0)[0]:
        receiver.recv(2000)


main({'lump': lump, 'no_check': no_check, 'drop_filter': drop_filter, 'too_big': too_big,
      'overflow': overflow, 'ipv6_checksum': ipv6_checksum})
