import pytest
import torch

from seqtrain.tasks.tagging.tags import SchemeError, begins, goes_on, legal, names, scheme_of, to_bio, type_of


def words(text):
    return text.split()


@pytest.mark.parametrize(
    ("scheme", "written", "expected"),
    [
        ("bio", "B-a I-a O B-a B-a B-b I-b", "B-a I-a O B-a B-a B-b I-b"),
        ("iob1", "I-a I-a O I-a B-a I-a I-b", "B-a I-a O B-a B-a I-a B-b"),
        ("iob1", "B-a I-a O B-a B-a B-b I-b", "B-a I-a O B-a B-a B-b I-b"),
        ("iob1", "B-a I-b O I-c", "B-a B-b O B-c"),
        ("iobes", "S-a O B-a E-a B-b I-b E-b S-b", "B-a O B-a I-a B-b I-b I-b B-b"),
        ("iobes", "O O", "O O"),
        ("bio", "B-creative-work I-creative-work", "B-creative-work I-creative-work"),
    ],
)
def test_every_scheme_becomes_iob2(scheme, written, expected):
    assert to_bio(words(written), scheme) == words(expected)


@pytest.mark.parametrize(
    ("scheme", "written", "position", "why"),
    [
        ("bio", "O person", 1, "tag 'person' is neither O nor B- or I- with a type"),
        ("bio", "o", 0, "tag 'o' is neither O nor B- or I- with a type"),
        ("bio", "B-", 0, "tag 'B-' is neither O nor B- or I- with a type"),
        ("bio", "-a", 0, "tag '-a' is neither O nor B- or I- with a type"),
        ("iob1", "I-a E-a", 1, "tag 'E-a' is neither O nor B- or I- with a type"),
        ("iobes", "X-a", 0, "tag 'X-a' is neither O nor B- or I- or E- or S- with a type"),
        (
            "bio",
            "O I-a",
            1,
            "tag 'I-a' goes on with no entity before it; task.scheme=iob1 begins an entity there",
        ),
        (
            "bio",
            "B-b I-a",
            1,
            "tag 'I-a' goes on with no entity before it; task.scheme=iob1 begins an entity there",
        ),
        ("iobes", "S-a E-a", 1, "tag 'E-a' goes on with no entity before it"),
        ("iobes", "B-a E-a I-a E-a", 2, "tag 'I-a' goes on with no entity before it"),
        ("iobes", "B-a O", 1, "tag 'O' where I-a or E-a should follow, in IOBES"),
        ("iobes", "B-a E-b", 1, "tag 'E-b' where I-a or E-a should follow, in IOBES"),
        ("iobes", "O B-a", 1, "tag 'B-a' at a sentence's end, where E- or S- should, in IOBES"),
    ],
)
def test_what_a_scheme_does_not_allow_is_told_with_its_place(scheme, written, position, why):
    with pytest.raises(SchemeError) as caught:
        to_bio(words(written), scheme)
    assert (caught.value.position, str(caught.value)) == (position, why)


def test_auto_looks_for_ends_and_singles():
    assert scheme_of(["O", "I-a", "B-a"]) == "iob1"
    assert scheme_of(["O", "S-a"]) == scheme_of(["B-a", "E-a"]) == "iobes"


def test_ids_tell_prefix_and_type():
    tags = names(["x", "y"])
    assert tags == ["O", "B-x", "I-x", "B-y", "I-y"]
    ids = torch.arange(5)
    assert begins(ids).tolist() == [tag.startswith("B") for tag in tags]
    assert goes_on(ids).tolist() == [tag.startswith("I") for tag in tags]
    assert type_of(ids).tolist() == [-1, 0, 0, 1, 1]


def test_only_an_inside_tag_is_bound_to_the_one_before():
    tags = names(["x", "y"])
    for i, before in enumerate(tags):
        for j, tag in enumerate(tags):
            assert bool(legal(2)[i, j]) == (tag[0] != "I" or before[1:] == tag[1:])
