"""The inbound mail server: takes back what mailings send back, and turns it into facts.

Never sends mail (S27), never answers 250 before the facts are durable (D1), never reads settings.
"""
