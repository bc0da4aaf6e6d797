"""A simulation of one broker and its clients: real cores; network, disk and clocks that fail; one seed."""
