import pytest

from reconciler.protocols.as2.mime import Entity, attachment, multipart, safe_name


class TestParsing:
    @pytest.mark.parametrize("end", ["\r\n", "\n"])
    def test_headers_end_at_the_first_empty_line(self, end: str) -> None:
        raw = f"Content-Type: text/x{end}A: b{end}{end}body{end}{end}more".encode()
        entity = Entity.parse(raw)
        assert (entity.content_type, entity.body, entity.raw) == ("text/x", f"body{end}{end}more".encode(), raw)

    @pytest.mark.parametrize("raw", [b"UNB+UNOC:3\r\n\r\nUNZ", b"", b"no line end"])
    def test_what_begins_with_no_header_is_all_body(self, raw: bytes) -> None:
        assert Entity.parse(raw).body == raw

    def test_an_empty_first_line_is_no_header(self) -> None:
        assert Entity.parse(b"\r\nA: b\r\n\r\n").body == b"A: b\r\n\r\n"

    @pytest.mark.parametrize(
        ("header", "name"),
        [
            ('attachment; filename="a b.edi"', "a b.edi"),
            ("attachment; filename*=UTF-8''%C3%A4.edi", "ä.edi"),
            ("attachment; filename=\"_.edi\"; filename*=UTF-8''%C3%A4.edi", "ä.edi"),
            ("attachment; FileName*0*=UTF-8''%C3%A4; filename*1=.edi", "ä.edi"),
            ("attachment; filename=a b.edi", "a b.edi"),
            ('attachment; filename="=?utf-8?q?=C3=A4=2Eedi?="', "ä.edi"),
            ('attachment; filename="ä.edi"', "ä.edi"),
            ('attachment; filename="=?nonsense?q?x?="', "=?nonsense?q?x?="),
        ],
    )
    def test_file_names_are_decoded(self, header: str, name: str) -> None:
        assert Entity.parse(f"Content-Disposition: {header}\r\n\r\n".encode()).file_name == name

    @pytest.mark.parametrize(
        ("encoding", "body", "decoded"),
        [
            ("base64", b"YWI=\r\n", b"ab"),
            ("Quoted-Printable", b"a=3Db", b"a=b"),
            ("8bit", b"a\nb\r", b"a\nb\r"),
        ],
    )
    def test_transfer_encodings_are_undone(self, encoding: str, body: bytes, decoded: bytes) -> None:
        assert Entity.parse(f"Content-Transfer-Encoding: {encoding}\r\n\r\n".encode() + body).decoded() == decoded

    @pytest.mark.parametrize("encoding", ["x-uuencode", "base64"])
    def test_a_broken_transfer_encoding_is_an_error(self, encoding: str) -> None:
        with pytest.raises(ValueError, match=r"."):
            Entity.parse(f"Content-Transfer-Encoding: {encoding}\r\n\r\nYWI".encode()).decoded()


class TestMultipart:
    @pytest.mark.parametrize("body", [b"", b"\r", b"\n", b"\r\n", b"a\r\n--", b"\x00\xff--=_\r\n"])
    def test_parts_come_out_as_they_went_in(self, body: bytes) -> None:
        first, second = Entity.of([("A", "b")], body), Entity.of([("C", "d")], b"x")
        whole = Entity.parse(multipart("mixed", (first, second)).raw)
        assert [part.raw for part in whole.parts()] == [first.raw, second.raw]

    def test_preamble_and_epilogue_are_left_out(self) -> None:
        raw = b"Content-Type: multipart/x; boundary=b\r\n\r\nbefore\r\n--b \r\n\r\none\r\n--b--\r\nafter"
        assert [part.body for part in Entity.parse(raw).parts()] == [b"one"]

    @pytest.mark.parametrize("boundary", ["----=_Part_1_2.3", '"----=_Part_1_2.3"', '"a b:c(d)"', "'x'"])
    def test_boundaries_are_written_in_all_ways(self, boundary: str) -> None:
        plain = boundary.strip('"')
        raw = (
            f"Content-Type: multipart/x;boundary={boundary};micalg=sha1\r\n\r\n--{plain}\r\n\r\none\r\n--{plain}--\r\n"
        )
        assert [part.body for part in Entity.parse(raw.encode()).parts()] == [b"one"]

    def test_a_boundary_that_begins_like_another_is_another(self) -> None:
        raw = b"Content-Type: multipart/x; boundary=b\n\n--b\n\none\n--b2\n\n--b--\n"
        assert [part.body for part in Entity.parse(raw).parts()] == [b"one\n--b2\n"]

    @pytest.mark.parametrize(
        "raw",
        [
            b"Content-Type: multipart/x\r\n\r\n--b\r\n\r\n--b--",
            b"Content-Type: multipart/x; boundary=b\r\n\r\nnothing",
            b"Content-Type: multipart/x; boundary=b\r\n\r\n--b\r\n\r\none",
        ],
    )
    def test_what_is_not_well_formed_is_an_error(self, raw: bytes) -> None:
        with pytest.raises(ValueError, match="multipart"):
            Entity.parse(raw).parts()


def test_a_header_is_one_line_of_ascii() -> None:
    for value in ("a\r\nBcc: b", "ä"):
        with pytest.raises(ValueError, match="Subject"):
            Entity.of([("Subject", value)], b"")


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\orders\\a.edi", "a.edi"),
        (".hidden", "hidden"),
        ('a"b\r\n<c>|?*.edi', "abc.edi"),
        ("..", ""),
        ("x" * 300, "x" * 200),
    ],
)
def test_file_names_are_made_safe(name: str, safe: str) -> None:
    assert safe_name(name) == safe


def test_names_outside_ascii_survive() -> None:
    assert Entity.of([attachment("Grüße.xml")], b"").file_name == "Grüße.xml"
