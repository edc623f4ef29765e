"""What a clone without git-lfs holds in place of a large file."""

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 500\n"
