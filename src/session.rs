//! Sessions: everything between "may I?" and "it is over", as one state machine that never waits.
