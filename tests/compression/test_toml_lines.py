"""Lines of keys are found where a TOML file may have them."""

from __future__ import annotations

import tomllib

from lichen.compression.toml_lines import key_lines, line_of

TEXT = '''\
seed = 1  # not = a key
text = """
hidden = 2
[neither]
"""
list = [
  1, 2,  # [x]
]

[data]
"file" = "a = b"

[[stage]]
kind = 'prune'
[stage.training]
epochs = 1

[[stage]]
training = { epochs = 2 }
a.b = 3
'''


def test_tables_keys_and_arrays() -> None:
    """Keys behind comments, strings and arrays over several lines, in tables, dotted, quoted, and in arrays of tables."""
    tomllib.loads(TEXT)
    assert key_lines(TEXT) == {
        ("seed",): 1,
        ("text",): 2,
        ("list",): 6,
        ("data",): 10,
        ("data", "file"): 11,
        ("stage", 0): 13,
        ("stage", 0, "kind"): 14,
        ("stage", 0, "training"): 15,
        ("stage", 0, "training", "epochs"): 16,
        ("stage", 1): 18,
        ("stage", 1, "training"): 19,
        ("stage", 1, "a", "b"): 20,
    }


def test_what_has_no_line_is_where_its_table_is() -> None:
    """A key of an inline table, or one that is missing, is looked for around it."""
    lines = key_lines(TEXT)
    assert line_of(lines, ("stage", 1, "training", "epochs")) == 19
    assert line_of(lines, ("stage", 0, "absent")) == 13 and line_of(lines, ("absent",)) == 1
