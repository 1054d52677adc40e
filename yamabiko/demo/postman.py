"""Deliver mails to the return path over real SMTP, as an MTA would: again while the answer is temporary."""

from __future__ import annotations

import asyncio
import queue
import smtplib
import time
from concurrent.futures import ThreadPoolExecutor

from yamabiko.demo.patience import PAUSE_S, TRIES


class Postman:
    """A pool of SMTP sessions that are kept open, each used by one thread at a time."""

    def __init__(self, host: str, port: int, sessions: int = 6) -> None:
        """``host`` and ``port`` are those of the listener."""
        self._address = (host, port)
        self._sessions: queue.SimpleQueue[smtplib.SMTP | None] = queue.SimpleQueue()
        for _ in range(sessions):
            self._sessions.put(None)
        self._pool = ThreadPoolExecutor(sessions, thread_name_prefix="postman")
        #: replies by code, temporary ones and lost connections too
        self.replies: dict[int, int] = {}

    async def deliver(self, content: bytes, forward_path: str, reverse_path: str = "") -> int:
        """Deliver one mail; returns the final reply code: 250, or a 5xx.

        Raises ConnectionError when the listener cannot be reached for a long time.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, self._deliver, content, forward_path, reverse_path)

    def close(self) -> None:
        """End all sessions."""
        self._pool.shutdown()
        while not self._sessions.empty():
            session = self._sessions.get()
            if session is not None:
                session.close()

    def _deliver(self, content: bytes, forward_path: str, reverse_path: str) -> int:
        session = self._sessions.get()
        try:
            for _ in range(TRIES):
                try:
                    session = session or smtplib.SMTP(*self._address, local_hostname="world.example", timeout=30)
                    code = self._try_once(session, content, forward_path, reverse_path)
                except (OSError, smtplib.SMTPException):
                    session, code = None, 0
                self.replies[code] = self.replies.get(code, 0) + 1
                if code == 250 or code >= 500:
                    return code
                if session is not None and code == 421:
                    session.close()
                    session = None
                time.sleep(PAUSE_S)
            raise ConnectionError("the listener does not take mail")
        finally:
            self._sessions.put(session)

    def _try_once(self, session: smtplib.SMTP, content: bytes, forward_path: str, reverse_path: str) -> int:
        session.ehlo_or_helo_if_needed()
        code, _ = session.mail(reverse_path)
        if code == 250:
            code, _ = session.rcpt(forward_path)
            if code == 250:
                code, _ = session.data(content)
                return code
        if code != 421:
            session.rset()
        return code
