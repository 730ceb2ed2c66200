# The C types of rows.py.
cimport cython

@cython.locals(view=cython.p_uchar, size=Py_ssize_t, left=Py_ssize_t, at=Py_ssize_t, length=Py_ssize_t, values=list)
cpdef data_row(bytes frame)
