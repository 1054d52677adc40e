"""Opens and clicks: a request in, the answer and its fact out. Pure; keys and time are arguments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from model.detail import Agent, Engaged
from model.fact import (
    DeliveryKey,
    Fact,
    FactType,
)
from model.keyring import KeyRing
from model.mint import Click, open_click
from model.token import Token, TokenFlag, TokenType, from_url, open_token
from tracker.agent import clean_user_agent, judge_agent
from tracker.answer import PIXEL, PIXEL_HEADERS, REDIRECT_HEADERS, Answer, Promise, Visit, location_of
from tracker.client_address import apply_policy
from tracker.metrics import Count
from tracker.settings import IpPolicy, TrackerSettings

PIXEL_SUFFIX = ".gif"
# The enum's own & takes longer than all the rest of the verdict.
_HONEYPOT = TokenFlag.HONEYPOT.value


def answer_pixel(visit: Visit, token_text: str, keys: KeyRing, settings: TrackerSettings) -> Answer:
    """Return the image and the OPENED fact. Raises TokenError when the token does not verify."""
    token = open_token(from_url(token_text), TokenType.OPEN, keys)
    detail = make_detail(visit, settings.open_ip, settings, is_honeypot=_is_honeypot(token))
    facts = (make_fact(FactType.OPENED, token, visit.at_us, detail, settings.node),)
    return Answer(200, PIXEL_HEADERS, PIXEL, facts, Promise.PIXEL, tally=Count.PIXELS)


def answer_click(visit: Visit, segments: tuple[str, str, str], keys: KeyRing, settings: TrackerSettings) -> Answer:
    """Return the redirect to the signed target and the CLICKED fact.

    Arguments: ``segments`` are token, place and target as they stand in the URL. Raises TokenError when
    anything was altered and TargetError when the signed target is none we redirect to (T1).
    """
    click = open_click(*segments, keys)
    detail = make_detail(visit, settings.click_ip, settings, is_honeypot=_is_honeypot(click.token))
    detail = name_link(detail, click)
    facts = (make_fact(FactType.CLICKED, click.token, visit.at_us, detail, settings.node),)
    return Answer(302, redirect_headers(click.target), b"", facts, Promise.REDIRECT, tally=Count.REDIRECTS)


def make_fact(kind: FactType, token: Token, at_us: int, detail: Engaged, node: int) -> Fact:
    """Return a fact about the delivery that ``token`` names."""
    key = DeliveryKey(token.tenant, token.broadcast, token.recipient)
    return Fact(kind, key, at_us, detail, node, token.is_test, token.is_html)


def make_detail(visit: Visit, policy: IpPolicy, settings: TrackerSettings, *, is_honeypot: bool = False) -> Engaged:
    """Return what a fact says of who asked.

    Arguments: ``policy`` is how much of the address is kept; ``is_honeypot`` when nobody sees the link.
    """
    headers: Mapping[str, str] = visit.headers
    agent, _ = judge_agent(visit.method, headers, is_honeypot=is_honeypot)
    return Engaged(
        agent,
        # An image proxy's address is the proxy operator's and would place everybody in one town (mission 4.8).
        ip=None if agent is Agent.PROXY else apply_policy(visit.ip, policy),
        user_agent=clean_user_agent(headers.get("User-Agent", "")) if settings.keeps_user_agent else None,
    )


def name_link(detail: Engaged, click: Click) -> Engaged:
    """Return ``detail`` with the link that was followed."""
    return replace(detail, link=click.link, links=click.links, target=click.target)


def redirect_headers(target: str) -> Mapping[str, str]:
    """Return the headers of a redirect to a target that was checked."""
    return {**REDIRECT_HEADERS, "Location": location_of(target)}


def _is_honeypot(token: Token) -> bool:
    return bool(token.flags.value & _HONEYPOT)
