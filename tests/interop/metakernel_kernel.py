"""A kernel of metakernel's family: its cells are Python, everything around them is metakernel's."""

from __future__ import annotations

from typing import ClassVar

from metakernel import MetaKernel


class PythonInMetaKernel(MetaKernel):
    """Runs a cell as Python, as metakernel_python does."""

    implementation = "python-in-metakernel"
    implementation_version = "1"
    language = "python"
    language_version = "3"
    banner = "Python in metakernel"
    language_info: ClassVar = {
        "name": "python",
        "mimetype": "text/x-python",
        "file_extension": ".py",
    }
    kernel_json: ClassVar = {"argv": [], "display_name": "", "language": "python", "name": "python"}
    space: ClassVar = {}

    def do_execute_direct(self, code):
        exec(code, self.space)


if __name__ == "__main__":
    PythonInMetaKernel.run_as_main()
