"""What goes out of Yamabiko: the event stream, signed webhooks, commands for senders, notices.

The engine only; the routes are in console/webhooks.py, console/events.py, console/commands.py, console/notices.py.
"""
