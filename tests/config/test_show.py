import yaml

from token_monitor.config.show import show

TEXT = """
accounts:
  - name: 工作室
    credential: sk-canary
    interval: 90
    timeout: 0.5
    thresholds: {warning: 1000, critical: 5e1}
    value: left
    available: ok
    scale: 0.010
    auth: {scheme: header, name: X-Key}
    headers: {X-Key2: hunter2}
  - name: b
    credential: file:FOLDER/token
    endpoint: http://127.0.0.1:1/path?key=canary
    channels: []
    quantities: {cny: {value: c, unit: CNY, thresholds: {warning: 15%}}, usd: {value: u, unit: USD}}
channels:
  ops: {type: webhook, url: http://127.0.0.1:1/canary, secret: canary-hmac, timeout: 90s}
"""
SHOWN = """\
accounts:
- name: 工作室
  provider: generic
  credential: '***'
  channels:
  - stdout
  - ops
  interval: 1m30s
  timeout: 0.5s
  cooldown: 30m
  max_failures: 5
  notify_when_blind: false
  language: en
  endpoint: https://api.facefusion.cloud/v1/balance
  method: GET
  auth:
    scheme: header
    name: X-Key
    prefix: ''
  headers:
    X-Key2: '***'
  quantities:
    balance:
      value: left
      unit: ''
      available: ok
      scale: '0.010'
      thresholds:
        warning: '1000'
        critical: '50'
        margin: 5%
- name: b
  provider: generic
  credential: file:FOLDER/token
  channels:
  - stdout
  interval: 5m
  timeout: 10s
  cooldown: 30m
  max_failures: 5
  notify_when_blind: false
  language: en
  endpoint: http://127.0.0.1:1/path?***
  method: GET
  auth:
    scheme: bearer
    name: ''
    prefix: ''
  headers: {}
  quantities:
    cny:
      value: c
      unit: CNY
      scale: '1'
      thresholds:
        warning: 15%
        margin: 5%
    usd:
      value: u
      unit: USD
      scale: '1'
      thresholds:
        margin: 5%
channels:
  ops:
    type: webhook
    url: http://127.0.0.1:1/***
    secret: '***'
    timeout: 1m30s
    kinds: []
    levels: []
    states: []
    send_resolved: true
daemon:
  data: /state/token-monitor
  listen: '[::1]:9775'
  log_level: info
  log_format: json
  api_key: '***'
"""
ENVIRON = {"XDG_STATE_HOME": "/state", "TOKEN_MONITOR_LISTEN": "[::1]:9775", "TOKEN_MONITOR_API_KEY": "canary-admin"}


def test_what_is_in_force_is_shown_with_its_defaults_and_without_its_secrets(desk):
    desk.write("token", "sk-canary-file\n")
    settings = desk.load(ENVIRON, TEXT.replace("FOLDER", str(desk.folder)))
    assert show(settings).replace(str(desk.folder), "FOLDER") == SHOWN


def test_what_is_shown_is_a_configuration_again(desk):
    desk.write("token", "sk-canary-file\n")
    shown = show(desk.load(ENVIRON, TEXT.replace("FOLDER", str(desk.folder))))
    document = yaml.safe_load(shown)
    del document["daemon"]
    again = show(desk.load(ENVIRON, yaml.safe_dump(document, allow_unicode=True)))
    assert again == shown


def test_memory_and_off_are_shown_as_they_are_written(desk):
    environ = {"FACEFUSION_API_TOKEN": "k", "TOKEN_MONITOR_DATA": ":memory:", "TOKEN_MONITOR_LISTEN": "off"}
    daemon = yaml.safe_load(show(desk.load(environ)))["daemon"]
    assert (daemon["data"], daemon["listen"]) == (":memory:", "off")


def test_a_body_that_repeats_the_credential_is_masked_there_too(desk):
    text = 'accounts: [{name: a, credential: sk-canary, method: POST, body: \'{"key": "sk-canary"}\'}]'
    assert "canary" not in show(desk.load(yaml=text))
