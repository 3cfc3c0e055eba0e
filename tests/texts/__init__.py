"""Words that the documents do not use, words of code comments that only become fewer, and lines of prose at 100 columns."""
