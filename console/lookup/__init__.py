"""Postfix asks before it takes a mail: check_recipient_access over tcp_table(5) and socketmap_table(5)."""
