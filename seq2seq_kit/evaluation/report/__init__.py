"""``s2s evaluate --report``: an evaluation as one HTML page, which needs no network and no other file.

``page.html``, ``style.css`` and ``script.js`` beside this file are its form. What they are given is made by

- ``facts``: what was evaluated, how, and with which versions;
- ``scores``: each metric with its confidence interval, and the differences of runs;
- ``histogram``: how long outputs and references are, and how they score;
- ``examples``: the best and the worst, and the table of all;
- ``differences``: what of a text is not in the other one;
- ``attention``: the weights, small enough for a page.

``page`` puts it together.
"""
