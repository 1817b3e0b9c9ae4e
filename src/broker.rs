//! Carries commands out, feeds inputs in; keeps the facts of live sessions fresh.
