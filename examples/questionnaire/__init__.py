"""
A questionnaire whose answers are imported when they are complete, be it weeks later.

    python -m examples.questionnaire start 17
    python -m examples.questionnaire page 17 name=Ada agent=Firefox/128.0
    python -m examples.questionnaire page 17 colour=green
    python -m examples.questionnaire complete 17
    python -m examples.questionnaire show 17

Each command is a process of its own, and ends when nothing is left to do. What must happen when
stands in ``survey.toml``; what happens then, in `tasks`. Answers that were received and tasks that
were due are in the store, whichever of the processes was killed when.
"""
