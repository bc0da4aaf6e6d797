"""A simulation of one broker and its clients: the real cores, with a network, a disk and clocks that fail, from one seed."""
