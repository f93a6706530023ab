"""clip_names: what names of files say, and what they do not."""

import pytest

from pocketear.data.grouping.clip_names import NamedAlike, named_alike, recording_of


@pytest.mark.parametrize(
    ("name", "recording"),
    [
        ("laugh_1.m4a_0", "laugh_1.m4a"),
        ("V_2017-04-01+08_06_22=0_30.mp3_12", "V_2017-04-01+08_06_22=0_30.mp3"),
        ("1-100032-A", "1-100032"),  # ESC: fold, Freesound id, take
        ("10A40438-09AA-4A21-83B4-8119F03F7A11-1430925142-1.0-f-26-dc",
         "10a40438-09aa-4a21-83b4-8119f03f7a11"),
        ("session 20240105 (3)", "session 20240105"),
        ("baby_01", ""),
        ("0001", ""),
        ("3fa9c27d18e4b605", ""),  # a hash
        ("20240105123000", ""),
        ("", ""),
    ],
)  # fmt: skip
def test_a_name_may_name_a_recording(name: str, recording: str) -> None:
    assert recording_of(name) == recording


def test_names_with_an_id_join_across_folders_and_words_only_within_one() -> None:
    paths = ["cry/1-100032-A.ogg", "rain/1-100032-B.ogg", "cry/anna_01.wav", "cry/anna_02.wav"]
    assert named_alike([*paths, "rain/anna_03.wav", "cry/ben.wav"]) == [
        NamedAlike((0, 1), enough=True),
        NamedAlike((2, 3), enough=False),
    ]


@pytest.mark.parametrize("name", ["clip_{:03}", "{:03}", "cry{}", "file {:02}", "{:08}"])
def test_numbers_that_only_count_the_clips_of_a_folder_join_nothing(name: str) -> None:
    assert named_alike([f"cry/{name.format(number)}.wav" for number in range(30)]) == []
