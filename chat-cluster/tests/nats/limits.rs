mod conformance {
    use chat_core::testing::limits_conformance;

    limits_conformance!(crate::support::pair);
}
