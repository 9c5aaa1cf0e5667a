"""What tools/wheel builds the wheel with, in a folder that it makes: the package, the library in _lib, and this file."""
import os

from setuptools import Distribution, setup
from wheel.bdist_wheel import bdist_wheel

TAG = "manylinux_2_36_x86_64"  # Debian 12's glibc; no interpreter's ABI is used


class BinaryDistribution(Distribution):
    """Has a library and no module of C: else it would go where pure packages are."""

    def has_ext_modules(self):
        return True


class AnyPython3(bdist_wheel):
    def get_tag(self):
        return "py3", "none", TAG


setup(name="symphony-ipc", version=os.environ["SYMPHONY_VERSION"], description="Calls to pits over shared memory, and pits in Python",
      license_files=["LICENSE"], python_requires=">=3.9", packages=["symphony_ipc"],
      package_data={"symphony_ipc": ["py.typed", "_lib/libsymphony.so.1"]}, distclass=BinaryDistribution,
      cmdclass={"bdist_wheel": AnyPython3}, entry_points={"pytest11": ["symphony_ipc = symphony_ipc.testing"]}, zip_safe=False)
