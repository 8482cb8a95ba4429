"""The sentences of `core.texts`, in every language. Each says what happened, how bad it is and what to do next."""

from collections.abc import Mapping
from typing import Final

from token_monitor.core.words import Language

FRAMES: Final = {Language.EN: "[{tag}] {subject}: {sentence}", Language.ZH: "【{tag}】{subject}：{sentence}"}
SUBJECTS: Final = {Language.EN: "{account} ({details})", Language.ZH: "{account}（{details}）"}
SEPARATORS: Final = {Language.EN: ", ", Language.ZH: "，"}
NOTES: Final = {Language.EN: " Last error: {note}.", Language.ZH: "最近一次错误：{note}。"}
FINDINGS: Final = {Language.EN: " What was found: {note}.", Language.ZH: "检查结果：{note}。"}
RUNWAYS: Final = {Language.EN: " About {span} at the current rate.", Language.ZH: "按目前速度约可用 {span}。"}
SPANS: Final = {
    Language.EN: {"minute": ("minute", "minutes"), "hour": ("hour", "hours"), "day": ("day", "days")},
    Language.ZH: {"minute": ("分钟", "分钟"), "hour": ("小时", "小时"), "day": ("天", "天")},
}
HELD: Final = {
    Language.EN: "Held back during quiet hours ({period} UTC):",
    Language.ZH: "免打扰时段内暂缓发送的告警（{period} UTC）：",
}
PERIODS: Final = {Language.EN: "{first} to {last}", Language.ZH: "{first} 至 {last}"}
UNKNOWN: Final = {Language.EN: "an unknown amount", Language.ZH: "数量不明"}
UNITS: Final[Mapping[Language, Mapping[str, str]]] = {Language.EN: {}, Language.ZH: {"calls": "次调用"}}

TAGS: Final = {
    Language.EN: {"info": "INFO", "warning": "WARNING", "error": "ERROR", "critical": "CRITICAL", "test": "TEST"},
    Language.ZH: {"info": "通知", "warning": "警告", "error": "错误", "critical": "严重", "test": "测试"},
}

_EN = {
    "low": "{amount} left, below the warning threshold of {threshold}.",
    "low, still": "{amount} left, still below the warning threshold of {threshold}.",
    "low, near": "{amount} left, not yet clear of the warning threshold of {threshold}.",
    "critical": "{amount} left, below the critical threshold of {threshold}. Top up now.",
    "critical, still": "{amount} left, still below the critical threshold of {threshold}. Top up now.",
    "critical, near": "{amount} left, not yet clear of the critical threshold of {threshold}. Top up now.",
    "exhausted": "{amount} left. Requests fail until the account is topped up: do it now.",
    "exhausted, still": "still {amount} left. Requests fail until the account is topped up: do it now.",
    "exhausted by flag": (
        "the provider says the account is not available, with {amount} left. Requests fail until this is settled: "
        "top up, or ask the provider why."
    ),
    "exhausted by flag, still": (
        "the provider still says the account is not available, with {amount} left. Requests fail until this is "
        "settled: top up, or ask the provider why."
    ),
    "exhausted by status": (
        "the provider answers that no credit is left (HTTP 402). Requests fail until the account is topped up: "
        "do it now."
    ),
    "exhausted by status, still": (
        "the provider still answers that no credit is left (HTTP 402). Requests fail until the account is topped up: "
        "do it now."
    ),
    "arrears": (
        "the balance is {amount}, the account is in debt to the provider. Requests may be refused: pay what is owed "
        "and top up."
    ),
    "arrears, still": (
        "the balance is {amount}, the account is still in debt to the provider. Requests may be refused: pay what is "
        "owed and top up."
    ),
    "recovered": "recovered, {amount} left (threshold {threshold}).",
    "recovered, no threshold": "recovered, {amount} left.",
    "recovered, unlimited": "recovered, the account no longer has a limit.",
    "rule_changed": "alert closed because the thresholds were changed; {amount} left.",
    "account_removed": "alert closed because the account was removed from the settings; it is no longer watched.",
    "blind": (
        "the balance cannot be read, so nobody is warned if it runs low.{note} Check the network, the endpoint and "
        "the provider's status page."
    ),
    "blind, still": (
        "the balance still cannot be read, so nobody is warned if it runs low.{note} Check the network, the endpoint "
        "and the provider's status page."
    ),
    "seeing": "the balance can be read again.",
    "rejected": (
        "the provider rejects the credential, so the balance is unknown.{note} Check it with the provider and "
        "replace it in the settings."
    ),
    "rejected, still": (
        "the provider still rejects the credential, so the balance is unknown.{note} Check it with the provider and "
        "replace it in the settings."
    ),
    "accepted": "the provider accepts the credential again.",
    "switched, exhausted": (
        "switched from credential {origin} to {target}, because {origin} has no credit left. Top {origin} up while "
        "{target} lasts."
    ),
    "switched, arrears": (
        "switched from credential {origin} to {target}, because {origin} is in debt to the provider. Pay what is owed "
        "and top {origin} up while {target} lasts."
    ),
    "switched, rejected": (
        "switched from credential {origin} to {target}, because the provider rejects {origin}. Check {origin} with the "
        "provider and replace it in the settings."
    ),
    "switched, below": (
        "switched from credential {origin} to {target}, because the balance of {origin} is below the failover "
        "threshold. Top {origin} up while {target} lasts."
    ),
    "switched, runway": (
        "switched from credential {origin} to {target}, because at the current rate {origin} will soon be empty. Top "
        "{origin} up while {target} lasts."
    ),
    "switched, topped_up": "switched back from credential {origin} to {target}, which can be used again.",
    "switched, removed": (
        "switched from credential {origin} to {target}, because {origin} is no longer in the settings."
    ),
    "left": "alert closed because another credential is used now.",
    "none healthy": "no credential can be used.{note} Requests fail until one is topped up or replaced: do it now.",
    "none healthy, still": (
        "still no credential can be used.{note} Requests fail until one is topped up or replaced: do it now."
    ),
    "healthy": "a credential can be used again.",
    "closed": "alert closed because the settings were changed.",
    "test": "this is a test alert, nothing is wrong. If you can read it, this channel works.",
}

_ZH = {
    "low": "剩余 {amount}，低于警告阈值 {threshold}。",
    "low, still": "剩余 {amount}，仍低于警告阈值 {threshold}。",
    "low, near": "剩余 {amount}，尚未明显高于警告阈值 {threshold}。",
    "critical": "剩余 {amount}，低于严重阈值 {threshold}。请立即充值。",
    "critical, still": "剩余 {amount}，仍低于严重阈值 {threshold}。请立即充值。",
    "critical, near": "剩余 {amount}，尚未明显高于严重阈值 {threshold}。请立即充值。",
    "exhausted": "剩余 {amount}，额度已用尽。充值前请求会失败，请立即充值。",
    "exhausted, still": "剩余 {amount}，额度仍未补充。充值前请求会失败，请立即充值。",
    "exhausted by flag": "服务商表示账户不可用，剩余 {amount}。恢复前请求会失败，请充值或向服务商询问原因。",
    "exhausted by flag, still": "服务商表示账户仍不可用，剩余 {amount}。恢复前请求会失败，请充值或向服务商询问原因。",
    "exhausted by status": "服务商答复额度已用尽（HTTP 402）。充值前请求会失败，请立即充值。",
    "exhausted by status, still": "服务商仍答复额度已用尽（HTTP 402）。充值前请求会失败，请立即充值。",
    "arrears": "余额为 {amount}，账户已欠费。请求可能被拒绝，请结清欠款并充值。",
    "arrears, still": "余额为 {amount}，账户仍欠费。请求可能被拒绝，请结清欠款并充值。",
    "recovered": "已恢复，剩余 {amount}（阈值 {threshold}）。",
    "recovered, no threshold": "已恢复，剩余 {amount}。",
    "recovered, unlimited": "已恢复，账户不再有额度限制。",
    "rule_changed": "阈值已修改，告警关闭；剩余 {amount}。",
    "account_removed": "账户已从配置中移除，告警关闭，不再监控。",
    "blind": "无法读取余额，余额不足时将不会有提醒。{note}请检查网络、接口地址和服务商状态页。",
    "blind, still": "仍无法读取余额，余额不足时将不会有提醒。{note}请检查网络、接口地址和服务商状态页。",
    "seeing": "已恢复读取余额。",
    "rejected": "服务商拒绝了凭证，余额未知。{note}请向服务商核实，并在配置中更换凭证。",
    "rejected, still": "服务商仍拒绝凭证，余额未知。{note}请向服务商核实，并在配置中更换凭证。",
    "accepted": "服务商已重新接受凭证。",
    "switched, exhausted": (
        "凭证已从 {origin} 切换到 {target}，因为 {origin} 的额度已用尽。请在 {target} 用完之前为 {origin} 充值。"
    ),
    "switched, arrears": (
        "凭证已从 {origin} 切换到 {target}，因为 {origin} 已欠费。请在 {target} 用完之前为 {origin} 结清欠款并充值。"
    ),
    "switched, rejected": (
        "凭证已从 {origin} 切换到 {target}，因为服务商拒绝了 {origin}。请向服务商核实 {origin}，并在配置中更换。"
    ),
    "switched, below": (
        "凭证已从 {origin} 切换到 {target}，因为 {origin} 的余额低于切换阈值。请在 {target} 用完之前为 {origin} 充值。"
    ),
    "switched, runway": (
        "凭证已从 {origin} 切换到 {target}，因为按目前速度 {origin} 很快用尽。请在 {target} 用完之前为 {origin} 充值。"
    ),
    "switched, topped_up": "凭证已从 {origin} 切换回 {target}，{target} 可重新使用。",
    "switched, removed": "凭证已从 {origin} 切换到 {target}，因为 {origin} 已从配置中移除。",
    "left": "已改用另一凭证，告警关闭。",
    "none healthy": "没有可用的凭证。{note}充值或更换前请求会失败，请立即处理。",
    "none healthy, still": "仍没有可用的凭证。{note}充值或更换前请求会失败，请立即处理。",
    "healthy": "已有可用的凭证。",
    "closed": "配置已修改，告警关闭。",
    "test": "这是一条测试告警，一切正常。收到即表示该渠道可用。",
}

SENTENCES: Final[Mapping[Language, Mapping[str, str]]] = {Language.EN: _EN, Language.ZH: _ZH}
