# The C types of encoder.py.
cdef class Encoder:
    cdef public object framing, version
    cdef readonly object _connection
    cdef object _writer
    cdef bint _keeps_bytes
    cpdef encode(self, message, instead_of=*)
