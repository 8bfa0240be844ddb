"""Pillow reads and writes .nic files once this module is imported.

    import imgcodec.pillow

    Image.open("photo.nic").size                     from the header; torch is not imported
    Image.open("photo.nic").thumbnail((256, 256))    decodes it at a fraction of its size, where that is enough
    image.save("photo.nic", quality=50)              takes the keywords of `imgcodec.compress`

What reads and writes pictures through Pillow does so with .nic files then, imageio for one. Pillow has no entry points
by which it would find plugins itself.
"""

from typing import IO, Any, BinaryIO, cast

from PIL import Image, ImageFile, UnidentifiedImageError

from imgcodec.bitstream.cursor import FileSlices
from imgcodec.bitstream.errors import InvalidFileError
from imgcodec.bitstream.header import SIGNATURE
from imgcodec.bitstream.sections import PICTURE_SECTIONS, SectionType, unpack_fields
from imgcodec.pictures import pil_info
from imgcodec.profiles import PROFILES
from imgcodec.profiles.decodable import header_of, read_part

FORMAT, SUFFIX, MIME = "NIC", ".nic", "image/x-nic"

_METADATA = (*pil_info.NAMES, "dpi")
_KEYWORDS = (
    "quality", "target_size", "target_bpp", "target_psnr", "target_ssimulacra2", "lossless", "exact", "tune", "effort",
    "model", "device",
)  # fmt: skip


class UnreadableImageError(InvalidFileError, UnidentifiedImageError):
    """A damaged .nic file. An OSError, too, as what Pillow raises of other files."""


class NicImageFile(ImageFile.ImageFile):
    """A .nic file that is opened: nothing of its pixels is decoded before they are asked for."""

    format = FORMAT
    format_description = "imgcodec"

    def _open(self) -> None:
        try:
            slices = FileSlices(self._file)
            header = header_of(slices)
            file = read_part(
                slices,
                lambda entry: (
                    entry.type in PICTURE_SECTIONS and entry.type not in (SectionType.ALPHA, SectionType.FEATURES)
                ),
                header.width * header.height,
            )
            fields = unpack_fields(file.sections, header)
        except InvalidFileError as error:
            raise UnreadableImageError(str(error)) from None
        has_alpha = header.colour_mode.has_alpha or any(entry.type == SectionType.ALPHA for entry in file.entries)
        self._mode = ("L" if header.colour_mode.is_gray else "RGB") + ("A" if has_alpha else "")
        self._size = self._whole = (header.width, header.height)
        self.info.update(pil_info.made(**fields))
        self._reductions = PROFILES[header.profile].reductions
        self._reduction, self._gap, self._is_decoded = 1, 1.0, False

    @property
    def _file(self) -> BinaryIO:
        """From its beginning on."""
        if self.fp is None:
            raise ValueError("The image is closed.")
        self.fp.seek(0)
        return cast(BinaryIO, self.fp)

    def draft(self, mode: str | None, size: tuple[int, int] | None) -> tuple[str, tuple[int, int, float, float]] | None:
        """Has the picture decoded 8, 16 or 64 times smaller, if it is at least of this size then. The mode stays."""
        if self._is_decoded or self._reduction > 1 or size is None:
            return None
        width, height = self._whole
        wanted = [max(1.0, side / self._gap) for side in size]
        for reduction in self._reductions:
            if width >= wanted[0] * reduction and height >= wanted[1] * reduction:
                self._reduction = reduction
                self._size = -(-width // reduction), -(-height // reduction)
                return self.mode, (0, 0, width / reduction, height / reduction)
        return None

    def thumbnail(
        self,
        size: tuple[float, float],
        resample: Image.Resampling = Image.Resampling.BICUBIC,
        reducing_gap: float | None = 2.0,
    ) -> None:
        """As Pillow's. A reduction has the means of all pixels, so it need not be larger than the thumbnail."""
        width, height = self._whole
        scale = min(size[0] / width, size[1] / height)
        self._gap = max(size[0] / (width * scale), size[1] / (height * scale)) * (reducing_gap or 1.0)
        try:
            super().thumbnail(size, resample, reducing_gap)
        finally:
            self._gap = 1.0

    def load(self) -> Any:
        """Decodes the picture. Raises ModelNotFoundError where its model is not installed."""
        if not self._is_decoded:
            image = self._decoded()
            self.im, self._mode, self._size = image.im, image.mode, image.size
            self._is_decoded = True
            self.readonly = 0
            if self._exclusive_fp and self.fp is not None:
                self.fp.close()
            self.fp = None
        return Image.Image.load(self)

    def _decoded(self) -> Image.Image:
        from imgcodec import codec as pipeline
        from imgcodec import parts
        from imgcodec.api import decompress
        from imgcodec.pictures.pil_images import to_pil

        most = self._whole[0] * self._whole[1]  # it is Pillow's limit on pixels that counts
        try:
            if self._reduction == 1:
                return decompress(self._file, max_pixels=most)
            slices = FileSlices(self._file)
            codec = pipeline.codec_of(header_of(slices))
            return to_pil(parts.decode_reduced(codec, slices, self._reduction, most))
        except InvalidFileError as error:
            raise UnreadableImageError(str(error)) from None


def _accept(prefix: bytes) -> bool:
    return prefix.startswith(SIGNATURE)


def _save(image: Image.Image, file: IO[bytes], filename: str | bytes) -> None:
    """Metadata are those of the image, as for `imgcodec.compress`, where `save` is not given others."""
    from imgcodec.api import compress

    given: dict[str, Any] = getattr(image, "encoderinfo", {})
    dressed = image._new(image.im)
    dressed.info = image.info | {name: given[name] for name in _METADATA if name in given}
    file.write(compress(dressed, **{name: given[name] for name in _KEYWORDS if name in given}))


Image.register_open(FORMAT, NicImageFile, _accept)
Image.register_save(FORMAT, _save)
Image.register_extension(FORMAT, SUFFIX)
Image.register_mime(FORMAT, MIME)
