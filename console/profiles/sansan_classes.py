"""The twelve classes of Sansan's 不達, with what to do about each (S19-S30)."""

from __future__ import annotations

from console.profiles import exclusions as ex
from console.profiles.failures import pairs_where, sum_of
from console.profiles.figure import Definition, Hint, Unit, Words
from console.profiles.policy import AUTO_SUPPRESSED
from model.cause import SansanClass

RESEND = Hint("resend_hint", Words("再送で届く可能性がある", "sending again may work"))
CHECK_ADDRESS = Hint("address_check_hint", Words("アドレスの誤りも考えられる", "the address may be wrong"))
CHECK_LOCAL_PART = Hint(
    "address_check_hint", Words("アドレスの@より前の誤りも考えられる", "what stands before the @ may be wrong")
)
CHECK_DOMAIN = Hint(
    "address_check_hint", Words("アドレスの@より後ろの誤りも考えられる", "what stands after the @ may be wrong")
)
SUPPRESSED = Hint(
    "auto_suppress",
    Words("フィルター管理の「不達」に自動で追加し、以後の宛先から除く", "the address is kept out of later mailings"),
)
NOT_COUNTED = Hint(
    "not_in_undelivered",
    Words(
        "一覧には表示するが、不達の数とどの率にも入れない", "shown in the list, but part of neither 不達 nor any rate"
    ),
)

CLASSES: dict[SansanClass, tuple[Words, Words, tuple[Hint, ...]]] = {
    SansanClass.USER_UNKNOWN: (
        Words("ユーザー不明", "User unknown"),
        Words("宛先のユーザーがいない、またはもう使われていない", "there is no such user, or not any more"),
        (CHECK_LOCAL_PART,),
    ),
    SansanClass.HOST_UNKNOWN: (
        Words("ホスト不明", "Host unknown"),
        Words("宛先のホストがない", "there is no such host"),
        (CHECK_DOMAIN,),
    ),
    SansanClass.REJECTED: (
        Words("受信拒否", "Rejected"),
        Words("宛先のユーザーまたはサーバーが受け取りを拒んだ", "the user or the server refuses it"),
        (),
    ),
    SansanClass.DISK_FULL: (
        Words("ディスク容量不足", "Disk full"),
        Words("宛先のメールボックスまたはサーバーがいっぱい", "the mailbox or the server is full"),
        (RESEND,),
    ),
    SansanClass.TIMEOUT: (
        Words("時間切れ", "Timed out"),
        Words("どちらかの側のネットワークの問題、または送りすぎ", "the network of either side, or too much at once"),
        (RESEND,),
    ),
    SansanClass.RELAY_ERROR: (
        Words("中継エラー", "Relay error"),
        Words("途中の経路の問題", "the way between the two sides"),
        (RESEND,),
    ),
    SansanClass.SERVER_CONFIG: (
        Words("サーバー設定エラー", "Server configuration error"),
        Words("宛先のサーバーの設定の誤り", "the receiving server is misconfigured"),
        (RESEND, CHECK_ADDRESS),
    ),
    SansanClass.USER_CONFIG: (
        Words("ユーザー設定エラー", "User configuration error"),
        Words("宛先のユーザーの設定の誤り", "the recipient's own set-up is wrong"),
        (RESEND, CHECK_ADDRESS),
    ),
    SansanClass.OTHER: (
        Words("その他", "Other"),
        Words("エラーメールに理由が書かれていない", "the error mail gives no reason"),
        (),
    ),
    SansanClass.AUTO_REPLY: (
        Words("自動応答", "Automatic reply"),
        Words("受信を知らせる自動応答が返ってきた", "an automatic reply came back"),
        (NOT_COUNTED,),
    ),
    SansanClass.ADDRESS_SYNTAX: (
        Words("メールアドレスの形式エラー", "Malformed address"),
        Words("アドレスが正しい形をしていない", "the address is malformed"),
        (),
    ),
    SansanClass.UNPARSABLE: (
        Words("解析不能", "Cannot be analysed"),
        Words("エラーメールを読み解けず、どの分類にも入れられない", "nobody understands the error mail"),
        (),
    ),
}


def class_figure(name: SansanClass) -> Definition:
    """Return the figure of a class: the causes that the crosswalk puts there (mission 3.1)."""
    label, meaning, hints = CLASSES[name]
    if name in AUTO_SUPPRESSED:
        hints = (SUPPRESSED, *hints)
    if name is SansanClass.AUTO_REPLY:
        formula = "native.auto_replies"
    else:
        # What is not mailed at all has no class of its own here; reported as a failure it is その他.
        formula = sum_of(pairs_where(lambda _, spec: (spec.sansan or SansanClass.OTHER) is name))
    return Definition(f"class.{name.value}", label, Unit.CONTACT, formula, meaning, (ex.TESTS,), (), hints)
