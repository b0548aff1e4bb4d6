"""SPDY/3.1 frames: what kubectl sends, in pieces and bent."""

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drumroll.apiserver.spdy import Data, Framer, GoAway, Opened, Ping, Reset, SpdyError, dictionary

TOKENS = st.text(st.sampled_from("abcdefghij-"), min_size=1, max_size=20)


def test_the_dictionary_is_the_specifications():
    assert zlib.adler32(dictionary()) == 0xE3C6A7C2  # the identifier in every SPDY/3 header block


@given(st.lists(st.dictionaries(TOKENS, TOKENS, max_size=5), min_size=1, max_size=5), st.integers(1, 9))
def test_headers_arrive_in_order_however_they_are_cut(blocks, size):
    client, server = Framer(), Framer()
    sent = b"".join(client.opened(2 * number + 1, headers) for number, headers in enumerate(blocks))
    seen = [event for start in range(0, len(sent), size) for event in server.receive(sent[start : start + size])]
    assert seen == [Opened(2 * number + 1, headers, False) for number, headers in enumerate(blocks)]


@given(st.lists(st.tuples(st.integers(1, 2**31 - 1), st.binary(max_size=100), st.booleans()), max_size=5))
def test_data_arrives_as_it_was_sent(pieces):
    sent = b"".join(Framer().data(stream, data, is_last=last) for stream, data, last in pieces)
    assert Framer().receive(sent) == [Data(*piece) for piece in pieces]


def test_control_frames():
    framer = Framer()
    sent = framer.ping(7) + framer.reset(3) + bytes.fromhex("8003000700000008 00000001 00000000")
    assert Framer().receive(sent) == [Ping(7), Reset(3), GoAway()]


def test_settings_windows_and_unknown_frames_are_skipped():
    settings = bytes.fromhex("80030004 0000000c 00000001 00000004 00000064")
    window = bytes.fromhex("80030009 00000008 00000001 00001000")
    assert Framer().receive(settings + window + Framer().ping(1)) == [Ping(1)]


def test_a_header_block_of_another_stream_keeps_the_compression_in_step():
    client, server = Framer(), Framer()
    first = client.opened(1, {"streamtype": "data"})
    extra = bytearray(client.opened(3, {"port": "80"}))
    extra[3] = 8  # HEADERS: the stream's number, then the block
    del extra[12:18]
    extra[7] -= 6
    assert server.receive(first + bytes(extra) + client.opened(5, {"port": "81"})) == [
        Opened(1, {"streamtype": "data"}, False),
        Opened(5, {"port": "81"}, False),
    ]


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(bytes.fromhex("80020001 00000004 00000000"), id="another version"),
        pytest.param(bytes.fromhex("80030001 0000000e 00000001 00000000 0000 deadbeef"), id="no compressed headers"),
        pytest.param(bytes.fromhex("80030006 00000001 00"), id="a short ping"),
    ],
)
def test_what_is_no_spdy_is_an_error(sent):
    with pytest.raises(SpdyError):
        Framer().receive(sent)
