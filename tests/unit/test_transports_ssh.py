"""The SSH transport against a real sshd on loopback, and none-authentication as Tailscale does it."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import paramiko
import pytest
from paramiko.common import AUTH_FAILED, AUTH_SUCCESSFUL, OPEN_SUCCEEDED

from paisctl.errors import (
    AuthenticationRefused,
    ConnectionLost,
    HostError,
    HostKeyChanged,
    HostKeyUnknown,
    HostUnreachable,
)
from paisctl.transports import SshSettings
from paisctl.transports.ssh import SshTransport


def keygen(path: Path, *options: str) -> Path:
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path), *options]
    subprocess.run(command, check=True)
    return path


def fingerprint(key: Path) -> str:
    listing = subprocess.run(["ssh-keygen", "-lf", str(key)], check=True, capture_output=True)
    return listing.stdout.decode().split()[1]


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@dataclass
class Sshd:
    """A running sshd and everything that is needed to log in to it."""

    directory: Path
    port: int
    process: subprocess.Popen[bytes]

    @property
    def settings(self) -> SshSettings:
        return SshSettings(
            host="127.0.0.1",
            port=self.port,
            user=getpass.getuser(),
            identity_file=str(self.directory / "client"),
            known_hosts=str(self.known_hosts),
            config_file="/dev/null",
        )

    @property
    def known_hosts(self) -> Path:
        return self.directory / "known_hosts"

    @property
    def host_key(self) -> str:
        return (self.directory / "host_ed25519.pub").read_text()

    def log(self) -> str:
        return (self.directory / "log").read_text()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    directory = tmp_path_factory.mktemp("sshd")
    keygen(directory / "client")
    keygen(directory / "host_ed25519")
    subprocess.run(
        [
            "ssh-keygen",
            "-q",
            "-t",
            "rsa",
            "-b",
            "2048",
            "-N",
            "",
            "-f",
            str(directory / "host_rsa"),
        ],
        check=True,
    )
    port = free_port()
    (directory / "config").write_text(
        f"ListenAddress 127.0.0.1\nPort {port}\nPidFile none\nUsePAM no\nStrictModes no\n"
        f"HostKey {directory}/host_ed25519\nHostKey {directory}/host_rsa\n"
        f"AuthorizedKeysFile {directory}/client.pub\nPasswordAuthentication no\n"
        "PermitRootLogin yes\nLogLevel VERBOSE\nKbdInteractiveAuthentication no\n"
    )
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # sshd insists on it when it starts as root
    sshd = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
    assert sshd, "the OpenSSH server is needed: apt-get install openssh-server"
    process = subprocess.Popen(
        [sshd, "-D", "-f", str(directory / "config"), "-E", str(directory / "log")]
    )
    wait_for_port(port)
    yield Sshd(directory, port, process)
    process.terminate()
    process.wait()


def wait_for_port(port: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with socket.socket() as sock:
            if sock.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise TimeoutError(port)


@pytest.fixture
def sshd(server: Sshd, monkeypatch: pytest.MonkeyPatch) -> Sshd:
    """The server, known by its name and port, and no agent."""
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    server.known_hosts.write_text(f"[127.0.0.1]:{server.port} {server.host_key}")
    return server


@pytest.fixture
def transport(sshd: Sshd) -> Iterator[SshTransport]:
    transport = SshTransport(sshd.settings)
    yield transport
    transport.close()


def refused(settings: SshSettings) -> HostError:
    transport = SshTransport(settings)
    with pytest.raises(HostError) as caught:
        transport.connect()
    transport.close()
    return caught.value


def test_a_command_gets_its_stdin_and_gives_stdout_stderr_and_exit_status(
    transport: SshTransport,
) -> None:
    completed = transport.run("cat; echo oops >&2; exit 3", b"\xff data")
    assert (completed.exit_status, completed.stdout) == (3, b"\xff data")
    assert completed.stderr == b"oops\n"


def test_much_data_both_ways_does_not_block(transport: SshTransport) -> None:
    data = b"0123456789abcdef" * 400_000
    completed = transport.run("cat; head -c 3000000 /dev/zero >&2", data)
    assert completed.stdout == data
    assert len(completed.stderr) == 3_000_000


def test_one_connection_carries_everything(sshd: Sshd, transport: SshTransport) -> None:
    before = sshd.log()
    for _ in range(3):
        assert transport.run("exit 0").exit_status == 0
    new = sshd.log().removeprefix(before)
    assert new.count("Accepted publickey") == 1
    assert new.count("Starting session: command") == 3


def test_a_channel_is_a_conversation(transport: SshTransport) -> None:
    channel = transport.open(
        "echo ready; read answer; echo \"got $answer\"; printf '\\377'; exit 4"
    )
    lines = channel.lines()
    assert next(lines) == "ready"
    channel.write(b"hello\n")
    assert list(lines) == ["got hello", "\udcff"]
    assert channel.wait() == 4


def test_writing_to_a_command_that_has_ended_is_no_error(transport: SshTransport) -> None:
    channel = transport.open("exit 0")
    assert channel.wait() == 0
    channel.write(b"too late")


def test_a_connection_that_breaks_is_reported_as_such(sshd: Sshd, transport: SshTransport) -> None:
    channel = transport.open("echo $PPID; sleep 60")
    session = int(next(channel.lines()))
    os.kill(session, 9)
    with pytest.raises(ConnectionLost, match="lost while a command ran"):
        channel.wait()
    with pytest.raises(ConnectionLost):
        transport.run("exit 0")
    assert sshd.process.poll() is None


def test_an_unknown_host_key_is_refused_with_its_fingerprint(sshd: Sshd) -> None:
    sshd.known_hosts.write_text("")
    error = refused(sshd.settings)
    assert isinstance(error, HostKeyUnknown)
    assert fingerprint(sshd.directory / "host_ed25519.pub") in error.message
    assert f"{getpass.getuser()}@127.0.0.1:{sshd.port}" in error.message
    assert error.hint is not None
    assert f"ssh-keyscan -p {sshd.port} 127.0.0.1 >> {sshd.known_hosts}" in error.hint
    assert sshd.known_hosts.read_text() == ""


def test_a_changed_host_key_is_refused_loudly_with_both_fingerprints(
    sshd: Sshd, tmp_path: Path
) -> None:
    other = keygen(tmp_path / "other").with_suffix(".pub")
    sshd.known_hosts.write_text(f"[127.0.0.1]:{sshd.port} {other.read_text()}")
    error = refused(sshd.settings)
    assert isinstance(error, HostKeyChanged)
    assert "HAS CHANGED" in error.message
    assert fingerprint(other) in error.message
    assert fingerprint(sshd.directory / "host_ed25519.pub") in error.message


def test_a_hashed_entry_is_found(sshd: Sshd) -> None:
    command = ["ssh-keygen", "-q", "-H", "-f", str(sshd.known_hosts)]
    subprocess.run(command, check=True, capture_output=True)
    assert sshd.known_hosts.read_text().startswith("|1|")
    SshTransport(sshd.settings).run("exit 0")


@pytest.mark.parametrize(
    "names",
    ["127.0.0.1", "[127.0.0.*]:*", "other,[127.0.0.1]:{port}", "# a comment\n127.0.0.?"],
)
def test_names_without_port_and_patterns_are_found(sshd: Sshd, names: str) -> None:
    sshd.known_hosts.write_text(f"{names.format(port=sshd.port)} {sshd.host_key}")
    assert SshTransport(sshd.settings).run("exit 0").exit_status == 0


def test_a_host_known_only_by_its_rsa_key_is_asked_for_that_one(sshd: Sshd) -> None:
    rsa = (sshd.directory / "host_rsa.pub").read_text()
    sshd.known_hosts.write_text(f"[127.0.0.1]:{sshd.port} {rsa}")
    assert SshTransport(sshd.settings).run("exit 0").exit_status == 0


def test_a_revoked_or_excluded_key_is_refused(sshd: Sshd) -> None:
    name = f"[127.0.0.1]:{sshd.port}"
    sshd.known_hosts.write_text(f"{name} {sshd.host_key}@revoked {name} {sshd.host_key}")
    assert isinstance(refused(sshd.settings), HostKeyChanged)
    sshd.known_hosts.write_text(f"[127.0.0.*]:*,!{name} {sshd.host_key}")
    assert isinstance(refused(sshd.settings), HostKeyUnknown)


def test_a_pinned_key_is_the_only_one_accepted(sshd: Sshd, tmp_path: Path) -> None:
    pinned = replace(sshd.settings, host_key=sshd.host_key, known_hosts=str(tmp_path / "none"))
    assert SshTransport(pinned).run("exit 0").exit_status == 0
    other = keygen(tmp_path / "other").with_suffix(".pub").read_text()
    error = refused(replace(sshd.settings, host_key=other))
    assert isinstance(error, HostKeyChanged)
    assert error.hint is not None
    assert "inventory" in error.hint
    assert "cannot be read" in refused(replace(sshd.settings, host_key="nonsense")).message


def test_a_refused_key_is_named(sshd: Sshd, tmp_path: Path) -> None:
    stranger = keygen(tmp_path / "stranger")
    error = refused(replace(sshd.settings, identity_file=str(stranger)))
    assert isinstance(error, AuthenticationRefused)
    assert fingerprint(stranger) in error.message
    assert error.hint == f"ssh-copy-id -p {sshd.port} {getpass.getuser()}@127.0.0.1"


def test_a_key_with_a_passphrase_points_to_the_agent(sshd: Sshd, tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    keygen(locked)
    change = ["ssh-keygen", "-q", "-p", "-P", "", "-N", "secret", "-f", str(locked)]
    subprocess.run(change, check=True, capture_output=True)
    error = refused(replace(sshd.settings, identity_file=str(locked)))
    assert error.hint is not None
    assert f"ssh-add {locked}" in error.hint


def test_the_agent_is_asked(sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "agent"
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", str(path)], stdout=subprocess.DEVNULL)
    while not path.exists():
        time.sleep(0.01)
    monkeypatch.setenv("SSH_AUTH_SOCK", str(path))
    add = ["ssh-add", "-q", str(sshd.directory / "client")]
    subprocess.run(add, check=True, capture_output=True)
    settings = replace(sshd.settings, identity_file=str(tmp_path / "missing"))
    transport = SshTransport(settings)
    assert transport.run("exit 0").exit_status == 0
    transport.close()
    agent.terminate()
    agent.wait()


def test_nothing_listens() -> None:
    port = free_port()
    error = refused(SshSettings(host="127.0.0.1", port=port, config_file="/dev/null"))
    assert isinstance(error, HostUnreachable)
    assert "nothing accepts connections" in error.message
    assert f"127.0.0.1:{port}" in error.message


def test_a_host_that_accepts_but_never_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        settings = SshSettings(
            host="127.0.0.1", port=port, connect_timeout=0.3, config_file="/dev/null"
        )
        error = refused(settings)
    assert isinstance(error, HostUnreachable)


def test_a_name_without_an_address() -> None:
    error = refused(SshSettings(host="no-such-host.invalid", config_file="/dev/null"))
    assert isinstance(error, HostUnreachable)
    assert "no address" in error.message


def test_the_ssh_configuration_decides_what_is_left_open(sshd: Sshd, tmp_path: Path) -> None:
    included = tmp_path / "included"
    included.write_text(
        f"Host box\n  HostName 127.0.0.1\n  Port {sshd.port}\n  User {getpass.getuser()}\n"
        f"  IdentityFile {sshd.directory}/client\n  UserKnownHostsFile {sshd.known_hosts}\n"
        "  HostKeyAlias a-box\n"
    )
    config = tmp_path / "config"
    config.write_text(f"Include {included}\n")
    sshd.known_hosts.write_text(f"a-box {sshd.host_key}")
    settings = SshSettings(host="box", config_file=str(config))
    assert SshTransport(settings).run("echo hi").stdout == b"hi\n"


def test_an_invalid_ssh_configuration_is_said_to_be_so(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("Port none-at-all\n")
    assert "is not valid" in refused(SshSettings(host="box", config_file=str(config))).message


def test_through_a_jump_host_whose_key_is_checked_too(sshd: Sshd) -> None:
    jump = f"{getpass.getuser()}@localhost:{sshd.port}"
    settings = replace(sshd.settings, proxy_jump=jump)
    error = refused(settings)
    assert isinstance(error, HostKeyUnknown)
    assert "localhost" in error.message
    with sshd.known_hosts.open("a") as file:
        file.write(f"[localhost]:{sshd.port} {sshd.host_key}")
    transport = SshTransport(settings)
    assert transport.run("echo hi").stdout == b"hi\n"
    transport.close()


def test_through_a_proxy_command(sshd: Sshd, tmp_path: Path) -> None:
    config = tmp_path / "config"
    relay = tmp_path / "relay"
    relay.write_text("#!/bin/bash\nexec 3<>/dev/tcp/$1/$2; cat <&3 & exec cat >&3\n")
    relay.chmod(0o755)
    config.write_text(f"Host *\n  ProxyCommand {relay} %h %p\n")
    transport = SshTransport(replace(sshd.settings, config_file=str(config)))
    assert transport.run("echo hi").stdout == b"hi\n"
    transport.close()


class TailscaleLike(paramiko.ServerInterface):
    """A server that knows who we are already, and answers every command with its text."""

    def check_auth_none(self, username: str) -> int:
        return AUTH_SUCCESSFUL if username == "known" else AUTH_FAILED

    def get_allowed_auths(self, username: str) -> str:
        del username
        return "none"

    def check_channel_request(self, kind: str, chanid: int) -> int:
        del kind, chanid
        return OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        def answer() -> None:
            channel.sendall(command)
            channel.send_exit_status(0)
            channel.close()

        threading.Timer(0.05, answer).start()
        return True


@pytest.mark.parametrize(("user", "accepted"), [("known", True), ("stranger", False)])
def test_none_authentication(sshd: Sshd, user: str, *, accepted: bool) -> None:
    host_key = paramiko.Ed25519Key.from_private_key_file(str(sshd.directory / "host_ed25519"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving: list[paramiko.Transport] = []

        def serve() -> None:
            connection, _ = listener.accept()
            serving.append(paramiko.Transport(connection))
            serving[0].add_server_key(host_key)
            serving[0].start_server(server=TailscaleLike())

        thread = threading.Thread(target=serve)
        thread.start()
        settings = SshSettings(
            host="127.0.0.1",
            port=listener.getsockname()[1],
            user=user,
            identity_file="/nonexistent",
            host_key=sshd.host_key,
            config_file="/dev/null",
        )
        if accepted:
            transport = SshTransport(settings)
            assert transport.run("who am I").stdout == b"who am I"
            transport.close()
        else:
            assert isinstance(refused(settings), AuthenticationRefused)
        thread.join()
        serving[0].close()
