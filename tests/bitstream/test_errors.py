"""Errors: one base, and an exit code for each."""

import imgcodec
from imgcodec.bitstream.errors import CodecError, LossWarning, UsageError


def test_errors_have_one_base_and_their_exit_codes() -> None:
    codes = {"CodecError": 1, "UsageError": 2, "InvalidFileError": 3, "ModelNotFoundError": 4}
    for name, code in codes.items():
        assert issubclass(getattr(imgcodec, name), imgcodec.CodecError)
        assert getattr(imgcodec, name).exit_code == code


def test_what_is_wrong_with_a_call_is_a_value_error_and_a_loss_is_no_error() -> None:
    assert issubclass(UsageError, ValueError)
    assert issubclass(LossWarning, UserWarning)
    assert not issubclass(LossWarning, CodecError)
