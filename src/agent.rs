//! The edge process: enrol, dial, stay, check the warrant, turn an offer into a join.
