#!/usr/bin/env python3
# ctest: 600
"""The AWS config and credentials files through botocore and through zcdp: the same host, bucket address, access key, secret, session
token and region, or both refuse. Where zcdp differs, the row says how and why. What is asked stands behind one proxy that answers for
every host; botocore's requests are looked at before they are sent."""

import hashlib
import http.server
import json
import os
import subprocess
import sys
import threading

from tests.support import observer
from tests.support.harness import CACHE, ROOT, ZCDP, TestRun, clean_env, skip

LAB, AWS, STS = "http://objects.lab.example", "https://data.s3.eu-west-1.amazonaws.com", "sts.eu-west-1.amazonaws.com"
KEYS = "aws_access_key_id = AKID\naws_secret_access_key = secret\n"
OTHER = "aws_access_key_id = OTHER\naws_secret_access_key = other-secret\n"
ENV = {"AWS_ACCESS_KEY_ID": "ENVKEY", "AWS_SECRET_ACCESS_KEY": "env-secret"}
REFUSED = "refused"
MACHINE = ("MACHINE", AWS, "eu-west-1", "machine-token")
WEB = {"AWS_WEB_IDENTITY_TOKEN_FILE": "{home}/token", "AWS_ROLE_ARN": "arn:aws:iam::1:role/web"}
BY_WEB = (f"web.web-subject.at.{STS}", AWS, "eu-west-1", "token-of-role")
ROWS = []


def asked(access="AKID", at=AWS, region="eu-west-1", token=""):
    return access, at, region, token


def role(name, by, at=AWS, sts=STS):
    return f"{name}.{by}.at.{sts}", at, "eu-west-1", "token-of-role"


def row(name, want, config="", credentials="", env=None, profile=None, zcdp=None, why="", word=""):
    """`zcdp`: what it does instead, because of `why`. `word`: what its refusal says."""
    ROWS.append((name, want, config, credentials, env or {}, profile, zcdp, why, word))


def names_of_sections():
    row("a [default] in the config file", asked(), f"[default]\n{KEYS}")
    row("a [profile default]", asked(), f"[profile default]\n{KEYS}")
    row(
        "[default] after [profile default] takes its place whole",
        asked(),
        f"[profile default]\n{OTHER}region = us-west-2\n[default]\n{KEYS}",
    )
    row(
        "[profile default] after [default] takes its place whole",
        asked("OTHER"),
        f"[default]\n{KEYS}[profile default]\n{OTHER}",
    )
    row("a profile", asked(), f"[profile dev]\n{KEYS}", profile="dev")
    row("[dev] is no profile in the config file", REFUSED, f"[dev]\n{KEYS}", profile="dev", word="profile dev")
    row("[dev] is one in the credentials file", asked(), "", f"[dev]\n{KEYS}", profile="dev")
    row(
        "[profile dev] is not dev in the credentials file",
        REFUSED,
        "",
        f"[profile dev]\n{KEYS}",
        profile="dev",
        word="there are: profile dev",
    )
    row("but 'profile dev'", asked(), "", f"[profile dev]\n{KEYS}", profile="profile dev")
    row("a name in double quotes", asked(), f'[profile "my lab"]\n{KEYS}', profile="my lab")
    row("a name in single quotes", asked(), f"[profile 'my lab']\n{KEYS}", profile="my lab")
    row("a name with a backslash", asked(), f"[profile my\\ lab]\n{KEYS}", profile="my lab")
    row("a quote that does not end", REFUSED, f'[profile "lab]\n{KEYS}', profile="lab", word="profile lab")
    row("three words", REFUSED, f"[profile a b]\n{KEYS}", profile="a b", word="profile a b")
    row("a tab before the name", asked(), f"[profile\tdev]\n{KEYS}", profile="dev")
    row("two spaces before the name", asked(), f"[profile   dev ]\n{KEYS}", profile="dev")
    row("a space before the word profile", REFUSED, f"[ profile dev]\n{KEYS}", profile="dev", word="profile dev")
    row("profiles instead of profile", asked(), f"[profiles dev]\n{KEYS}", profile="dev")
    row("Profile instead of profile", REFUSED, f"[Profile dev]\n{KEYS}", profile="dev", word="profile dev")
    row("the name of a profile has its case", REFUSED, f"[profile Dev]\n{KEYS}", profile="dev", word="there are: Dev")
    row("a comment behind a section's name", asked(), f"[profile dev] # mine\n{KEYS}", profile="dev")
    row(
        "what stands in [DEFAULT] is everybody's",
        asked(region="eu-west-1"),
        f"[DEFAULT]\n{KEYS}[profile dev]\noutput = json\n",
        profile="dev",
    )
    row("[DEFAULT] alone is no [default]", MACHINE, f"[DEFAULT]\n{KEYS}")
    row("no name's end", REFUSED, f"[default\n{KEYS}", word="line 1")


def lines():
    row("names in capitals", asked(), "[default]\nAWS_ACCESS_KEY_ID = AKID\nAws_Secret_Access_Key = secret\n")
    row("a colon", asked(), "[default]\naws_access_key_id: AKID\naws_secret_access_key : secret\n")
    row("no spaces, = in the secret", asked(), "[default]\naws_access_key_id=AKID\naws_secret_access_key=s/ec+ret==\n")
    row("a colon in the secret", asked(), "[default]\naws_access_key_id = AKID\naws_secret_access_key = se:cret=\n")
    row("indented settings", asked(), "[default]\n   aws_access_key_id = AKID\n   aws_secret_access_key = secret\n")
    row(
        "everything indented",
        asked("OTHER"),
        f"  [default]\n  {KEYS.strip().replace(chr(10), chr(10) + '  ')}\n  [profile dev]\n  {OTHER.strip().replace(chr(10), chr(10) + '  ')}\n",
        profile="dev",
    )
    row(
        "a setting indented deeper than the one before goes on with its value",
        REFUSED,
        "[default]\naws_access_key_id = AKID\n  aws_secret_access_key = secret\n",
        word="aws_access_key_id",
    )
    row(
        "a value on the next line",
        asked(),
        "[default]\naws_access_key_id = AKID\naws_secret_access_key = secret\nregion =\n",
        env={"AWS_DEFAULT_REGION": "eu-west-1"},
    )
    row("comments", asked(), f"# one\n[default]\n; two\n  # three\n{KEYS}#aws_access_key_id = NO\n")
    row(
        "a comment behind a region",
        REFUSED,
        f"[default]\n{KEYS}region = us-west-2 # home\n",
        env={"AWS_DEFAULT_REGION": None},
        zcdp=asked(at="https://data.s3.us-west-2.amazonaws.com", region="us-west-2"),
        why="no region has a space, and other tools of AWS take such comments",
    )
    row(
        "a comment behind a key",
        asked("AKID # mine"),
        "[default]\naws_access_key_id = AKID # mine\naws_secret_access_key = secret\n",
        zcdp=asked(),
        why="no key has a space",
    )
    row(
        "# without a space before it is part of the value",
        asked(),
        "[default]\naws_access_key_id = AKID\naws_secret_access_key = se#cr;et\n",
    )
    row(
        "quotes are part of the value",
        asked('"AKID"'),
        '[default]\naws_access_key_id = "AKID"\naws_secret_access_key = secret\n',
    )
    row(
        "lines that end in CR LF",
        asked(),
        f"[default]\r\n{KEYS}s3 =\n  addressing_style = path\n".replace("\n", "\r\n").replace("\r\r", "\r")
        and "[default]\r\naws_access_key_id = AKID\r\naws_secret_access_key = secret\r\n",
    )
    row("lines that end in CR", asked(), "[default]\raws_access_key_id = AKID\raws_secret_access_key = secret\r")
    row("no line end at the end", asked(), f"[default]\n{KEYS}".rstrip())
    row(
        "a byte order mark",
        REFUSED,
        f"\ufeff[default]\n{KEYS}",
        zcdp=asked(),
        why="Windows' editor writes one, and it says nothing",
    )
    row(
        "spaces that are not ASCII's around a value",
        asked(),
        "[default]\naws_access_key_id =\u00a0AKID\u3000\naws_secret_access_key = secret\u2003\n",
    )
    row(
        "tabs and form feeds",
        asked(),
        "[default]\naws_access_key_id\t=\tAKID\t\naws_secret_access_key\x0c=\x0csecret\n",
    )
    row(
        "empty lines with spaces",
        asked(),
        "[default]\n  \naws_access_key_id = AKID\n\t\n\naws_secret_access_key = secret\n   \n",
    )
    row(
        "a section twice",
        REFUSED,
        f"[default]\n{KEYS}[profile a]\n[default]\n",
        word="[default] a second time in line 5",
    )
    row(
        "a section twice, though another is asked for",
        REFUSED,
        f"[profile a]\n[profile a]\n[profile dev]\n{KEYS}",
        profile="dev",
        word="second time",
    )
    row(
        "a setting twice",
        REFUSED,
        f"[default]\n{KEYS}aws_access_key_id = AKID\n",
        word="aws_access_key_id a second time",
    )
    row(
        "a setting twice, once in capitals",
        REFUSED,
        f"[default]\n{KEYS}region = eu-west-1\nREGION = eu-west-1\n",
        word="region a second time",
    )
    row(
        "a setting twice in the credentials file",
        REFUSED,
        f"[default]\n{KEYS}",
        f"[default]\n{OTHER}aws_access_key_id = AKID\n",
        word="credentials",
    )
    row("a line that is nothing", REFUSED, f"[default]\n{KEYS}wJalrXUtnFEMI\n", word="line 4")
    row("a setting without a name", REFUSED, f"[default]\n{KEYS}= x\n", word="line 4")
    row("a setting before any section", REFUSED, f"{KEYS}[default]\n", word="line 1")
    row("a line in a block that is nothing", REFUSED, f"[default]\n{KEYS}s3 =\n  addressing_style\n", word="below s3")
    row(
        "settings that mean nothing here",
        asked(),
        f"[default]\n{KEYS}output = json\ncli_pager =\nretry_mode = adaptive\ns3 =\n  max_concurrent_requests = 20\n  signature_version = s3v4\n",
    )


def who_asks():
    row(
        "the credentials file's settings win one by one",
        asked("OTHER", "https://data.s3.us-west-2.amazonaws.com", "us-west-2"),
        f"[default]\n{KEYS}region = us-west-2\n",
        f"[default]\n{OTHER}",
        env={"AWS_DEFAULT_REGION": None},
    )
    row(
        "a region in the credentials file",
        asked(at="https://data.s3.us-west-2.amazonaws.com", region="us-west-2"),
        "[default]\nregion = eu-west-1\n",
        f"[default]\n{KEYS}region = us-west-2\n",
        env={"AWS_DEFAULT_REGION": None},
    )
    row(
        "a token of the other file's keys is not theirs",
        asked("OTHER"),
        f"[default]\n{KEYS}aws_session_token = T\n",
        f"[default]\n{OTHER}",
    )
    row("a session token", asked(token="T"), f"[default]\n{KEYS}aws_session_token = T\n")
    row("its older name", asked(token="OLD"), f"[default]\n{KEYS}aws_security_token = OLD\naws_session_token = T\n")
    row("half a pair", REFUSED, "", "[default]\naws_access_key_id = AKID\n", word="aws_secret_access_key")
    row(
        "the other half",
        MACHINE,
        "",
        "[default]\naws_secret_access_key = secret\n",
        zcdp=REFUSED,
        why="the machine's identity is not who was meant",
        word="aws_access_key_id",
    )
    row(
        "half a pair in each file",
        REFUSED,
        "[default]\naws_secret_access_key = secret\n",
        "[default]\naws_access_key_id = AKID\n",
        word="aws_secret_access_key",
    )
    row("keys of the environment", asked("ENVKEY"), f"[default]\n{KEYS}", env=ENV)
    row("with a token", asked("ENVKEY", token="T"), env={**ENV, "AWS_SESSION_TOKEN": "T"})
    row(
        "half a pair in the environment",
        REFUSED,
        f"[default]\n{KEYS}",
        env={"AWS_ACCESS_KEY_ID": "ENVKEY"},
        word="AWS_SECRET_ACCESS_KEY",
    )
    row(
        "the other half in the environment",
        asked(),
        f"[default]\n{KEYS}",
        env={"AWS_SECRET_ACCESS_KEY": "s"},
        zcdp=REFUSED,
        why="somebody else than the profile was meant",
        word="AWS_ACCESS_KEY_ID",
    )
    row(
        "keys of the environment, settings of AWS_PROFILE",
        asked("ENVKEY", f"{LAB}/data"),
        f"[profile dev]\n{KEYS}endpoint_url = {LAB}\n",
        env={**ENV, "AWS_PROFILE": "dev"},
    )
    row("--profile goes before the environment's keys", asked(), f"[profile dev]\n{KEYS}", env=ENV, profile="dev")
    row(
        "a profile that is not there",
        REFUSED,
        f"[profile training]\n{KEYS}",
        profile="trainning",
        word="profile trainning",
    )
    row(
        "AWS_PROFILE that is not there",
        REFUSED,
        f"[default]\n{KEYS}",
        env={"AWS_PROFILE": "nobody"},
        word="profile nobody",
    )
    row(
        "AWS_PROFILE that is not there, beside keys",
        REFUSED,
        f"[default]\n{KEYS}",
        env={**ENV, "AWS_PROFILE": "nobody"},
        word="profile nobody",
    )
    row(
        "AWS_DEFAULT_PROFILE goes before AWS_PROFILE",
        asked("OTHER"),
        f"[profile a]\n{KEYS}[profile b]\n{OTHER}",
        env={"AWS_PROFILE": "a", "AWS_DEFAULT_PROFILE": "b"},
    )
    row(
        "a profile that is named and says nothing of credentials",
        MACHINE,
        "[profile dev]\nregion = eu-west-1\n",
        profile="dev",
        zcdp=REFUSED,
        why="the machine's identity is not who was named",
        word="profile dev: has no credentials",
    )
    row(
        "the same by AWS_PROFILE",
        MACHINE,
        "[profile dev]\nregion = eu-west-1\n",
        env={"AWS_PROFILE": "dev"},
        zcdp=REFUSED,
        why="the same",
        word="profile dev: has no credentials",
    )
    row("a default profile that says nothing of credentials", MACHINE, "[default]\noutput = json\n")
    row("web identity of the environment goes before the default profile's keys", BY_WEB, f"[default]\n{KEYS}", env=WEB)
    row(
        "and before those of a profile that is named",
        BY_WEB,
        f"[profile dev]\n{KEYS}",
        env={**WEB, "AWS_PROFILE": "dev"},
        zcdp=asked(),
        why="who is named comes first",
    )
    row("but not before those of --profile", asked(), f"[profile dev]\n{KEYS}", env=WEB, profile="dev")
    row(
        "web identity without a role",
        REFUSED,
        f"[default]\n{KEYS}",
        env={**WEB, "AWS_ROLE_ARN": None},
        word="AWS_ROLE_ARN",
    )
    row(
        "web identity whose file is not there",
        REFUSED,
        env={**WEB, "AWS_WEB_IDENTITY_TOKEN_FILE": "{home}/nothing"},
        word="AWS_WEB_IDENTITY_TOKEN_FILE",
    )
    row(
        "web identity of a profile",
        role("mine", "web-subject"),
        f"[profile dev]\n{KEYS}web_identity_token_file = {{home}}/token\nrole_arn = arn:aws:iam::1:role/mine\n",
        profile="dev",
    )
    row(
        "web identity of a profile without a role",
        REFUSED,
        f"[profile dev]\n{KEYS}web_identity_token_file = {{home}}/token\n",
        profile="dev",
        word="role_arn",
    )
    process = 'credential_process = echo \'{{"Version": 1, "AccessKeyId": "PROCESS", "SecretAccessKey": "s"}}\'\n'
    row("a process", asked("PROCESS"), f"[profile dev]\n{process}", profile="dev")
    row(
        "a process goes before keys of the config file",
        asked("PROCESS"),
        f"[profile dev]\n{KEYS}{process}",
        profile="dev",
    )
    row(
        "but not before those of the credentials file",
        asked(),
        f"[profile dev]\n{process}",
        f"[dev]\n{KEYS}",
        profile="dev",
    )
    row("a process that fails", REFUSED, "[default]\ncredential_process = false\n", word="credential_process")
    row("what `aws login` left", REFUSED, "[default]\nlogin_session = arn:aws:iam::1:user/me\n", word="login_session")
    row(
        "SSO without its region",
        REFUSED,
        "[profile dev]\nsso_start_url = https://start\nsso_account_id = 1\nsso_role_name = r\n",
        profile="dev",
        word="sso_region",
    )
    row(
        "SSO without a role's name",
        REFUSED,
        f"[profile dev]\n{KEYS}sso_start_url = https://start\nsso_region = eu-west-1\nsso_account_id = 1\n",
        profile="dev",
        word="sso_role_name",
    )
    row(
        "an SSO session that is not there",
        REFUSED,
        f"[profile dev]\n{KEYS}sso_session = work\nsso_account_id = 1\nsso_role_name = r\n",
        profile="dev",
        word="sso-session work",
    )
    row(
        "an SSO session",
        asked("SSOKEY", token="sso-token"),
        "[profile dev]\nsso_session = work\nsso_account_id = 1\nsso_role_name = r\n[sso-session work]\nsso_region = eu-west-1\nsso_start_url = https://start\n",
        profile="dev",
    )
    row(
        "an SSO session's quoted name",
        asked("SSOKEY", token="sso-token"),
        "[profile dev]\nsso_session = my work\nsso_account_id = 1\nsso_role_name = r\n[sso-session 'my work']\nsso_region = eu-west-1\nsso_start_url = https://start\n",
        profile="dev",
    )


def roles():
    lab = "role_arn = arn:aws:iam::1:role/lab\n"
    row(
        "a role",
        role("lab", "AKID"),
        f"[profile lab]\n{lab}source_profile = base\n[profile base]\n{KEYS}",
        profile="lab",
    )
    row(
        "a role whose source is in the credentials file",
        role("lab", "AKID"),
        f"[profile lab]\n{lab}source_profile = base\n",
        f"[base]\n{KEYS}",
        profile="lab",
    )
    row(
        "a role of a role",
        role("lab", f"mid.AKID.at.{STS}"),
        f"[profile lab]\n{lab}source_profile = mid\n[profile mid]\nrole_arn = arn:aws:iam::1:role/mid\nsource_profile = base\n[profile base]\n{KEYS}",
        profile="lab",
    )
    row(
        "a role that its own keys assume",
        role("lab", "AKID"),
        f"[profile lab]\n{lab}source_profile = lab\n{KEYS}",
        profile="lab",
    )
    row(
        "a source's keys go before its role",
        role("lab", "AKID"),
        f"[profile lab]\n{lab}source_profile = mid\n[profile mid]\n{KEYS}role_arn = arn:aws:iam::1:role/mid\nsource_profile = lab\n",
        profile="lab",
    )
    row(
        "a role of the default profile goes before web identity",
        role("lab", "AKID"),
        f"[default]\n{lab}source_profile = base\n[profile base]\n{KEYS}",
        env=WEB,
    )
    row(
        "a role by the environment's keys",
        role("lab", "ENVKEY"),
        f"[profile lab]\n{lab}credential_source = Environment\n",
        env=ENV,
        profile="lab",
    )
    row(
        "by keys that are not set",
        REFUSED,
        f"[profile lab]\n{lab}credential_source = Environment\n",
        profile="lab",
        word="Environment",
    )
    row(
        "a role by the machine's identity",
        role("lab", "MACHINE"),
        f"[profile lab]\n{lab}credential_source = Ec2InstanceMetadata\n",
        profile="lab",
    )
    row(
        "a source that is web identity",
        role("lab", f"mine.web-subject.at.{STS}"),
        f"[profile lab]\n{lab}source_profile = base\n[profile base]\nweb_identity_token_file = {{home}}/token\nrole_arn = arn:aws:iam::1:role/mine\n",
        profile="lab",
    )
    row(
        "a source_profile with spaces",
        role("lab", "AKID"),
        f"[profile lab]\n{lab}source_profile = my base\n[profile 'my base']\n{KEYS}",
        profile="lab",
    )
    row(
        "a loop",
        REFUSED,
        f"[profile lab]\n{lab}source_profile = mid\n[profile mid]\n{lab}source_profile = lab\n",
        profile="lab",
        word="loop",
    )
    row(
        "a source that is not there",
        REFUSED,
        f"[profile lab]\n{lab}source_profile = nobody\n",
        profile="lab",
        word="nobody",
    )
    row(
        "a source without credentials",
        REFUSED,
        f"[profile lab]\n{lab}source_profile = base\n[profile base]\nregion = eu-west-1\n",
        profile="lab",
        word="profile base",
    )
    row(
        "a source with half a pair",
        REFUSED,
        f"[profile lab]\n{lab}source_profile = base\n[profile base]\naws_access_key_id = AKID\n",
        profile="lab",
        word="aws_secret_access_key",
    )
    row(
        "neither source",
        REFUSED,
        f"[profile lab]\n{lab}{KEYS}",
        profile="lab",
        zcdp=asked(),
        why="keys beside a role that nothing assumes are the profile's own",
    )
    row(
        "both sources",
        REFUSED,
        f"[profile lab]\n{lab}source_profile = base\ncredential_source = Environment\n[profile base]\n{KEYS}",
        profile="lab",
        word="both",
    )
    row("an unknown source", REFUSED, f"[profile lab]\n{lab}credential_source = Moon\n", profile="lab", word="Moon")
    row(
        "STS at AWS_ENDPOINT_URL",
        role("lab", "AKID", f"{LAB}/data", "objects.lab.example"),
        f"[profile lab]\n{lab}source_profile = base\n[profile base]\n{KEYS}",
        env={"AWS_ENDPOINT_URL": LAB},
        profile="lab",
    )
    row(
        "STS of the services section",
        role("lab", "AKID", sts="sts.lab.example"),
        f"[profile lab]\n{lab}source_profile = base\nservices = s\n[services s]\nsts =\n  endpoint_url = http://sts.lab.example\n[profile base]\n{KEYS}",
        profile="lab",
    )
    row(
        "STS at AWS_ENDPOINT_URL_STS",
        role("lab", "AKID", sts="sts.lab.example"),
        f"[profile lab]\n{lab}source_profile = base\n[profile base]\n{KEYS}",
        env={"AWS_ENDPOINT_URL_STS": "http://sts.lab.example"},
        profile="lab",
    )


def where():
    lab, dev = asked(at=f"{LAB}/data"), f"[profile dev]\n{KEYS}services = s\n"
    row("the profile's endpoint_url", lab, f"[default]\n{KEYS}endpoint_url = {LAB}\n")
    row(
        "the services section",
        lab,
        f"{dev}endpoint_url = http://other.lab.example\n[services s]\ns3 =\n  endpoint_url = {LAB}\n",
        profile="dev",
    )
    row(
        "its name in quotes",
        lab,
        f"[profile dev]\n{KEYS}services = my lab\n[services 'my lab']\ns3 =\n  endpoint_url = {LAB}\n",
        profile="dev",
    )
    row("S3 in capitals", lab, f"{dev}[services s]\nS3 =\n  endpoint_url = {LAB}\n", profile="dev")
    row(
        "ENDPOINT_URL in capitals is another word",
        asked(),
        f"{dev}[services s]\ns3 =\n  ENDPOINT_URL = {LAB}\n",
        profile="dev",
    )
    row(
        "with comments and empty lines in it",
        lab,
        f"{dev}[services s]\nsts =\n  endpoint_url = http://x\n\n# now\ns3 =\n\n  # here\n    endpoint_url={LAB}\n  use = x\n",
        profile="dev",
    )
    row("a services section that is not there", REFUSED, dev, profile="dev", word="[services s]")
    row(
        "an empty services section",
        REFUSED,
        f"{dev}[services s]\n",
        profile="dev",
        zcdp=asked(),
        why="it is there, and says nothing",
    )
    row(
        "a services section for other services",
        lab,
        f"{dev}endpoint_url = {LAB}\n[services s]\nec2 =\n  endpoint_url = http://ec2.lab.example\n",
        profile="dev",
    )
    row("s3 with a value", REFUSED, f"{dev}[services s]\ns3 = {LAB}\n", profile="dev", word="services s")
    row("endpoint_url in the s3 block is no endpoint", asked(), f"[default]\n{KEYS}s3 =\n  endpoint_url = {LAB}\n")
    row(
        "AWS_ENDPOINT_URL goes before the services section",
        lab,
        f"{dev}[services s]\ns3 =\n  endpoint_url = http://other.lab.example\n",
        env={"AWS_ENDPOINT_URL": LAB},
        profile="dev",
    )
    row(
        "AWS_ENDPOINT_URL_S3 goes before it",
        lab,
        f"[default]\n{KEYS}",
        env={"AWS_ENDPOINT_URL": "http://other.lab.example", "AWS_ENDPOINT_URL_S3": LAB},
    )
    row(
        "ignore_configured_endpoint_urls",
        asked(),
        f"[default]\n{KEYS}endpoint_url = {LAB}\nignore_configured_endpoint_urls = true\n",
        env={"AWS_ENDPOINT_URL_S3": LAB},
    )
    row(
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
        asked(),
        f"[default]\n{KEYS}endpoint_url = {LAB}\n",
        env={"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "True"},
    )
    row(
        "what the variable says goes before the profile",
        lab,
        f"[default]\n{KEYS}endpoint_url = {LAB}\nignore_configured_endpoint_urls = true\n",
        env={"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false"},
    )
    row("1 is not true", lab, f"[default]\n{KEYS}endpoint_url = {LAB}\nignore_configured_endpoint_urls = 1\n")
    row(
        "an endpoint with a port and a path",
        asked(at="http://objects.lab.example:8080/s3/v1/data"),
        f"[default]\n{KEYS}endpoint_url = {LAB}:8080/s3/v1/\n",
    )
    row(
        "an endpoint that is none",
        REFUSED,
        f"[default]\n{KEYS}endpoint_url = objects.lab.example\n",
        word="objects.lab.example",
    )
    row(
        "addressing_style = virtual",
        asked(at="http://data.objects.lab.example"),
        f"[default]\n{KEYS}endpoint_url = {LAB}\ns3 =\n  addressing_style = virtual\n",
    )
    row(
        "virtual below a path",
        asked(at="http://data.objects.lab.example/s3"),
        f"[default]\n{KEYS}endpoint_url = {LAB}/s3\ns3 =\n  addressing_style = virtual\n",
    )
    row(
        "addressing_style = path",
        asked(at="https://s3.eu-west-1.amazonaws.com/data"),
        f"[default]\n{KEYS}s3 =\n  addressing_style = path\n",
    )
    row("addressing_style = auto", lab, f"[default]\n{KEYS}endpoint_url = {LAB}\ns3 =\n  addressing_style = auto\n")
    row(
        "addressing_style outside its block means nothing",
        lab,
        f"[default]\n{KEYS}endpoint_url = {LAB}\naddressing_style = virtual\n",
    )
    row(
        "an addressing_style that is none",
        REFUSED,
        f"[default]\n{KEYS}s3 =\n  addressing_style = host\n",
        word="addressing_style",
    )
    row(
        "the credentials file's s3 block takes the place of the config file's",
        asked(at="https://s3.eu-west-1.amazonaws.com/data"),
        "[default]\ns3 =\n  use_dualstack_endpoint = true\n",
        f"[default]\n{KEYS}s3 =\n  addressing_style = path\n",
    )
    dual = asked(at="https://data.s3.dualstack.eu-west-1.amazonaws.com")
    row("use_dualstack_endpoint", dual, f"[default]\n{KEYS}use_dualstack_endpoint = true\n")
    row("use_dualstack_endpoint of the s3 block", dual, f"[default]\n{KEYS}s3 =\n  use_dualstack_endpoint = TRUE\n")
    row("AWS_USE_DUALSTACK_ENDPOINT", dual, f"[default]\n{KEYS}", env={"AWS_USE_DUALSTACK_ENDPOINT": "true"})
    row(
        "which goes before the profile",
        asked(),
        f"[default]\n{KEYS}use_dualstack_endpoint = true\n",
        env={"AWS_USE_DUALSTACK_ENDPOINT": "false"},
    )
    row(
        "dual stack has no meaning for other endpoints",
        lab,
        f"[default]\n{KEYS}use_dualstack_endpoint = true\nendpoint_url = {LAB}\n",
    )
    row(
        "use_fips_endpoint",
        asked(at="https://data.s3-fips.us-west-2.amazonaws.com", region="us-west-2"),
        f"[default]\n{KEYS}use_fips_endpoint = true\nregion = us-west-2\n",
        env={"AWS_DEFAULT_REGION": None},
    )
    row(
        "the profile's region",
        asked(at="https://data.s3.ap-south-1.amazonaws.com", region="ap-south-1"),
        f"[default]\n{KEYS}region = ap-south-1\n",
        env={"AWS_DEFAULT_REGION": None},
    )
    row("AWS_DEFAULT_REGION goes before it", asked(), f"[default]\n{KEYS}region = ap-south-1\n")
    row(
        "AWS_REGION",
        asked(),
        f"[default]\n{KEYS}",
        env={"AWS_REGION": "us-west-2"},
        zcdp=asked(at="https://data.s3.us-west-2.amazonaws.com", region="us-west-2"),
        why="all other tools of AWS take it",
    )
    row(
        "a region that is none",
        REFUSED,
        f"[default]\n{KEYS}region = Frankfurt am Main\n",
        env={"AWS_DEFAULT_REGION": None},
        word="region",
    )
    row(
        "China",
        asked(at="https://data.s3.cn-north-1.amazonaws.com.cn", region="cn-north-1"),
        f"[default]\n{KEYS}region = cn-north-1\n",
        env={"AWS_DEFAULT_REGION": None},
    )


def files():
    there = {"AWS_CONFIG_FILE": "~/elsewhere"}
    row("AWS_CONFIG_FILE from ~", asked("ELSE"), f"[default]\n{KEYS}", env=there)
    row("AWS_CONFIG_FILE from a variable", asked("ELSE"), env={"AWS_CONFIG_FILE": "$HOME/elsewhere"})
    row("AWS_CONFIG_FILE from a variable in braces", asked("ELSE"), env={"AWS_CONFIG_FILE": "${HOME}/elsewhere"})
    row("AWS_SHARED_CREDENTIALS_FILE", asked("ELSE"), env={"AWS_SHARED_CREDENTIALS_FILE": "{home}/elsewhere"})
    row(
        "AWS_CONFIG_FILE that is not there",
        MACHINE,
        env={"AWS_CONFIG_FILE": "{home}/nothing"},
        zcdp=REFUSED,
        why="it is named",
        word="AWS_CONFIG_FILE",
    )
    row(
        "AWS_SHARED_CREDENTIALS_FILE that is not there",
        asked(),
        f"[default]\n{KEYS}",
        env={"AWS_SHARED_CREDENTIALS_FILE": "{home}/nothing"},
        zcdp=REFUSED,
        why="it is named",
        word="AWS_SHARED_CREDENTIALS_FILE",
    )
    row(
        "beside keys of the environment it is only warned of",
        asked("ENVKEY"),
        env={**ENV, "AWS_SHARED_CREDENTIALS_FILE": "{home}/nothing"},
    )
    row(
        "a folder instead of a file",
        MACHINE,
        env={"AWS_SHARED_CREDENTIALS_FILE": "{home}"},
        zcdp=REFUSED,
        why="it is named",
        word="AWS_SHARED_CREDENTIALS_FILE",
    )
    row(
        "/dev/null is an empty file",
        asked(),
        f"[default]\n{OTHER}",
        f"[default]\n{KEYS}",
        env={"AWS_CONFIG_FILE": "/dev/null"},
    )
    row("an empty file", MACHINE, "\n")


for made in (names_of_sections, lines, who_asks, roles, where, files):
    made()


def botocore_of(rows):
    """In the environment that has botocore: what it would ask, row by row, each in a process of its own."""
    import botocore.awsrequest
    import botocore.loaders
    import botocore.session

    loader = botocore.loaders.create_loader()

    def session_of(profile):
        session = botocore.session.Session(profile=profile)
        session.register_component("data_loader", loader)
        return session

    for service in ("s3", "sts", "sso"):  # the services' descriptions, read once for all
        session_of(None).create_client(service, region_name="eu-west-1")

    def respond(request, body):
        class Raw:
            def stream(self, *_, **__):
                yield body

        return botocore.awsrequest.AWSResponse(request.url, 200, {"Content-Type": "text/xml"}, Raw())

    def ask(profile):
        seen = []

        def before_send(request, **_):
            url, host = request.url, observer.urlsplit(request.url).netloc
            authorization = request.headers.get("Authorization", b"")
            authorization = authorization.decode() if isinstance(authorization, bytes) else authorization
            access = authorization.partition("Credential=")[2].partition("/")[0]
            if "/federation/credentials" in url:
                return respond(request, json.dumps({"roleCredentials": SSO}).encode())
            body = request.body.decode() if isinstance(request.body, bytes) else request.body
            if body and "Action=" in body:
                return respond(request, observer.sts_answer(observer.parse_qs(body), access, host))
            token = request.headers.get("X-Amz-Security-Token", b"")
            seen.append(
                (
                    access,
                    observer.place(url),
                    authorization.split("/")[2] if access else "",
                    token.decode() if isinstance(token, bytes) else token,
                )
            )
            return respond(request, observer.listing_xml([]))

        session = session_of(profile)
        session.register("before-send.*", before_send)
        client = session.create_client("s3")
        client.list_objects_v2(Bucket="data", Prefix="set/")
        frozen = session.get_credentials().get_frozen_credentials()
        return [*seen[0], frozen.secret_key]

    out = []
    for profile, env, home in rows:
        read, write = os.pipe()
        if not os.fork():
            os.environ.clear()
            os.environ.update(env)
            for name, text in home.items():
                with open(os.path.join(env["HOME"], name), "w", encoding="utf-8", newline="") as file:
                    file.write(text)
            try:
                answer = ask(profile)
            except Exception as problem:  # whatever it is, botocore has refused
                answer = f"{type(problem).__name__}: {problem}"
            os.write(write, json.dumps(answer).encode())
            os._exit(0)
        os.close(write)
        with os.fdopen(read) as pipe:
            out.append(json.load(pipe))
        os.wait()
    return out


SSO = {
    "accessKeyId": "SSOKEY",
    "secretAccessKey": "sso-secret",
    "sessionToken": "sso-token",
    "expiration": 4_070_908_800_000,
}


def machine_server(bench):
    """The machine's own identity, which is asked when nothing else is found; and the portal of SSO."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def answer(self):
            body = "token" if self.command == "PUT" else "role-of-the-machine"
            if self.path.startswith("/federation"):
                body = json.dumps({"roleCredentials": SSO})
            elif self.path.endswith("/role-of-the-machine"):
                body = json.dumps(
                    {
                        "Code": "Success",
                        "LastUpdated": "2024-01-01T00:00:00Z",
                        "Type": "AWS-HMAC",
                        "AccessKeyId": "MACHINE",
                        "SecretAccessKey": "machine-secret",
                        "Token": "machine-token",
                        "Expiration": "2099-01-01T00:00:00Z",
                    }
                )
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        do_GET = do_PUT = answer

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    bench.closers += [server.server_close, server.shutdown]
    return f"http://127.0.0.1:{server.server_port}"


def environment_of(bench, home, machine, env):
    """What the row says over a clean environment; {home} is the home folder."""
    base = {name: value for name, value in clean_env().items() if not name.startswith("AWS_")}
    base |= {"HOME": str(home), "AWS_DEFAULT_REGION": "eu-west-1", "AWS_EC2_METADATA_SERVICE_ENDPOINT": machine}
    base |= {name: value and value.replace("{home}", str(home)) for name, value in env.items()}
    return {name: value for name, value in base.items() if value is not None}


def home_files(home, config, credentials):
    """The two files, which need not be there."""
    said = {".aws/config": config, ".aws/credentials": credentials}
    return {
        name: text.replace("{home}", str(home)).replace("{{", "{").replace("}}", "}") for name, text in said.items()
    }


def main():
    if subprocess.run(["bash", "-c", f". {ROOT}/scripts/lib/venv.sh && need_venv"]).returncode != 0:
        skip("there is no botocore here, and none to be had from PyPI")
    with TestRun() as bench:
        home = bench.path("home")
        (home / ".aws/sso/cache").mkdir(parents=True)
        for name in ("work", "my work"):
            (home / ".aws/sso/cache" / (hashlib.sha1(name.encode()).hexdigest() + ".json")).write_text(
                json.dumps(
                    {
                        "accessToken": "sso",
                        "expiresAt": "2099-01-01T00:00:00Z",
                        "startUrl": "https://start",
                        "region": "eu-west-1",
                    }
                )
            )
        (home / "token").write_text("subject")
        (home / "elsewhere").write_text("[default]\naws_access_key_id = ELSE\naws_secret_access_key = else-secret\n")
        machine = machine_server(bench)
        regions = ("eu-west-1", "us-west-2", "ap-south-1")
        names = [
            f"{name}.{region}.amazonaws.com"
            for region in regions
            for name in ("s3", "*.s3", "*.s3.dualstack", "*.s3-fips", "sts")
        ] + ["*.s3.cn-north-1.amazonaws.com.cn"]
        world = observer.Observer(bench, names)
        jobs = [
            (profile, environment_of(bench, home, machine, env), home_files(home, config, credentials))
            for _, _, config, credentials, env, profile, *_ in ROWS
        ]
        done = subprocess.run(
            [CACHE / "venv/bin/python", __file__, "--botocore"],
            input=json.dumps(jobs),
            capture_output=True,
            text=True,
            env={**clean_env(), "HOME": str(home), "PYTHONPATH": str(ROOT)},
            timeout=500,
        )
        bench.check("botocore was asked", done.returncode == 0, done.stderr[-2000:])
        for number, (one, (profile, env, texts), theirs) in enumerate(zip(ROWS, jobs, json.loads(done.stdout))):
            compare(bench, world, number, one, profile, env, texts, theirs, home)
        different = sum(1 for one in ROWS if one[6] is not None)
        bench.check(
            f"{len(ROWS)} files and environments, {different} of them read otherwise than botocore does",
            len(ROWS) >= 60,
        )


def compare(bench, world, number, one, profile, env, texts, theirs, home):
    name, want, _, _, _, _, instead, why, word = one
    secret = theirs[4] if isinstance(theirs, list) else None
    have = tuple(theirs[:4]) if isinstance(theirs, list) else REFUSED
    bench.check(f"{name}: botocore", have == want, theirs)
    for file, text in texts.items():
        (home / file).write_text(text, encoding="utf-8", newline="")
    ask = {
        **env,
        "HTTP_PROXY": world.url,
        "HTTPS_PROXY": world.url,
        "SSL_CERT_FILE": str(world.ca),
        "AWS_ENDPOINT_URL_SSO": env["AWS_EC2_METADATA_SERVICE_ENDPOINT"],
    }
    flags = ["--profile", profile] if profile else []
    done = subprocess.run(
        [ZCDP, "sync", *flags, "--no-store", "s3://data/set/", str(bench.path(f"dest{number}"))],
        env=ask,
        capture_output=True,
        text=True,
        timeout=60,
    )
    first, wanted = world.first(), want if instead is None else instead
    says = f" (otherwise: {why})" if instead is not None else ""
    bench.check(f"{name}: how zcdp differs is said", (instead is None) == (why == "") and instead != want)
    if wanted == REFUSED:
        bench.check(
            f"{name}: zcdp refuses{says}",
            done.returncode in (2, 4, 5) and first is None,
            (done.returncode, first, done.stderr),
        )
        bench.check(
            f"{name}: one line that says '{word}'",
            word and word in done.stderr and done.stderr.count("\n") == 1,
            done.stderr,
        )
        return
    bench.check(f"{name}: zcdp asks", done.returncode == 0 and first is not None, (done.returncode, done.stderr))
    at, access, region, token, signed_with = first
    bench.check(f"{name}: zcdp, as it should{says}", (access, at, region, token) == wanted, (first[:4], wanted))
    if secret and access == want[0]:
        bench.check(f"{name}: with the same secret", signed_with(secret))


if "--botocore" in sys.argv:
    json.dump(botocore_of(json.load(sys.stdin)), sys.stdout)
else:
    main()
