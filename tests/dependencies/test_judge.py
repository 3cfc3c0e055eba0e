import unittest

from . import judge


def package(name: str, version: str = "1.0.0", licence: str | None = "MIT") -> dict:
    return {"id": f"{name} {version}", "name": name, "version": version, "license": licence}


class Judge(unittest.TestCase):
    def test_licences_are_read_as_spdx_says(self) -> None:
        good = ["MIT", "MIT/Apache-2.0", "GPL-3.0 OR MIT", "(MIT OR GPL-2.0) AND ISC", "Apache-2.0 WITH LLVM-exception"]
        bad = ["GPL-3.0-only", "MIT AND GPL-3.0", "(MIT OR ISC) AND LGPL-2.1", "MPL-2.0", "MIT WITH Odd-exception"]
        self.assertEqual([text for text in good if not judge.allowed(text)], [])
        self.assertEqual([text for text in bad if judge.allowed(text)], [])

    def test_a_crate_without_a_licence_is_named(self) -> None:
        self.assertEqual(len(judge.licences([package("plain"), package("silent", licence=None)])), 1)

    def test_a_second_version_needs_a_reason(self) -> None:
        known = [package(name, version) for name in judge.TWICE for version in ("1.0.0", "2.0.0")]
        self.assertEqual(judge.duplicates(known), [])
        self.assertIn("odd is there as", judge.duplicates([*known, package("odd"), package("odd", "2.0.0")])[0])
        self.assertIn("take it out of TWICE", judge.duplicates(known[1:])[0])

    def test_what_only_tests_need_is_not_shipped(self) -> None:
        packages = [package(name) for name in ("lares", "shipped", "tested")]
        deps = [
            {"pkg": "shipped 1.0.0", "dep_kinds": [{"kind": None}]},
            {"pkg": "tested 1.0.0", "dep_kinds": [{"kind": "dev"}]},
        ]
        nodes = [{"id": one["id"], "deps": deps if one["name"] == "lares" else []} for one in packages]
        metadata = {"packages": packages, "resolve": {"root": "lares 1.0.0", "nodes": nodes}}
        self.assertEqual([one["name"] for one in judge.shipped(metadata)], ["lares", "shipped"])


if __name__ == "__main__":
    unittest.main()
