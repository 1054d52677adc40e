"""The fast path: pixels and clicks answered from the octets of a connection, before aiohttp reads them.

``protocol`` decides for each piece of a connection who answers, ``requests`` reads the octets, ``heads`` judges header
blocks, ``batch`` submits the hits of several visitors together, ``replies`` holds the octets sent.
"""
