//! Times as text.

pub mod strtime;
