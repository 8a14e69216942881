"""The README's examples, and the calls with which people begin with Kubetorch's store: only the import is another one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import zcdp

from .store import Store

README = Path(__file__).parents[1] / "README.md"
IMPORT = ("import kubetorch as kt", "import zcdp as kt")
FILES = {"config.json": b"{}", "layers/0.bin": b"0" * 1000}

SYNC = """
import kubetorch as kt

kt.put(key="my-service/weights", src="./trained_model/")
kt.get(key="my-service/weights", dest="./local_model/")
"""

FIND_AND_REMOVE = """
import kubetorch as kt

kt.put(key="my-service/models/v1", src="./trained_model/", contents=True, force=True, verbose=False)
kt.put(key="my-service/old-model.pkl", src=Path("trained_model") / "config.json")
kt.put(key=["my-service/a", "my-service/b"], src=["trained_model/config.json"])
at_the_top = kt.ls()
in_the_service = kt.ls("my-service")
models = kt.ls("my-service/models")
kt.rm("my-service/old-model.pkl")
kt.rm("my-service/models", recursive=True)
kt.rm("my-service/a", prefix=True)
"""

MISSING = """
import kubetorch as kt

try:
    kt.get(key="my-service/nothing")
except kt.DataStoreError as error:
    said = error.message
try:
    kt.get(key="my-service/nothing")
except kt.RsyncError as error:
    said_too = str(error)
"""

EXCLUDED = """
import kubetorch as kt

kt.put(key="my-service/weights", src="./trained_model", filter_options="--exclude='*.bin' --exclude=__pycache__")
kt.get("my-service/weights", "./without", kubeconfig_path=None, namespace=None)
"""

NOT_YET = """
import kubetorch as kt

window = kt.BroadcastWindow(timeout=10.0, group_id="g", fanout=2)
refused = []
for arguments in (dict(locale="local"), dict(broadcast=window), dict(lifespan="resource")):
    try:
        kt.put(key="my-service/data", src="./trained_model", **arguments)
    except NotImplementedError as error:
        refused.append(str(error))
"""


class Kubetorch(Store):
    def setUp(self) -> None:
        super().setUp()
        self.write(FILES, "trained_model")
        self.addCleanup(zcdp.rm, "my-service", recursive=True, missing_ok=True)

    def run_it(self, snippet: str) -> dict[str, Any]:
        self.assertEqual(snippet.count(IMPORT[0]), 1)
        names: dict[str, Any] = {"Path": Path}
        exec(snippet.replace(*IMPORT), names)
        return names

    def test_sync(self) -> None:
        self.run_it(SYNC)
        self.assertEqual(self.files("local_model/weights"), FILES)

    def test_find_and_remove(self) -> None:
        names = self.run_it(FIND_AND_REMOVE)
        self.assertIn("my-service", [item["name"].strip("/") for item in names["at_the_top"]])
        self.assertEqual(
            [(i["name"], i["is_directory"], i["locale"]) for i in names["models"]], [("v1", False, "store")]
        )
        self.assertIn("old-model.pkl", [item["name"] for item in names["in_the_service"]])
        self.assertEqual([item.key for item in zcdp.ls("my-service", recursive=True)], ["my-service/b/config.json"])

    def test_missing(self) -> None:
        names = self.run_it(MISSING)
        self.assertIn("my-service/nothing", names["said"])
        self.assertEqual(names["said"], names["said_too"])

    def test_excluded(self) -> None:
        self.run_it(EXCLUDED)
        self.assertEqual(self.files("without"), {"config.json": b"{}"})

    def test_not_yet(self) -> None:
        self.assertEqual(len(self.run_it(NOT_YET)["refused"]), 3)


class Readme(Store):
    def test_the_examples(self) -> None:
        self.write(FILES, "checkpoint")
        self.addCleanup(zcdp.rm, "team", recursive=True, missing_ok=True)
        examples = re.findall(r"^```python\n(.*?)^```", README.read_text(encoding="utf-8"), re.S | re.M)
        self.assertGreaterEqual(len(examples), 4)
        for example in examples:
            exec(example, {})
        for folder in ("model", "first", "one", "two"):
            self.assertEqual(self.files(folder), FILES)
