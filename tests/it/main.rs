//! Tests of the whole product, and of the house it lives in.

mod architecture;
