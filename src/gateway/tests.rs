//! The whole process, in this one.
