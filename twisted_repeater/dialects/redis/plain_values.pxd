# The C types of plain_values.py.
cimport cython

cdef Py_ssize_t MOST_DIGITS

@cython.locals(view=cython.p_uchar, size=Py_ssize_t, at=Py_ssize_t, left=Py_ssize_t, start=Py_ssize_t, length=Py_ssize_t,
               words=list)
cpdef words_in(bytes frame)
@cython.locals(view=cython.p_uchar, size=Py_ssize_t, start=Py_ssize_t, number=Py_ssize_t)
cpdef plain_value(bytes frame)
@cython.locals(view=cython.p_uchar)
cdef bint is_line(bytes frame, Py_ssize_t at, Py_ssize_t stop) noexcept
@cython.locals(view=cython.p_uchar)
cdef Py_ssize_t line_end(bytes frame, Py_ssize_t at, Py_ssize_t size) noexcept
@cython.locals(view=cython.p_uchar, number=Py_ssize_t)
cdef Py_ssize_t number_at(bytes frame, Py_ssize_t at, Py_ssize_t stop) noexcept
