# The C types of encoder.py.
cdef class Encoder:
    cdef public object framing, version, writer
    cdef object _connection
    cpdef encode(self, message, instead_of=*)
