# The C types of _one_by_one.py. There are none: what counts is that the loop over the filters is compiled.
