"""Exit codes, as sysexits.h names them; service managers and scripts may rely on them."""

OK = 0
#: the command was used wrongly
USAGE = 64
#: the input cannot be used
DATA = 65
#: a service or port cannot be had
UNAVAILABLE = 69
#: a fault of ours
SOFTWARE = 70
#: an output cannot be made
CANNOT_CREATE = 73
#: reading or writing failed
IO = 74
#: it may work later
TEMPORARY = 75
#: settings, rules or secrets cannot be used
CONFIG = 78
