"""`make eval`: what Lares finds, how soon and at what price, measured on labelled clips.

The path of a measurement: `clips` lists what there is, `replay` runs `lares replay` over it and remembers what it
gave, `visits`, `boxes`, `tracks` and `probe` compare that with the truth, `measure` puts one clip's figures together,
`promises` judges them, `tables`, `plots` and `report` show them. docs/evaluation.md says how to read the figures.
"""
