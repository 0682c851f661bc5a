import io
import itertools
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile

from seqtrain.errors import ConfigError, DataError
from seqtrain.tasks import FSDD, Speech, Split
from seqtrain.tasks.speech.sources import FSDD_SPEAKERS, FSDDFiles, OwnRecordings, SynthesisedWords


def content(length=400, kind="WAV"):
    file = io.BytesIO()
    soundfile.write(file, np.full(length, 0.25, np.float32), 8000, format=kind)
    return file.getvalue()


@pytest.fixture
def folder(tmp_path):
    """Writes a folder of labels, of each so many sounds; the n-th sound of all has 400 + n samples."""

    def write(name="sounds", **labels):
        number = 0
        for label, count in labels.items():
            for index in range(count):
                path = tmp_path / name / label / f"{index}.wav"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content(400 + number))
                number += 1
        return tmp_path / name

    return write


def lengths(task, data_dir, split=None):
    source = task.source()
    source.check(data_dir)
    parts = {each: source.read(each, data_dir, 0, 8000) for each in Split}
    return {each: part.lengths.tolist() for each, part in parts.items()} if split is None else parts[split]


def refused(path, error=DataError, **options):
    with pytest.raises(error) as caught:
        lengths(Speech(path=path, **options), Path("nowhere"))
    return str(caught.value)


def test_a_folder_is_split_alike_within_each_label(folder, tmp_path):
    path = folder(yes=20, no=10)
    task = Speech(path=path, val_fraction=0.2)
    parts = lengths(task, tmp_path)
    assert sorted(itertools.chain(*parts.values())) == list(range(400, 430))
    source = task.source()
    labels = {split: list(source.read(split, tmp_path, 1, 8000).labels) for split in Split}
    assert labels == {
        "train": ["no"] * 7 + ["yes"] * 14,
        "val": ["no"] * 2 + ["yes"] * 4,
        "test": ["no"] + ["yes"] * 2,
    }
    assert lengths(task, tmp_path) == parts


def test_a_label_with_one_file_is_trained_on(folder, tmp_path):
    labels = [lengths(Speech(path=folder(yes=20, no=20, odd=1)), tmp_path, split).labels for split in Split]
    assert ["odd" in part for part in labels] == [True, False, False]


def test_folders_of_their_own_leave_path_whole(folder, tmp_path):
    task = Speech(path=folder(yes=3, no=3), val_path=folder("v", yes=1, no=1), test_path=folder("t", yes=2, no=1))
    assert {split: len(part) for split, part in lengths(task, tmp_path).items()} == {"train": 6, "val": 2, "test": 3}


def test_what_is_no_audio_is_passed_over(folder, tmp_path):
    path = folder(yes=20, no=20)
    (path / "readme.txt").write_text("hello")
    (path / "yes" / "notes.txt").write_text("hello")
    (path / "yes" / "._0.wav").write_bytes(b"finder was here")
    (path / ".git").mkdir()
    (path / "yes" / "deeper").mkdir()
    (path / "yes" / "deeper" / "LOUD.FLAC").write_bytes(content(900, "FLAC"))
    parts = lengths(Speech(path=path), tmp_path)
    assert sorted(itertools.chain(*parts.values())) == [*range(400, 440), 900]


@pytest.mark.parametrize(
    ("name", "text", "options"),
    [
        ("list.csv", "path,label\n{rows}", {}),
        ("list.tsv", "who\tlabel\tpath\n{rows}", {}),
        ("list.jsonl", "{rows}", {"path_column": "file", "label_column": "word"}),
        ("list.csv", "{rows}", {"header": False}),
        ("list.csv", "{rows}", {"header": False, "path_column": 1, "label_column": 0}),
    ],
)
def test_a_manifest_names_files_beside_it(folder, tmp_path, name, text, options):
    folder(yes=10, no=10)
    order = {
        "list.tsv": "me\t{label}\t{path}",
        "list.jsonl": '{{"file": "{path}", "word": "{label}"}}',
        "list.csv": "{label},{path}" if "path_column" in options else "{path},{label}",
    }[name]
    rows = [order.format(path=f"sounds/{label}/{i}.wav", label=label) for label in ("yes", "no") for i in range(10)]
    manifest = tmp_path / name
    manifest.write_text(text.format(rows="\n".join(rows)) if text != "{rows}" else "\n".join(rows))
    parts = lengths(Speech(path=manifest, **options), Path("nowhere"))
    assert sorted(itertools.chain(*parts.values())) == list(range(400, 420))


def test_files_that_cannot_be_read_are_named(folder, tmp_path):
    path = folder(yes=20, no=20)
    for index in range(20):
        (path / "yes" / f"{index}.wav").write_bytes(content()[:100])
    assert "wav: is cut off: 844 bytes were promised and 100 are there" in refused(path)
    manifest = tmp_path / "list.csv"
    manifest.write_text("path,label\n" + "".join(f"gone{i}.wav,{'ab'[i % 2]}\n" for i in range(40)))
    message = refused(manifest)
    assert message.startswith(f"{tmp_path}/gone")
    assert message.endswith("): can't be read (No such file or directory)")
    assert f"({manifest}, line " in message


def test_paths_that_hold_nothing_are_refused(folder, tmp_path):
    assert refused(tmp_path / "gone") == f"no such file or folder: {tmp_path / 'gone'}"
    (tmp_path / "empty").mkdir()
    assert refused(tmp_path / "empty").startswith(f"{tmp_path / 'empty'}: holds no audio files; they are looked for as")
    (tmp_path / "a.wav").write_bytes(content())
    assert refused(tmp_path / "a.wav").startswith(f"{tmp_path / 'a.wav'}: should be a folder with one folder for each")
    (tmp_path / "a.csv").write_text("")
    assert refused(tmp_path / "a.csv") == f"{tmp_path / 'a.csv'}: is empty"
    (tmp_path / "b.csv").write_text("wav,label\na.wav,x\n")
    assert f"{tmp_path / 'b.csv'}, line 1: no column 'path' among 'wav', 'label'" in refused(tmp_path / "b.csv")
    assert "which has no columns" in refused(folder(a=2, b=2), ConfigError, label_column="word")


def test_more_classes_than_can_be_split_are_refused(folder):
    message = refused(folder(**{f"w{i}": 1 for i in range(5)}))
    assert "5 recordings of 5 labels are too few to split off some of a label to validate and to test" in message


def test_a_label_that_training_lacks_is_refused_with_its_file(folder, tmp_path):
    task = Speech(path=folder(yes=20, no=20), val_path=folder("v", maybe=1), mels=20)
    with pytest.raises(DataError) as caught:
        task.prepare(tmp_path, 0)
    place = tmp_path / "v" / "maybe" / "0.wav"
    assert str(caught.value) == f"{place}: label 'maybe' is not in the training data, which has no, yes"


def test_one_label_is_nothing_to_learn(folder, tmp_path):
    with pytest.raises(DataError, match=r"0\.wav: every recording has the label 'yes'; there is nothing to learn$"):
        Speech(path=folder(yes=1), val_path=folder("v", yes=1), test_path=folder("t", yes=1)).prepare(tmp_path, 0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"val_path": Path("b")}, "task.val_path=b: is about files, and needs task.path"),
        ({"header": True}, "task.header=True: is about files, and needs task.path"),
        ({"path_column": "a"}, "task.path_column=a: is about files, and needs task.path"),
        ({"path": Path("a"), "noise": 0.1}, "task.noise=0.1: is about synthesised words, but task.path=a is there"),
        ({"path": Path("a"), "train_size": 9}, "task.train_size=9: is about synthesised words, but task.path=a is"),
        ({"path": Path("a"), "val_fraction": 1.0}, "task.val_fraction=1.0: must be above 0 and below 1"),
        (
            {"path": Path("a"), "test_path": Path("b"), "test_fraction": 0.2},
            "task.test_fraction=0.2: task.test_path=b is there already",
        ),
        (
            {"path": Path("a"), "header": False, "path_column": "wav"},
            "task.path_column=wav: without a header, a column is told by its number from 0",
        ),
        ({"train_size": 1}, "task.train_size=1: must be at least 2"),
        ({"val_size": 1}, "task.val_size=1: must be at least 2"),
        ({"test_size": 1}, "task.test_size=1: must be at least 2"),
        ({"noise": -1.0}, "task.noise=-1.0: must be at least 0"),
        ({"variation": 2.0}, "task.variation=2.0: must be between 0 and 1"),
    ],
)
def test_options_that_do_not_go_together_are_refused(options, message):
    with pytest.raises(ConfigError) as caught:
        Speech(**options)
    assert str(caught.value).startswith(message)


def test_synthesised_words_have_defaults_and_speakers_of_their_own():
    assert Speech().source() == SynthesisedWords(6000, 1000, 1000, 2.0, 1.0)
    sizes = {"train_size": 90, "val_size": 60, "test_size": 30}
    assert Speech(**sizes, noise=0.1, variation=0.2).source() == SynthesisedWords(90, 60, 30, 0.1, 0.2)
    parts = [SynthesisedWords(90, 60, 30).read(split, Path("nowhere"), 3, 8000) for split in Split]
    assert [len(part) for part in parts] == [90, 60, 30]
    assert [len(set(part.speakers)) for part in parts] == [3, 2, 1]
    assert len({float(part.samples[100]) for part in parts}) == 3


# -------------------------------------------------------------------- FSDD


@pytest.fixture
def archive(tmp_path, stand_in):
    """Writes an archive like FSDD's with two digits and takes 0 to 11, and anything else."""

    def write(**others):
        (tmp_path / "fsdd").mkdir(exist_ok=True)
        path = tmp_path / "fsdd" / "fsdd-recordings.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
            for digit in "37":
                for number, speaker in enumerate(FSDD_SPEAKERS):
                    for take in range(12):
                        file.writestr(f"recordings/{digit}_{speaker}_{take}.wav", content(400 + 100 * number + take))
            for name, bytes_ in others.items():
                file.writestr(f"recordings/{name}", bytes_)
        stand_in("fsdd", tmp_path)
        return tmp_path

    return write


def takes(task, data_dir):
    """Speakers and takes of each split."""
    parts = {split: task.source().read(split, data_dir, 0, 8000) for split in Split}
    return {
        split: {(FSDD_SPEAKERS[(n - 400) // 100], (n - 400) % 100) for n in part.lengths.tolist()}
        for split, part in parts.items()
    }


def test_the_official_split_is_by_take(archive):
    parts = takes(FSDD(), archive())
    assert {take for _, take in parts[Split.TEST]} == {0, 1, 2, 3, 4}
    assert {take for _, take in parts[Split.VAL]} == {5, 6, 7, 8, 9}
    assert {take for _, take in parts[Split.TRAIN]} == {10, 11}
    assert all({speaker for speaker, _ in part} == set(FSDD_SPEAKERS) for part in parts.values())


def test_a_speaker_is_left_out(archive):
    data_dir = archive()
    others = set(FSDD_SPEAKERS) - {"theo"}
    parts = takes(FSDD(split="speaker", test_speaker="theo"), data_dir)
    assert {speaker for speaker, _ in parts[Split.TEST]} == {"theo"}
    assert parts[Split.VAL] == {(speaker, take) for speaker in others for take in range(5)}
    assert parts[Split.TRAIN] == {(speaker, take) for speaker in others for take in range(5, 12)}
    parts = takes(FSDD(split="speaker", test_speaker="theo", val_speaker="lucas"), data_dir)
    assert {speaker for speaker, _ in parts[Split.VAL]} == {"lucas"}
    assert {speaker for speaker, _ in parts[Split.TRAIN]} == others - {"lucas"}
    assert len(parts[Split.TEST]) == 12


def test_labels_and_speakers_come_from_the_names(archive):
    part = FSDDFiles().read(Split.VAL, archive(), 0, 8000)
    assert set(part.labels) == {"3", "7"}
    assert set(part.speakers) == set(FSDD_SPEAKERS)
    assert part.names[0].endswith("fsdd-recordings.zip, recordings/3_george_5.wav")


def test_members_that_are_not_fsdds_or_not_whole_are_named(archive):
    with pytest.raises(DataError, match=r"zip, recordings/hello\.wav: should be named like recordings/7_theo_12\.wav"):
        FSDD().prepare(archive(**{"hello.wav": content()}), 0)
    with pytest.raises(DataError, match=r"zip, recordings/1_theo_20\.wav: is cut off"):
        FSDD().prepare(archive(**{"1_theo_20.wav": content()[:200]}), 0)


def test_the_test_members_are_not_decoded_before_they_are_asked_for(archive):
    task = FSDD()
    task.prepare(archive(**{"1_theo_0.wav": b"garbage"}), 0)
    with pytest.raises(DataError, match=r"recordings/1_theo_0\.wav: can't be read as audio"):
        task.examples(Split.TEST)


def test_some_recordings_are_the_same_as_among_all(archive, folder, tmp_path):
    files = FSDDFiles(), OwnRecordings(folder(a=12, b=12)), SynthesisedWords(val_size=30)
    for source, data_dir in zip(files, (archive(), tmp_path, tmp_path), strict=True):
        whole = source.read(Split.VAL, data_dir, 3, 8000)
        chosen = [len(whole) - 1, 0]
        ends = np.cumsum(whole.lengths)
        for index, wave in zip(chosen, source.waves(Split.VAL, data_dir, 3, 8000, chosen), strict=True):
            np.testing.assert_array_equal(wave, whole.samples[ends[index] - whole.lengths[index] : ends[index]])


def test_a_missing_archive_is_named(tmp_path):
    with pytest.raises(DataError, match=r"^no such file: .*fsdd-recordings\.zip"):
        FSDD().prepare(tmp_path, 0)


def test_a_damaged_archive_is_named(archive):
    data_dir = archive()
    path = data_dir / "fsdd" / "fsdd-recordings.zip"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"zip: damaged \(File is not a zip file\); remove it and fetch it anew$"):
        FSDDFiles().read(Split.TRAIN, data_dir, 0, 8000)
    broken = bytearray(whole)
    middle = whole.index(b"recordings/3_george_10.wav") + 60
    broken[middle : middle + 20] = bytes(20)
    path.write_bytes(bytes(broken))
    with pytest.raises(DataError, match=r"zip: damaged \("):
        FSDDFiles().read(Split.TRAIN, data_dir, 0, 8000)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"test_speaker": "theo"}, "task.test_speaker=theo: needs task.split=speaker"),
        ({"val_speaker": "theo"}, "task.val_speaker=theo: needs task.split=speaker"),
        ({"split": "speaker"}, "task.split=speaker: say with task.test_speaker=... who: george, jackson, lucas"),
        ({"split": "speaker", "test_speaker": "bob"}, "task.test_speaker=bob: should be one of george, jackson"),
        (
            {"split": "speaker", "test_speaker": "theo", "val_speaker": "theo"},
            "task.val_speaker=theo: is task.test_speaker already",
        ),
    ],
)
def test_speakers_that_cannot_be_are_refused(options, message):
    with pytest.raises(ConfigError) as caught:
        FSDD(**options)
    assert str(caught.value).startswith(message)


@pytest.mark.real
def test_the_real_recordings_are_split_as_the_authors_do(data_dir):
    parts = {split: FSDDFiles().read(split, data_dir, 0, 8000) for split in Split}
    assert {split: len(part) for split, part in parts.items()} == {"train": 2400, "val": 300, "test": 300}
    assert all(part.labels.count(digit) == len(part) // 10 for part in parts.values() for digit in "0123456789")
    assert max(part.lengths.max() for part in parts.values()) == 18_262
    assert min(part.lengths.min() for part in parts.values()) == 1148


def test_a_manifest_with_a_name_that_no_file_can_have_is_refused(tmp_path):
    (tmp_path / "list.csv").write_text("path,label\n" + "a\0.wav,a\n" * 30)
    with pytest.raises(DataError, match=r"list\.csv, line \d+\): can't be read \(embedded null byte\)$"):
        Speech(path=tmp_path / "list.csv").prepare(tmp_path, 0)
