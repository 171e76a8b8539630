"""Bytes to ``Message`` and back, one module a carrier: ``zmq``, ``ws_v1``, ``ws_default``; no I/O.

``signing`` signs for ZMQ; ``offsets`` and ``parts`` hold what carriers share.
"""
