import unittest

from . import judge, wrap


class Words(unittest.TestCase):
    def test_homely_words_are_found_on_their_line(self) -> None:
        self.assertEqual(judge.homely("good\nit begins Anew, in\nvain"), [(2, "anew"), (2, "in vain")])
        self.assertEqual(judge.homely("a chastened renewal"), [])

    def test_code_links_and_messages_are_no_prose(self) -> None:
        text = "`anew` [text](0022-clips-anew.md)\n### it cannot be encoded anew\n```\nanew\n```\n    anew\nwhoever"
        self.assertEqual(judge.homely(judge.prose(text)), [(7, "whoever")])

    def test_only_comments_of_code_count(self) -> None:
        self.assertEqual(judge.homely(judge.comments('let anew = "anew"; // whoever\n')), [(1, "whoever")])

    def test_tables_and_code_may_be_wide(self) -> None:
        wide = "word " * 30
        self.assertEqual(judge.long_lines(f"{wide}\n| {wide}\n```\n{wide}\n```\n    {wide}\n- {wide}"), [1, 7])
        self.assertEqual(judge.long_lines("https://" + "x" * 200), [])


class Wrap(unittest.TestCase):
    def test_a_paragraph_and_an_item_are_wrapped_and_the_rest_stays(self) -> None:
        wide = " ".join(["word"] * 12)
        text = f"# {wide}\n\n{wide}\n\n- {wide}\n  {wide}\n- short\n\n| {wide} |\n\n```\n{wide}\n```\n"
        lines = wrap.wrap(text, 30).split("\n")
        self.assertEqual(lines[:4], [f"# {wide}", "", "word word word word word word", "word word word word word word"])
        self.assertEqual(lines[5:7], ["- word word word word word", "  word word word word word"])
        self.assertIn("- short", lines)
        self.assertIn(f"| {wide} |", lines)
        self.assertEqual(lines[-4:], ["```", wide, "```", ""])
        self.assertEqual(wrap.wrap("\n".join(lines), 30), "\n".join(lines), "a second time changes nothing")

    def test_code_is_not_broken_and_no_line_becomes_an_item(self) -> None:
        self.assertEqual(wrap.wrap("one two `three four five six`", 20), "one two\n`three four five six`")
        self.assertEqual(wrap.wrap("- " + "x" * 17 + " - y", 20), "- " + "x" * 17 + "\n  \\- y")


if __name__ == "__main__":
    unittest.main()
