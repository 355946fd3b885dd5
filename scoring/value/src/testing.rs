//! Seeded games for tests.
