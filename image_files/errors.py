"""What can be wrong with an image file; each message fits into a sentence about the file."""


class ImageFileError(ValueError):
    """The parent of both."""


class UnknownFormat(ImageFileError):
    """The bytes begin like none of the formats that are read."""


class DamagedImage(ImageFileError):
    """The file breaks the rules of its format, or ends before its picture does."""
