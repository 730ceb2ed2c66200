"""The judge: an OCaml program that speaks bin_prot by OCaml's own library, and its messages in Python."""
