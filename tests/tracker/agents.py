# ruff: noqa: E501 - user agents are as long as they are
"""Labelled requests: (User-Agent, other headers and method, the verdict asked for, whether it truly was a machine).

Written by hand from what browsers, mail programs, proxies and scanners call themselves. The last column is the
truth, the third what a single request can tell: scanners that pose as browsers are persons to a first verdict.
"""

from __future__ import annotations

from model.detail import Agent

P, X, F, M, U = Agent.PERSON, Agent.PROXY, Agent.PREFETCH, Agent.MACHINE, Agent.UNSURE

WIN = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
IOS = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
DROID = (
    "Mozilla/5.0 (Linux; Android 14; {}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/125.0.0.0 Mobile Safari/537.36"
)

PEOPLE = [
    *(WIN + f"Chrome/{v}.0.0.0 Safari/537.36" for v in (49, 79, 109, 120, 126)),
    *(WIN + f"Chrome/{v}.0.0.0 Safari/537.36 Edg/{v}.0.0.0" for v in (110, 126)),
    WIN + "Chrome/120.0.0.0 Safari/537.36 OPR/106.0.0.0",
    WIN + "Chrome/120.0.0.0 Safari/537.36 Vivaldi/6.5",
    WIN + "Chrome/112.0.0.0 Safari/537.36 Sleipnir/6.4.15",
    "Mozilla/5.0 (Windows NT 10.0; WOW64; Trident/7.0; rv:11.0) like Gecko",
    "Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 6.1; Trident/4.0)",
    "Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 10.0; WOW64; Trident/7.0; .NET4.0C; Microsoft Outlook 16.0.17328; ms-office; MSOffice 16)",
    "Mozilla/4.0 (compatible; ms-office; MSOffice rmj)",
    "Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0.17328; Pro)",
    "Microsoft Office/15.0 (Windows NT 6.1; Microsoft Outlook 15.0.4420; Pro)",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:126.0) Gecko/20100101 Firefox/126.0",
    "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:126.0) Gecko/20100101 Firefox/126.0",
    "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/125.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:115.0) Gecko/20100101 Thunderbird/115.11.0",
    "Mozilla/5.0 (X11; Linux x86_64; rv:102.0) Gecko/20100101 Thunderbird/102.15.1",
    MAC + "Version/17.5 Safari/605.1.15",
    MAC.removesuffix(" "),
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
    IOS + "Version/17.5 Mobile/15E148 Safari/604.1",
    IOS + "Mobile/15E148",
    IOS + "CriOS/126.0.6478.35 Mobile/15E148 Safari/604.1",
    IOS + "FxiOS/126.0 Mobile/15E148 Safari/605.1.15",
    IOS + "EdgiOS/125.0 Version/17.0 Mobile/15E148 Safari/604.1",
    IOS + "GSA/319.0 Mobile/15E148 Safari/604.1",
    IOS + "Mobile/15E148 Safari Line/14.6.0",
    IOS + "Mobile/15E148 YJApp-IOS jp.co.yahoo.ymail/8.0",
    IOS + "Mobile/15E148 [FBAN/FBIOS;FBAV/460.0]",
    IOS + "Mobile/15E148 Instagram 330.0",
    IOS + "Mobile/15E148 YaBrowser/24.4 SA/3",
    "Mozilla/5.0 (iPad; CPU OS 16_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/16.6 Mobile/15E148 Safari/604.1",
    *(DROID.format(model) for model in (
        "Pixel 8", "SO-53C", "SC-51D", "SH-M25", "F-51B", "KYV48", "moto g52", "CUBOT NOTE 20", "CUBOT_X18_Plus", "CUBOT",
        "SM-S918B", "Nokia G42", "XQ-DQ44", "A103ZT", "Redmi Note 12", "Scanlife X", "Robotics R1", "HUAWEI P30",
    )),
    DROID.format("K") + " Line/14.8.0/IAB",
    DROID.format("wv") + " [FB_IAB/FB4A;FBAV/465.0]",
    "Mozilla/5.0 (Linux; U; Android 4.4.2; ja-jp; SC-04E) AppleWebKit/534.30 (KHTML, like Gecko) Version/4.0 Mobile Safari/534.30",
    "Mozilla/5.0 (Linux; Android 13; SAMSUNG SM-A536B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/25.0 Chrome/121.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Android 13; Mobile; rv:126.0) Gecko/126.0 Firefox/126.0",
    "Dalvik/2.1.0 (Linux; U; Android 13; SO-51C Build/61.2)",
    "Outlook-iOS/2.0", "Outlook-Android/2.0", "Microsoft Outlook 16.0", "AppleMail/3731", "Becky! ver. 2.75.05 [ja]",
    "Lotus-Notes/6.0 (Windows-NT)", "Evolution/3.48", "KMail/5.24", "Spark/3.7 (Mac)", "Airmail 5.7 for Mac", "K-9 Mail for Android",
    "FairEmail/1.2180", "Newton Mail/10", "Edison Mail/4", "BlueMail 1.9", "YahooMobileMail/1.0 Yahoo Mail (Android)",
    "DoCoMo/2.0 P903i(c100;TB;W24H12)", "DoCoMo/1.0/N505i/c20/TB/W20H10", "KDDI-CA39 UP.Browser/6.2.0.13.1.5 (GUI) MMP/2.0",
    "SoftBank/1.0/930SH/SHJ001/SN12345 Browser/NetFront/3.4", "Vodafone/1.0/V904SH/SHJ001 Browser/VF-NetFront/3.3",
    "J-PHONE/5.0/V801SA", "Mozilla/3.0(WILLCOM;KYOCERA/WX310K/2;1.2.2.16.000000/0.1/C100) Opera 7.0",
    "Opera/9.80 (Windows NT 6.1) Presto/2.12.388 Version/12.18", "Opera/9.80 (J2ME/MIDP; Opera Mini/8.0) Presto/2.8.119",
    "BlackBerry9700/5.0.0.862 Profile/MIDP-2.1", "Nokia6300/2.0 (05.00) Profile/MIDP-2.0", "Lynx/2.9.0dev.12 libwww-FM/2.14",
    "w3m/0.5.3+git20230121", "ELinks/0.16.1 (textmode; Linux; 80x24-2)",
    "Mozilla/5.0 (Nintendo 3DS; U; ; ja) Version/1.7498.JP", "Mozilla/5.0 (PlayStation; PlayStation 5/8.20) AppleWebKit/605.1.15 (KHTML, like Gecko)",
    "Mozilla/5.0 (SMART-TV; LINUX; Tizen 7.0) AppleWebKit/537.36 (KHTML, like Gecko) Version/7.0 TV Safari/537.36",
    "Mozilla/5.0 (compatible; Konqueror/4.5; FreeBSD) KHTML/4.5.4 (like Gecko)",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Postbox/7.0.60",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) eM Client/9.2 Chrome/120 Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Mailbird/3.0 Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Teams/1.6 Electron/19.1 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Slack/4.38 Chrome/124 Electron/30 Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Shuriken/2018 Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) QtWebEngine/5.15 Chrome/87.0 Safari/537.36",
    WIN + "Chrome/126.0.0.0 Safari/537.36 Abbotsford/1.0",
    WIN + "Chrome/126.0.0.0 Safari/537.36 Talbots/2",
]  # fmt: skip

PROXIES = [
    "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)",
    "Mozilla/5.0 (Windows; U; Windows NT 5.1; de; rv:1.9.0.7) Gecko/2009021910 Firefox/3.0.7 (via ggpht.com GoogleImageProxy)",
    "Mozilla/5.0 (via ggpht.com)", "GoogleImageProxy", "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html",
    "Mozilla/5.0 (compatible; YahooMailProxy)", "Mozilla/5.0 (compatible; MailRuImageProxy/1.0)", "Mozilla/5.0 (Example Image Proxy)",
]  # fmt: skip

MACHINES = [
    "curl/8.5.0", "Wget/1.21.4", "python-requests/2.32.3", "python-urllib3/2.2", "Python-urllib/3.11", "python-httpx/0.27",
    "Python/3.11 aiohttp/3.9.5", "aiohttp/3.9", "Go-http-client/1.1", "Go-http-client/2.0", "Java/1.8.0_392", "Java/17.0.9",
    "Apache-HttpClient/4.5.14 (Java/11.0.22)", "Jakarta Commons-HttpClient/3.1", "okhttp/4.12.0", "axios/1.6.8", "node-fetch/1.0",
    "undici", "got (https://github.com/sindresorhus/got)", "libwww-perl/6.72", "LWP::Simple/6.00", "lwp-trivial/1.41", "Ruby",
    "Faraday v2.9.0", "PHP/8.2.18", "GuzzleHttp/7", "WinHttp.WinHttpRequest.5", "RestSharp/110.2", "PostmanRuntime/7.39",
    "Mozilla/5.0 (Windows NT; Windows NT 10.0; ja-JP) WindowsPowerShell/5.1.19041", "HTTPie/3.2.2", "Scrapy/2.11 (+https://scrapy.org)",
    "Dart/3.3 (dart:io)", "reqwest/0.12", "hyper/0.14", "Typhoeus - https://github.com/typhoeus/typhoeus", "k6/0.51.0",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/125.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Unknown; Linux x86_64) AppleWebKit/538.1 (KHTML, like Gecko) PhantomJS/2.1.1 Safari/538.1",
    "Mozilla/5.0 zgrab/0.x", "masscan/1.3", "Mozilla/5.0 (compatible; Nmap Scripting Engine)", "Mozilla/5.00 (Nikto/2.5.0)",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "Googlebot-Image/1.0", "GoogleOther", "AdsBot-Google",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)", "msnbot/2.0b", WIN + "Chrome/116.0 BingPreview/1.0b",
    "Mozilla/5.0 (compatible; YandexBot/3.0)", "Mozilla/5.0 (compatible; Baiduspider/2.0)", "Mozilla/5.0 (compatible; AhrefsBot/7.0)",
    "Mozilla/5.0 (compatible; SemrushBot/7~bl)", "Mozilla/5.0 (compatible; MJ12bot/v1.4.8)", "Mozilla/5.0 (compatible; DotBot/1.2)",
    "Mozilla/5.0 (compatible; PetalBot)", "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.0)", "CCBot/2.0",
    "Mozilla/5.0 (compatible; Yahoo! Slurp)", "DuckDuckBot/1.1", "Applebot/0.1", "facebookexternalhit/1.1", "Twitterbot/1.0",
    "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)", "Slack-ImgProxy (+https://api.slack.com/robots)", "LinkedInBot/1.0",
    "TelegramBot (like TwitterBot)", "Mozilla/5.0 (compatible; Discordbot/2.0)", "WhatsApp/2.24.9.78 A", "Line-Preview/1.0",
    "Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5", "Pinterestbot/1.0", "Embedly/0.2", "bitlybot/3.0",
    "Microsoft Office Existence Discovery", "Microsoft Office Protocol Discovery",
    "Mozilla/5.0 (compatible; Barracuda Sentinel (EE))", "BarracudaLinkProtect/1.0", "Proofpoint URL Defense", "Mimecast-URL-Scanner",
    "Mozilla/5.0 (compatible; Cisco-IronPort)", "Mozilla/5.0 (compatible; TrendMicro WRS)", "Sophos Email Gateway", "FortiGuard/1.0",
    "Forcepoint URL check", "Mozilla/5.0 (compatible; Zscaler)", "Symantec-MessageLabs", "McAfee-Scanner", "Kaspersky-LinkCheck",
    "Mozilla/5.0 (compatible; Bitdefender)", "FireEye-ETP", "Mozilla/5.0 (compatible; Avanan)", "Cloudmark-Authority", "rspamd-3.8",
    "SpamAssassin/4.0", "ClamAV/1.0", "Mozilla/5.0 SafeLinks Scanner", "VirusTotal", "urlscan.io", "Link-Checker/1.0", "W3C_Validator/1.3",
    "UptimeRobot/2.0", "Pingdom.com_bot_version_1.4", "StatusCake_Pagespeed_Indev", "archive.org_bot", "ia_archiver", "Nutch/1.19",
    "heritrix/3.4", "NetcraftSurveyAgent/1.0", "CensysInspect/1.1", "Expanse, a Palo Alto Networks company", "DataProvider.com",
    "Feedfetcher-Google", "Chrome-Lighthouse", "Mediapartners-Google", "Mozilla/5.0 (compatible; SomeCrawler/1.0)", "example-spider",
    "Mozilla/5.0 (compatible; MailScanner)", "monitoring-plugin/2.3", "", " ", "sqlmap/1.8", "Nuclei - Open-source project",
]  # fmt: skip

UNSURE = [
    "Foo/1.0",
    "MyMailApp/2.3 CFNetwork/1490.0.4 Darwin/23.2.0",
    "-",
    "null",
    "com.example.reader/7",
    "Mail/3774 CFNetwork/1494",
]

BROWSER = WIN + "Chrome/126.0.0.0 Safari/537.36"
SAFARI = IOS + "Version/17.5 Mobile/15E148 Safari/604.1"

# Machines that give a browser's name: one request cannot tell, the fold may (all links within ten seconds).
DISGUISED = [
    WIN + "Chrome/120.0.0.0 Safari/537.36", WIN + "Chrome/79.0.3945.117 Safari/537.36", MAC + "Version/16.1 Safari/605.1.15",
    "Mozilla/5.0 (Windows NT 6.1; WOW64; rv:54.0) Gecko/20100101 Firefox/54.0",
]  # fmt: skip

OTHERS: list[tuple[str, dict[str, str], Agent, bool]] = [
    (BROWSER, {":method": "HEAD"}, M, True),
    (SAFARI, {":method": "HEAD"}, M, True),
    ("Mozilla/5.0 (via ggpht.com GoogleImageProxy)", {":method": "HEAD"}, M, True),
    (BROWSER, {"Sec-Purpose": "prefetch"}, M, True),
    (BROWSER, {"Sec-Purpose": "prefetch;prerender"}, M, True),
    (BROWSER, {"Sec-Purpose": "Prefetch;anonymous-client-ip"}, M, True),
    (BROWSER, {"Purpose": "prefetch"}, M, True),
    (SAFARI, {"X-Purpose": "preview"}, M, True),
    (BROWSER, {"X-Moz": "prefetch"}, M, True),
    ("curl/8", {"Purpose": "prefetch"}, M, True),
    (BROWSER, {"Purpose": ""}, P, False),
    (BROWSER, {"Purpose": "navigation"}, P, False),
    (BROWSER, {"X-Purpose": "reading"}, P, False),
    (BROWSER, {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "none"}, P, False),
    (BROWSER, {"Sec-Fetch-Dest": "image", "Referer": "https://mail.google.com/"}, P, False),
    ("Mozilla/5.0", {}, F, True),
    ("Mozilla/5.0", {"Accept": "image/*"}, F, True),
    (" Mozilla/5.0 ", {}, F, True),
    ("Mozilla/5.0", {":method": "HEAD"}, M, True),
    ("Mozilla/5.0", {":honeypot": "1"}, Agent.HONEYPOT, True),
    (BROWSER, {":honeypot": "1"}, Agent.HONEYPOT, True),
]

CASES: list[tuple[str, dict[str, str], Agent, bool]] = [
    *((ua, {}, P, False) for ua in PEOPLE),
    *((ua, {}, X, False) for ua in PROXIES),
    *((ua, {}, M, True) for ua in MACHINES),
    *((ua, {}, U, False) for ua in UNSURE),
    *((ua, {}, P, True) for ua in DISGUISED),
    *OTHERS,
]
