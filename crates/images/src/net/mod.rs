//! What programs share that talk over the network: names to addresses, connections, and HTTP on
//! both sides of one.

mod client;
mod dial;
mod host;
mod lookup;
mod server;

pub(crate) use client::{Call, CallError, CallResult, Url, http_response};
pub(crate) use dial::{Dial, DialError};
pub(crate) use host::{Host, Reply, Service, Step, StepFailure, Tidy};
pub(crate) use lookup::{Lookup, query};
pub(crate) use server::{Arrived, Listener, header, page, reason, text};
