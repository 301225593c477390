"""Are files read as they are meant, and refused with the line that is wrong?"""

import pytest

from pnyx.errors import HistoryUnreadable
from pnyx.lab.formats.reading import read
from pnyx.lab.values import FALSE, Word

META = '{"meta":{"model":"kv-append","initial":null}}\n'
CALL = '{"i":0,"ev":"call","op":0,"p":1,"f":"put","k":"x","a":["v"]}\n'
OK = '{"i":1,"ev":"ret","op":0,"p":1,"st":"ok","v":null}\n'
GET = '{"i":2,"ev":"call","op":1,"p":1,"f":"get","k":"x","a":[]}\n'
VERSIONS = '{"meta":{"model":"kv-versions"}}\n'
PUT = '{:process 0, :type :invoke, :f :put, :key "x", :value "y"}\n'
LOG = "INFO  jepsen.util - 1\t:invoke\t:write\t3\n"


def functions(text: str) -> list[tuple[object, ...]]:
    return [
        (one.process, one.function, one.key, one.arguments, one.outcome, one.value)
        for one in read(text.encode()).operations()
    ]


def test_canonical_lines_are_read() -> None:
    text = META + CALL + OK + GET + '{"i":9,"ev":"ret","op":1,"p":1,"st":"ok","v":"v"}'
    assert functions(text) == [
        (1, "put", "x", ("v",), "ok", None),
        (1, "get", "x", (), "ok", "v"),
    ]


def test_what_a_key_holds_at_first_stands_in_the_first_line() -> None:
    text = '{"meta":{"model":"kv-append","initial":{"x":"a"}}}\n' + CALL
    assert read(text.encode()).initial == (("x", "a"),)


def test_a_call_without_a_return_is_legal_and_unknown() -> None:
    assert functions(META + CALL) == [(1, "put", "x", ("v",), "info", None)]


@pytest.mark.parametrize(
    "prefix",
    ["", "INFO  jepsen.util - ", "2024-05-01 10:00:00,123{GMT}\tINFO\t[worker 0] jepsen.util - "],
)
def test_jepsen_logs_are_read_with_and_without_their_prefix(prefix: str) -> None:
    lines = [
        "0\t:invoke\t:write\t3",
        "0\t:ok\t:write\t3",
        "1  :invoke  :cas  [3 4]",
        "1\t:fail\t:cas\t[3 4]",
        "2\t:invoke\t:cas\t[3 5]",
        ':nemesis\t:info\t:start\t"cut off"',
        "2\t:info\t:cas\t:timed-out",
        "3\t:invoke\t:read\tnil",
        "3\t:ok\t:read\tnil",
        "4\t:invoke\t:write\t1",
        "4\t:fail\t:write\t:refused",
    ]
    text = "".join(f"{prefix}{line}\n" for line in lines)
    history = read(text.encode())
    assert history.model == "cas-register"
    assert [(o.process, o.function, o.outcome, o.value) for o in history.operations()] == [
        (0, "write", "ok", None),
        (1, "cas", "ok", FALSE),
        (2, "cas", "info", None),
        (3, "read", "ok", None),
        (4, "write", "fail", None),
    ]


def test_lines_of_other_loggers_are_skipped() -> None:
    text = "INFO  jepsen.core - Running test:\nWARN  jepsen.db - slow\n" + LOG
    assert [one.line for one in read(text.encode()).operations()] == [3]


def test_edn_maps_are_read() -> None:
    text = PUT + (
        '{:process 0, :type :ok, :f :put, :key "x", :value "y"}\n'
        '{:process 5, :type :invoke, :f :append, :key "x", :value "x 5 3 y"}\n'
        '{:process 6, :type :invoke, :f :get, :key "x", :value nil}\n'
        '{:process 6, :type :ok, :f :get, :key "x", :value "y\\n\\"x\\""}\n'
    )
    assert functions(text) == [
        (0, "put", "x", ("y",), "ok", None),
        (5, "append", "x", ("x 5 3 y",), "info", None),
        (6, "get", "x", (), "ok", 'y\n"x"'),
    ]


def test_a_vector_of_maps_with_pairs_of_key_and_value_is_read() -> None:
    text = (
        "[{:process 0, :type :invoke, :f :write, :value [:a 1], :time 2000}\n"
        " {:process 1, :type :invoke, :f :read, :value [:a nil]}\n"
        " {:process 0, :type :ok, :f :write, :value [:a 1], :index 2}\n"
        " {:process 1, :type :ok, :f :read, :value [:a 1]}\n"
        " {:process 2, :type :invoke, :f :cas, :value [:b [1 2]]}\n"
        " {:process 2, :type :fail, :f :cas, :value [:b [1 2]], :error :refused}\n"
        " #jepsen.history.Op{:process :nemesis, :type :info, :f :start}]\n"
    )
    assert functions(text) == [
        (0, "write", Word(":a"), (1,), "ok", None),
        (1, "read", Word(":a"), (), "ok", 1),
        (2, "cas", Word(":b"), (1, 2), "fail", None),
    ]
    first = read(text.encode()).operations()[0]
    assert (first.line, first.called_us) == (1, 2)


def test_a_model_that_is_asked_for_replaces_the_one_that_the_file_names() -> None:
    text = '{"meta":{"model":"kv-append"}}\n{"ev":"call","op":0,"p":1,"f":"put","a":[1]}\n'
    assert read(text.encode(), "register").operations()[0].function == "write"


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (1, ""),
        (1, " \n\n"),
        (1, "what is this"),
        (1, "{}"),
        (1, '{"meta":3}\n' + CALL),
        (1, '{"meta":{}}\n' + CALL),
        (1, '{"meta":{"model":"queue"}}\n' + CALL),
        (1, '{"meta":{"model":"kv-append","initial":[1]}}\n' + CALL),
        (1, '{"meta":{"model":"kv-append","initial":{"x":1}}}\n' + CALL),
        (1, '{"meta":{"model":"kv-versions","initial":"x"}}\n' + CALL),
        (1, META),
        (2, META + CALL[:-8]),
        (2, META + "[1]\n"),
        (2, META + '{"ev":"maybe"}\n'),
        (2, META + OK),
        (2, META + CALL.replace('"a":["v"]', '"a":[]')),
        (2, META + CALL.replace('"a":["v"]', '"a":[7]')),
        (2, META + CALL.replace('"a":["v"]', '"a":[{"z":1}]')),
        (2, META + CALL.replace(',"a":["v"]', "")),
        (2, META + CALL.replace("put", "delete")),
        (2, META + CALL.replace('"p":1', '"p":[1]')),
        (2, META + CALL.replace('"i":0', '"i":"0"')),
        (2, META + CALL.replace('"i":0', '"i":0,"t":"noon"')),
        (3, META + CALL + GET),
        (3, META + CALL + CALL.replace('"i":0', '"i":1').replace('"p":1', '"p":2')),
        (3, META + CALL + OK.replace('"p":1', '"p":2')),
        (3, META + CALL + OK.replace('"st":"ok"', '"st":"done"')),
        (3, META + CALL + OK.replace('"v":null', '"v":"w"')),
        (3, META + CALL + OK.replace('"i":1', '"i":0')),
        (4, META + CALL + OK + OK.replace('"i":1', '"i":2')),
        (5, META + CALL + OK + GET + '{"i":3,"ev":"ret","op":1,"p":1,"st":"ok"}\n'),
        (5, META + CALL + OK + GET + '{"i":3,"ev":"ret","op":1,"p":1,"st":"ok","v":4}\n'),
        (2, VERSIONS + '{"ev":"call","op":0,"p":1,"f":"put","k":"x","a":["v"]}\n'),
        (3, VERSIONS + '{"ev":"call","op":0,"p":1,"f":"put","k":"x","a":["v",0]}\n'
         '{"ev":"ret","op":0,"p":1,"st":"ok","v":"ErrOdd"}\n'),
        (3, VERSIONS + '{"ev":"call","op":0,"p":1,"f":"get","k":"x","a":[]}\n'
         '{"ev":"ret","op":0,"p":1,"st":"ok","v":"x"}\n'),
    ],
)  # fmt: skip
def test_canonical_files_are_refused_with_the_line(line: int, text: str) -> None:
    with pytest.raises(HistoryUnreadable, match=rf"^line {line}: "):
        read(text.encode())


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (2, LOG + "INFO  jepsen.util - 1\t:ok\t:wri"),
        (2, LOG + "INFO  jepsen.util - 1\t:o"),
        (2, LOG + "INFO  jepsen.ut"),
        (2, LOG + "1\t:ok\t:write\t4\n"),
        (2, LOG + "1\t:ok\t:read\t3\n"),
        (2, LOG + "2\t:ok\t:write\t3\n"),
        (2, LOG + "1\t:invoke\t:read\tnil\n"),
        (3, LOG + "1\t:ok\t:write\t3\n1\t:ok\t:write\t3\n"),
        (2, LOG + "2 :done :read 1\n"),
        (1, "1\t:invoke\t:write\n"),
        (1, "1\t:invoke\t:write\tnil\n"),
        (1, "1\t:invoke\t:cas\t[1]\n"),
        (1, "1\t:invoke\t:cas\t[1 2\n"),
        (1, "1\t:invoke\t:dequeue\tnil\n"),
        (1, "x\t:invoke\t:read\tnil\n"),
        (3, LOG + "2\t:invoke\t:read\tnil\n2\t:ok\t:read\n"),
        (2, PUT + '{:process 1, :type :invoke, :f :get, :key "x", :val'),
        (2, PUT + '{:process 1, :type :invoke, :f :get, :key "x'),
        (2, PUT + '{:process 0, :type :ok, :f :put, :key "x", :value "z"}\n'),
        (2, PUT + '{:process 0, :type :ok, :f :put, :key "w", :value "y"}\n'),
        (2, PUT + '{:process 0, :type :ok, :f :append, :key "x", :value "y"}\n'),
        (2, PUT + '{:process 1, :type :ok, :f :put, :key "x", :value "y"}\n'),
        (2, PUT + PUT),
        (2, PUT + '{:type :invoke, :f :put, :key "x", :value "y"}\n'),
        (2, PUT + '{:process 1, :type invoke, :f :put, :key "x", :value "y"}\n'),
        (2, PUT + '{:process 1, :type :invoke, :f :put, :key "x", :value 7}\n'),
        (2, PUT + '{:process 1, :type :invoke, :f :put, :key "x"}\n'),
        (2, PUT + "{:process 1 :type}\n"),
        (2, PUT + '{:process 1, "type" :invoke}\n'),
        (2, PUT + "{:process 1, :process 2}\n"),
        (2, PUT + "]\n"),
        (2, PUT + "42\n"),
        (2, PUT + '{:process 1, :type :invoke, :f :put, :key "x", :value "\\q"}\n'),
        (2, PUT + "{:a " + "[" * 100 + "\n"),
        (1, "[" * 100),
    ],
)
def test_jepsen_files_are_refused_with_the_line(line: int, text: str) -> None:
    with pytest.raises(HistoryUnreadable, match=rf"^line {line}: "):
        read(text.encode())


def test_bytes_that_are_no_text_are_refused_with_the_line() -> None:
    with pytest.raises(HistoryUnreadable, match="line 2: this is not UTF-8"):
        read(LOG.encode() + b"\xff\xfe\n")


@pytest.mark.parametrize("whole", [META + CALL + OK + GET, PUT, LOG])
def test_a_file_cut_off_anywhere_has_no_verdict_or_ends_with_a_whole_line(whole: str) -> None:
    content = whole.rstrip().encode()
    for length in range(len(content)):
        ends_a_line = content[: length + 1].endswith(b"\n") or content[:length].endswith(b"\n")
        if not ends_a_line or not content[:length].strip() or length <= len(META):
            with pytest.raises(HistoryUnreadable, match=r"^line "):
                read(content[:length])
        else:
            assert read(content[:length]).operations()
