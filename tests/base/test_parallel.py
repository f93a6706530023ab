import pytest

from pocketear.base.parallel import in_threads


def test_work_in_threads_keeps_order_and_passes_errors_on() -> None:
    assert list(in_threads(lambda n: n * n, list(range(500)))) == [n * n for n in range(500)]

    def fail(number: int) -> int:
        if number == 70:
            raise ValueError(number)
        return number

    with pytest.raises(ValueError, match="70"):
        list(in_threads(fail, list(range(500))))
