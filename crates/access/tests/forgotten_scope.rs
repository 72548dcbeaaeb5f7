//! A handler that forgets whom it answers does not build.

#[test]
fn what_is_restricted_is_neither_read_nor_written_without_a_scope() {
    trybuild::TestCases::new().compile_fail("tests/forgotten/*.rs");
}
