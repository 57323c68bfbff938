"""The private parts of paramiko that the fast way over its transport stands on; another version is to be looked at."""

import inspect
import re

import paramiko
from paramiko.auth_handler import AuthHandler
from paramiko.kex_group14 import KexGroup14SHA256
from paramiko.packet import Packetizer


def test_it_is_the_version_that_was_looked_at() -> None:
    assert paramiko.__version__.split(".")[0] == "5"


def test_the_transport_hands_messages_to_tables() -> None:
    source = inspect.getsource(paramiko.Transport.run)
    assert "self._channel_handler_table[ptype](chan, m)" in source
    assert "self.packetizer.need_rekey() and not self.in_kex" in source
    assert "except NeedRekeyException:\n                        continue" in source
    assert "if ptype not in self._expected_packet" in source
    assert set(vars(paramiko.Transport)["_channel_handler_table"]) >= {93, 94, 96, 97}


def test_the_packetizer_has_its_counters_and_flags() -> None:
    made = vars(Packetizer(None))  # type: ignore[arg-type] # nothing is sent
    for name in ("sequence_number_in", "sequence_number_out", "need_rekey", "closed"):
        assert f"_Packetizer__{name}" in made


def test_every_answer_to_a_login_goes_one_way() -> None:
    assert inspect.getsource(AuthHandler).count("cMSG_USERAUTH_SUCCESS)") == 1
    assert list(inspect.signature(vars(AuthHandler)["_send_auth_result"]).parameters) == [
        "self",
        "username",
        "method",
        "result",
    ]
    assert "self.auth_fail_count >= 10" in inspect.getsource(vars(AuthHandler)["_send_auth_result"])


def test_new_keys_make_the_login_possible() -> None:
    source = inspect.getsource(vars(paramiko.Transport)["_parse_newkeys"])
    assert "self.auth_handler is None" in source
    assert "self.clear_to_send.set()" in source


def test_the_clients_algorithms_are_read_where_this_server_reads_them_too() -> None:
    reading = inspect.getsource(vars(paramiko.Transport)["_really_parse_kex_init"])
    assert 'parsed["client_encrypt_algo_list"]' in reading
    assert 'parsed["server_encrypt_algo_list"]' in reading
    offering = inspect.getsource(vars(paramiko.Transport)["_send_kex_init"])
    assert offering.count("m.add_list(self.preferred_ciphers)") == 2


def test_what_a_client_guessed_of_the_key_exchange_is_read_from_its_offer_and_the_own_one() -> None:
    reading = inspect.getsource(vars(paramiko.Transport)["_really_parse_kex_init"])
    for name in ("kex_algo_list", "server_key_algo_list", "kex_follows"):
        assert f'parsed["{name}"]' in reading
    assert "self._latest_kex_init" in inspect.getsource(vars(paramiko.Transport)["_get_latest_kex_init"])
    negotiating = inspect.getsource(vars(paramiko.Transport)["_negotiate_keys"])
    own, theirs = negotiating.index("self._send_kex_init()"), negotiating.index("self._parse_kex_init(m)")
    assert own < theirs < negotiating.index("self.kex_engine.start_kex()")


def test_key_exchanges_are_made_by_name_and_worked_out_in_two_calls() -> None:
    assert "self.kex_engine = self._kex_info[agreed_kex[0]](self)" in inspect.getsource(
        vars(paramiko.Transport)["_parse_kex_init"]
    )
    run = inspect.getsource(paramiko.Transport)
    assert set(re.findall(r"self\.kex_engine\.(\w+)\(", run)) == {"start_kex", "parse_next"}
    group = inspect.getsource(KexGroup14SHA256)
    assert group.count("self._generate_x()") == 1
    assert group.count("pow(self.G, self.x, self.P)") == 2
