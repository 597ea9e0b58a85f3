"""How values are said aloud: numbers, codes, spelling, e-mail, sums, dates, addresses.

Every reader takes the tokens of a text and gives values with character offsets into the original,
so that both the finding of entities and redaction read the same way.
"""
