import re

import pytest

from seqtrain.data import DATASETS, obtain, verify

FILES = [(name, file) for name, data_set in DATASETS.items() for file in data_set.files]


@pytest.mark.parametrize("file", [file for _, file in FILES], ids=[f"{name}/{file.name}" for name, file in FILES])
def test_every_file_is_pinned(file):
    assert re.fullmatch(r"[0-9a-f]{64}", file.sha256)
    assert file.size_bytes > 0
    assert "/" not in file.name
    assert all(url.startswith("https://") for url in file.urls)
    pinned = re.match(r"https://(raw\.githubusercontent|github)\.com/[^/]+/[^/]+/(archive/)?[0-9a-f]{40}", file.urls[0])
    assert pinned
    assert file.packing or all(url.endswith(f"/{file.name}") for url in file.urls)


def test_a_set_is_found_by_its_name():
    assert all(name == data_set.name for name, data_set in DATASETS.items())
    assert list(DATASETS) == sorted(DATASETS)
    assert all(data_set.summary and data_set.licence for data_set in DATASETS.values())


@pytest.mark.real
@pytest.mark.parametrize("name", list(DATASETS))
def test_the_real_files_are_what_they_must_be(name, data_dir):
    assert obtain(name, data_dir) == data_dir / name
    verify(name, data_dir)
