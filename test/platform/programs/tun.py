"""Facts of TUN devices that daemon/tun/native/tun.c relies on, each with a device of its own."""
import fcntl
import os
import select
import socket
import struct

from kernel import (GSO_UDP, NEEDS_CSUM, TUNSETPERSIST, UDP_SEGMENT, VNET_HEADER, enter,
                    errno_of, ip, main, open_tun, udp_socket)

NEAR, FAR = '192.0.2.1', '192.0.2.2'


def make(path, name='tun0'):
    """A device with an address; everything for FAR goes into it."""
    enter(path)
    fd = open_tun(name)
    ip('address', 'add', NEAR + '/24', 'dev', name)
    ip('link', 'set', name, 'up')
    return fd


def checksum(data):
    words = struct.unpack('!%dH' % (len(data) // 2), data)
    total = sum(words)
    while total > 0xffff:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def pseudo_header_sum(protocol, length):
    """What a checksum field holds while the checksum is still to be done."""
    pseudo = socket.inet_aton(FAR) + socket.inet_aton(NEAR) + struct.pack('!HH', protocol, length)
    return ~checksum(pseudo) & 0xffff


def ipv4(protocol, payload):
    """A packet from FAR to NEAR."""
    addresses = socket.inet_aton(FAR) + socket.inet_aton(NEAR)
    header = struct.pack('!BBHHHBBH', 0x45, 0, 20 + len(payload), 0, 0x4000, 64, protocol, 0)
    header += addresses
    return header[:10] + struct.pack('!H', checksum(header)) + header[12:] + payload


def read_ipv4(fd, protocol):
    """The next packet of a protocol: virtio-net header, packet. IPv6 noise is passed over."""
    while True:
        if not select.select([fd], [], [], 5)[0]:
            raise TimeoutError('nothing came out of the device')
        data = os.read(fd, 70000)
        packet = data[VNET_HEADER.size:]
        if packet[0] >> 4 == 4 and packet[9] == protocol:
            return VNET_HEADER.unpack(data[:VNET_HEADER.size]), packet


def tcp_super_packet(path):
    """[GSO type, GSO size, flags, bytes] of what 8,000 bytes sent on a connection come out as."""
    fd = make(path)
    client = socket.socket()
    client.setblocking(False)
    client.connect_ex((FAR, 5001))
    _, syn = read_ipv4(fd, socket.IPPROTO_TCP)
    ports, sequence = struct.unpack('!HHI', syn[20:28])[:2], struct.unpack('!I', syn[24:28])[0]
    answer = struct.pack('!HHIIBBHHHBBH', ports[1], ports[0], 1, sequence + 1, 0x60, 0x12, 65535,
                         pseudo_header_sum(socket.IPPROTO_TCP, 24), 0, 2, 4, 1000)  # an MSS of 1000
    os.write(fd, VNET_HEADER.pack(NEEDS_CSUM, 0, 0, 0, 20, 16) + ipv4(socket.IPPROTO_TCP, answer))
    select.select([], [client], [], 5)
    client.send(b'x' * 8000)
    while True:
        (flags, gso_type, _, gso_size, _, _), packet = read_ipv4(fd, socket.IPPROTO_TCP)
        if len(packet) > 100:
            return [gso_type, gso_size, flags, len(packet)]


def udp_super_packet(path):
    """The same of three datagrams of 100 bytes sent as one run."""
    fd = make(path)
    sender = udp_socket(NEAR)
    control = [(socket.IPPROTO_UDP, UDP_SEGMENT, struct.pack('H', 100))]
    sender.sendmsg([b'x' * 300], control, 0, (FAR, 5001))
    (flags, gso_type, _, gso_size, _, _), packet = read_ipv4(fd, socket.IPPROTO_UDP)
    return [gso_type, gso_size, flags, len(packet)]


def udp_super_packet_written(path):
    """Lengths of the datagrams that a super-packet written to the device arrives as."""
    fd = make(path)
    receiver = udp_socket(NEAR)
    length = 8 + 250
    datagram = struct.pack('!HHHH', 5001, receiver.getsockname()[1], length,
                           pseudo_header_sum(socket.IPPROTO_UDP, length))
    header = VNET_HEADER.pack(NEEDS_CSUM, GSO_UDP, 28, 100, 20, 6)
    os.write(fd, header + ipv4(socket.IPPROTO_UDP, datagram + b'x' * 250))
    return [len(receiver.recv(1000)) for _ in range(3)]


def persistence(path):
    """Is the device there after its descriptor is closed: not persistent, persistent; and the error
    of a second open while the first holds it."""
    enter(path)
    there = []
    for persistent in (0, 1):
        fd = open_tun('tun0')
        fcntl.ioctl(fd, TUNSETPERSIST, persistent)
        busy = errno_of(open_tun, 'tun0')
        os.close(fd)
        there.append('tun0' in (name for _, name in socket.if_nameindex()))
    os.close(open_tun('tun0'))
    return [*there, busy]


def gone(path):
    """Errors of writing to a device that is down and to one that is deleted, of reading the latter,
    and what poll says of it (POLLERR is 8)."""
    fd = make(path)
    packet = VNET_HEADER.pack(0, 0, 0, 0, 0, 0) + ipv4(socket.IPPROTO_UDP, b'')
    ip('link', 'set', 'tun0', 'down')
    down = errno_of(os.write, fd, packet)
    ip('link', 'delete', 'tun0')
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return [down, errno_of(os.write, fd, packet), errno_of(os.read, fd, 100), poll.poll(0)[0][1]]


main({'tcp_super_packet': tcp_super_packet, 'udp_super_packet': udp_super_packet,
      'udp_super_packet_written': udp_super_packet_written, 'persistence': persistence,
      'gone': gone})
