"""
A Django site where people collect donations for a challenge.

    python -m examples.challenges

`models` has challenges and donations, `sources` tells what has happened to them, `handlers` writes
mails about it (`mailing`, from the templates of this package), and `apps` puts the three together.
`settings` and `manage.py` make a site of it, with the admin. The story that the command above
tells is in `story`; the mails go to a mail server (`sink`) on this machine.
"""
