//! acumen-scoring-tasks
