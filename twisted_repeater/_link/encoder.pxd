# The C types of encoder.py.
cdef class Encoder:
    cdef public object framing, version
    cdef object _connection, _writer
    cdef bint _keeps_bytes
    cpdef encode(self, message, instead_of=*)
