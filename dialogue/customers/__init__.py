"""Who is calling: profile, history, consent."""
