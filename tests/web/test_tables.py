"""Tables that callers send: separated by what their spreadsheet writes."""

import pytest

from showrunner.errors import InvalidRequest
from showrunner.web import tables


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("quote", ["", '"'])
def test_cells_are_separated_as_the_names_of_columns_are(separator, quote):
    other = next(each for each in ",;" if each != separator)
    names = separator.join(f"{quote}{name}{quote}" for name in ("Video_ID", "title"))
    text = f'\ufeff{names}\r\nv1{separator}"a{other}b{separator}c"\r\n\r\nv2{separator}d\r\n'
    found = tables.read(text, "video_id", ("title",))
    assert [line.cells for line in found] == [
        {"video_id": "v1", "title": f"a{other}b{separator}c"},
        {"video_id": "v2", "title": "d"},
    ]


def test_a_table_of_one_column_may_have_any_sign_in_its_cells():
    assert [line.cells for line in tables.read("topic\na; b\n", "topic", None)] == [{"topic": "a; b"}]


@pytest.mark.parametrize("text", ["", "\n\n", "title;x\n", "video_id|title\n", 'video_id,"title\n'])
def test_a_text_that_is_no_such_table_is_refused(text):
    with pytest.raises(InvalidRequest):
        tables.read(text, "video_id", ("title",))
