"""The Python package's metadata that are in metadata.txt alone: version, author and addresses."""

from configparser import ConfigParser
from pathlib import Path

from setuptools import setup

metadata = ConfigParser(interpolation=None)
metadata.read(Path(__file__).resolve().parent / "metadata.txt", encoding="utf-8")
general = metadata["general"]
setup(
    version=general["version"],
    author=general["author"],
    author_email=general["email"],
    project_urls={"Homepage": general["homepage"], "Source": general["repository"], "Issues": general["tracker"]},
)
