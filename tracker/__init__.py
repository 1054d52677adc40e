"""The HTTP edge: pixel, click, unsubscribe page and RFC 8058 endpoint.

It verifies tokens, says what happened as facts and answers. It keeps no state of its own, classifies no mail and
reads no settings file.
"""
