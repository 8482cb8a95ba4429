"""The daemon and robots that answer HTTP 200 to everything."""

from datetime import UTC, datetime

from support.robots import SECRET, TOKEN, DingTalkRobot, FeishuBot, Robot, people_read
from support.site import Site

YAML = """
defaults: {interval: 0.2, language: zh}
accounts: [{name: facefusion, credential: a-credential, endpoint: PROVIDER/v1/balance, thresholds: {warning: 10}}]
channels: {ops: {type: %s, url: "${ROBOT}", secret: "${SIGNING}"}}
"""


def environment(site: Site, robot: Robot, address: str, secret: str = SECRET) -> dict[str, str]:
    robot.wall = datetime.now(UTC)
    kind = "dingtalk" if isinstance(robot, DingTalkRobot) else "feishu"
    return site.yaml(YAML % kind, ROBOT=address, SIGNING=secret)


def test_what_a_robot_refuses_is_kept_over_a_restart_and_arrives_once_it_is_mended(site: Site) -> None:
    with DingTalkRobot(SECRET, keywords=("deploy",)) as robot:
        site.provider.says(5)
        settings = environment(site, robot, robot.address)
        daemon = site.start(settings)
        error = daemon.entry(msg="Alert delivery failed, trying again", channel="ops")["error"]
        assert "code 310000: the message has none of the robot's keywords; make token-monitor one" in error
        daemon.stop()
        assert robot.bodies == []
        robot.keywords = ("token-monitor",)
        again = site.start(settings)
        again.wait_until(lambda: robot.bodies)
        site.judged(2)
        again.stop()
        [body] = robot.bodies
        assert "#### 🟠 【警告】facefusion\n\n剩余 5" in people_read(body)
        written = [line for each in (daemon, again) for line in (*each.out.finish(), *each.err.finish())]
        kept = b"".join(file.read_bytes() for file in site.data.rglob("*") if file.is_file())
        for secret in (TOKEN, SECRET, "sign="):
            assert not [line for line in written if secret in line]
            assert secret.encode() not in kept


def test_test_alert_says_what_the_robot_answered(site: Site) -> None:
    with FeishuBot(SECRET) as bot:
        done = site.run(environment(site, bot, bot.address), "test-alert", "ops")
        assert done.status == 0, done.out
        assert "answered 200: code 0" in done.out
        assert "【测试】" in people_read(bot.bodies[0])
        wrong = site.run(environment(site, bot, bot.address, secret="another-canary"), "test-alert", "ops")
        assert wrong.status == 1
        assert "code 19021: the signature does not match; check the secret" in wrong.out
        assert "canary" not in wrong.out + wrong.err


def test_a_generic_webhook_to_a_robot_is_a_mistake_that_names_the_right_type(site: Site) -> None:
    text = """
    accounts: [{name: a, credential: x-credential}]
    channels:
      ops: {type: webhook, url: "https://oapi.dingtalk.com/robot/send?access_token=x"}
    """
    done = site.run(site.yaml(text), "check-config")
    assert done.status == 2
    assert done.err.strip() == "channels.ops.type: webhook; dingtalk, whose host this URL names"
