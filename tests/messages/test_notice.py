from __future__ import annotations

import copy
import json
import pickle

import pytest

from likeness.errors import ImageReadError, NoFaceError
from likeness.messages.notice import Notice, notice_of

SAID = Notice("outcome.not-converged", {"regions": [Notice("region.eye"), Notice("region.lip")], "share": 0.4149})


def test_a_notice_is_its_english_sentence() -> None:
    assert SAID == "not converged in eye, lip: only 41% of the way to the restored face was gone"
    assert type(str(SAID)) is str
    assert json.dumps([SAID]) == json.dumps([str(SAID)])


def test_it_is_said_in_another_language_with_all_that_is_in_it() -> None:
    assert SAID.say("zh") == "未收敛（眼睛、嘴唇）：只走了到修复结果的 41%"
    inner = Notice("gate.blank", {"who": Notice("gate.face", {"number": 3}), "share": 0.5})
    assert inner == "face 3 has only 50% of its contrast left"
    assert inner.say("zh") == "编号 3 的人脸的反差只剩 50%"


def test_the_page_has_words_of_its_own_where_the_catalogue_has_some() -> None:
    closed = Notice("finding.eyes-closed")
    assert "--face-weight" in closed
    assert closed.say("en", "page") == (
        "Both eyes look closed, and the network may open them. Set the weight of the eyes to 0."
    )
    assert SAID.say("en", "page") == SAID


def test_it_never_changes_and_travels_whole() -> None:
    with pytest.raises(AttributeError):
        SAID.code = "said"
    for other in (copy.deepcopy(SAID), pickle.loads(pickle.dumps(SAID))):
        assert (other, other.code, other.say("zh")) == (SAID, SAID.code, SAID.say("zh"))
    again = Notice.of("as it was", json.loads(json.dumps(SAID.to_dict())))
    assert (again, again.code, again.say("zh")) == (SAID, SAID.code, SAID.say("zh"))


@pytest.mark.parametrize(
    "record",
    [
        None,
        {},
        {"code": "of-a-later-version", "values": {}},
        {"code": "image.slow", "values": {"name": "x", "seconds": "many"}},
        {"code": "image.slow", "values": {}},
        {"code": ["image.slow"], "values": 3},
    ],
)
def test_what_has_no_code_here_is_said_as_it_is(record: dict[str, object] | None) -> None:
    kept = Notice.of("a sentence of an older version", record)
    assert (kept, kept.say("zh"), kept.coded) == ("a sentence of an older version",) * 2 + (False,)


def test_a_code_that_is_not_there_and_a_value_that_is_missing() -> None:
    with pytest.raises(KeyError):
        Notice("nothing.of-that-name")
    with pytest.raises(KeyError):
        Notice("outcome.narrow")


def test_an_error_carries_its_notice() -> None:
    error = pickle.loads(pickle.dumps(NoFaceError(Notice("no-face.none"))))
    assert str(error) == "no face was found in the picture"
    assert notice_of(error).say("zh") == "图片中没有找到人脸"
    assert notice_of(ImageReadError("by hand")).to_dict() == {"code": "said", "values": {"sentence": "by hand"}}
