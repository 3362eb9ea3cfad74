#!/usr/bin/env python3
"""Sends Ethernet frames as they are: send_frame.py <device> <hex> ..."""
import socket
import sys

out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
out.bind((sys.argv[1], 0))
for frame in sys.argv[2:]:
    out.send(bytes.fromhex(frame))
