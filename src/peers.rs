//! Admission, and what the gateway says to agents and technicians.
