//! The technician's process: log in, open, join, local ports.
